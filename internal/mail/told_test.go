package mail_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/audit"
	"sluice/internal/fault"
	"sluice/internal/mail"
)

func TestTell(t *testing.T) {
	t.Parallel()
	owners := []mail.Telling{{To: mail.Owners}}
	daily := []mail.Telling{{To: mail.Owners, Once: "publish_token.refused id_mismatch forge acme/forge"}}
	at := time.UnixMicro(7)
	ann := func(what string) mail.Telling { return mail.Telling{To: mail.Account, Account: "ann", Once: what} }
	revoked, changed := ann("api_token.revoked  7 ann/laptop"), ann("account.changed  7 ann")
	by := func(kind audit.ActorKind, name string) audit.Actor { return audit.Actor{Kind: kind, Name: name} }
	for name, tt := range map[string]struct {
		e    audit.Event
		want []mail.Telling
	}{
		"added":                 {audit.Event{Kind: audit.PublisherAdded, ChannelID: 1, Channel: "forge"}, owners},
		"added by an owner":     {audit.Event{Kind: audit.PublisherAdded, ChannelID: 1, Actor: by(audit.User, "ann")}, owners},
		"added to no channel":   {audit.Event{Kind: audit.PublisherAdded}, nil},
		"changed":               {audit.Event{Kind: audit.PublisherChanged, ChannelID: 1}, owners},
		"news":                  {audit.Event{Kind: audit.PublisherNews, ChannelID: 1}, owners},
		"expiring":              {audit.Event{Kind: audit.PublisherExpiring, ChannelID: 1}, owners},
		"disabled":              {audit.Event{Kind: audit.PublisherDisabled, ChannelID: 1}, owners},
		"a look-alike":          {audit.Event{Kind: audit.MintRefused, Code: string(fault.IDMismatch), ChannelID: 1, Channel: "forge", Subject: "Acme/Forge"}, daily},
		"refused for else":      {audit.Event{Kind: audit.MintRefused, Code: string(fault.WorkflowMismatch), ChannelID: 1, Channel: "forge"}, nil},
		"refused, of nobody":    {audit.Event{Kind: audit.MintRefused, Code: string(fault.IDMismatch), Subject: "acme/forge"}, nil},
		"an upload of the code": {audit.Event{Kind: audit.UploadRefused, Code: string(fault.IDMismatch), ChannelID: 1}, nil},
		"revoked by another":    {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.User, "bob")}, []mail.Telling{revoked}},
		"revoked by itself":     {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.User, "ann")}, nil},
		"revoked on the data":   {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.Operator, "ann")}, []mail.Telling{revoked}},
		"a run called ann":      {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.Publisher, "ann")}, []mail.Telling{revoked}},
		"found":                 {audit.Event{Kind: audit.APITokenRevoked, ChannelID: 1, Subject: "ann/laptop", Actor: by(audit.Anonymous, "")}, []mail.Telling{revoked, {To: mail.Owners}}},
		"found, of no channel":  {audit.Event{Kind: audit.APITokenRevoked, Subject: "ann/laptop", Actor: by(audit.Anonymous, "")}, []mail.Telling{revoked}},
		"a publish token found": {audit.Event{Kind: audit.TokenRevoked, ChannelID: 1, Actor: by(audit.Anonymous, "")}, owners},
		"ended by its holder":   {audit.Event{Kind: audit.TokenRevoked, ChannelID: 1, Actor: by(audit.Publisher, "acme/forge")}, nil},
		"a session found":       {audit.Event{Kind: audit.SessionRevoked, Subject: "ann", Actor: by(audit.Anonymous, "")}, []mail.Telling{ann("session.revoked  7 ann")}},
		"changed by another":    {audit.Event{Kind: audit.AccountChanged, Subject: "ann", Actor: by(audit.User, "bob")}, []mail.Telling{changed}},
		"changed by itself":     {audit.Event{Kind: audit.AccountChanged, Subject: "ann", Actor: by(audit.User, "ann")}, nil},
		"an upload":             {audit.Event{Kind: audit.Uploaded, ChannelID: 1, Channel: "forge"}, nil},
		"a sign-in":             {audit.Event{Kind: audit.SignedIn, Subject: "ann"}, nil},
	} {
		tt.e.At = at
		if d := cmp.Diff(tt.want, mail.Tell(tt.e)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
