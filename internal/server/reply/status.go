package reply

import (
	"net/http"

	"sluice/internal/fault"
)

// statuses is the one table from refusals to HTTP.
var statuses = map[fault.Code]int{
	fault.Internal:         http.StatusInternalServerError,
	fault.BadRequest:       http.StatusBadRequest,
	fault.InvalidField:     http.StatusUnprocessableEntity,
	fault.NotFound:         http.StatusNotFound,
	fault.Conflict:         http.StatusConflict,
	fault.TooLarge:         http.StatusRequestEntityTooLarge,
	fault.TooSlow:          http.StatusBadRequest, // 408 would be sent again, and be too slow again
	fault.RateLimited:      http.StatusTooManyRequests,
	fault.MethodNotAllowed: http.StatusMethodNotAllowed,

	fault.Unauthenticated:   http.StatusUnauthorized,
	fault.InvalidToken:      http.StatusUnauthorized,
	fault.Expired:           http.StatusUnauthorized,
	fault.Revoked:           http.StatusUnauthorized,
	fault.NotPermitted:      http.StatusForbidden,
	fault.WrongChannel:      http.StatusForbidden,
	fault.PackageNotAllowed: http.StatusForbidden,
	fault.SubdirNotAllowed:  http.StatusForbidden,
	fault.NewNameNotAllowed: http.StatusForbidden,
	fault.RunLimit:          http.StatusForbidden,
	fault.PublisherOnly:     http.StatusForbidden,
	fault.CrossSite:         http.StatusForbidden,
	fault.WrongCredentials:  http.StatusUnauthorized,

	fault.MalformedToken:    http.StatusBadRequest,
	fault.AlgNotAllowed:     http.StatusUnauthorized,
	fault.BadKid:            http.StatusUnauthorized,
	fault.HeaderNotAllowed:  http.StatusUnauthorized,
	fault.WrongType:         http.StatusUnauthorized,
	fault.UnknownIssuer:     http.StatusUnauthorized,
	fault.UnknownKey:        http.StatusUnauthorized,
	fault.BadSignature:      http.StatusUnauthorized,
	fault.IssuerUnavailable: http.StatusServiceUnavailable,
	fault.NotYetValid:       http.StatusUnauthorized,
	fault.BadTime:           http.StatusUnauthorized,
	fault.LifetimeTooLong:   http.StatusUnauthorized,
	fault.WrongAudience:     http.StatusUnauthorized,
	fault.BadJTI:            http.StatusUnauthorized,
	fault.BadClaim:          http.StatusUnauthorized,
	fault.TokenReused:       http.StatusUnauthorized,

	fault.NoPublisher:         http.StatusForbidden,
	fault.WorkflowMismatch:    http.StatusForbidden,
	fault.ReusableWorkflow:    http.StatusForbidden,
	fault.EnvironmentMismatch: http.StatusForbidden,
	fault.EventNotAllowed:     http.StatusForbidden,
	fault.RefMismatch:         http.StatusForbidden,
	fault.RefNotProtected:     http.StatusForbidden,
	fault.RunnerNotAllowed:    http.StatusForbidden,
	fault.ForkPipeline:        http.StatusForbidden,
	fault.SSHRerun:            http.StatusForbidden,
	fault.PublisherDisabled:   http.StatusForbidden,
	fault.PublisherExpired:    http.StatusForbidden,
	fault.IDMismatch:          http.StatusForbidden,
	fault.OwnerChanged:        http.StatusForbidden,
	fault.MissingClaim:        http.StatusForbidden,

	fault.InvalidPackage: http.StatusUnprocessableEntity,
	fault.HashMismatch:   http.StatusUnprocessableEntity,
	fault.Exists:         http.StatusConflict,
	fault.TwinDiffers:    http.StatusConflict,
	fault.V3NotAllowed:   http.StatusForbidden,
	fault.NoSpace:        http.StatusInsufficientStorage,

	fault.BundleMalformed:      http.StatusUnprocessableEntity,
	fault.TooManyBundles:       http.StatusUnprocessableEntity,
	fault.BundleVersion:        http.StatusUnprocessableEntity,
	fault.NoCertificate:        http.StatusUnprocessableEntity,
	fault.NotAnAttestation:     http.StatusUnprocessableEntity,
	fault.LogUnknown:           http.StatusUnprocessableEntity,
	fault.LogInvalid:           http.StatusUnprocessableEntity,
	fault.TimeUnproven:         http.StatusUnprocessableEntity,
	fault.CertificateUntrusted: http.StatusUnprocessableEntity,
	fault.SCTMissing:           http.StatusUnprocessableEntity,
	fault.SignatureInvalid:     http.StatusUnprocessableEntity,
	fault.WrongArtifact:        http.StatusUnprocessableEntity,
	fault.StatementMalformed:   http.StatusUnprocessableEntity,
	fault.NotStatement:         http.StatusUnprocessableEntity,
	fault.OneSubject:           http.StatusUnprocessableEntity,
	fault.SubjectName:          http.StatusUnprocessableEntity,
	fault.SubjectDigest:        http.StatusUnprocessableEntity,
	fault.TargetInvalid:        http.StatusUnprocessableEntity,
	fault.TargetMismatch:       http.StatusUnprocessableEntity,
	fault.SignerMismatch:       http.StatusUnprocessableEntity,
	fault.NotACISigner:         http.StatusUnprocessableEntity,
	fault.SignerDenied:         http.StatusUnprocessableEntity,
	fault.AttestationRequired:  http.StatusUnprocessableEntity,
	fault.AttestationsOff:      http.StatusUnprocessableEntity,
	fault.AttestationRegressed: http.StatusUnprocessableEntity,
	fault.NoTrustRoot:          http.StatusServiceUnavailable, // keys may come at any minute
}

// Status is the HTTP status of a refusal. A code that the table forgot counts as internal; a test sees to
// it that there is none.
func Status(c fault.Code) int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// ClientStatus is the status of a refusal in the clients' protocols: mint, upload, channel files. Those may
// use only 400, 401, 403, 404, 409, 413 and 422, after which a client does not send its file again, and 5xx
// where sending again may help: rattler_upload retries everything else, 405 and 429 included.
func ClientStatus(c fault.Code) int {
	switch c {
	case fault.MethodNotAllowed:
		return http.StatusNotFound
	case fault.RateLimited:
		return http.StatusServiceUnavailable // the clients' own pause may be enough
	case fault.NoSpace:
		return http.StatusRequestEntityTooLarge // four times the file would not make room
	}
	return Status(c)
}

// MintStatus is the status of a refused exchange: as in the clients' other protocols, but for 429. There is no
// file that would be sent again, and the client's pause before it asks again is what is wanted.
func MintStatus(c fault.Code) int {
	if c == fault.RateLimited {
		return http.StatusTooManyRequests
	}
	return ClientStatus(c)
}
