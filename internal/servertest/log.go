package servertest

import (
	"strings"
	"sync"
)

// Log gathers what a server logs, so that a test can look for what must, or must never, be in it.
type Log struct {
	mu   sync.Mutex // guards text; handlers log at once
	text strings.Builder
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all of it so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
