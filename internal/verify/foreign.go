package verify

import (
	"context"
	"crypto/md5" //nolint:gosec // old channels have nothing else
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/check"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/repodata"
	"sluice/internal/fault"
	"sluice/internal/importing"
)

// Foreign looks at files of channels elsewhere, as somebody who installs from them.
type Foreign struct {
	Attest *attest.Checker
	Terms  Terms
	// Quick leaves the bytes of packages unread.
	Quick bool
	// Legacy asks for FILE.v0.sigs where the index tells of no attestations.
	Legacy bool
}

// Claim is what is said of a file elsewhere.
type Claim struct {
	// Channel is where the file lies, in Subdir, by the name File.
	Channel *importing.Web
	Subdir  conda.Subdir
	File    conda.Filename
	// Base is the info.base_url of the index.
	Base string
	// Listed says that the index has the file: as Record, or as one that was removed, where Record is nil.
	Listed bool
	Record *conda.Record
	// Locked is the SHA-256 that a lock file has of it, LockedMD5 the MD5; zero: none.
	Locked    [32]byte
	LockedMD5 [16]byte
	// Bad is why its entry in the index cannot be read.
	Bad error
}

// Files looks at files, and hands on what it finds in their own order. The error is for what kept them from being looked at.
func (f *Foreign) Files(ctx context.Context, claims iter.Seq2[Claim, error], hand func(Report) error) error {
	return inOrder(ctx, connections, claims, f.look, hand)
}

// connections is how many files are fetched at once.
const connections = 8

// Listed are the files of the packages of some names that the index of a channel lists in a subdir. Removed ones are left out.
func Listed(ctx context.Context, w *importing.Web, d conda.Subdir, names []string) iter.Seq2[Claim, error] {
	return listed(func(do func(Claim) bool) error {
		err := scan(ctx, w, d, names, do)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a channel need not have every subdir
		}
		return err
	})
}

// listed are the files that a scan of an index finds, less removed ones. Its error comes last.
func listed(scan func(do func(Claim) bool) error) iter.Seq2[Claim, error] {
	return func(yield func(Claim, error) bool) {
		more := true
		err := scan(func(c Claim) bool {
			more = !c.lists() || yield(c, nil)
			return more
		})
		if more && err != nil {
			yield(Claim{}, err)
		}
	}
}

// lists reports whether the index lists the file, and does not only call it removed.
func (c Claim) lists() bool { return c.Record != nil || c.Bad != nil }

// Locked completes claims of a lock file, all of one channel and subdir, by what the index says of them.
func Locked(ctx context.Context, w *importing.Web, d conda.Subdir, claims []*Claim) error {
	at := map[conda.Filename]*Claim{}
	var names []string
	for _, c := range claims {
		at[c.File] = c
		names = append(names, c.File.Name())
	}
	err := scan(ctx, w, d, names, func(found Claim) bool {
		if c := at[found.File]; c != nil && (!c.Listed || found.Record != nil) {
			c.Listed, c.Record, c.Bad, c.Base = true, found.Record, found.Bad, found.Base
		}
		return true
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it lists none of them, which each one's report tells
	}
	return err
}

// scan reads what the index of a subdir says of the packages of some names, until do wants no more; fs.ErrNotExist when there is
// no index. Where the channel has shards, it reads no others than those of the names.
func scan(ctx context.Context, w *importing.Web, d conda.Subdir, names []string, do func(Claim) bool) error {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	s, err := openShards(ctx, w, d)
	if err == nil {
		return s.scan(ctx, names, do)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	x, err := openIndex(ctx, w, d)
	if err != nil {
		return err
	}
	defer x.close()
	return x.scan(ctx, func(c Claim) bool {
		_, named := slices.BinarySearch(names, c.File.Name())
		return !named || do(c)
	})
}

// eachEntry calls do with every file that an index or a shard tells of, until it wants no more.
func eachEntry(source *repodata.Source, do func(Claim) bool) error {
	for e, err := range source.Entries() {
		c := Claim{File: e.File, Listed: true}
		if bad, ok := errors.AsType[*repodata.EntryError](err); ok {
			if c.File, err = conda.ParseFilename(bad.Key); err != nil {
				continue // clients do not see it either
			}
			c.Bad = bad.Unwrap()
		} else if err != nil {
			return err
		} else if e.Place != repodata.Removed {
			c.Record = &e.Record
		}
		if !do(c) {
			return nil
		}
	}
	return nil
}

// look looks at one file.
func (f *Foreign) look(ctx context.Context, c Claim) (Report, error) {
	r := Report{Channel: c.Channel.String(), Subdir: c.Subdir.String(), File: c.File.String()}
	switch {
	case !c.Listed:
		r.fail(string(fault.NotFound), "the index of the channel does not list the file")
	case c.Bad != nil:
		r.fail(string(check.Record), "its entry in the index cannot be read: "+c.Bad.Error())
	}
	var record conda.Record
	if c.Record != nil {
		record = *c.Record
	}
	c.complete(&record, &r)
	if !f.Quick {
		if err := f.bytes(ctx, c, &record, &r); err != nil {
			return r, fmt.Errorf("%s/%s: %w", r.Subdir, r.File, err)
		}
	}
	if record.SHA256 != [32]byte{} {
		r.SHA256 = hex.EncodeToString(record.SHA256[:])
	}
	if err := f.attestations(ctx, c, record, &r); err != nil {
		return r, fmt.Errorf("%s/%s: %w", r.Subdir, r.File, err)
	}
	r.conclude()
	return r, nil
}

// complete adds to the record of a file what the lock file says of it, which has to be what the record says where it says
// something.
func (c Claim) complete(record *conda.Record, r *Report) {
	const differ = "the index tells %s %x, and the lock file %x"
	if record.SHA256 == [32]byte{} {
		record.SHA256 = c.Locked
	} else if c.Locked != [32]byte{} && c.Locked != record.SHA256 {
		r.fail(string(check.Record), fmt.Sprintf(differ, "SHA-256", record.SHA256, c.Locked))
	}
	if record.MD5 == [16]byte{} {
		record.MD5 = c.LockedMD5
	} else if c.LockedMD5 != [16]byte{} && c.LockedMD5 != record.MD5 {
		r.fail(string(check.Record), fmt.Sprintf(differ, "MD5", record.MD5, c.LockedMD5))
	}
}

// bytes fetches the package, and holds it against what is said of it. Where nobody says a SHA-256, that of the bytes counts.
func (f *Foreign) bytes(ctx context.Context, c Claim, record *conda.Record, r *Report) error {
	file, err := os.CreateTemp("", "sluice-verify-")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()            // nobody reads it again
	if err := os.Remove(file.Name()); err != nil { // nothing is left behind, however the process ends
		return err
	}
	sha, md := sha256.New(), md5.New() //nolint:gosec // see the import
	err = c.Channel.File(ctx, c.place(), c.Base, c.File.String(), func(body io.Reader) error {
		sha.Reset()
		md.Reset()
		if err := errors.Join(file.Truncate(0), rewind(file)); err != nil {
			return err
		}
		r.Bytes, err = io.Copy(io.MultiWriter(file, sha, md), body)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		r.fail(string(check.BlobMissing), "the channel does not have the file")
		return nil
	} else if err != nil {
		return err
	}
	sum, old := [32]byte(sha.Sum(nil)), [16]byte(md.Sum(nil))
	switch {
	case record.SHA256 != [32]byte{} && sum != record.SHA256:
		r.fail(string(check.BlobChanged), fmt.Sprintf("%d bytes with SHA-256 %x, should be SHA-256 %x", r.Bytes, sum, record.SHA256))
		return nil
	case record.MD5 != [16]byte{} && old != record.MD5:
		r.fail(string(check.BlobChanged), fmt.Sprintf("%d bytes with MD5 %x, should be MD5 %x", r.Bytes, old, record.MD5))
		return nil
	case record.Size > 0 && r.Bytes != record.Size:
		r.fail(string(check.BlobChanged), fmt.Sprintf("%d bytes, should be %d", r.Bytes, record.Size))
	}
	record.SHA256 = sum
	return f.opens(ctx, c, file, r)
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// opens reads the package, which has to be the one of its name and for its subdir.
func (f *Foreign) opens(ctx context.Context, c Claim, file *os.File, r *Report) error {
	limits := artifact.DefaultLimits()
	limits.Now, limits.Imported = time.Unix(0, 0), true // when it was built is nothing to refuse here
	pkg, err := artifact.Read(ctx, file, r.Bytes, c.File, limits)
	if bad, ok := errors.AsType[*artifact.FormatError](err); ok {
		r.fail(string(check.Unreadable), bad.Why)
		return nil
	} else if err != nil {
		return err
	}
	if d := pkg.Record.Subdir; !d.IsZero() && d != c.Subdir {
		r.fail(string(check.Record), fmt.Sprintf("the package says that it is for %s, and the index has it in %s", d, c.Subdir))
	}
	return nil
}

func (c Claim) place() importing.Place {
	return importing.Place{Label: conda.MainLabel(), Subdir: c.Subdir}
}

// attestations fetches the attestations that the record tells of, and looks at each (CEP 50).
func (f *Foreign) attestations(ctx context.Context, c Claim, record conda.Record, r *Report) error {
	bundles, err := f.sidecar(ctx, c, record.AttestationsSHA256, r)
	if err != nil {
		return err
	}
	name := c.File.Name()
	d := demand{
		policy: f.Terms.policy, address: c.Channel.String(), name: name,
		fit: func(_ int, v attest.Verdict) (policy.Fit, error) { return f.Terms.fit(name, v) },
	}
	return d.judge(f.Attest, attest.Subject{File: c.File.String(), SHA256: record.SHA256}, bundles, r)
}

// sidecar fetches the file of the attestations with a digest. One that is told of and cannot be had is a failure: without it
// nobody can say that there was none.
func (f *Foreign) sidecar(ctx context.Context, c Claim, sum [32]byte, r *Report) (bundles [][]byte, err error) {
	told := sum != [32]byte{}
	name := fmt.Sprintf("%s.sigs.%x", c.File, sum)
	if !told {
		if !f.Legacy {
			return nil, nil
		}
		name = c.File.String() + ".v0.sigs"
	}
	body, err := read(ctx, c.Channel, c.Subdir, "", name, attest.MaxPart)
	switch got := sha256.Sum256(body); {
	case errors.Is(err, fs.ErrNotExist) && told:
		r.fail(string(check.Attested), fmt.Sprintf("the index tells of attestations with SHA-256 %x, and the channel does not have them", sum))
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case len(body) <= attest.MaxPart && told && got != sum:
		r.fail(string(check.Attested), fmt.Sprintf("the attestations have SHA-256 %x, should be %x", got, sum))
		return nil, nil
	}
	bundles, err = attest.ReadBundles(body, attest.MaxSidecar)
	if refusal, ok := errors.AsType[*fault.Error](err); ok {
		r.fail(string(refusal.Code), refusal.Detail)
		return nil, nil
	}
	return bundles, err
}
