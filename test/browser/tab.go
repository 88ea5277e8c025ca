// Package browser drives a real browser, Debian's chromium, through the pages of a server, as a person would:
// by what stands on the page. It watches what nobody sees: errors in the console, what the content security
// policy stopped, and requests that leave the machine. It must not know what any page is for.
package browser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Path is where Debian puts the browser.
const Path = "/usr/bin/chromium"

// patience is how long one step may take on a machine that does much else.
const patience = time.Minute

// Tab is an open tab of a browser of its own, with an empty profile. Its methods fail the test.
type Tab struct {
	testing.TB
	ctx context.Context //nolint:containedctx // chromedp keeps the tab itself in it

	mu sync.Mutex // guards what follows
	// troubles is what went wrong unseen, hosts who was asked, requests how often since the last page.
	troubles, hosts []string
	requests        int
}

// Open starts a browser. Scripts say whether pages may run any: without them the tests drive it all the same.
func Open(t testing.TB, scripts bool) *Tab {
	t.Helper()
	profile := t.TempDir()
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(Path), chromedp.UserDataDir(profile), chromedp.Env("HOME=" + profile)}
	for _, flag := range []string{
		"headless", "hide-scrollbars", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	all, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	tab := &Tab{TB: t}
	tab.ctx, _ = chromedp.NewContext(all, chromedp.WithListener(tab.watch))
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab.ctx); err != nil {
			t.Errorf("end the browser: %v", err)
		}
	})
	// Without a deadline: the browser lives as long as the context that starts it.
	if err := chromedp.Do(tab.ctx, command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})); err != nil {
		t.Fatalf("start %s: %v", Path, err)
	}
	return tab
}

// command is an action that sends one command of the protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// watch notes what a person would not see.
func (b *Tab) watch(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, fmt.Sprintf("console: %v", e.Type))
	case *cdplog.EventEntryAdded:
		if !refusal(e.Entry) {
			b.troubles = append(b.troubles, fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		host := hostOf(e.Request.URL)
		if host == "" {
			return
		}
		b.requests++
		if !slices.Contains(b.hosts, host) {
			b.hosts = append(b.hosts, host)
		}
	}
}

// refusal is the line that the browser writes by itself when a page is answered with a status of 400 or more: the
// test looks at the status.
func refusal(e *cdplog.Entry) bool {
	return e.Source == cdplog.EntrySourceNetwork && strings.HasPrefix(e.Text, "Failed to load resource: the server responded with a status of 4")
}

func hostOf(address string) string {
	if strings.HasPrefix(address, "data:") {
		return ""
	}
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// Requests is how many requests the page took, those for redirects included.
func (b *Tab) Requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests
}

// Clean fails the test when anything went wrong unseen, or when anything was asked of another host than these.
func (b *Tab) Clean(hosts ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, trouble := range b.troubles {
		b.Errorf("the browser complains: %s", trouble)
	}
	for _, host := range b.hosts {
		if !slices.Contains(hosts, host) {
			b.Errorf("the browser asked %s for something", host)
		}
	}
}

// do runs actions in turn.
func (b *Tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("browser: %v; it shows:\n%s", err, b.Text())
	}
}

// ask runs an action and returns what it found.
func ask[T any](b *Tab, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatalf("browser: %v", err)
	}
	return v
}

// follow does what leads to another page, waits for that page, and wants its status.
func (b *Tab) follow(status int64, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.mu.Lock()
	b.requests = 0
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	if err != nil {
		b.Fatalf("browser: %v; it shows:\n%s", err, b.Text())
	}
	if response != nil && response.Status != status {
		b.Fatalf("%s: status %d, want %d:\n%s", response.URL, response.Status, status, b.Text())
	}
}
