package server

import (
	"encoding/json"

	"sluice/internal/audit"
	"sluice/internal/mail"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// site is what mails say of this server.
func (s *Server) site() mail.Site {
	return mail.Site{
		URL: s.parts.Config.URL, Publishers: page.PublishersPath, Audit: page.AuditPath, Account: page.TokensPath, Run: runPage,
	}
}

// runPage is the page of the run that an event is about, or "". The facts of such an event are the members of the
// run's provenance; its provider builds the address from parts that it checks.
func runPage(e audit.Event) string {
	facts, err := json.Marshal(e.Facts)
	if err != nil {
		return "" // strings can always be encoded
	}
	var run trust.Provenance
	if err := json.Unmarshal(facts, &run); err != nil {
		return ""
	}
	return run.RunURL()
}
