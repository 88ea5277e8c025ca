package attest

import "bytes"

// Sidecar is the file of an artifact's attestations (CEP 50): the array of its bundles in the order in which they were
// accepted, each as ReadBundles gave it. A later one begins with every earlier one.
func Sidecar(bundles [][]byte) []byte {
	return append(append([]byte("["), bytes.Join(bundles, []byte(","))...), "]\n"...)
}
