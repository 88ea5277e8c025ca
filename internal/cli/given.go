package cli

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// readGiven reads the file of that name, or the input when it is "-".
func readGiven(in io.Reader, name string) ([]byte, error) {
	if name != "-" {
		return readSmall(name)
	}
	b, err := io.ReadAll(io.LimitReader(in, maxSmall+1))
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if len(b) > maxSmall {
		return nil, fmt.Errorf("the input is larger than %d bytes", maxSmall)
	}
	return b, nil
}

// A painter gives a text a colour, or leaves it alone.
type painter func(colour, text string) string

// The colours, as terminals call them (ECMA-48).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// colours paints for a terminal, unless somebody wants none (https://no-color.org).
func colours(w io.Writer) painter {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(f.Fd())) {
		return func(_, text string) string { return text }
	}
	return func(colour, text string) string { return "\x1b[" + colour + "m" + text + "\x1b[0m" }
}
