package config

import (
	"reflect"
	"strings"
)

// Text is a setting as it was written, not parsed yet. A command line, a variable and a file all give
// text, so one parser and one wording of mistakes serves the three.
type Text string

// UnmarshalText takes the text as it is. In a TOML file it lets upload_max = 1048576 stand without quotes.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Text(b)
	return nil
}

// Flags is one source of settings; nil means that the source does not name the setting. A command
// embeds it (kong reads the tags) and hands it to Load, which reads the environment and the file by
// itself, so kong must not.
type Flags struct {
	Listen           *Text             `name:"listen" toml:"listen" placeholder:"HOST:PORT" help:"Address to listen on (default 127.0.0.1:8080)."`
	URL              *Text             `name:"url" toml:"url" placeholder:"URL" help:"Public address of the server; its host is the audience that CI tokens must name (default http://LISTEN on loopback, else required)."`
	Data             *Text             `name:"data" toml:"data" placeholder:"FOLDER" help:"Data folder (default ./sluice-data)."`
	DB               *Text             `name:"db" toml:"db" placeholder:"postgres://…" help:"PostgreSQL database (default: SQLite in the data folder). Prefer SLUICE_DB when it holds a password."`
	Store            *Text             `name:"store" toml:"store" placeholder:"PLACE" help:"Where packages lie (default: a folder in the data folder; nothing else yet)."`
	Issuer           map[string]string `name:"issuer" toml:"issuer" mapsep:"," placeholder:"NAME=URL" help:"Identity provider whose tokens are taken, such as gitlab-work=https://gitlab.acme.dev; an empty URL means the public one. May be given several times, and replaces those of the file and the default (default github=https://token.actions.githubusercontent.com and gitlab=https://gitlab.com)."`
	Audience         []string          `name:"audience" toml:"audience" placeholder:"NAME" help:"Another audience to accept in identity tokens; may be given several times (rattler-build before 0.67 and pixi before 0.71 ask for prefix.dev)."`
	SigstoreRoot     []string          `name:"sigstore-root" toml:"sigstore_root" placeholder:"FILE" help:"Instance of sigstore whose attestations count: public, or the trusted_root.json of another one; may be given several times (default public)."`
	SigstoreTUF      *Text             `name:"sigstore-tuf" toml:"sigstore_tuf" placeholder:"URL" help:"TUF repository that has the newest keys of the public instance of sigstore, or off to stay with those that the program carries (default https://tuf-repo-cdn.sigstore.dev)."`
	SigstoreTUFRoot  *Text             `name:"sigstore-tuf-root" toml:"sigstore_tuf_root" placeholder:"FILE" help:"root.json that a TUF repository of your own begins with; then public means its instance (default: sigstore's own)."`
	Mail             *Text             `name:"mail" toml:"mail" placeholder:"smtp://…" help:"Server that takes mails, such as smtps://user:password@mail.example.com:465 (default: no mails are sent). Prefer SLUICE_MAIL when it holds a password."`
	MailFrom         *Text             `name:"mail-from" toml:"mail_from" placeholder:"ADDRESS" help:"Address that mails come from; required with --mail."`
	UploadMax        *Text             `name:"upload-max" toml:"upload_max" placeholder:"SIZE" help:"Largest package (default 5GiB)."`
	PublishTokenLife *Text             `name:"publish-token-life" toml:"publish_token_life" placeholder:"TIME" help:"Life of a publish token, 5m to 60m (default 30m)."`
	ShutdownGrace    *Text             `name:"shutdown-grace" toml:"shutdown_grace" placeholder:"TIME" help:"Time for requests in flight to end at shutdown (default 30s)."`
	StallTimeout     *Text             `name:"stall-timeout" toml:"stall_timeout" placeholder:"TIME" help:"Time that a body may go without progress (default 60s)."`
	DeleteUndo       *Text             `name:"delete-undo" toml:"delete_undo" placeholder:"TIME" help:"Time in which a deleted file can be restored, before its bytes are removed; 0s: none (default 168h)."`
	IndexMemory      *Text             `name:"index-memory" toml:"index_memory" placeholder:"SIZE" help:"Memory for index pieces (default 256MiB)."`
	LogFormat        *Text             `name:"log-format" toml:"log_format" placeholder:"FORMAT" help:"text or json (default text)."`
	LogLevel         *Text             `name:"log-level" toml:"log_level" placeholder:"LEVEL" help:"debug, info, warn or error (default info)."`
}

// defaults is the source that every other one overrides. What is nil here may be absent.
func defaults() Flags {
	return Flags{
		Listen: new(Text("127.0.0.1:8080")), Data: new(Text("./sluice-data")),
		Issuer:       map[string]string{"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"},
		SigstoreRoot: []string{"public"}, SigstoreTUF: new(Text("https://tuf-repo-cdn.sigstore.dev")),
		UploadMax: new(Text("5GiB")), PublishTokenLife: new(Text("30m")),
		ShutdownGrace: new(Text("30s")), StallTimeout: new(Text("60s")),
		DeleteUndo: new(Text("168h")), IndexMemory: new(Text("256MiB")), LogFormat: new(Text("text")), LogLevel: new(Text("info")),
	}
}

// keys are the names of the settings as the file spells them, in the order of Flags.
func keys() []string { return tomlNames(reflect.TypeFor[Flags]()) }

// tomlNames are the names of a struct's fields in a file.
func tomlNames(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		out = append(out, f.Tag.Get("toml"))
	}
	return out
}

func flagName(key string) string { return "--" + strings.ReplaceAll(key, "_", "-") }

func envName(key string) string { return "SLUICE_" + strings.ToUpper(key) }

// lay puts what over names on top of f and notes in from where it came from.
func (f *Flags) lay(over Flags, from map[string]string, source func(key string) string) {
	dst, src := reflect.ValueOf(f).Elem(), reflect.ValueOf(over)
	for i, key := range keys() {
		if !src.Field(i).IsNil() {
			dst.Field(i).Set(src.Field(i))
			from[key] = source(key)
		}
	}
}
