package fault

// Refusals that any room may need.
const (
	// Internal is what a caller is told when the failure is ours. Rooms do not use it: any error that is
	// not a refusal counts as internal.
	Internal Code = "internal"
	// BadRequest: the request itself cannot be read.
	BadRequest Code = "bad_request"
	// InvalidField: a field of a form or of a JSON body has a value that cannot be.
	InvalidField Code = "invalid_field"
	// NotFound: there is no such thing, or the caller may not know that there is.
	NotFound Code = "not_found"
	// Conflict: the name is taken, or the thing was changed meanwhile.
	Conflict Code = "conflict"
	// TooLarge: the body, or something inside it, is over a limit.
	TooLarge Code = "too_large"
	// TooSlow: the body stopped coming.
	TooSlow Code = "too_slow"
	// RateLimited: too many tries; the sentence says when to come again.
	RateLimited Code = "rate_limited"
	// MethodNotAllowed: the path exists, the method does not. Used by the JSON API and the pages only.
	MethodNotAllowed Code = "method_not_allowed"
)

// Refusals about who is calling and what they may do.
const (
	// Unauthenticated: no credential came where one is needed.
	Unauthenticated Code = "unauthenticated"
	// InvalidToken: a credential came that is unknown here, mistyped, or of the wrong kind.
	InvalidToken Code = "invalid_token"
	// Expired: the credential or the identity token is past its end.
	Expired Code = "expired"
	// Revoked: the credential was taken back, or the rule that it rests on was changed or removed.
	Revoked Code = "revoked"
	// NotPermitted: the caller is known and may not do this.
	NotPermitted Code = "not_permitted"
	// WrongChannel: the publish token does not cover this channel.
	WrongChannel Code = "wrong_channel"
	// PackageNotAllowed: the publisher, or the API token, may not publish this package name.
	PackageNotAllowed Code = "package_not_allowed"
	// SubdirNotAllowed: the publisher may not publish into this subdir.
	SubdirNotAllowed Code = "subdir_not_allowed"
	// NewNameNotAllowed: the channel has no package of this name, and the publisher may not create names.
	NewNameNotAllowed Code = "new_name_not_allowed"
	// RunLimit: the run has published as much as its publisher lets one run.
	RunLimit Code = "run_limit"
	// PublisherOnly: the channel takes uploads from trusted publishers alone.
	PublisherOnly Code = "publisher_only"
	// CrossSite: a page of another site tried to act for the signed-in user.
	CrossSite Code = "cross_site"
	// WrongCredentials: user name and password do not fit.
	WrongCredentials Code = "wrong_credentials"
)

// Refusals of an identity token, before any publisher is looked at.
const (
	// MalformedToken: what came is not a compact JWS whose parts are plain JSON objects.
	MalformedToken Code = "malformed_token"
	// AlgNotAllowed: the signature algorithm is not one that this issuer may use.
	AlgNotAllowed Code = "alg_not_allowed"
	// BadKid: the header names no usable key id.
	BadKid Code = "bad_kid"
	// HeaderNotAllowed: the header brings a key, an address of one, or a critical extension.
	HeaderNotAllowed Code = "header_not_allowed"
	// WrongType: the token is a JWT of another use.
	WrongType Code = "wrong_type"
	// UnknownIssuer: the issuer is not configured on this server.
	UnknownIssuer Code = "unknown_issuer"
	// UnknownKey: the issuer does not publish the key that the token names.
	UnknownKey Code = "unknown_key"
	// BadSignature: the token was not signed by its issuer.
	BadSignature Code = "bad_signature"
	// IssuerUnavailable: the issuer's keys could not be loaded; nothing was consumed.
	IssuerUnavailable Code = "issuer_unavailable"
	// NotYetValid: the token's times lie in the future.
	NotYetValid Code = "not_yet_valid"
	// BadTime: a time claim is missing or is no usable number.
	BadTime Code = "bad_time"
	// LifetimeTooLong: the token would live longer than this issuer's tokens may.
	LifetimeTooLong Code = "lifetime_too_long"
	// WrongAudience: the token was made for another service.
	WrongAudience Code = "wrong_audience"
	// BadJTI: the token's id is missing or unusable.
	BadJTI Code = "bad_jti"
	// BadClaim: a claim has the wrong type or an impossible value.
	BadClaim Code = "bad_claim"
	// TokenReused: the token was exchanged before.
	TokenReused Code = "token_reused"
)

// Refusals of a good identity token that fits no publisher.
const (
	// NoPublisher: no publisher names this repository.
	NoPublisher Code = "no_publisher"
	// WorkflowMismatch: another workflow file than the publisher's.
	WorkflowMismatch Code = "workflow_mismatch"
	// ReusableWorkflow: the job lives in a reusable workflow that the publisher does not name.
	ReusableWorkflow Code = "reusable_workflow"
	// EnvironmentMismatch: another environment than the publisher's, or none.
	EnvironmentMismatch Code = "environment_mismatch"
	// EventNotAllowed: the run was started by an event that strangers or unreviewed code can fire.
	EventNotAllowed Code = "event_not_allowed"
	// RefMismatch: another branch or tag than the publisher's.
	RefMismatch Code = "ref_mismatch"
	// RefNotProtected: the publisher wants a ref that rules protect.
	RefNotProtected Code = "ref_not_protected"
	// RunnerNotAllowed: the publisher wants a machine of the CI service's own.
	RunnerNotAllowed Code = "runner_not_allowed"
	// ForkPipeline: the pipeline ran code of a fork.
	ForkPipeline Code = "fork_pipeline"
	// SSHRerun: a person could type into the job.
	SSHRerun Code = "ssh_rerun"
	// PublisherDisabled: the publisher was switched off, by an owner or because nobody used it.
	PublisherDisabled Code = "publisher_disabled"
	// PublisherExpired: the publisher is past the end that its owner gave it.
	PublisherExpired Code = "publisher_expired"
	// IDMismatch: the names fit, the unchangeable ids do not.
	IDMismatch Code = "id_mismatch"
	// OwnerChanged: the repository moved to another owner.
	OwnerChanged Code = "owner_changed"
	// MissingClaim: the token lacks a claim that the rule needs.
	MissingClaim Code = "missing_claim"
)

// Refusals of an upload.
const (
	// InvalidPackage: the file is not a package that clients could install safely.
	InvalidPackage Code = "invalid_package"
	// HashMismatch: the bytes are not those that the client announced.
	HashMismatch Code = "hash_mismatch"
	// Exists: another artifact has this name already.
	Exists Code = "exists"
	// TwinDiffers: the same build exists in the other format, with other dependencies.
	TwinDiffers Code = "twin_differs"
	// V3NotAllowed: the package needs repodata of revision 3.
	V3NotAllowed Code = "v3_not_allowed"
	// NoSpace: the store is full.
	NoSpace Code = "no_space"
)

// Refusals of an attestation.
const (
	// BundleMalformed: what came is no sigstore bundle.
	BundleMalformed Code = "bundle_malformed"
	// TooManyBundles: more came than one artifact, or one upload, may have.
	TooManyBundles Code = "too_many_bundles"
	// BundleVersion: the bundle is not of version 0.3.
	BundleVersion Code = "bundle_version"
	// NoCertificate: the bundle was signed with a key, by nobody known.
	NoCertificate Code = "no_certificate"
	// NotAnAttestation: the bundle signs bytes, and states nothing.
	NotAnAttestation Code = "not_an_attestation"
	// LogUnknown: the entry is in no transparency log that is trusted.
	LogUnknown Code = "log_unknown"
	// LogInvalid: the entry of the transparency log is missing or not right.
	LogInvalid Code = "log_invalid"
	// TimeUnproven: nobody who is trusted says when the signature was made.
	TimeUnproven Code = "time_unproven"
	// CertificateUntrusted: the certificate comes from nobody who is trusted, was not valid then, or says two things.
	CertificateUntrusted Code = "certificate_untrusted"
	// SCTMissing: no trusted certificate log vouches for the certificate.
	SCTMissing Code = "sct_missing"
	// SignatureInvalid: the signature does not fit.
	SignatureInvalid Code = "signature_invalid"
	// WrongArtifact: the attestation is for other bytes.
	WrongArtifact Code = "wrong_artifact"
	// StatementMalformed: what was signed cannot be read in one way only.
	StatementMalformed Code = "statement_malformed"
	// NotStatement: what was signed is not a statement of CEP 27.
	NotStatement Code = "not_statement"
	// OneSubject: the statement speaks of several files, or of none.
	OneSubject Code = "one_subject"
	// SubjectName: the statement speaks of a file of another name.
	SubjectName Code = "subject_name"
	// SubjectDigest: the statement's digest is spelled in another way than CEP 27 wants.
	SubjectDigest Code = "subject_digest"
	// TargetInvalid: the statement's target is no address of a channel.
	TargetInvalid Code = "target_invalid"
	// TargetMismatch: the statement was made for another channel.
	TargetMismatch Code = "target_mismatch"
	// SignerMismatch: somebody else signed.
	SignerMismatch Code = "signer_mismatch"
	// NotACISigner: a person or a machine without an address signed.
	NotACISigner Code = "not_a_ci_signer"
	// SignerDenied: the channel's owners have said that the signature counts for nothing.
	SignerDenied Code = "signer_denied"
	// AttestationRequired: the channel takes the package only with an attestation that counts.
	AttestationRequired Code = "attestation_required"
	// AttestationsOff: the channel takes no attestations.
	AttestationsOff Code = "attestations_off"
	// NoTrustRoot: the keys by which attestations are checked could not be had so far.
	NoTrustRoot Code = "no_trust_root"
	// AttestationRegressed: earlier files of the package have an attestation, and this one has none.
	AttestationRegressed Code = "attestation_regressed"
)
