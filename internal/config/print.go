package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Print writes the settings in force as a TOML file that Load would take, each with its source as a
// comment. What is unset, and what is secret, is written as a comment.
func (c Config) Print(w io.Writer) error {
	var b strings.Builder
	for _, r := range c.rows() {
		r.print(&b, cmp.Or(c.from[r.key], "default"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Issuers)) {
		if i := c.Issuers[name]; !i.plain() {
			fmt.Fprintf(&b, "\n[issuers.%s]\n", name)
			for _, r := range i.rows() {
				r.print(&b, cmp.Or(c.from["issuers"], "default"))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type row struct {
	key, value string
	secret     bool
}

// print writes the line of a setting.
func (r row) print(b *strings.Builder, from string) {
	line := r.key + " = " + r.value
	if r.value == `""` || r.secret {
		line = "# " + line
	}
	fmt.Fprintf(b, "%-48s # %s\n", line, from)
}

// plainIssuers are the issuers that need no table.
func (c Config) plainIssuers() map[string]string {
	out := map[string]string{}
	for name, i := range c.Issuers {
		if i.plain() {
			out[name] = i.URL
		}
	}
	return out
}

func (c Config) rows() []row {
	return []row{
		{key: "listen", value: quote(c.Listen)},
		{key: "url", value: quote(c.URL)},
		{key: "data", value: quote(c.Data)},
		{key: "db", value: quote(c.DB.String()), secret: true},
		{key: "store", value: quote(c.Store)},
		{key: "issuer", value: inlineTable(c.plainIssuers())},
		{key: "audience", value: list(c.Audiences)},
		{key: "sigstore_root", value: list(c.SigstoreRoots)},
		{key: "sigstore_tuf", value: quote(cmp.Or(c.SigstoreTUF, off))},
		{key: "sigstore_tuf_root", value: quote(c.SigstoreTUFRoot)},
		{key: "mail", value: quote(c.shownMail()), secret: strings.Contains(c.shownMail(), Secret("x").String())},
		{key: "mail_from", value: quote(c.MailFrom)},
		{key: "upload_max", value: quote(c.UploadMax.String())},
		{key: "publish_token_life", value: quote(c.PublishTokenLife.String())},
		{key: "shutdown_grace", value: quote(c.ShutdownGrace.String())},
		{key: "stall_timeout", value: quote(c.StallTimeout.String())},
		{key: "delete_undo", value: quote(c.DeleteUndo.String())},
		{key: "index_memory", value: quote(c.IndexMemory.String())},
		{key: "log_format", value: quote(c.LogFormat)},
		{key: "log_level", value: quote(strings.ToLower(c.LogLevel.String()))},
	}
}

// quote writes a TOML basic string: every JSON string is one.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string can always be encoded
	return string(b)
}

func list(ss []string) string {
	out := make([]string, 0, len(ss))
	for _, s := range ss {
		out = append(out, quote(s))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func inlineTable(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+" = "+quote(m[k]))
	}
	if len(out) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(out, ", ") + " }"
}
