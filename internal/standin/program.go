package standin

import (
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed program.sh
var programText string

// maxCall bounds what a program hands on, in bytes.
const maxCall = 64 << 10

// writeProgram puts an executable into a folder, which hands its arguments on to the stand-in. It needs curl.
func (j *job) writeProgram(dir, name string) error {
	t, err := template.New(name).Parse(programText)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, struct{ Name, Secret, URL string }{name, j.request, j.service.site + "/programs/" + name}); err != nil {
		return err
	}
	//nolint:gosec // a program has to be executable
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o700); err != nil {
		return fmt.Errorf("write the program %s: %w", name, err)
	}
	return nil
}

// program registers what a program of that name hands its arguments to: run answers with a token, or says what is
// wrong with them.
func program[J any](s *Service, name string, asks func(*J, *http.Request) bool, run func(j *J, args []string, env url.Values) (string, error)) {
	s.handle("POST", s.site+"/programs/"+name, func(w http.ResponseWriter, r *http.Request) {
		j := newest(s, func(j *J) bool { return asks(j, r) })
		if j == nil {
			notOurs(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxCall)
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		token, err := run(j, r.PostForm["argument"], r.PostForm)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, token) // the program has gone when this fails
	})
}

// after takes the words of a command off arguments, and reads the flags that follow it.
func after(command string, args []string, define func(*flag.FlagSet)) error {
	words := strings.Fields(command)
	if len(args) < len(words) || !slices.Equal(args[:len(words)], words) {
		return fmt.Errorf("this stand-in knows %q alone, not %q", command, strings.Join(args, " "))
	}
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	define(flags)
	if err := flags.Parse(args[len(words):]); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s: it takes no argument %q", command, flags.Arg(0))
	}
	return nil
}
