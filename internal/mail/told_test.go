package mail_test

import (
	"testing"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/mail"
)

func TestTell(t *testing.T) {
	t.Parallel()
	owners, ann := mail.Telling{To: mail.Owners}, mail.Telling{To: mail.Account, Account: "ann"}
	daily := mail.Telling{To: mail.Owners, Once: "publish_token.refused id_mismatch forge acme/forge"}
	by := func(kind audit.ActorKind, name string) audit.Actor { return audit.Actor{Kind: kind, Name: name} }
	for name, tt := range map[string]struct {
		e    audit.Event
		want mail.Telling
	}{
		"added":                 {audit.Event{Kind: audit.PublisherAdded, ChannelID: 1, Channel: "forge"}, owners},
		"added by an owner":     {audit.Event{Kind: audit.PublisherAdded, ChannelID: 1, Actor: by(audit.User, "ann")}, owners},
		"added to no channel":   {audit.Event{Kind: audit.PublisherAdded}, mail.Telling{}},
		"changed":               {audit.Event{Kind: audit.PublisherChanged, ChannelID: 1}, owners},
		"news":                  {audit.Event{Kind: audit.PublisherNews, ChannelID: 1}, owners},
		"expiring":              {audit.Event{Kind: audit.PublisherExpiring, ChannelID: 1}, owners},
		"disabled":              {audit.Event{Kind: audit.PublisherDisabled, ChannelID: 1}, owners},
		"a look-alike":          {audit.Event{Kind: audit.MintRefused, Code: string(fault.IDMismatch), ChannelID: 1, Channel: "forge", Subject: "Acme/Forge"}, daily},
		"refused for else":      {audit.Event{Kind: audit.MintRefused, Code: string(fault.WorkflowMismatch), ChannelID: 1, Channel: "forge"}, mail.Telling{}},
		"refused, of nobody":    {audit.Event{Kind: audit.MintRefused, Code: string(fault.IDMismatch), Subject: "acme/forge"}, mail.Telling{}},
		"an upload of the code": {audit.Event{Kind: audit.UploadRefused, Code: string(fault.IDMismatch), ChannelID: 1}, mail.Telling{}},
		"revoked by another":    {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.User, "bob")}, ann},
		"revoked by itself":     {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.User, "ann")}, mail.Telling{}},
		"revoked on the data":   {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.Operator, "ann")}, ann},
		"a run called ann":      {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.Publisher, "ann")}, ann},
		"changed by another":    {audit.Event{Kind: audit.AccountChanged, Subject: "ann", Actor: by(audit.User, "bob")}, ann},
		"changed by itself":     {audit.Event{Kind: audit.AccountChanged, Subject: "ann", Actor: by(audit.User, "ann")}, mail.Telling{}},
		"an upload":             {audit.Event{Kind: audit.Uploaded, ChannelID: 1, Channel: "forge"}, mail.Telling{}},
		"a sign-in":             {audit.Event{Kind: audit.SignedIn, Subject: "ann"}, mail.Telling{}},
	} {
		got, ok := mail.Tell(tt.e)
		if got != tt.want || ok != (tt.want != mail.Telling{}) {
			t.Errorf("%s: told %+v, %v; want %+v", name, got, ok, tt.want)
		}
	}
}
