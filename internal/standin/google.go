package standin

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// GoogleRun describes a machine of Google Cloud that acts as a service account. What is empty gets a likely value.
type GoogleRun struct {
	// Email is the service account's address. Subject is its number of 21 digits, which follows from the address when
	// empty, and is another one once the account was made anew.
	Email, Subject string
	// Unverified is set when Google does not vouch for the address.
	Unverified bool
}

// GoogleJob is whatever runs on the machine: a step of Cloud Build, say.
type GoogleJob struct {
	GoogleRun
	job
}

// StartGoogle begins a job. The service must be one of Google.
func (s *Service) StartGoogle(r GoogleRun) *GoogleJob {
	return begin(s, Google, func(base job, _ int) *GoogleJob { return &GoogleJob{r.filled(), base} })
}

func (r GoogleRun) filled() GoogleRun {
	r.Email = cmp.Or(r.Email, "forge@acme-builds.iam.gserviceaccount.com")
	r.Subject = cmp.Or(r.Subject, fmt.Sprintf("1%010d%010d", hash(r.Email), hash("account "+r.Email)))
	return r
}

// googleRoutes registers the metadata server's endpoint for identity tokens. As the real one it asks for no secret,
// but for a header that no link can bring; it vouches for the job that was started last.
func googleRoutes(s *Service) {
	s.handle("GET", s.site+"/computeMetadata/v1/instance/service-accounts/default/identity", func(w http.ResponseWriter, r *http.Request) {
		audience := r.URL.Query().Get("audience")
		j := newest(s, func(*GoogleJob) bool { return true })
		switch {
		case r.Header.Get("Metadata-Flavor") != "Google":
			http.Error(w, "missing the header Metadata-Flavor: Google", http.StatusForbidden)
			return
		case audience == "":
			http.Error(w, "non-empty audience parameter required", http.StatusBadRequest)
			return
		case j == nil:
			http.Error(w, "no job was started here", http.StatusNotFound)
			return
		}
		claims := j.Claims(audience)
		if r.URL.Query().Get("format") == "full" {
			claims["google"] = j.machine()
		}
		token, err := s.Sign(nil, claims)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		_, _ = w.Write([]byte(token)) // the client has gone when this fails
	})
}

// Env is how Google's libraries find a metadata server that is not at its usual address, as "NAME=value".
func (j *GoogleJob) Env() []string {
	_, host, _ := strings.Cut(j.service.root, "://")
	return []string{"GCE_METADATA_HOST=" + host}
}

// Token makes an identity token for the audience, of the format "standard".
func (j *GoogleJob) Token(audience string) (string, error) {
	return j.service.Sign(nil, j.Claims(audience))
}

// Claims are the claims of a token for the audience: the set that Google documents (cloud.google.com, verifying the
// identity of instances). The tokens have no id; email_verified is a boolean. The caller may change them.
func (j *GoogleJob) Claims(audience string) map[string]any {
	now := j.service.now()
	return map[string]any{
		"iss": j.service.issuer, "aud": audience, "azp": j.Subject, "sub": j.Subject,
		"email": j.Email, "email_verified": !j.Unverified,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// machine is what a token of the format "full" tells of the machine.
func (j *GoogleJob) machine() map[string]any {
	return map[string]any{"compute_engine": map[string]any{
		"instance_creation_timestamp": j.started.Unix(), "instance_id": "4570452845155348778", "instance_name": "builder-1",
		"project_id": "acme-builds", "project_number": 1071284184436, "zone": "europe-west1-b",
	}}
}

// googleClaims are what Google names, which is what it tells of people who sign in.
func googleClaims(*Service) []string {
	return []string{"aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub"}
}
