package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirm has a person agree to what they are asked. Where nobody can be asked it refuses, and says what would be done.
func confirm(s Streams, question, otherwise string) error {
	if in, ok := s.In.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("%s, and nothing was done: agree with --yes", otherwise)
	}
	_, _ = fmt.Fprintf(s.Err, "%s [y/N] ", question)
	line, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
