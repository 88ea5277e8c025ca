package web_test

import (
	"strings"
	"testing"

	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/config"
	"sluice/internal/servertest"
)

func TestOwnMailAddress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, servertest.Options{Postgres: name == "postgres", Configure: func(c *config.Config) {
				c.Mail, c.MailFrom = "smtp://127.0.0.1:1", "sluice@example.com"
			}})
			u, ann := person(t, s, "ann", false)
			_, eve := person(t, s, "eve", true)
			s.Channel(t, u, "forge", channel.Public)
			const path, to = "/account/mail", "ann.lee@example.com"
			nobody(s).post(t, path, "mail", to).is(t, 401)
			ann.postFrom(t, path, "cross-site", "mail", to).is(t, 403)
			ann.get(t, path).is(t, 405)
			ann.get(t, "/account/tokens").is(t, 200).says(t, "For mails about the publishers of channels that you own").saysNot(t, to)

			for wrong, why := range map[string]string{
				"ann": "bare mail address", "Ann <ann@example.com>": "bare mail address", "ann@bücher.example": "xn--", "ann@example.com\r\nBcc: eve@example.com": "bare mail address",
				strings.Repeat("a", 250) + "@example.com": "at most 254 bytes",
			} {
				ann.post(t, path, "mail", wrong).is(t, 422).says(t, "This address cannot be taken: ", why)
			}
			ann.post(t, path, "mail", " "+to+" ").goes(t, "/account/tokens")
			ann.get(t, "/account/tokens").is(t, 200).says(t, to)

			// It is nowhere but on its owner's page.
			eve.get(t, "/account/tokens").is(t, 200).saysNot(t, to)
			for _, page := range []string{"/", "/channels/forge", "/channels/forge/audit", "/channels/forge/publishers"} {
				for _, who := range []reader{ann, eve} {
					who.get(t, page).is(t, 200).saysNot(t, to)
				}
			}
			events, err := s.DB.Events(t.Context(), audit.Query{Kinds: []audit.Kind{audit.AccountChanged}, Limit: 10})
			if err != nil || len(events) != 1 || events[0].Sentence != "set a new mail address of ann" || events[0].Actor.Name != "ann" {
				t.Errorf("%+v, %v", events, err)
			}
			if strings.Contains(s.Log.String(), to) {
				t.Error("the address is in the log")
			}
			ann.post(t, path, "mail", "").goes(t, "/account/tokens")
			ann.get(t, "/account/tokens").is(t, 200).says(t, "Mail").saysNot(t, to)
		})
	}
}

// A server that sends no mails asks for no address, and lets one that it has be removed.
func TestNoMailNoAddress(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Options{})
	_, ann := person(t, s, "ann", false)
	if ann.get(t, "/account/tokens").is(t, 200).hasForm(t, "/account/mail") {
		t.Error("it asks for an address")
	}
	if err := s.Accounts.SetMail(t.Context(), audit.Actor{Kind: audit.Operator}, "ann", "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	ann.get(t, "/account/tokens").is(t, 200).says(t, "ann@example.com", "This server sends no mails")
	ann.post(t, "/account/mail", "mail", "").goes(t, "/account/tokens")
	if ann.get(t, "/account/tokens").is(t, 200).hasForm(t, "/account/mail") {
		t.Error("it still asks")
	}
}
