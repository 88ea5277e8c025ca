package mail

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Sender empties the outbox. All fields are required.
type Sender struct {
	Outbox Outbox
	SMTP   SMTP
	Site   Site
	Log    *slog.Logger
	Now    func() time.Time
}

const (
	// every is how often the outbox is looked at.
	every = 5 * time.Second
	// lease is how long a letter that was taken is left alone; longer than sendTime and marking take.
	lease = 5 * time.Minute
	// markTime bounds marking, also when the server is stopping: a letter that left must not leave again.
	markTime = 10 * time.Second
	// firstWait doubles with every try, up to maxWait.
	firstWait = time.Minute
	maxWait   = 12 * time.Hour
)

// Run sends what is due, until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.Round(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Round sends what is due now. It ends early when the mail server or the database fails: then the others that wait
// would fail, too, one after another.
func (s *Sender) Round(ctx context.Context) {
	for ctx.Err() == nil {
		l, ok, err := s.Outbox.ClaimLetter(ctx, s.Now().Add(lease))
		if err != nil && ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelError, "outbox failed", slog.Any("cause", err))
		}
		if err != nil || !ok || !s.deliver(ctx, l) {
			return
		}
	}
}

// deliver sends a claimed letter and notes how it went; false when the next one needs no try. A letter that the end of
// ctx cut off stays claimed, and is due again when its lease is over.
func (s *Sender) deliver(ctx context.Context, l Letter) bool {
	err := s.SMTP.send(ctx, message{
		id: l.Claim, host: s.hostname(), to: l.To.Reveal(), subject: s.Site.subject(l), body: s.Site.body(l), at: s.Now(),
	})
	mark, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTime)
	defer cancel()
	if err != nil && ctx.Err() == nil {
		s.failed(mark, l, err)
	}
	if err != nil {
		return false
	}
	if err := s.Outbox.LetterSent(mark, l.Claim); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "outbox failed", slog.Any("cause", err))
		return false
	}
	s.Log.LogAttrs(ctx, slog.LevelDebug, "mail sent", slog.String("account", l.Account), slog.Int("events", len(l.Events)+l.More))
	return true
}

func (s *Sender) failed(ctx context.Context, l Letter, why error) {
	next := s.Now().Add(wait(l.Tries))
	s.Log.LogAttrs(ctx, slog.LevelWarn, "mail not sent", slog.String("account", l.Account), slog.Any("cause", why), slog.Time("next", next))
	forgotten, err := s.Outbox.LetterFailed(ctx, l.Claim, why.Error(), next)
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelError, "outbox failed", slog.Any("cause", err))
	}
	if forgotten > 0 {
		s.Log.LogAttrs(ctx, slog.LevelError, "mails given up", slog.String("account", l.Account), slog.Int64("events", forgotten))
	}
}

// wait is the time until the next try, after as many before this one.
func wait(tries int) time.Duration {
	w := firstWait
	for range min(tries, 20) {
		w = min(2*w, maxWait)
	}
	return w
}

// hostname is the site's host as SMTP and message ids spell it: without a port, an address in brackets (RFC 5321 §4.1.3).
func (s *Sender) hostname() string {
	host := s.Site.host()
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch ip := net.ParseIP(trimBrackets(host)); {
	case ip == nil:
		return host
	case ip.To4() != nil:
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + trimBrackets(host) + "]"
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' {
		return host[1 : len(host)-1]
	}
	return host
}
