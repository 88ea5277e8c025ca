package datadir

import (
	"fmt"
	"os"
	"strings"
)

const lockFile = "serve.lock"

// Lock takes the folder for this process alone to serve from, until Close or the end of the process,
// however it ends. Doing says what the process does, such as "serving http://127.0.0.1:8080", and is
// what a second process tells its user. Commands that only work on the database do without the lock.
func (f *Folder) Lock(doing string) error {
	file, err := f.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return explain(f.path, err)
	}
	free, err := tryLock(file)
	if err != nil {
		_ = file.Close()
		return fmt.Errorf("lock the data folder %s: %w", f.path, err)
	}
	if !free {
		holder := readHolder(file)
		_ = file.Close()
		return fmt.Errorf("the data folder %s is in use by %s. Stop that one, or name another folder with --data", f.path, holder)
	}
	f.lock = file
	return f.writeHolder(doing)
}

// writeHolder says in the file who holds the lock. The lock itself is the kernel's, so a text that a
// dead process left behind misleads nobody.
func (f *Folder) writeHolder(doing string) error {
	if err := f.lock.Truncate(0); err != nil {
		return explain(f.path, err)
	}
	host, _ := os.Hostname() // "" is good enough for a message
	_, err := f.lock.WriteAt(fmt.Appendf(nil, "process %d on %s, %s\n", os.Getpid(), host, doing), 0)
	if err != nil {
		return explain(f.path, err)
	}
	return nil
}

func readHolder(file *os.File) string {
	b := make([]byte, 300)
	n, _ := file.ReadAt(b, 0) // short is expected
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	if line == "" {
		return "another process of Sluice"
	}
	return line
}
