package attest

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
)

// witness is what others than the signer say of a signature, as far as it was verified.
type witness struct {
	times []time.Time
	log   LogEntry
}

// LogEntry is an entry of a transparency log, for people to find it. It holds only what the log has signed: much of what a
// bundle says of its entry can be changed, and it still verifies.
type LogEntry struct {
	// Index is the entry's place in the log, decimal; empty where there is no entry, or nothing proves its place.
	Index string `json:"index,omitempty"`
	// LogID is the log's key id in hex; empty where there is no entry.
	LogID string `json:"log_id,omitempty"`
}

// logged is the entry of a bundle that verified by a profile with logs, and has this entry alone: so the log with that
// id signed for it.
//
// The index is proven by the log's promise, which covers it; or by an inclusion proof of Rekor v2, whose index is the one
// that was verified. Without a promise that of Rekor v1 proves nothing: it counts over all shards of the log, while the
// proof is of one. Its checkpoints are told by their first line, "HOST - SHARD".
func logged(e *protorekor.TransparencyLogEntry) LogEntry {
	entry := LogEntry{LogID: hex.EncodeToString(e.GetLogId().GetKeyId())}
	origin, _, _ := strings.Cut(e.GetInclusionProof().GetCheckpoint().GetEnvelope(), "\n")
	if len(e.GetInclusionPromise().GetSignedEntryTimestamp()) > 0 || !strings.Contains(origin, " - ") {
		entry.Index = strconv.FormatInt(e.GetLogIndex(), 10)
	}
	return entry
}
