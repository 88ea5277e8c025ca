package postgres

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// debianFolders is where Debian puts the server's programs, one folder a version, none of them on PATH.
const debianFolders = "/usr/lib/postgresql/*/bin"

var errMissing = errors.New("no PostgreSQL server in " + debianFolders + " or on PATH; " +
	"on Debian: apt-get install postgresql (make test does it)")

// programs returns the folder with initdb and pg_ctl: of the newest version in Debian's folders, or
// else the one on PATH.
func programs() (string, error) { return find(debianFolders) }

func find(pattern string) (string, error) {
	folders, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	folders = slices.DeleteFunc(folders, func(f string) bool { return !runs(f, "initdb") || !runs(f, "pg_ctl") })
	if len(folders) > 0 {
		return slices.MaxFunc(folders, func(a, b string) int { return cmp.Compare(major(a), major(b)) }), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil || !runs(filepath.Dir(path), "pg_ctl") {
		return "", errMissing
	}
	return filepath.Dir(path), nil
}

func runs(folder, name string) bool {
	info, err := os.Stat(filepath.Join(folder, name))
	return err == nil && info.Mode()&0o111 != 0
}

// major is the 15 of /usr/lib/postgresql/15/bin.
func major(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}
