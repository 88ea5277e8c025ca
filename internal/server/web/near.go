package web

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"sluice/internal/catalog"
	"sluice/internal/server/web/page"
)

// Bounds of the look for names that may have been meant.
const (
	nearShown = 3
	nearSpan  = 3   // letters at either end of a name that must be right
	nearMax   = 60  // longer names are compared by their beginning
	nearRead  = 200 // candidates an end
)

// near finds names of packages in the channels that are a slip or two away from what was asked for.
func (s *site) near(ctx context.Context, channels []int64, asked string) ([]page.Near, error) {
	asked = strings.ToLower(strings.TrimSpace(asked))
	asked = asked[:min(len(asked), nearMax)]
	if asked == "" {
		return nil, nil
	}
	type hit struct {
		page.Near
		slips int
	}
	var hits []hit
	for _, end := range ends(asked) {
		found, err := s.Catalog.Store.Packages(ctx, catalog.Query{Channels: channels, Text: end, Limit: nearRead})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			h := hit{page.Near{Channel: p.Channel.String(), Package: p.Name}, slips(asked, p.Name[:min(len(p.Name), nearMax)])}
			if h.slips <= 1+len(asked)/4 && !slices.Contains(hits, h) {
				hits = append(hits, h)
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.slips, b.slips), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Channel, b.Channel))
	})
	var out []page.Near
	for _, h := range hits[:min(len(hits), nearShown)] {
		out = append(out, h.Near)
	}
	return out, nil
}

// ends are the beginning and the end of a name: one of them is usually right.
func ends(s string) []string {
	if len(s) <= nearSpan {
		return []string{strings.ToValidUTF8(s, "")}
	}
	return []string{strings.ToValidUTF8(s[:nearSpan], ""), strings.ToValidUTF8(s[len(s)-nearSpan:], "")}
}

// slips is how many letters must be put in, taken out or changed to turn a into b (Levenshtein's distance).
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0]++
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
