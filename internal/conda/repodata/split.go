package repodata

// Split cuts the members of a piece that has grown beyond target bytes into runs that are pieces again:
// in halves, as even as the members allow, until each run is within the target or a single member.
// memberLens are the members' lengths in order, sep the length of what joins two of them. The result
// are index ranges [from, to) in order, which cover all members; nil for none.
//
// Halves, not full pieces: a piece that is filled to the brim would be cut again by the next member.
func Split(memberLens []int, sep, target int) [][2]int {
	if len(memberLens) == 0 {
		return nil
	}
	ends := make([]int, len(memberLens)+1) // ends[i]: what the first i members take, a sep after each
	for i, n := range memberLens {
		ends[i+1] = ends[i] + n + sep
	}
	return split(nil, ends, sep, target, 0, len(memberLens))
}

// split appends the runs of the members [from, to).
func split(runs [][2]int, ends []int, sep, target, from, to int) [][2]int {
	if to-from == 1 || ends[to]-ends[from]-sep <= target {
		return append(runs, [2]int{from, to})
	}
	at, middle := from+1, (ends[from]+ends[to])/2
	for at < to-1 && middle-ends[at] > ends[at+1]-middle {
		at++ // the next cut is nearer to the middle
	}
	return split(split(runs, ends, sep, target, from, at), ends, sep, target, at, to)
}

// Small says whether a piece of so many raw bytes should join a neighbour, where pieces hold up to target.
func Small(size, target int) bool { return size < target/4 }

// Joins says whether two neighbouring pieces of a and b raw bytes should become one: one of them is small, and both
// together, joined by sep bytes, are within the target.
func Joins(a, b, sep, target int) bool {
	return Small(min(a, b), target) && a+sep+b <= target
}
