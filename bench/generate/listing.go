package generate

import (
	"bufio"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
)

// listings write the repodata.json of each subdir while its packages are written, in the order in which they come,
// which no client minds. Only what is said of the few .tar.bz2 files is held until the end.
type listings map[conda.Subdir]*listing

// listing writes one repodata.json.
type listing struct {
	mu   sync.Mutex // guards what follows
	file *os.File
	w    *bufio.Writer
	sep  string // what goes before the next member
	old  []byte // the members of .tar.bz2 files
}

func newListings(dir string) (listings, error) {
	if err := makeSubdirs(dir); err != nil {
		return nil, err
	}
	l := listings{}
	for _, s := range subdirs() {
		f, err := os.Create(filepath.Join(dir, s.String(), "repodata.json"))
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l[s] = &listing{file: f, w: bufio.NewWriter(f)}
		_, _ = fmt.Fprintf(l[s].w, `{"info":{"subdir":%q},"repodata_version":1,"removed":[],"packages.conda":{`, s) // close tells
	}
	return l, nil
}

// add lists a package with the digests and the size of its file.
func (l listings) add(p Package, file []byte) error {
	s := l[p.Record.Subdir]
	if s == nil {
		return fmt.Errorf("%s is in %s, which has no repodata.json here", p.File, p.Record.Subdir)
	}
	r := p.Record
	r.MD5, r.SHA256, r.Size = md5.Sum(file), sha256.Sum256(file), int64(len(file))
	member := repodata.Member(p.File, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.File.Ext() == conda.ExtTarBz2 {
		if len(s.old) > 0 {
			s.old = append(s.old, ',')
		}
		s.old = append(s.old, member...)
		return nil
	}
	_, _ = s.w.WriteString(s.sep) // close tells
	s.sep = ","
	_, err := s.w.Write(member)
	return err
}

// close ends the files.
func (l listings) close() (err error) {
	for _, s := range l {
		_, wrote := fmt.Fprintf(s.w, `},"packages":{%s}}`, s.old)
		err = errors.Join(err, wrote, s.w.Flush(), s.file.Close())
	}
	return err
}
