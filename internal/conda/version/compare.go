package version

import "cmp"

// Compare returns -1, 0 or +1: v before, the same as, or after w in the order of CEP 33.
func (v Version) Compare(w Version) int {
	if len(v.main) == 0 || len(w.main) == 0 {
		return cmp.Compare(len(v.main), len(w.main))
	}
	return cmp.Or(compareParts(v.main, w.main), compareParts(v.local, w.local))
}

// compareParts compares two lists of parts; a part that is missing is an empty one.
func compareParts(a, b []part) int {
	for i := range max(len(a), len(b)) {
		if c := compareElements(at(a, i), at(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

// compareElements compares two parts; an element that is missing is the number 0.
func compareElements(a, b part) int {
	for i := range max(len(a), len(b)) {
		x, y := element{kind: number}, element{kind: number}
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if c := cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.num, y.num), cmp.Compare(x.text, y.text)); c != 0 {
			return c
		}
	}
	return 0
}

func at(p []part, i int) part {
	if i < len(p) {
		return p[i]
	}
	return nil
}

// Compare orders two version strings for lists: valid ones by CEP 33 and then, when equal, bytewise;
// invalid ones before all valid ones, bytewise. It is 0 only for identical strings.
func Compare(a, b string) int {
	v, errA := Parse(a)
	w, errB := Parse(b)
	switch {
	case errA != nil && errB != nil:
		return cmp.Compare(a, b)
	case errA != nil:
		return -1
	case errB != nil:
		return +1
	}
	return cmp.Or(v.Compare(w), cmp.Compare(a, b))
}
