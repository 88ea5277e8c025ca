package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// ask reads a password twice without showing it.
func ask(ctx context.Context, in *os.File, out io.Writer) (string, error) {
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		_, _ = fmt.Fprint(out, prompt)
		b, err := readHidden(ctx, in)
		_, _ = fmt.Fprintln(out)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ; nothing was done")
	}
	return typed[0], nil
}

// readHidden reads a line until ctx ends. A read from a terminal cannot be interrupted, so then it is left
// behind, and the terminal is made to show again what is typed.
func readHidden(ctx context.Context, in *os.File) ([]byte, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	type line struct {
		b   []byte
		err error
	}
	lines := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(int(in.Fd()))
		lines <- line{b, err}
	}()
	select {
	case l := <-lines:
		return l.b, l.err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), term.Restore(int(in.Fd()), before))
	}
}
