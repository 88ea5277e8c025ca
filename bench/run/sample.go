package main

import (
	"slices"
)

// Sample is what several measurements of one thing gave.
type Sample struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`
}

// sampleOf sums up; of an even number of values the median is the mean of the middle two.
func sampleOf(values []float64) Sample {
	if len(values) == 0 {
		return Sample{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return Sample{Median: median, Min: v[0], Max: v[len(v)-1], Runs: len(v)}
}

// Line is one comparison, or one figure by itself.
type Line struct {
	// Case is what of the row this is.
	Case string `json:"case"`
	// Unit is that of both samples.
	Unit string `json:"unit"`
	// Ours is Sluice's, Theirs that of Beside. A figure by itself has no Beside.
	Ours   Sample `json:"ours"`
	Beside string `json:"beside,omitempty"`
	Theirs Sample `json:"theirs,omitzero"`
	// Ratio is over the ratios of the pairs, each Of the two ways round.
	Ratio Sample `json:"ratio,omitzero"`
	Of    Of     `json:"of,omitempty"`
	// Goal bounds the median of the ratio, or that of Ours where there is no Beside.
	Goal Goal `json:"goal,omitzero"`
}

// Of says which way round a ratio is, in the words of the table.
type Of string

// The two ways. Rates and times of our own are compared as share, slow peers by how many times we are faster.
const (
	share  Of = "ours/theirs"
	faster Of = "theirs/ours"
)

// Goal is a bound on one side; the zero value wants nothing.
type Goal struct {
	AtLeast float64 `json:"at_least,omitempty"`
	AtMost  float64 `json:"at_most,omitempty"`
}

// isZero reports whether nothing is wanted.
func (g Goal) isZero() bool { return g == Goal{} }

// met reports whether the line meets its goal.
func (l Line) met() bool {
	v := l.Ours.Median
	if l.Beside != "" {
		v = l.Ratio.Median
	}
	return v >= l.Goal.AtLeast && (l.Goal.AtMost == 0 || v <= l.Goal.AtMost)
}

// compare makes the line of pairs: the i-th of ours and the i-th of theirs were measured one after the other.
func compare(of Of, ours, theirs []float64) Line {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / theirs[i]
		if of == faster {
			ratios[i] = theirs[i] / ours[i]
		}
	}
	return Line{Ours: sampleOf(ours), Theirs: sampleOf(theirs), Ratio: sampleOf(ratios), Of: of}
}

// alternate measures both sides in turn, A B B A A B …, so that whatever changes with time falls on both.
func alternate(pairs int, ours, theirs func() (float64, error)) (a, b []float64, err error) {
	one := func(measure func() (float64, error), into *[]float64) {
		if err != nil {
			return
		}
		var v float64
		if v, err = measure(); err == nil {
			*into = append(*into, v)
		}
	}
	for i := range pairs {
		if i%2 == 0 {
			one(ours, &a)
			one(theirs, &b)
		} else {
			one(theirs, &b)
			one(ours, &a)
		}
	}
	return a, b, err
}
