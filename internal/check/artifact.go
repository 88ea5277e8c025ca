package check

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// artifactsAtOnce bounds what is in memory of artifacts.
const artifactsAtOnce = 100

// artifacts looks at every artifact, its bytes, and what labels say of it.
func (r *run) artifacts(ctx context.Context) error {
	for after := int64(0); ; {
		some, err := r.store.ArtifactsAfter(ctx, r.channel.ID, after, artifactsAtOnce)
		if err != nil {
			return err
		}
		for _, a := range some {
			if err := r.artifact(ctx, a); err != nil {
				return fmt.Errorf("%s/%s: %w", a.Subdir, a.File, err)
			}
			after = a.ID
			r.result.Artifacts++
			r.result.Records += int64(len(a.Records))
			r.progress("artifacts")
		}
		if len(some) < artifactsAtOnce {
			return nil
		}
	}
}

func (r *run) artifact(ctx context.Context, a Artifact) error {
	if err := r.states(ctx, a); err != nil {
		return err
	}
	if a.Purged {
		return nil // no bytes, no metadata: a name that is taken
	}
	if err := r.attested(ctx, a); err != nil {
		return err
	}
	if a.Deleted {
		return nil // no reader is told of it; what it is to say is looked at when it was restored
	}
	if r.Quick && len(Recorded(a, a.Own)) == 0 {
		if ok, err := r.there(ctx, a); ok || err != nil {
			return err
		}
	}
	// In full, or to find out which of the two is wrong: the record, or what the database keeps of the package.
	own, err := r.bytes(ctx, a)
	if err != nil || own == nil {
		return err
	}
	if d, differs := compareOwn(a, *own); differs {
		r.found(d)
	}
	for _, d := range Recorded(a, *own) {
		r.found(d)
	}
	return nil
}

// attested compares the attestations with the digest that records tell of them.
func (r *run) attested(ctx context.Context, a Artifact) error {
	if a.Sidecar == [32]byte{} {
		return nil
	}
	bundles, err := r.store.Attestations(ctx, a.ID, a.SHA256)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(attest.Sidecar(bundles)); sum != a.Sidecar {
		d := of(Attested, a)
		d.Stored, d.Expected = fmt.Sprintf("%d attestations with SHA-256 %x", len(bundles), sum), fmt.Sprintf("SHA-256 %x", a.Sidecar)
		r.found(d)
	}
	return nil
}

// of is a difference about an artifact.
func of(k Kind, a Artifact) Difference {
	return Difference{Kind: k, Subdir: a.Subdir, Name: a.File, artifactID: a.ID, sum: a.SHA256}
}

// in is a difference about an artifact in a label.
func in(k Kind, a Artifact, l Listing) Difference {
	d := of(k, a)
	d.Label = l.Label
	return d
}

// states compares how labels show the artifact with what it is.
func (r *run) states(ctx context.Context, a Artifact) error {
	listed := 0
	for _, l := range a.Records {
		if !l.TakenOut {
			listed++
		}
		if want := shown(a, l); want != l.Shown {
			d := in(Shown, a, l)
			d.Stored, d.Expected = spellShown(l.Shown), spellShown(want)
			r.found(d)
		}
	}
	if listed == a.Listed || a.Purged { // of what is purged the records are gone
		return nil
	}
	lost, err := r.lost(ctx, a, a.Listed-listed)
	if err != nil {
		return err
	}
	if listed += lost; listed != a.Listed {
		d := of(Listed, a)
		d.Stored, d.Expected = strconv.Itoa(a.Listed)+" labels", strconv.Itoa(listed)+" labels"
		r.found(d)
	}
	return nil
}

func shown(a Artifact, l Listing) int {
	switch {
	case l.TakenOut, a.Deleted, a.Purged:
		return 0
	case a.Yanked:
		return 2
	default:
		return 1
	}
}

func spellShown(n int) string {
	switch n {
	case 0:
		return "not shown"
	case 1:
		return "among the packages"
	case 2:
		return "among the removed"
	default:
		return "shown as " + strconv.Itoa(n)
	}
}

// Recorded compares what labels say of an artifact with what follows from what the package says of itself. What is taken
// out of a label is made anew when it comes back.
func Recorded(a Artifact, own Own) (out []Difference) {
	file, record, exports, err := expected(a, own)
	if err != nil {
		d := of(Patch, a)
		d.Stored, d.Expected = err.Error(), "what can be laid over the package's own record"
		return []Difference{d}
	}
	for _, l := range a.Records {
		if l.TakenOut {
			continue
		}
		record.IndexedMS = l.IndexedAt.UnixMilli()
		if d, differs := compareListing(a, l, encode(file, record, exports, own.V3)); differs {
			out = append(out, d)
		}
	}
	return out
}

// expected is what the index should say.
func expected(a Artifact, own Own) (f conda.Filename, r conda.Record, re conda.RunExports, err error) {
	if a.Unpatchable != "" {
		return f, r, re, fmt.Errorf("%s", a.Unpatchable)
	}
	if f, err = conda.ParseFilename(a.File); err != nil {
		return f, r, re, err
	}
	// What cannot be read is no record; that it cannot is told by whoever reads the package.
	r, _, _ = artifact.ParseIndex(own.RawIndex, f, time.Time{})
	if r.Subdir, err = conda.ParseSubdir(a.Subdir); err != nil {
		return f, r, re, err
	}
	r.SHA256, r.MD5, r.Size, r.AttestationsSHA256 = a.SHA256, own.MD5, own.Size, a.Sidecar
	r, re, err = a.Patch.Apply(r, own.RunExports, own.V3)
	return f, r, re, err
}

// encode is the listing that the index should have; but for its time.
func encode(f conda.Filename, r conda.Record, re conda.RunExports, v3 bool) Listing {
	series, _ := index.SeriesOf(f, v3)
	l := Listing{Subdir: r.Subdir.String(), File: f.String(), Name: f.Name(), Series: series, RunExports: repodata.RunExportsMember(f, re)}
	if v3 {
		l.Member, l.ShardMember = repodata.MemberV3(f, r), repodata.ShardMemberV3(f, r, re)
	} else {
		l.Member, l.ShardMember = repodata.Member(f, r), repodata.ShardMember(f, r, re)
	}
	return l
}

// compareListing tells the parts that differ, of the member its fields.
func compareListing(a Artifact, l, want Listing) (Difference, bool) {
	d := in(Record, a, l)
	var stored, expected []string
	note := func(what, got, should string) {
		if got != should {
			stored, expected = append(stored, what+got), append(expected, what+should)
		}
	}
	note("subdir ", l.Subdir, want.Subdir)
	note("file ", l.File, want.File)
	note("name ", l.Name, want.Name)
	note("series ", string(l.Series), string(want.Series))
	if !bytes.Equal(l.Member, want.Member) {
		got, should := apart(l.Member, want.Member)
		stored, expected = append(stored, got), append(expected, should)
	}
	if !bytes.Equal(l.ShardMember, want.ShardMember) && bytes.Equal(l.Member, want.Member) {
		stored, expected = append(stored, "another record in its shard"), append(expected, "the same as in repodata.json")
	}
	note("", string(l.RunExports), string(want.RunExports))
	d.Stored, d.Expected = strings.Join(stored, "; "), strings.Join(expected, "; ")
	return d, len(stored) > 0
}

// apart is the fields in which two members of repodata.json differ, or both of them where one is none.
func apart(a, b []byte) (got, should string) {
	fields := func(member []byte) map[string]json.RawMessage {
		var m map[string]map[string]json.RawMessage
		if json.Unmarshal(bytes.Join([][]byte{[]byte("{"), member, []byte("}")}, nil), &m) != nil || len(m) != 1 {
			return nil
		}
		for _, f := range m {
			return f
		}
		return nil
	}
	return differing(fields(a), fields(b), string(a), string(b))
}

// compareOwn tells where what the database keeps of a package is not what the package says.
func compareOwn(a Artifact, own Own) (Difference, bool) {
	fields := func(o Own) map[string]json.RawMessage {
		out := map[string]json.RawMessage{}
		for k, v := range map[string]any{
			"index.json": string(o.RawIndex), "run_exports": o.RunExports, "about": o.About, "traits": o.Traits, "v3": o.V3,
			"depends": append([]string{}, o.Depends...), "build_number": o.BuildNumber, "timestamp": o.TimestampMS, "license": o.License,
			"md5": hex.EncodeToString(o.MD5[:]), "size": o.Size,
		} {
			out[k] = asJSON(v)
		}
		return out
	}
	d := of(Metadata, a)
	d.truth = &own
	for _, l := range a.Records {
		if !l.TakenOut {
			d.labels = append(d.labels, l.Label)
		}
	}
	d.Stored, d.Expected = differing(fields(a.Own), fields(own), "", "")
	return d, d.Stored != d.Expected
}
