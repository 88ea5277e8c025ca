package bzip2

import "slices"

// The two symbols that spell the length of a run of zeros; every other value v is the symbol v+1, and
// the one after the highest ends the block.
const (
	runA uint16 = 0
	runB uint16 = 1
)

// writeBlock writes one block from the row of the transform on. s is not empty.
func writeBlock(w *bitWriter, s []byte) {
	last, row := transform(s)
	w.put(24, uint64(row))
	alphabet := usedBytes(s)
	writeAlphabet(w, alphabet)
	writeSymbols(w, moveToFront(last, alphabet), len(alphabet)+2)
}

// usedBytes returns the byte values of s in ascending order.
func usedBytes(s []byte) []byte {
	var seen [256]bool
	for _, b := range s {
		seen[b] = true
	}
	var used []byte
	for v := range 256 {
		if seen[v] {
			used = append(used, byte(v))
		}
	}
	return used
}

// writeAlphabet writes which byte values occur: 16 bits for the ranges, 16 for each range that has some.
func writeAlphabet(w *bitWriter, alphabet []byte) {
	var ranges uint64
	var bits [16]uint64
	for _, b := range alphabet {
		ranges |= 1 << (15 - b>>4)
		bits[b>>4] |= 1 << (15 - b&15)
	}
	w.put(16, ranges)
	for _, r := range bits {
		if r != 0 {
			w.put(16, r)
		}
	}
}

// moveToFront turns the column into symbols: each byte becomes its place in a list to whose front it then
// moves, and runs of place 0 are spelled in runA and runB. The end symbol comes last.
func moveToFront(column, alphabet []byte) []uint16 {
	list := slices.Clone(alphabet)
	out := make([]uint16, 0, len(column)/2+2)
	zeros := 0
	for _, b := range column {
		i := slices.Index(list, b)
		if i == 0 {
			zeros++
			continue
		}
		out = appendRun(out, zeros)
		zeros = 0
		out = append(out, uint16(i+1))
		copy(list[1:], list[:i])
		list[0] = b
	}
	return append(appendRun(out, zeros), uint16(len(alphabet)+1))
}

// appendRun spells n in binary with the digits 1 (runA) and 2 (runB), lowest first.
func appendRun(out []uint16, n int) []uint16 {
	for ; n > 0; n = (n - 1) / 2 {
		if n%2 == 1 {
			out = append(out, runA)
		} else {
			out = append(out, runB)
		}
	}
	return out
}
