package config

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// parse turns text into values. What cannot be parsed is left zero, and the error says so.
func (f Flags) parse(from map[string]string) (Config, error) {
	p := parser{from: from, failed: map[string]bool{}}
	c := Config{
		Listen: text(f.Listen), URL: text(f.URL), Data: text(f.Data),
		DB: Secret(text(f.DB)), Store: text(f.Store),
		Issuers: plainIssuers(f.Issuer), Audiences: trimmed(f.Audience), SigstoreRoots: trimmed(f.SigstoreRoot),
		SigstoreTUF: switchedOff(text(f.SigstoreTUF)), SigstoreTUFRoot: text(f.SigstoreTUFRoot),
		Mail: Secret(text(f.Mail)), MailFrom: text(f.MailFrom),
		UploadMax:        take(&p, "upload_max", f.UploadMax, ParseBytes),
		PublishTokenLife: take(&p, "publish_token_life", f.PublishTokenLife, parseDuration),
		ShutdownGrace:    take(&p, "shutdown_grace", f.ShutdownGrace, parseDuration),
		StallTimeout:     take(&p, "stall_timeout", f.StallTimeout, parseDuration),
		DeleteUndo:       take(&p, "delete_undo", f.DeleteUndo, parseDuration),
		IndexMemory:      take(&p, "index_memory", f.IndexMemory, ParseBytes),
		LogFormat:        text(f.LogFormat),
		LogLevel:         take(&p, "log_level", f.LogLevel, parseLevel),
		from:             from,
		unparsed:         p.failed,
	}
	c.deriveURL()
	return c, errors.Join(p.errs...)
}

// deriveURL fills in the URL of a server on loopback, and brings one that was given into its one spelling.
func (c *Config) deriveURL() {
	if c.URL == "" && isLoopback(hostOf(c.Listen)) {
		c.URL, c.derivedURL = "http://"+c.Listen, true
		c.from["url"] = "from listen"
	}
	c.URL = normalURL(c.URL)
}

type parser struct {
	from   map[string]string
	failed map[string]bool
	errs   []error
}

func take[T any](p *parser, key string, t *Text, parse func(string) (T, error)) T {
	v, err := parse(text(t))
	if err != nil {
		p.failed[key] = true
		p.errs = append(p.errs, fmt.Errorf("%s: %w", p.from[key], err))
	}
	return v
}

func text(t *Text) string {
	if t == nil {
		return ""
	}
	return strings.TrimSpace(string(*t))
}

// off is how a setting is switched off that is on by default.
const off = "off"

func switchedOff(s string) string {
	if s == off {
		return ""
	}
	return s
}

func trimmed(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a length of time: write it like 90s, 30m or 1h", s)
	}
	return d, nil
}

func parseLevel(s string) (slog.Level, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	l, ok := levels[strings.ToLower(s)]
	if !ok {
		return 0, fmt.Errorf("%q is not a level: debug, info, warn or error", s)
	}
	return l, nil
}
