package exporting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/conda/repodata"
	"sluice/internal/index"
)

// labelsFile names the labels of the channel, so that an import finds them, and tells the folder of an export from
// any other.
const labelsFile = "labels.json"

// noticesFile is where clients look for what a channel has to say (CEP 6).
const noticesFile = "notices.json"

type labelList struct {
	Labels []string `json:"labels"`
}

// claim makes sure that the folder is ours to write to, and returns the labels that an earlier export left there.
func (x *exporter) claim() ([]conda.Label, error) {
	b, err := x.root.ReadFile(labelsFile)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := fs.ReadDir(x.root.FS(), ".")
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), arriving) })
		if err == nil && len(entries) > 0 {
			err = fmt.Errorf("%s holds other things (%s) and no %s of an earlier export: name a new or empty folder", x.Dir, entries[0].Name(), labelsFile)
		}
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", labelsFile, err)
	}
	var l labelList
	if err := json.Unmarshal(b, &l); err != nil {
		return nil, fmt.Errorf("read %s: %w", labelsFile, err)
	}
	var labels []conda.Label
	for _, s := range l.Labels {
		label, err := conda.ParseLabel(s)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", labelsFile, err)
		}
		labels = append(labels, label)
	}
	return labels, nil
}

// places are those of the channel, main first, each label with the noarch that clients want to see.
func (x *exporter) places(ctx context.Context) ([]index.Place, error) {
	places, err := x.Store.Places(ctx, x.Channel.ID)
	if err != nil {
		return nil, err
	}
	for _, l := range union(labelsOf(places), []conda.Label{conda.MainLabel()}) {
		if p := (index.Place{ChannelID: x.Channel.ID, Label: l, Subdir: conda.Noarch()}); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b index.Place) int {
		return cmp.Or(byLabel(a.Label, b.Label), cmp.Compare(a.Subdir.String(), b.Subdir.String()))
	})
	return places, nil
}

// byLabel orders labels by name, main first.
func byLabel(a, b conda.Label) int {
	switch main := conda.MainLabel(); {
	case a == b:
		return 0
	case a == main:
		return -1
	case b == main:
		return 1
	}
	return cmp.Compare(a.String(), b.String())
}

func labelsOf(places []index.Place) []conda.Label {
	var labels []conda.Label
	for _, p := range places {
		labels = append(labels, p.Label)
	}
	return union(labels, nil)
}

func union(a, b []conda.Label) []conda.Label {
	all := slices.Concat(a, b)
	slices.SortFunc(all, byLabel)
	return slices.Compact(all)
}

func (x *exporter) writeLabels(labels []conda.Label) error {
	var l labelList
	for _, label := range labels {
		l.Labels = append(l.Labels, label.String())
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := x.replace(labelsFile, b); err != nil {
		return err
	}
	return x.disk.flush()
}

// writeBeside writes what lies beside the subdirs of each label.
func (x *exporter) writeBeside(ctx context.Context, labels []conda.Label) error {
	for _, l := range labels {
		if err := x.clear(labelDir(l)); err != nil {
			return err
		}
		if err := x.replace(filepath.Join(labelDir(l), noticesFile), []byte(repodata.Notices)); err != nil {
			return err
		}
		f, err := x.Index.ChannelData(ctx, index.Label{ChannelID: x.Channel.ID, Name: l}, x.Channel.CreatedAt)
		if err != nil {
			return err
		}
		made, err := x.lay(ctx, labelDir(l), f)
		if err != nil {
			return err
		}
		name := filepath.Join(labelDir(l), string(index.ChannelData))
		if changed, err := x.changed(made, name); err != nil {
			return err
		} else if !changed {
			continue
		}
		if err := x.disk.later(made, name, f.Size()); err != nil {
			return err
		}
	}
	return x.disk.flush()
}
