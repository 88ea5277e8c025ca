package bzip2

import (
	"cmp"
	"slices"
)

const (
	groupSize = 50 // symbols that share a table
	tables    = 2  // the fewest that the format allows
	maxLength = 17 // bits a code; decoders take up to 20
)

// writeSymbols writes the tables, which table each group of symbols uses, and the symbols.
func writeSymbols(w *bitWriter, symbols []uint16, alphabet int) {
	groups := slices.Collect(slices.Chunk(symbols, groupSize))
	lengths, choice := fitTables(groups, alphabet)
	w.put(3, tables)
	w.put(15, uint64(len(groups)))
	writeChoice(w, choice)
	for _, l := range lengths {
		writeLengths(w, l)
	}
	var codes [tables][]uint32
	for t, l := range lengths {
		codes[t] = assignCodes(l)
	}
	for g, group := range groups {
		for _, s := range group {
			w.put(uint(lengths[choice[g]][s]), uint64(codes[choice[g]][s]))
		}
	}
}

// fitTables finds code lengths for each table and the cheaper table for each group. It begins with the
// first half of the groups for one table and the rest for the other, and lets groups change twice.
func fitTables(groups [][]uint16, alphabet int) (lengths [tables][]int, choice []int) {
	choice = make([]int, len(groups))
	for g := range groups {
		choice[g] = g * tables / len(groups)
	}
	for round := range 3 {
		var freq [tables][]int
		for t := range tables {
			freq[t] = make([]int, alphabet)
		}
		for g, group := range groups {
			for _, s := range group {
				freq[choice[g]][s]++
			}
		}
		for t := range tables {
			lengths[t] = codeLengths(freq[t])
		}
		if round < 2 {
			for g, group := range groups {
				choice[g] = cheapest(group, lengths)
			}
		}
	}
	return lengths, choice
}

// cheapest returns the table that spells the group in the fewest bits.
func cheapest(group []uint16, lengths [tables][]int) int {
	best, bestCost := 0, 0
	for t, l := range lengths {
		cost := 0
		for _, s := range group {
			cost += l[s]
		}
		if t == 0 || cost < bestCost {
			best, bestCost = t, cost
		}
	}
	return best
}

// writeChoice writes the groups' tables, each as its place in a list to whose front it then moves.
func writeChoice(w *bitWriter, choice []int) {
	front := 0 // of two tables, the list is known by its front
	for _, t := range choice {
		if t == front {
			w.put(1, 0)
		} else {
			w.put(2, 0b10)
			front = t
		}
	}
}

// writeLengths writes one table's code lengths, each as steps from the one before.
func writeLengths(w *bitWriter, lengths []int) {
	at := lengths[0]
	w.put(5, uint64(at))
	for _, l := range lengths {
		for ; at < l; at++ {
			w.put(2, 0b10)
		}
		for ; at > l; at-- {
			w.put(2, 0b11)
		}
		w.put(1, 0)
	}
}

// codeLengths returns Huffman code lengths, 1 to maxLength bits. Every symbol gets a code, also one that
// does not occur, because the format has no way to leave it out. Where a code grows too long, the
// frequencies are flattened and the tree built anew.
func codeLengths(freq []int) []int {
	weights := make([]int, len(freq))
	for i, f := range freq {
		weights[i] = max(f, 1)
	}
	for {
		lengths := treeDepths(weights)
		if slices.Max(lengths) <= maxLength {
			return lengths
		}
		for i := range weights {
			weights[i] = weights[i]/2 + 1
		}
	}
}

// treeDepths builds a Huffman tree of at least two leaves and returns the leaves' depths. Of leaves and
// inner nodes, each sorted by weight, the two lightest are joined until one is left.
func treeDepths(weights []int) []int {
	n := len(weights)
	leaves := make([]int, n)
	for i := range leaves {
		leaves[i] = i
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return cmp.Compare(weights[a], weights[b]) })
	weight := append(slices.Clone(weights), make([]int, n-1)...)
	parent := make([]int, 2*n-1)
	nextLeaf, nextInner := 0, n
	for node := n; node < 2*n-1; node++ {
		for range 2 {
			var light int
			if nextInner == node || nextLeaf < n && weight[leaves[nextLeaf]] <= weight[nextInner] {
				light = leaves[nextLeaf]
				nextLeaf++
			} else {
				light = nextInner
				nextInner++
			}
			weight[node] += weight[light]
			parent[light] = node
		}
	}
	depths := make([]int, 2*n-1) // the root is the last node, and every parent comes after its children
	for node := 2*n - 3; node >= 0; node-- {
		depths[node] = depths[parent[node]] + 1
	}
	return depths[:n]
}

// assignCodes gives each symbol its canonical code: ascending by length, then by symbol.
func assignCodes(lengths []int) []uint32 {
	codes := make([]uint32, len(lengths))
	code := uint32(0)
	for l := 1; l <= maxLength; l++ {
		for s, length := range lengths {
			if length == l {
				codes[s] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}
