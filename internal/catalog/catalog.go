// Package catalog tells people what lies in channels: packages, their versions, the files of each, and who
// published them. It only reads; it must not know how any of it is shown, nor decide who may see it.
package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/policy"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/version"
	"sluice/internal/trust"
)

// Package is one package name of a channel.
type Package struct {
	Channel conda.Channel
	Name    string
	// Latest is the version to show, see Latest.
	Latest  string
	Summary string
	// Subdirs are those that hold files of any version, sorted.
	Subdirs []string
	// Artifacts counts all files, ByCI those that came by a trusted publisher.
	Artifacts, ByCI int
	// UpdatedAt is when the last file came, LatestAt when the last file of the latest version did.
	UpdatedAt, LatestAt time.Time
	// Run is what published that file of the latest version; zero for an API token.
	Run trust.Provenance
	// Source is where that file was imported from; "" for what was uploaded here.
	Source string
	// Yanked says that it is yanked, and with it every other file of the package.
	Yanked bool
	// Signatures are of its attestations, in their order; only where the query asks for them.
	Signatures []policy.Signature
}

// File is one artifact.
type File struct {
	ID          int64
	Channel     conda.Channel
	Subdir      conda.Subdir
	Filename    conda.Filename
	BuildNumber uint64
	SHA256      [32]byte
	MD5         [16]byte
	Size        int64
	// BuiltAt is the builder's own time; zero when the package names none.
	BuiltAt time.Time
	Depends []string
	License string
	About   artifact.About
	// RawIndex is info/index.json as the package has it.
	RawIndex []byte
	// UploadedAt is when it was published here.
	UploadedAt time.Time
	// Uploader is the account that uploaded it, or the repository of the run.
	Uploader string
	// Run is what the identity token said of the run that published it; zero for an API token.
	Run trust.Provenance
	// PublisherID is the rule that allowed it; 0 for an API token.
	PublisherID int64
	// Source is where an operator imported it from; "" for what was uploaded here.
	Source string
	// YankedAt is when it was taken from solvers, zero where it was not; YankedWhy is the reason, for people.
	YankedAt  time.Time
	YankedWhy string
	// Patched says that the index corrects what the package says of itself.
	Patched bool
	// Labels are those that list it, sorted: at least one.
	Labels []conda.Label
	// Attestations are those of its bytes, in the order in which they were added.
	Attestations []Attestation
}

// Attestation is what was found out of an attestation when it came.
type Attestation struct {
	// Ordinal counts from 1.
	Ordinal int
	attest.Verdict
	// Signature is the SHA-256 of the signature.
	Signature [32]byte
	// Fit says how the signer was found to be one who may sign: "run" that uploaded, or one of a "publisher".
	Fit     string
	AddedAt time.Time
	// NoLongerTrusted is what a second look found, by another root than the verdict's; nil: it still holds.
	NoLongerTrusted *attest.Distrust
}

// Signed is what a policy asks of an attestation.
func (a Attestation) Signed() policy.Signature {
	return policy.Signature{Verdict: a.Verdict, Fit: policy.Fit(a.Fit), Distrust: a.NoLongerTrusted}
}

// ByCI reports whether a trusted publisher published f.
func (f File) ByCI() bool { return !f.Run.IsZero() }

// Signatures are what a policy asks of f's attestations, in their order.
func (f File) Signatures() []policy.Signature {
	out := make([]policy.Signature, len(f.Attestations))
	for i, a := range f.Attestations {
		out[i] = a.Signed()
	}
	return out
}

// Yanked reports whether solvers do not see f.
func (f File) Yanked() bool { return !f.YankedAt.IsZero() }

// Label is the one at whose address f is fetched: main where that lists it.
func (f File) Label() conda.Label {
	if len(f.Labels) == 0 || slices.Contains(f.Labels, conda.MainLabel()) {
		return conda.MainLabel()
	}
	return f.Labels[0]
}

// Release is the files of one version that one run, or one account, published: what people call a release.
type Release struct {
	Channel       conda.Channel
	Name, Version string
	// Files counts its artifacts, Subdirs names where they are.
	Files   int
	Subdirs []string
	// At is when the last of its files came.
	At  time.Time
	Run trust.Provenance
	// Uploader is the account, or the repository of the run; Source is where it was imported from, if it was.
	Uploader, Source string
	// Signatures are those of each of its files; empty for a file that has none.
	Signatures [][]policy.Signature
}

// Totals are the sums over a channel.
type Totals struct {
	// ByCI counts the artifacts that came by a trusted publisher, Attested those of them that have attestations, which were
	// checked when they came; Imported counts those that came from another channel. The rest came with API tokens.
	Packages, Artifacts, ByCI, Attested, Imported int
	// Bytes is the size of all artifacts.
	Bytes int64
	// LastAt is when the last file came; zero for an empty channel.
	LastAt time.Time
	// Subdirs are those that have, or had, files, sorted.
	Subdirs []string
}

// Label is a listing inside a channel, which clients read like a channel of its own.
type Label struct {
	Name conda.Label
	// Files counts what solvers see there, Yanked what they do not, though lock files still get it.
	Files, Yanked int
	// ChangedAt is when it last listed something, or stopped to.
	ChangedAt time.Time
}

// Summary is a channel in a list of channels.
type Summary struct {
	ChannelID int64
	Totals
	// LastName and LastVersion are of the file that came last; empty for an empty channel.
	LastName, LastVersion string
}

// Query asks for packages in the order of their names.
type Query struct {
	// Channels are those to look in.
	Channels []int64
	// Names limits to exactly these, at most MaxNames; nil for any.
	Names []string
	// Text limits to names and summaries that hold it, in any letter case.
	Text string
	// Subdir limits to packages with files in it.
	Subdir string
	// By limits to "ci" (every file by a trusted publisher) "token" (any file with an API token) or "import" (any that was imported).
	By string
	// Signatures asks for those of each package, too.
	Signatures bool
	// After and AfterChannel are the last name, and its channel, of the page before.
	After, AfterChannel string
	// Limit is the number at most, 1 to 200.
	Limit int
}

// MaxNames bounds the names that one query may ask for.
const MaxNames = 200

// MaxCount is where counting stops: beyond it a list is "more than MaxCount" long.
const MaxCount = 10_000

// Store reads what readers may see: what is listed in a label and not deleted. One method is one transaction.
type Store interface {
	// Packages lists packages by name.
	Packages(ctx context.Context, q Query) ([]Package, error)
	// Count counts what Packages would list without a limit; above MaxCount it returns MaxCount+1.
	Count(ctx context.Context, q Query) (int, error)
	// Files lists every file of a package, newest first; at most 20,000.
	Files(ctx context.Context, channelID int64, name string) ([]File, error)
	// Bundle returns an attestation of a file as it came; fault.NotFound when there is none.
	Bundle(ctx context.Context, fileID int64, ordinal int) ([]byte, error)
	// File returns one file; fault.NotFound when there is none.
	File(ctx context.Context, channelID int64, d conda.Subdir, f conda.Filename) (File, error)
	// RecentFiles lists the newest files of the channels, without RawIndex.
	RecentFiles(ctx context.Context, channels []int64, limit int) ([]File, error)
	// Totals sums up a channel, Summaries any number of them at once, without Subdirs; empty ones are missing there.
	Totals(ctx context.Context, channelID int64) (Totals, error)
	Summaries(ctx context.Context, channels []int64) ([]Summary, error)
	// Labels lists the labels that list, or have listed, something, by name, main first.
	Labels(ctx context.Context, channelID int64) ([]Label, error)
	// Existing returns those of the "subdir/filename" keys that the channel has; with hidden, also those that are taken
	// though no reader sees a file there.
	Existing(ctx context.Context, channelID int64, keys []string, hidden bool) ([]string, error)
	// Unattested finds the files without an attestation whose packages any of the patterns matches, and counts apart those
	// that one of the patterns before matches as well.
	Unattested(ctx context.Context, channelID int64, patterns, before []string, limit int) (fresh, already Unattested, err error)
	// Attested lists those that have one, by name, time and ID, those after one; the zero Held: from the first.
	Attested(ctx context.Context, channelID int64, patterns []string, after Held, limit int) ([]Held, error)
}

// Catalog is the use cases.
type Catalog struct{ Store Store }

// perRelease is how many files the newest releases are gathered from, per release asked for: a release of a
// package built for every platform and Python is rarely larger.
const perRelease = 12

// Recent lists the newest releases of the channels, at most limit.
func (c *Catalog) Recent(ctx context.Context, channels []channel.Channel, limit int) ([]Release, error) {
	if len(channels) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(channels))
	for i, ch := range channels {
		ids[i] = ch.ID
	}
	files, err := c.Store.RecentFiles(ctx, ids, limit*perRelease)
	if err != nil {
		return nil, err
	}
	out := releases(files)
	return out[:min(limit, len(out))], nil
}

// releases gathers files, newest first, into releases, newest first.
func releases(files []File) []Release {
	type key struct{ channel, name, version, run, attempt, uploader string }
	var out []Release
	at := map[key]int{}
	for _, f := range files {
		k := key{f.Channel.String(), f.Filename.Name(), f.Filename.Version(), f.Run.RunID, f.Run.RunAttempt, f.Uploader}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, Release{Channel: f.Channel, Name: k.name, Version: k.version, At: f.UploadedAt, Run: f.Run, Uploader: f.Uploader, Source: f.Source})
		}
		r := &out[i]
		r.Files++
		r.Signatures = append(r.Signatures, f.Signatures())
		if !slices.Contains(r.Subdirs, f.Subdir.String()) {
			r.Subdirs = append(r.Subdirs, f.Subdir.String())
		}
	}
	for _, r := range out {
		slices.Sort(r.Subdirs)
	}
	return out
}

// Versions lists the versions of the files, highest first, each with its files by subdir and name.
func Versions(files []File) []Version {
	at := map[string]int{}
	var out []Version
	for _, f := range files {
		v := f.Filename.Version()
		i, ok := at[v]
		if !ok {
			i = len(out)
			at[v] = i
			out = append(out, Version{Version: v})
		}
		out[i].Files = append(out[i].Files, f)
	}
	slices.SortFunc(out, func(a, b Version) int { return version.Compare(b.Version, a.Version) })
	for _, v := range out {
		slices.SortFunc(v.Files, func(a, b File) int {
			if d := strings.Compare(a.Subdir.String(), b.Subdir.String()); d != 0 {
				return d
			}
			return strings.Compare(a.Filename.String(), b.Filename.String())
		})
	}
	return out
}

// Version is one version of a package with its files.
type Version struct {
	Version string
	Files   []File
}

// At is when the last file of v came.
func (v Version) At() time.Time {
	var at time.Time
	for _, f := range v.Files {
		if f.UploadedAt.After(at) {
			at = f.UploadedAt
		}
	}
	return at
}

// Yanked reports whether every file of v is.
func (v Version) Yanked() bool {
	return !slices.ContainsFunc(v.Files, func(f File) bool { return !f.Yanked() })
}

// rank is 2 for what main lists, 1 for what another label lists, 0 for what is yanked.
func (v Version) rank() int {
	best := 0
	for _, f := range v.Files {
		switch {
		case f.Yanked():
		case f.Label() == conda.MainLabel():
			return 2
		default:
			best = 1
		}
	}
	return best
}

// Latest is the index in versions, highest first, of the one to show: the highest release, or the highest prerelease
// when there is nothing else, of those that main lists; then of those that other labels list; then of the yanked
// ones. -1 for none.
func Latest(versions []Version) int {
	latest, best := -1, -1
	for i, v := range versions {
		parsed, err := version.Parse(v.Version)
		rank := 2 * v.rank()
		if err == nil && !parsed.IsPrerelease() {
			rank++
		}
		if rank > best {
			latest, best = i, rank
		}
	}
	return latest
}
