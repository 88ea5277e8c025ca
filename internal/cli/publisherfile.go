package cli

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// publisherFile is a channel's trusted publishers as a TOML file: all of them, each as what differs from the usual.
type publisherFile struct {
	Channel    string          `toml:"channel"`
	Publishers []publisherRule `toml:"publisher"`
}

// write writes the file, with the sentences of the publishers as comments.
func (f publisherFile) write(issuers issuerList, about []remotePublisher) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The trusted publishers of channel %s. `sluice publisher apply` makes them those of this file: what is not\n"+
		"# here is removed, and what a publisher leaves out has its usual value.\n", f.Channel)
	if err := writeKey(&b, "channel", f.Channel); err != nil {
		return nil, err
	}
	for i, r := range f.Publishers {
		fmt.Fprintf(&b, "\n# %s.\n", shown(about[i].Sentence))
		if about[i].Off != "" {
			fmt.Fprintf(&b, "# It %s.\n", shown(about[i].Off))
		}
		b.WriteString("[[publisher]]\n")
		if err := writeRule(&b, r.short(issuers), issuers.names(r.Provider)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// writeRule writes what the rule has, in the order of its type, with the service's own names for the slots.
func writeRule(b *bytes.Buffer, r publisherRule, names map[string]string) error {
	own := map[string]string{
		"repository_owner": names["owner"], "repository": names["repository"], "workflow": names["workflow"],
		"repository_owner_id": names["owner_id"], "repository_id": names["repository_id"],
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		key, value := v.Type().Field(i).Tag.Get("toml"), v.Field(i)
		if key == "-" || value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0 {
			continue
		}
		if name := own[key]; name != "" {
			key = name
		}
		if err := writeKey(b, key, value.Interface()); err != nil {
			return err
		}
	}
	return nil
}

func writeKey(b *bytes.Buffer, key string, value any) error {
	if t, ok := value.(time.Time); ok {
		value = t.UTC()
	}
	line, err := toml.Marshal(map[string]any{key: value})
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	b.Write(line)
	return nil
}

// readPublisherFile reads a file strictly: a key that is neither a publisher's nor a field of one of the server's
// services is a mistake, named with its line. name is for the errors.
func readPublisherFile(name string, b []byte, issuers issuerList) (publisherFile, error) {
	var f publisherFile
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&f)
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		return f, f.own(name, b, strict, issuers)
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := bad.Position()
		return f, fmt.Errorf("%s, line %d: %s", name, line, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// own takes the fields that services call by names of their own, and refuses all other keys.
func (f *publisherFile) own(name string, b []byte, strict *toml.StrictMissingError, issuers issuerList) error {
	var errs []error
	var fields []string
	for _, e := range strict.Errors {
		key := e.Key()
		if len(key) == 2 && key[0] == "publisher" && issuers.hasField(key[1]) {
			fields = append(fields, key[1])
			continue
		}
		line, _ := e.Position()
		errs = append(errs, fmt.Errorf("%s, line %d: there is no key %q; a publisher has %s, and the fields of its service",
			name, line, strings.Join(key, "."), strings.Join(ruleKeys(), ", ")))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	var loose struct {
		Publishers []map[string]any `toml:"publisher"`
	}
	if err := toml.Unmarshal(b, &loose); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for i, p := range loose.Publishers {
		for key, value := range p {
			if !slices.Contains(fields, key) {
				continue
			}
			s, ok := value.(string)
			if !ok {
				return fmt.Errorf("%s, publisher %d: %s must be text in quotes", name, i+1, key)
			}
			if f.Publishers[i].Fields == nil {
				f.Publishers[i].Fields = map[string]string{}
			}
			f.Publishers[i].Fields[key] = s
		}
	}
	return nil
}

// ruleKeys are the keys of a publisher that are the same for every service.
func ruleKeys() []string {
	var out []string
	for field := range reflect.TypeFor[publisherRule]().Fields() {
		if key := field.Tag.Get("toml"); key != "-" {
			out = append(out, key)
		}
	}
	return out
}
