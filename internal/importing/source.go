package importing

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"sluice/internal/conda"
)

// Place is a label of a source and a subdir of it.
type Place struct {
	Label  conda.Label
	Subdir conda.Subdir
}

// Source is a channel that is read from. Its methods may be called by any number of goroutines. An error that may
// pass by itself is a *TransientError.
type Source interface {
	// String is the folder or the address, and holds no credential.
	String() string
	// Labels are the labels that the source tells of, main among them; none where it does not tell.
	Labels(ctx context.Context) ([]conda.Label, error)
	// Subdirs are the subdirs that may have an index.
	Subdirs(ctx context.Context) ([]conda.Subdir, error)
	// Index opens what a place lists; fs.ErrNotExist when it has no index. The caller closes it.
	Index(ctx context.Context, p Place) (*Index, error)
	// RunExports opens what a place says that its packages export, run_exports.json (CEP 12); fs.ErrNotExist when it says
	// nothing. The caller closes it.
	RunExports(ctx context.Context, p Place) (*Text, error)
	// Package opens a package of a place; fs.ErrNotExist when it is not there. base is the info.base_url of the
	// index, "" for none (CEP 15). The caller closes the body.
	Package(ctx context.Context, p Place, base string, f conda.Filename) (Body, error)
	// Sidecar opens the file of a package's attestations with that SHA-256 (CEP 50), as Package does; zero: the older one, of
	// servers whose index names none.
	Sidecar(ctx context.Context, p Place, base string, f conda.Filename, sum [32]byte) (Body, error)
	// Yank tells when and why a file was yanked; the zero value where the source does not tell.
	Yank(ctx context.Context, d conda.Subdir, f conda.Filename) (Yank, error)
}

// Body is a package as it comes.
type Body struct {
	io.ReadCloser
	// ModifiedAt is when the source says that the file came to be; zero when it does not say.
	ModifiedAt time.Time
}

// TransientError is an error of a source that may pass by itself.
type TransientError struct {
	Cause error
	// After is how long the source asks to be left alone; 0 when it does not ask.
	After time.Duration
}

func (e *TransientError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *TransientError) Unwrap() error { return e.Cause }

// sidecarName is that of the file of a package's attestations with a digest, which lies beside the package; without one, that
// of before CEP 50, as prefix.dev serves it.
func sidecarName(f conda.Filename, sum [32]byte) string {
	if sum == [32]byte{} {
		return f.String() + ".v0.sigs"
	}
	return f.String() + ".sigs." + hex.EncodeToString(sum[:])
}

// Files of a place, which also lie there with packedExt.
const (
	repodataFile   = "repodata.json"
	runExportsFile = "run_exports.json"
	packedExt      = ".zst"
)

// labelsFile names the labels of a channel that is served as plain files, beside its subdirs.
const labelsFile = "labels.json"

// labelList is the content of labelsFile.
type labelList struct {
	Labels []string `json:"labels"`
}

// parse returns the labels, main first.
func (l labelList) parse() ([]conda.Label, error) {
	labels := make([]conda.Label, 0, len(l.Labels))
	for _, s := range l.Labels {
		label, err := conda.ParseLabel(s)
		if err != nil {
			return nil, err
		}
		if label == conda.MainLabel() {
			labels = slices.Insert(labels, 0, label)
		} else {
			labels = append(labels, label)
		}
	}
	return labels, nil
}

// keptCopy makes a nameless file of what r holds, at most limit bytes: an index is read several times, and over
// hours, which no connection would outlive.
func keptCopy(r io.Reader, limit int64) (*os.File, error) {
	f, err := os.CreateTemp("", "sluice-index-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil { // nothing is left behind, however the process ends
		return nil, errors.Join(err, f.Close())
	}
	n, err := io.Copy(f, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = errors.New("the index is larger than any that is known")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
