package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMailServer(t *testing.T) {
	for _, tt := range []struct {
		in      string
		want    MailServer
		shown   string
		wantErr string
	}{
		{in: "smtp://ann:hunter2@Mail.example.com:587", want: MailServer{Host: "mail.example.com", Port: 587, TLS: MailStartTLS, User: "ann", Password: "hunter2"},
			shown: `# mail = "smtp://ann:(secret)@Mail.example.com:587"`},
		{in: "smtp://ann:hunter2@mail.example.com?starttls=required", want: MailServer{Host: "mail.example.com", Port: 587, User: "ann", Password: "hunter2"},
			shown: `# mail = "smtp://ann:(secret)@mail.example.com?starttls=required"`},
		{in: "smtps://a%40x:hunter2%2F@mail.example.com", want: MailServer{Host: "mail.example.com", Port: 465, TLS: MailFromStart, User: "a@x", Password: "hunter2/"},
			shown: `# mail = "smtps://a%40x:(secret)@mail.example.com"`},
		{in: "smtp://mail.example.com:25?starttls=optional", want: MailServer{Host: "mail.example.com", Port: 25, TLS: MailWhenOffered},
			shown: `mail = "smtp://mail.example.com:25?starttls=optional"`},
		{in: "smtp://127.0.0.1:25", want: MailServer{Host: "127.0.0.1", Port: 25, TLS: MailClear}, shown: `mail = "smtp://127.0.0.1:25"`},
		{in: "smtp://[::1]:25", want: MailServer{Host: "::1", Port: 25, TLS: MailClear}, shown: `mail = "smtp://[::1]:25"`},
		{in: "smtp://localhost:25?starttls=required", want: MailServer{Host: "localhost", Port: 25, TLS: MailStartTLS}, shown: `mail = "smtp://localhost:25?starttls=required"`},
		{in: "smtp://ann:hunter2@127.0.0.1:25", want: MailServer{Host: "127.0.0.1", Port: 25, TLS: MailClear, User: "ann", Password: "hunter2"},
			shown: `# mail = "smtp://ann:(secret)@127.0.0.1:25"`},
		// A name that only begins like loopback is elsewhere.
		{in: "smtp://127.0.0.1.example.com:25", want: MailServer{Host: "127.0.0.1.example.com", Port: 25, TLS: MailStartTLS}, shown: `mail = "smtp://127.0.0.1.example.com:25"`},
		{in: "smtp://ann:hunter2@mail.example.com?starttls=optional", wantErr: "could be read on the way"},
		{in: "smtp://ann:hunter2@mail.example.com?starttls=off", wantErr: "starttls=required or starttls=optional"},
		{in: "smtp://mail.example.com?tls=off", wantErr: "starttls=required or starttls=optional"},
		{in: "smtp://mail.example.com?starttls=optional&x=hunter2", wantErr: "starttls=required or starttls=optional"},
		{in: "smtps://mail.example.com?starttls=optional", wantErr: "for smtp:// only"},
		{in: "smtp://hunter2@mail.example.com", wantErr: "wants a password, too"},
		{in: "smtp://:hunter2@mail.example.com", wantErr: "wants a password, too"},
		{in: "smtp://ann:@mail.example.com", wantErr: "wants a password, too"},
		{in: "smtp://ann:hunter2/x@mail.example.com", wantErr: "it must be an address like"},
		{in: "smtp://ann:hunter2%@mail.example.com", wantErr: "it must be an address like"},
		{in: "smtp://mail.example.com/hunter2", wantErr: "it must be an address like"},
		{in: "smtp://mail.example.com:0", wantErr: "not between 1 and 65535"},
		{in: "smtp://mail.example.com:70000", wantErr: "not between 1 and 65535"},
		{in: "smtp://", wantErr: "it must be an address like"},
		{in: "smtp://büro.example.com", wantErr: "it must be an address like"},
		{in: "mail.example.com:587", wantErr: "it must be an address like"},
		{in: "https://hunter2.example.com", wantErr: "it must be an address like"},
	} {
		t.Run(tt.in, func(t *testing.T) {
			c, err := Load(Flags{Mail: new(Text(tt.in)), MailFrom: new(Text("sluice@example.com"))}, noEnv, "")
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), "--mail: ") || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error = %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, ok := c.MailServer()
			if d := cmp.Diff(tt.want, got); d != "" || !ok {
				t.Error(ok, d)
			}
			var out bytes.Buffer
			if err := c.Print(&out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains("\n"+out.String(), "\n"+tt.shown+" ") || strings.Contains(out.String(), "hunter2") {
				t.Errorf("printed as\n%s", &out)
			}
		})
	}
}

func TestMailFrom(t *testing.T) {
	for _, tt := range []struct{ mail, from, wantErr string }{
		{"", "", ""},
		{"smtp://127.0.0.1:25", "sluice@example.com", ""},
		{"smtp://127.0.0.1:25", "", "--mail-from: it is not set, and mail is"},
		{"smtp://127.0.0.1:25", "Sluice <sluice@example.com>", "--mail-from: \"Sluice <sluice@example.com>\" cannot be sent from: write a bare mail address"},
		{"", "sluice", "--mail-from: "},
	} {
		c, err := Load(Flags{Mail: new(Text(tt.mail)), MailFrom: new(Text(tt.from))}, noEnv, "")
		if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
			t.Errorf("%q from %q: %v, want %q", tt.mail, tt.from, err, tt.wantErr)
		}
		if _, ok := c.MailServer(); ok != (tt.mail != "") {
			t.Errorf("%q: mails are sent: %v", tt.mail, ok)
		}
	}
}
