package browser

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Go opens an address and wants its status.
func (b *Tab) Go(address string, status int64) {
	b.Helper()
	b.follow(status, chromedp.Navigate(address))
}

// Click clicks the link or button with that text, in the main part of the page if it is there, and waits
// for the page that it leads to.
func (b *Tab) Click(text string) {
	b.Helper()
	b.ClickFor(text, 200)
}

// ClickFor is Click where the page that comes has another status.
func (b *Tab) ClickFor(text string, status int64) {
	b.Helper()
	control := `//*[self::a or self::button][normalize-space()=` + quote(text) + `]`
	b.follow(status, chromedp.Click(`(//main`+control+` | //header`+control+`[not(//main`+control+`)])[1]`))
}

// Unfold opens, or closes, the disclosure whose summary holds the text.
func (b *Tab) Unfold(text string) {
	b.Helper()
	b.do(chromedp.Click(`//summary[contains(normalize-space(), ` + quote(text) + `)]`))
}

// control is the field, in the main part of the page, whose label begins with the text.
func control(label string) string {
	return `//main//*[@id=//main//label[starts-with(normalize-space(), ` + quote(label) + `)]/@for]`
}

// Fill types into the fields of the page's forms, given as label, text, label, text, as a person does: what
// stood there is overwritten.
func (b *Tab) Fill(pairs ...string) {
	b.Helper()
	for i := 0; i < len(pairs); i += 2 {
		field := control(pairs[i])
		b.do(chromedp.WaitVisible(field))
		// chromedp's own Clear does not know an empty text area.
		ask(b, chromedp.Evaluate[string](`document.evaluate(`+strconv.Quote(field)+`, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE, null).singleNodeValue.value = ""`))
		b.do(chromedp.SendKeys(field, pairs[i+1]))
	}
}

// Choose picks the option with that text in the list with that label.
func (b *Tab) Choose(label, option string) {
	b.Helper()
	b.do(chromedp.SendKeys(control(label), option))
}

func quote(s string) string {
	if strings.Contains(s, "'") {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}

// Text is what the page says, with single blanks.
func (b *Tab) Text() string {
	b.Helper()
	return strings.Join(strings.Fields(ask(b, chromedp.Evaluate[string](`document.body.innerText`))), " ")
}

// Address is that of the page.
func (b *Tab) Address() string {
	b.Helper()
	return ask(b, chromedp.Location())
}

// Href is where the first link with that text leads.
func (b *Tab) Href(text string) string {
	b.Helper()
	return ask(b, chromedp.AttributeValue(`//main//a[normalize-space()=`+quote(text)+`]`, "href")).Value
}

// Says fails unless the page says all of it.
func (b *Tab) Says(parts ...string) {
	b.Helper()
	text := b.Text()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			b.Errorf("%s does not say %q; it says:\n%s", b.Address(), p, text)
		}
	}
}

// SaysNot fails when the page, or its source, says any of it.
func (b *Tab) SaysNot(parts ...string) {
	b.Helper()
	text := b.Text() + ask(b, chromedp.OuterHTML(chromedp.CSS("html")))
	for _, p := range parts {
		if strings.Contains(text, p) {
			b.Errorf("%s says %q", b.Address(), p)
		}
	}
}

// Look is how a page is looked at: the width of the screen in CSS pixels, and whether its owner likes it dark.
type Look struct {
	Width int64
	Dark  bool
}

// phone is the width below which a screen is that of a telephone.
const phone = 600

// See makes the browser look that way from now on.
func (b *Tab) See(l Look) {
	b.Helper()
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	b.do(
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: l.Width, Height: 900, DeviceScaleFactor: 1, Mobile: l.Width < phone,
		}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
	)
}

// size is that of the whole page, in CSS pixels.
func (b *Tab) size() (width, height float64) {
	b.Helper()
	m := ask(b, func(ctx context.Context, t *chromedp.Target) (page.GetLayoutMetricsResult, error) {
		return cdp.Call(ctx, t, page.GetLayoutMetrics, cdp.Empty{})
	})
	return m.CSSContentSize.Width, m.CSSContentSize.Height
}

// Fits fails when the page scrolls sideways at the width.
func (b *Tab) Fits(width int64) {
	b.Helper()
	b.See(Look{Width: width})
	if got, _ := b.size(); got > float64(width) {
		b.Errorf("%s is %v wide on a screen of %d", b.Address(), got, width)
	}
}

// Shoot keeps a picture of the page, of its first so many pixels of height, or of all of it for 0.
func (b *Tab) Shoot(file string, l Look, height float64) {
	b.Helper()
	b.See(l)
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // what is above the screen may not be painted
		_, err := chromedp.Evaluate[any](`scrollTo(0, 0)`)(ctx, t)
		return err
	}))
	_, whole := b.size()
	if height == 0 || height > whole {
		height = whole
	}
	shot := ask(b, func(ctx context.Context, t *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: new(true), Clip: &page.Viewport{Width: float64(l.Width), Height: height, Scale: 1},
		})
	})
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, shot.Data, 0o644); err != nil {
		b.Fatal(err)
	}
}
