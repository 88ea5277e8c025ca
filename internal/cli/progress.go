package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sluice/internal/importing"
)

// How often progress is shown: one line that is written over on a terminal, a line of its own elsewhere.
const (
	everyOnTerminal = time.Second / 5
	everyElsewhere  = 30 * time.Second
)

// showProgress shows a line again and again until the function that it returns is called.
func showProgress(w io.Writer, line func() string) (stop func()) {
	f, isFile := w.(*os.File)
	onTerminal := isFile && term.IsTerminal(int(f.Fd()))
	every, form := everyElsewhere, "%s\n"
	if onTerminal {
		every, form = everyOnTerminal, "\r%s\x1b[K" // and clear the rest of the line (ECMA-48)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = fmt.Fprintf(w, form, line()) // a terminal that is gone needs no progress
			case <-end:
				if onTerminal {
					_, _ = fmt.Fprint(w, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// barWidth is how many characters a bar has.
const barWidth = 20

// progressLine tells how far an import has come, how fast, and how long it will take at that rate.
func progressLine(p *importing.Progress, began time.Time, now time.Time) string {
	files, done := p.Files.Load(), p.DoneFiles.Load()
	if !p.Surveyed.Load() {
		return fmt.Sprintf("reading the index: %d files", files)
	}
	share := 1.0
	if all := p.Bytes.Load(); all > 0 { // the larger files take longer
		share = float64(p.DoneBytes.Load()) / float64(all)
	} else if files > 0 {
		share = float64(done) / float64(files)
	}
	took := now.Sub(began)
	line := fmt.Sprintf("%s %d of %d files, %s of %s", bar(share),
		done, files, sizeText(p.DoneBytes.Load()), sizeText(p.Bytes.Load()))
	if took >= time.Second {
		line += fmt.Sprintf(", %s/s", sizeText(int64(float64(p.CameBytes.Load())/took.Seconds())))
	}
	line += leftText(share, took)
	if n := p.Refused.Load(); n > 0 {
		line += fmt.Sprintf(", %d refused", n)
	}
	return line
}

// bar draws a share of 1.
func bar(share float64) string {
	full := min(max(int(share*barWidth), 0), barWidth)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]"
}

// leftText tells how long what is left will take at the rate so far; nothing while that is too early to say.
func leftText(share float64, took time.Duration) string {
	if share <= 0.01 || share >= 1 || took < time.Second {
		return ""
	}
	left := time.Duration(float64(took) * (1 - share) / share)
	return fmt.Sprintf(", %v left", left.Round(time.Second))
}

// sizeText writes a number of bytes for people.
func sizeText(n int64) string {
	const step = 1000
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if f /= step; f < step {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
