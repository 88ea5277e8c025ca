package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"sluice/internal/attest"
	"sluice/internal/remote"
)

// filePath is where the API has a file that is named as SUBDIR/FILE.
func filePath(ch channelName, file string) ([]string, error) {
	subdir, name, ok := strings.Cut(file, "/")
	if !ok || subdir == "" || name == "" {
		return nil, fmt.Errorf("%q names no file of a channel: write SUBDIR/FILE, such as noarch/libtide-1.2.0-0.conda", file)
	}
	return []string{"channels", string(ch), "packages", subdir, name}, nil
}

type attestationAddCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	Bundle  string      `arg:"" type:"existingfile" help:"Sigstore bundle, or an array of them."`
	Files   []string    `arg:"" name:"file" placeholder:"SUBDIR/FILE" help:"Files that it speaks of, such as noarch/libtide-1.2.0-0.conda."`
}

// Run adds the bundle to each of the files.
func (c *attestationAddCommand) Run(ctx context.Context, s Streams) error {
	b, err := readSmall(c.Bundle)
	if err != nil {
		return err
	}
	if _, err := attest.ReadBundles(b, attest.MaxBundles); err != nil {
		return fmt.Errorf("%s: %w", c.Bundle, err)
	}
	for _, file := range c.Files {
		path, err := filePath(c.Channel, file)
		if err != nil {
			return err
		}
		if err := c.add(ctx, s, file, append(path, "attestations"), b); err != nil {
			return err
		}
	}
	return nil
}

func (c *attestationAddCommand) add(ctx context.Context, s Streams, file string, path []string, bundles []byte) error {
	type answer struct {
		Added int `json:"added"`
	}
	send := func(ctx context.Context, to *remote.Client, answer any) error {
		return to.Post(ctx, remote.Path(path...), json.RawMessage(bundles), answer)
	}
	return consult(ctx, s, c.remoteFlags, send, func(w io.Writer, a answer) error {
		if a.Added == 0 {
			_, err := fmt.Fprintf(w, "Nothing to do: %s of channel %s has that already.\n", shown(file), c.Channel)
			return err
		}
		_, err := fmt.Fprintf(w, "Added %d to the attestations of %s of channel %s.\n", a.Added, shown(file), c.Channel)
		return err
	})
}

type attestationListCommand struct {
	remoteFlags
	Channel channelName `arg:"" help:"Name of the channel."`
	File    string      `arg:"" placeholder:"SUBDIR/FILE" help:"The file, such as noarch/libtide-1.2.0-0.conda."`
}

// Run prints a line for each attestation.
func (c *attestationListCommand) Run(ctx context.Context, s Streams) error {
	path, err := filePath(c.Channel, c.File)
	if err != nil {
		return err
	}
	type file struct {
		Attestations []struct {
			Ordinal int `json:"ordinal"`
			Signer  struct {
				Identity string `json:"identity"`
			} `json:"signer"`
			Fit      string    `json:"fit"`
			Instance string    `json:"instance"`
			SignedAt time.Time `json:"signed_at"`
			Target   string    `json:"target_channel"`
		} `json:"attestations"`
	}
	return consult(ctx, s, c.remoteFlags, at(path...), func(w io.Writer, answer file) error {
		var rows [][]string
		for _, a := range answer.Attestations {
			rows = append(rows, []string{strconv.Itoa(a.Ordinal), day(a.SignedAt), a.Fit, a.Instance, a.Signer.Identity, a.Target})
		}
		return table(w, shown(c.File)+" has no attestation.", []string{"NUMBER", "SIGNED", "FIT", "INSTANCE", "SIGNED BY", "FOR CHANNEL"}, rows)
	})
}
