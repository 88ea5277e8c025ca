package main

import (
	"bytes"
	"context"
	"errors"

	"sluice/bench/generate"
	"sluice/bench/peer"
)

func memory() row {
	return row{
		name: "memory", what: "memory of the server",
		records: 1_000_000, pairs: 1, measure: measureMemory,
		notes: []string{"Resident memory of the process, with its default settings; under load is the most that it ever had."},
	}
}

// mostMemory is the goal, in MiB.
const mostMemory = 600

func measureMemory(ctx context.Context, b *bench) ([]Line, error) {
	h, err := b.filled(ctx, b.records)
	if err != nil {
		return nil, err
	}
	s, err := b.serve(ctx, h)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	var lines []Line
	note := func(name string, most bool) error {
		now, peak, err := peer.Resident(s.cmd.Process.Pid)
		if most {
			now = peak
		}
		lines = append(lines, Line{Case: name, Unit: "MiB", Ours: sampleOf([]float64{float64(now) / (1 << 20)}), Goal: Goal{AtMost: mostMemory}})
		return err
	}
	if err := note("idle after the start", false); err != nil {
		return nil, err
	}
	c := newClient(s.url, "", 1)
	defer c.close()
	for _, path := range indexPaths() {
		if _, _, err := c.get(ctx, path); err != nil {
			return nil, err
		}
	}
	if err := note("after every index file was read", false); err != nil {
		return nil, err
	}
	if err := b.uploadAndRead(ctx, s); err != nil {
		return nil, err
	}
	return lines, note("while 20 clients uploaded 1 000 packages and others read every index file", true)
}

// uploadAndRead sends a burst while readers fetch all index files over and over.
func (b *bench) uploadAndRead(ctx context.Context, s *server) error {
	c, err := channelOf(b.records)
	if err != nil {
		return err
	}
	var bodies [][]byte
	f := generate.NewFiler()
	for i := range burstUploads {
		body, err := f.File(c.Extra(i))
		if err != nil {
			return err
		}
		bodies = append(bodies, bytes.Clone(body))
	}
	reading, enough := context.WithCancel(ctx)
	read := make(chan error, 1)
	go func() { read <- readUntil(reading, s) }()
	err = s.uploadAll(ctx, burstClients, burstUploads, func(i int) (string, []byte, error) { return c.Extra(i).File.String(), bodies[i], nil })
	enough()
	return errors.Join(err, <-read)
}

// readUntil fetches all index files over and over until its context ends.
func readUntil(ctx context.Context, s *server) error {
	c := newClient(s.url, "", 1)
	defer c.close()
	for {
		for _, path := range indexPaths() {
			if _, _, err := c.get(ctx, path); ctx.Err() != nil {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}
