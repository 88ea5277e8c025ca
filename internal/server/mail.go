package server

import (
	"strings"

	"sluice/internal/audit"
	"sluice/internal/mail"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// site is what mails say of this server.
func (s *Server) site(issuers []trust.Issuer) mail.Site {
	return mail.Site{
		URL: s.parts.Config.URL, Publishers: page.PublishersPath, Audit: page.AuditPath, Account: page.TokensPath,
		Run: func(e audit.Event) string { return runPage(issuers, e) },
	}
}

// runPage is the page of the run that an event is about, or "". The issuer must be one of ours; its provider builds
// the address from parts that it checks.
func runPage(issuers []trust.Issuer, e audit.Event) string {
	owner, _, _ := strings.Cut(e.Facts["repository"], "/")
	for _, is := range issuers {
		if is.URL == e.Facts["issuer"] {
			return trust.Provenance{
				Provider: is.Provider.Traits().Name, Issuer: is.URL, Repository: e.Facts["repository"], Owner: owner,
				RunID: e.Facts["run_id"], RunAttempt: e.Facts["run_attempt"],
			}.RunURL()
		}
	}
	return ""
}
