package conda

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// patchable are the fields that a patch may change, as refusals name them.
const patchable = "depends, constrains, track_features, features, license, license_family, purls and run_exports"

// maxLicense bounds a license and its family, in bytes.
const maxLicense = 512

// UnmarshalJSON reads the fields of one package in a patch_instructions.json: null takes a value away. Lists
// of features may be lists or text, run_exports must have its full form. Every error is a *SyntaxError of
// What "patch": it refuses other fields, a field that comes twice, and values that would spoil an index.
func (p *Patch) UnmarshalJSON(raw []byte) error {
	var made Patch
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') || !json.Valid(raw) {
		return refuse("patch", string(raw), "is not a JSON object of fields and their new values")
	}
	var seen []string
	for dec.More() {
		tok, _ := dec.Token() // raw is valid, so this is a key and a value follows
		key, _ := tok.(string)
		var value json.RawMessage
		_ = dec.Decode(&value)
		if slices.Contains(seen, key) {
			return refuse("patch", key, "is given twice")
		}
		seen = append(seen, key)
		if err := made.set(key, value); err != nil {
			return err
		}
	}
	*p = made
	return nil
}

// set reads one field.
func (p *Patch) set(key string, value json.RawMessage) error {
	switch key {
	case "depends":
		return setList(&p.Depends, key, value)
	case "constrains":
		return setList(&p.Constrains, key, value)
	case "track_features":
		return setFeatures(&p.TrackFeatures, key, value)
	case "features":
		return setFeatures(&p.Features, key, value)
	case "license":
		return setText(&p.License, key, value)
	case "license_family":
		return setText(&p.LicenseFamily, key, value)
	case "purls":
		return setPurls(&p.Purls, key, value)
	case "run_exports":
		return setRunExports(&p.RunExports, key, value)
	}
	return refuse("patch", key, "is no field that a patch can change; those are %s", patchable)
}

// setList reads a list of specifications.
func setList(to **[]string, key string, value json.RawMessage) error {
	var elems []*string
	if err := json.Unmarshal(value, &elems); err != nil {
		return refuse("patch", key, "must be a list of strings, or null")
	}
	list := make([]string, 0, len(elems))
	for _, e := range elems {
		if e == nil || strings.ContainsRune(*e, 0) {
			return refuse("patch", key, "must be a list of strings without nulls and NUL characters")
		}
		list = append(list, *e)
	}
	*to = &list
	return nil
}

// setFeatures reads words, as a list or joined by blanks or commas.
func setFeatures(to **string, key string, value json.RawMessage) error {
	var list *[]string
	if setList(&list, key, value) != nil {
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return refuse("patch", key, "must be a string, a list of strings, or null")
		}
		list = &[]string{s}
	}
	s := strings.Join(strings.FieldsFunc(strings.Join(*list, " "), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), " ")
	if strings.ContainsRune(s, 0) {
		return refuse("patch", key, "must not hold a NUL character")
	}
	*to = &s
	return nil
}

// setText reads one line.
func setText(to **string, key string, value json.RawMessage) error {
	var s string // null leaves it empty
	if err := json.Unmarshal(value, &s); err != nil {
		return refuse("patch", key, "must be a string, or null")
	}
	if len(s) > maxLicense || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return refuse("patch", key, "must be a single line of at most %d bytes", maxLicense)
	}
	*to = &s
	return nil
}

// setPurls reads package URLs, sorted.
func setPurls(to **[]string, key string, value json.RawMessage) error {
	if err := setList(to, key, value); err != nil {
		return err
	}
	purls := **to
	if i := slices.IndexFunc(purls, func(s string) bool { return !IsPurl(s) }); i >= 0 {
		return refuse("patch", key, "has %s, which is no package URL of the form pkg:TYPE/NAME@VERSION", shown(purls[i]))
	}
	slices.Sort(purls)
	purls = slices.Compact(purls)
	*to = &purls
	return nil
}

// setRunExports reads an object of lists; null stands for a package that exports nothing.
func setRunExports(to **RunExports, key string, value json.RawMessage) error {
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(value, &lists); err != nil {
		return refuse("patch", key, "must be an object of lists, or null")
	}
	var re RunExports
	for kind, value := range lists {
		list := re.list(kind)
		if list == nil {
			return refuse("patch", key, "has %s; its keys are weak, strong, noarch, weak_constrains and strong_constrains", shown(kind))
		}
		var specs *[]string
		if err := setList(&specs, key, value); err != nil {
			return err
		}
		*list = *specs
	}
	*to = &re
	return nil
}

// list returns the list that has that key in run_exports; nil when none has.
func (e *RunExports) list(key string) *[]string {
	switch key {
	case "weak":
		return &e.Weak
	case "strong":
		return &e.Strong
	case "noarch":
		return &e.Noarch
	case "weak_constrains":
		return &e.WeakConstrains
	case "strong_constrains":
		return &e.StrongConstrains
	}
	return nil
}

// MarshalJSON writes the patch as patch_instructions.json has it, in a form that every indexer reads alike:
// lists that are taken away are empty (rattler does not clear those of specifications by null), texts are
// null.
func (p Patch) MarshalJSON() ([]byte, error) {
	fields := map[string]any{}
	putList(fields, "depends", p.Depends)
	putList(fields, "constrains", p.Constrains)
	putList(fields, "purls", p.Purls)
	putText(fields, "track_features", p.TrackFeatures)
	putText(fields, "features", p.Features)
	putText(fields, "license", p.License)
	putText(fields, "license_family", p.LicenseFamily)
	if p.RunExports != nil {
		lists := map[string]any{}
		for _, key := range []string{"weak", "strong", "noarch", "weak_constrains", "strong_constrains"} {
			if l := p.RunExports.list(key); len(*l) > 0 {
				lists[key] = *l
			}
		}
		fields["run_exports"] = lists
	}
	return []byte(asJSON(fields)), nil
}

func putList(fields map[string]any, key string, list *[]string) {
	if list != nil {
		fields[key] = append([]string{}, *list...)
	}
}

func putText(fields map[string]any, key string, text *string) {
	switch {
	case text == nil:
	case *text == "":
		fields[key] = nil
	default:
		fields[key] = *text
	}
}
