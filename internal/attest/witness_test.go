package attest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/attest"
	"sluice/internal/attest/attesttest"
	"sluice/internal/fault"
)

// Whoever passes a bundle on can change what it says of its log entry. What the log has not signed is in no verdict.
func TestLogEntryIsProven(t *testing.T) {
	t.Parallel()
	i := attesttest.New(t)
	whole, err := attest.NewProfile("whole", i.Root)
	check(t, err)
	logless, err := attest.NewProfile("logless", without(t, i.Root, "tlogs"))
	check(t, err)
	subject := attest.Subject{File: "a-1-0.conda", SHA256: sha256.Sum256(nil)}
	var id []byte
	signed := func(change func(*protobundle.VerificationMaterial)) attesttest.Signing {
		return attesttest.Signing{
			PayloadType: "application/vnd.in-toto+json", Statement: attesttest.Statement(subject.File, subject.SHA256, "https://conda.example.com/a"),
			URIs: []string{attesttest.Job()[9]}, Extensions: attesttest.Job(), At: time.Now(),
			Change: func(b *protobundle.Bundle) {
				id = b.GetVerificationMaterial().GetTlogEntries()[0].GetLogId().GetKeyId()
				change(b.GetVerificationMaterial())
			},
		}
	}
	bogus := func(m *protobundle.VerificationMaterial) *protorekor.TransparencyLogEntry {
		e := proto.CloneOf(m.GetTlogEntries()[0])
		e.LogId, e.LogIndex = &protocommon.LogId{KeyId: bytes.Repeat([]byte{7}, 32)}, 4242
		return e
	}
	for _, tt := range []struct {
		name      string
		profile   *attest.Profile
		change    func(*protobundle.VerificationMaterial)
		code      fault.Code
		index, id bool // which are in the verdict
	}{
		{"as it is", whole, func(*protobundle.VerificationMaterial) {}, "", true, true},
		{"another index under the promise", whole, func(m *protobundle.VerificationMaterial) { m.TlogEntries[0].LogIndex = 4242 }, fault.LogUnknown, false, false},
		{"no promise", whole, func(m *protobundle.VerificationMaterial) { m.TlogEntries[0].InclusionPromise = nil }, "", false, true},
		{"no promise and another index", whole, func(m *protobundle.VerificationMaterial) {
			m.TlogEntries[0].InclusionPromise, m.TlogEntries[0].LogIndex = nil, 4242
		}, "", false, true},
		{"an empty promise and another index", whole, func(m *protobundle.VerificationMaterial) {
			m.TlogEntries[0].InclusionPromise, m.TlogEntries[0].LogIndex = &protorekor.InclusionPromise{}, 4242
		}, "", false, true},
		{"the index of the shard too", whole, func(m *protobundle.VerificationMaterial) {
			m.TlogEntries[0].InclusionPromise, m.TlogEntries[0].LogIndex, m.TlogEntries[0].InclusionProof.LogIndex = nil, 4242, 4242
		}, fault.LogInvalid, false, false},
		{"another log's entry before it", whole, func(m *protobundle.VerificationMaterial) {
			m.TlogEntries = append([]*protorekor.TransparencyLogEntry{bogus(m)}, m.TlogEntries...)
		}, fault.LogInvalid, false, false},
		{"another log's entry behind it", whole, func(m *protobundle.VerificationMaterial) { m.TlogEntries = append(m.TlogEntries, bogus(m)) }, fault.LogInvalid, false, false},
		{"another log's entry alone", whole, func(m *protobundle.VerificationMaterial) { m.TlogEntries[0] = bogus(m) }, fault.LogUnknown, false, false},
		{"an entry where there is no log", logless, func(m *protobundle.VerificationMaterial) { m.TlogEntries[0] = bogus(m) }, "", false, false},
	} {
		v, err := attest.NewChecker(tt.profile).Check(i.Sign(signed(tt.change)), subject)
		if tt.code != "" || err != nil {
			if fault.CodeOf(err) != tt.code {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
			}
			continue
		}
		want := attest.LogEntry{}
		if tt.index {
			want.Index = "0"
		}
		if tt.id {
			want.LogID = hex.EncodeToString(id)
		}
		if v.Log != want {
			t.Errorf("%s: %+v, want %+v", tt.name, v.Log, want)
		}
	}
}

// What nothing signs can be changed, and the signature is the same one: it is told by its key, and stored once.
func TestKeyIsOfTheSignature(t *testing.T) {
	t.Parallel()
	raw, subject := realBundle(t)
	c := publicGood(t)
	v, err := c.Check(raw, subject)
	check(t, err)
	for name, change := range map[string][2]string{
		"kind of the entry":        {`"version":"0.0.1"`, `"version":"0.0.9"`},
		"an empty list":            {`"timestampVerificationData":{}`, `"timestampVerificationData":{"rfc3161Timestamps":[]}`},
		"a timestamp that is none": {`"timestampVerificationData":{}`, `"timestampVerificationData":{"rfc3161Timestamps":[{"signedTimestamp":"dGltZQ=="}]}`},
	} {
		changed := bytes.Replace(raw, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, raw) {
			t.Fatalf("%s: the bundle has no %s", name, change[0])
		}
		w, err := c.Check(changed, subject)
		if err != nil || w.Key != v.Key || w.Log != v.Log || len(w.Times) != len(v.Times) {
			t.Errorf("%s: %+v, %v, want the verdict %+v", name, w, err, v)
		}
	}
}

// without is a trusted root without one of its lists.
func without(t *testing.T, root []byte, list string) []byte {
	t.Helper()
	var all map[string]json.RawMessage
	check(t, json.Unmarshal(root, &all))
	if _, ok := all[list]; !ok {
		t.Fatalf("the root has no %s", list)
	}
	delete(all, list)
	out, err := json.Marshal(all)
	check(t, err)
	return out
}
