package repodata

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"sluice/internal/conda"
	"sluice/internal/conda/artifact"
	"sluice/internal/conda/version"
)

// ChannelArtifact is what channeldata.json takes from one artifact of a channel.
type ChannelArtifact struct {
	Version     string
	BuildNumber uint64
	TimestampMS int64 // the builder's, in milliseconds; 0 when not given
	Subdir      conda.Subdir
	License     string // as the index has it; "" leaves that of About
	Traits      conda.Traits
	RunExports  conda.RunExports
	About       artifact.About
}

// nameJSON is what channeldata.json says of one package name (CEP 38), its keys in order.
type nameJSON struct {
	Activates    bool                      `json:"activate.d"`
	BinaryPrefix bool                      `json:"binary_prefix"`
	Deactivates  bool                      `json:"deactivate.d"`
	Description  string                    `json:"description,omitempty"`
	DevURL       string                    `json:"dev_url,omitempty"`
	DocSourceURL string                    `json:"doc_source_url,omitempty"`
	DocURL       string                    `json:"doc_url,omitempty"`
	Home         string                    `json:"home,omitempty"`
	IconURL      string                    `json:"icon_url,omitempty"`
	Identifiers  []string                  `json:"identifiers,omitempty"`
	Keywords     []string                  `json:"keywords,omitempty"`
	License      string                    `json:"license,omitempty"`
	PostLinks    bool                      `json:"post_link"`
	PreLinks     bool                      `json:"pre_link"`
	PreUnlinks   bool                      `json:"pre_unlink"`
	RecipeOrigin string                    `json:"recipe_origin,omitempty"`
	RunExports   map[string]runExportsJSON `json:"run_exports"`
	SourceGitURL string                    `json:"source_git_url,omitempty"`
	SourceURL    string                    `json:"source_url,omitempty"`
	Subdirs      []string                  `json:"subdirs"`
	Summary      string                    `json:"summary,omitempty"`
	Tags         []string                  `json:"tags,omitempty"`
	TextPrefix   bool                      `json:"text_prefix"`
	Timestamp    int64                     `json:"timestamp"` // in seconds
	Version      string                    `json:"version"`
}

// ChannelDataMember makes the member of a package name in channeldata.json, `"NAME":{…}`, of all its artifacts
// in a channel, at least one. The version is the highest, and each text is that of the newest artifact that has
// it: by version, then by time of build, then by build number. Traits are those of any artifact, run_exports
// those of the newest artifact of each version that has some, and the time is that of the latest build.
func ChannelDataMember(name string, all []ChannelArtifact) []byte {
	newest := slices.SortedFunc(slices.Values(all), func(a, b ChannelArtifact) int { return compareArtifacts(b, a) })
	n := nameJSON{Version: newest[0].Version, RunExports: map[string]runExportsJSON{}}
	subdirs := map[string]bool{}
	var traits conda.Traits
	for _, a := range newest {
		n.fill(a)
		traits |= a.Traits
		subdirs[a.Subdir.String()] = true
		n.Timestamp = max(n.Timestamp, a.TimestampMS/1000)
		if _, have := n.RunExports[a.Version]; !have && !a.RunExports.IsZero() {
			n.RunExports[a.Version] = runExportsJSON(a.RunExports)
		}
	}
	n.Subdirs = slices.Sorted(maps.Keys(subdirs))
	n.set(traits)

	var b bytes.Buffer
	b.Write(append(appendJSON(nil, name), ':'))
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(n) // texts, numbers and lists of them
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// compareArtifacts is positive when a is newer than b. Where all else is the same, the subdir decides, lest the
// order in which they came did.
func compareArtifacts(a, b ChannelArtifact) int {
	return cmp.Or(
		version.Compare(a.Version, b.Version),
		cmp.Compare(a.TimestampMS, b.TimestampMS),
		cmp.Compare(a.BuildNumber, b.BuildNumber),
		cmp.Compare(a.Subdir.String(), b.Subdir.String()),
	)
}

// fill takes from a what no newer artifact had.
func (n *nameJSON) fill(a ChannelArtifact) {
	n.Description = cmp.Or(n.Description, strings.ReplaceAll(a.About.Description, "\n", " "))
	n.Summary = cmp.Or(n.Summary, a.About.Summary)
	n.License = cmp.Or(n.License, a.License, a.About.License)
	n.Home = cmp.Or(n.Home, a.About.Home)
	n.DevURL = cmp.Or(n.DevURL, a.About.DevURL)
	n.DocURL = cmp.Or(n.DocURL, a.About.DocURL)
	n.DocSourceURL = cmp.Or(n.DocSourceURL, a.About.DocSourceURL)
	n.SourceURL = cmp.Or(n.SourceURL, a.About.SourceURL)
	n.SourceGitURL = cmp.Or(n.SourceGitURL, a.About.SourceGitURL)
	n.IconURL = cmp.Or(n.IconURL, a.About.IconURL)
	n.RecipeOrigin = cmp.Or(n.RecipeOrigin, a.About.RecipeOrigin)
	n.Tags = orElse(n.Tags, a.About.Tags)
	n.Identifiers = orElse(n.Identifiers, a.About.Identifiers)
	n.Keywords = orElse(n.Keywords, a.About.Keywords)
}

// orElse is cmp.Or for lists.
func orElse(have, other []string) []string {
	if len(have) > 0 {
		return have
	}
	return other
}

// set says which traits there are.
func (n *nameJSON) set(t conda.Traits) {
	n.Activates, n.Deactivates = t.Has(conda.Activates), t.Has(conda.Deactivates)
	n.PreLinks, n.PostLinks, n.PreUnlinks = t.Has(conda.PreLinks), t.Has(conda.PostLinks), t.Has(conda.PreUnlinks)
	n.BinaryPrefix, n.TextPrefix = t.Has(conda.BinaryPrefix), t.Has(conda.TextPrefix)
}
