package attest

import (
	"encoding/hex"

	"sluice/internal/fault"
	"sluice/internal/strictjson"
)

// What a statement of CEP 27 says of itself.
const (
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	// PredicateType is that of the statement "this file was published for that channel".
	PredicateType = "https://schemas.conda.org/attestations-publish-1.schema.json"
)

// bounds of a statement: those of a software bill of materials, within what a bundle may have.
var bounds = strictjson.Bounds{Depth: 32, Values: 50_000}

// statement is a signed payload, read strictly: whoever reads the same bytes with another library reads the same.
type statement struct {
	kind, predicateType string
	subjects            []any
	predicate           any // nil: absent or null
}

// readStatement reads the payload of an envelope.
func readStatement(kind string, payload []byte) (statement, error) {
	if kind != payloadType {
		return statement{}, fault.New(fault.NotStatement, "The envelope holds %q, and a statement is %q.", kind, payloadType)
	}
	obj, err := strictjson.ObjectWithin(payload, bounds)
	if err != nil {
		return statement{}, fault.New(fault.StatementMalformed, "The signed statement cannot be read: it %s.", err)
	}
	var st statement
	for name, value := range obj {
		ok := true
		switch name {
		case "_type":
			st.kind, ok = value.(string)
		case "predicateType":
			st.predicateType, ok = value.(string)
		case "subject":
			st.subjects, ok = value.([]any)
		case "predicate":
			st.predicate = value
		default:
			return statement{}, fault.New(fault.StatementMalformed, "The signed statement has the member %q, which in-toto does not know.", name)
		}
		if !ok {
			return statement{}, fault.New(fault.StatementMalformed, "The signed statement's %q has the wrong type.", name)
		}
	}
	return st, nil
}

// publishes holds the statement to CEP 27: that it says of the subject, and of nothing else, that it was published.
func (st statement) publishes(s Subject) (Target, error) {
	switch {
	case st.kind != statementType:
		return Target{}, fault.New(fault.NotStatement, "The signed statement is of type %q, and CEP 27 wants %q.", st.kind, statementType)
	case st.predicateType != PredicateType:
		return Target{}, fault.New(fault.NotStatement, "The signed statement has the predicate type %q, and CEP 27 wants %q.", st.predicateType, PredicateType)
	case len(st.subjects) != 1:
		return Target{}, fault.New(fault.OneSubject, "The signed statement speaks of %d files, and CEP 27 wants one: attest every file by itself.", len(st.subjects))
	}
	subject, ok := st.subjects[0].(map[string]any)
	if !ok {
		return Target{}, fault.New(fault.StatementMalformed, "The subject of the signed statement is no object.")
	}
	if err := s.is(subject); err != nil {
		return Target{}, err
	}
	return targetOf(st.predicate)
}

// speaksOf holds a statement with any predicate to in-toto, and to speaking of the subject among others. Names in it are not
// compared: builders write there what they call the file.
func (st statement) speaksOf(s Subject) error {
	if st.kind != statementType || st.predicateType == "" {
		return fault.New(fault.NotStatement, "The signed statement is of type %q with the predicate type %q; %q with any predicate type is taken.", st.kind, st.predicateType, statementType)
	}
	for _, subject := range st.subjects {
		obj, _ := subject.(map[string]any)
		digest, _ := obj["digest"].(map[string]any)
		if sum, ok := digest["sha256"].(string); ok && sum == hex.EncodeToString(s.SHA256[:]) {
			return nil
		}
	}
	return fault.New(fault.SubjectDigest, "The signed statement does not speak of this file, whose SHA-256 is %s.", hex.EncodeToString(s.SHA256[:]))
}

// is holds the subject of a statement against the file.
func (s Subject) is(subject map[string]any) error {
	for name := range subject {
		if name != "name" && name != "digest" {
			return fault.New(fault.StatementMalformed, "The subject of the signed statement has the member %q, and CEP 27 wants name and digest only.", name)
		}
	}
	if name, ok := subject["name"].(string); !ok || name != s.File {
		return fault.New(fault.SubjectName, "The attestation is for the file %q, and this one is %q.", name, s.File)
	}
	digest, _ := subject["digest"].(map[string]any)
	if sum, ok := digest["sha256"].(string); len(digest) != 1 || !ok || sum != hex.EncodeToString(s.SHA256[:]) {
		return fault.New(fault.SubjectDigest, "The attestation's digest must be one sha256 of 64 small hexadecimal digits, %s for this file.", hex.EncodeToString(s.SHA256[:]))
	}
	return nil
}
