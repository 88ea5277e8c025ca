package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"sluice/internal/fault"
	"sluice/internal/revoke"
)

// readReport takes the tokens out of a report, {"tokens": ["…", …]}. It takes nothing else: a report whose tokens
// are overlooked, because of a slip in a name or a second list, would leave them alive.
func readReport(body []byte) ([]string, error) {
	bad := func(why string) error {
		return fault.New(fault.BadRequest, `The report cannot be read: %s. Send {"tokens": ["…"]} with up to %d tokens, and nothing else.`, why, revoke.MaxFound)
	}
	if !utf8.Valid(body) {
		return nil, bad("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	for _, want := range []json.Token{json.Delim('{'), "tokens", json.Delim('[')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, bad("it does not begin as one")
		}
	}
	var tokens []string
	for dec.More() {
		got, err := dec.Token()
		s, ok := got.(string)
		if err != nil || !ok {
			return nil, bad("among the tokens is something that is no string")
		}
		if tokens = append(tokens, s); len(tokens) > revoke.MaxFound {
			return nil, bad("it holds too many tokens")
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, bad("it does not end as one")
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("something follows it")
	}
	return tokens, nil
}
