package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncFS makes everything that was written to the file system of disk durable, bytes and names. It is false on systems that
// cannot. Faults of writing back are told to files that were open by then.
func SyncFS(disk *os.File) (bool, error) {
	raw, err := disk.SyscallConn()
	if err != nil {
		return true, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Syncfs(int(fd)) }); err != nil {
		return true, err
	}
	return true, os.NewSyscallError("syncfs", failed)
}
