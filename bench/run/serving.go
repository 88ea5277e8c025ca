package main

import (
	"context"
	"fmt"

	"sluice/bench/peer"
)

// question is one kind of request that both sides are asked.
type question struct {
	name  string
	paths []string
	// unchanged asks with the validator of what is there, which is answered with 304.
	unchanged bool
	// small is the goal for what is below a megabyte, or unchanged: a share of nginx's requests in a second.
	small float64
}

// A file from a megabyte up is asked for on few connections and counted in bytes.
const (
	megabyte         = 1e6
	connections      = 16
	largeConnections = 2
)

// ask asks both sides the same, in turn, and compares how much they answer.
func (b *bench) ask(ctx context.Context, ours, theirs string, q question) (Line, error) {
	c := newClient(ours, "", 1)
	defer c.close()
	first, _, err := c.get(ctx, q.paths[0])
	if err != nil {
		return Line{}, err
	}
	inBytes := len(first) >= megabyte && !q.unchanged
	rate := func(server string) func() (float64, error) {
		return func() (float64, error) {
			l := peer.Load{Server: server, Paths: q.paths, Connections: connections, Time: b.time}
			if inBytes {
				l.Connections = largeConnections
			}
			if q.unchanged {
				header, err := validator(ctx, server, q.paths[0])
				if err != nil {
					return 0, err
				}
				l.Header = header
			}
			a, err := peer.Wrk(ctx, l)
			if inBytes {
				return a.Bytes / a.Seconds / 1e6, err
			}
			return a.Requests / a.Seconds, err
		}
	}
	a, t, err := alternate(b.pairs, rate(ours), rate(theirs))
	if err != nil {
		return Line{}, fmt.Errorf("%s: %w", q.name, err)
	}
	l := compare(share, a, t)
	l.Case, l.Unit, l.Beside, l.Goal = q.name+", "+size(len(first)), "requests/s", "nginx", Goal{AtLeast: q.small}
	if inBytes {
		l.Unit, l.Goal = "MB/s", Goal{AtLeast: 1}
	}
	return l, nil
}

// validator is the header line that asks whether a file has changed; the server must say that it has not.
func validator(ctx context.Context, server, path string) (string, error) {
	c := newClient(server, "", 1)
	defer c.close()
	_, h, err := c.get(ctx, path)
	if err != nil {
		return "", err
	}
	tag := h.Get("ETag")
	return "If-None-Match: " + tag, c.unchanged(ctx, path, tag)
}

// size writes a number of bytes as people do.
func size(n int) string {
	switch {
	case n >= 1e6:
		return figure(float64(n)/1e6) + " MB"
	case n >= 1e3:
		return figure(float64(n)/1e3) + " kB"
	default:
		return figure(float64(n)) + " B"
	}
}
