package bzip2

// transform is the Burrows-Wheeler transform: it returns the last column of the sorted rotations of s,
// and the row in which s itself stands. len(s) > 0.
func transform(s []byte) (last []byte, row int) {
	order := sortRotations(s)
	last = make([]byte, len(s))
	for i, start := range order {
		if start == 0 {
			row = i
			start = int32(len(s))
		}
		last[i] = s[start-1]
	}
	return last, row
}

// sortRotations returns the starts of the rotations of s in order. It sorts by the first byte and then
// doubles the sorted length until all rotations differ or the length covers s; each doubling is one
// counting sort, so the cost is n·log n whatever the bytes are.
func sortRotations(s []byte) []int32 {
	n := len(s)
	order, class := firstOrder(s)
	next, nextClass := make([]int32, n), make([]int32, n)
	counts := make([]int32, max(n, 256)+1)
	for length := 1; length < n; length *= 2 {
		for i, start := range order { // by the second half, which is sorted already
			next[i] = wrap(int(start)-length, n)
		}
		countingSort(order, next, class, counts)
		if reclass(nextClass, class, order, length) == n {
			break
		}
		class, nextClass = nextClass, class
	}
	return order
}

// firstOrder sorts the rotations by their first byte; a rotation's class is the rank of that byte.
func firstOrder(s []byte) (order, class []int32) {
	order, class = make([]int32, len(s)), make([]int32, len(s))
	next := make([]int32, len(s))
	for i, b := range s {
		next[i], class[i] = int32(i), int32(b)
	}
	countingSort(order, next, class, make([]int32, 257))
	return order, class
}

// countingSort puts the starts in src into dst, ordered by class, keeping the order of equals.
func countingSort(dst, src, class, counts []int32) {
	clear(counts)
	for _, start := range src {
		counts[class[start]+1]++
	}
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
	for _, start := range src {
		c := class[start]
		dst[counts[c]] = start
		counts[c]++
	}
}

// reclass numbers the rotations by their first 2·length bytes and returns how many classes there are.
func reclass(dst, class, order []int32, length int) int {
	n := len(order)
	classes := int32(0)
	dst[order[0]] = 0
	for i := 1; i < n; i++ {
		a, b := order[i-1], order[i]
		if class[a] != class[b] || class[wrap(int(a)+length, n)] != class[wrap(int(b)+length, n)] {
			classes++
		}
		dst[b] = classes
	}
	return int(classes) + 1
}

// wrap returns i modulo n for i in [-n, 2n).
func wrap(i, n int) int32 {
	if i < 0 {
		return int32(i + n)
	}
	if i >= n {
		return int32(i - n)
	}
	return int32(i)
}
