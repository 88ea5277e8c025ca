package test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The cases of attestations are numbered. Those that are no bundle to be shown to the clients are tested at other places: what
// comes with a request, what a channel demands, who signed, and what becomes of keys.
var elsewhere = []struct {
	first, last int
	what        string
	file, test  string
}{
	{4, 7, "an array of one, of eight, of none, of nine", "internal/attest/check_test.go", "TestReadBundles"},
	{15, 16, "257 KiB, ten megabytes", "internal/server/attestedfiles_test.go", "TestStrangeAttestations"},
	{35, 35, "a certificate of another instance", "internal/attest/check_test.go", "TestRealBundle"},
	{53, 53, "signed outside of the certificate's time", "internal/attest/check_test.go", "TestStatementAndSigner"},
	{55, 55, "a log that a newer root has", "internal/attest/instance/instance_test.go", "TestUnknownLog"},
	{56, 56, "a repository of roots that does not answer", "internal/attest/instance/instance_test.go", "TestRepository"},
	{57, 57, "no root so far", "internal/server/trustroots_test.go", "TestNoTrustRoot"},
	{62, 62, "the same once more", "internal/server/attestation_test.go", "TestAttestedUpload"},
	{63, 63, "the same with other unsigned parts", "internal/attest/witness_test.go", "TestKeyIsOfTheSignature"},
	{97, 97, "an alias of the channel", "internal/server/demand_test.go", "TestDemands"},
	{98, 101, "another repository, other ids, another workflow, another branch", "internal/trust/provider/certificate_test.go", "TestSameRunSeesEveryDifference"},
	{102, 103, "another job of the run, the run once more", "internal/trust/provider/certificate_test.go", "TestCertified"},
	{104, 104, "yesterday's run", "internal/publish/attestation_test.go", "TestSignedInTime"},
	{105, 109, "a person, other names, two names, no name, two issuers", "internal/attest/check_test.go", "TestStatementAndSigner"},
	{110, 112, "with an API token, by a publisher and by none; none where one is required", "internal/server/demand_test.go", "TestDemands"},
	{113, 113, "markup and control characters in a certificate", "internal/server/web/page/untrusted_test.go", "TestUntrustedText"},
	{114, 114, "the attestation before the file", "internal/server/attestation_test.go", "TestAttestedUpload"},
	{115, 116, "two parts, an empty part", "internal/server/attestation_test.go", "TestAttestationRefusals"},
	{117, 117, "no form where an attestation is required", "internal/server/demand_test.go", "TestDemands"},
	{118, 118, "a package with the name of attestations", "internal/server/attestedfiles_test.go", "TestStrangeAttestations"},
	{119, 119, "other bytes under the name", "internal/server/attestation_test.go", "TestAttestationsOfChangedFiles"},
	{120, 120, "many added at once", "internal/server/attestlater_test.go", "TestAttestationsAddedTogether"},
	{121, 121, "a crash in between", "internal/publish/crash_test.go", "TestCrashWhileAttesting"},
	{122, 123, "deleted, yanked", "internal/server/attestation_test.go", "TestAttestationsOfChangedFiles"},
	{124, 124, "a wrong hash", "internal/server/attestation_test.go", "TestAttestedUpload"},
	{125, 126, "a package without, validators, ranges, private channels", "internal/server/attestedfiles_test.go", "TestFilesOfAttestations"},
	{127, 127, "a key that a newer root no longer has", "internal/server/secondlook_test.go", "TestSecondLook"},
}

// lastCase is the highest number of a case.
const lastCase = 127

// allTested finds a test for each number.
func allTested(t *testing.T, cases []attestationCase) {
	t.Helper()
	tested := map[int]bool{}
	for _, c := range cases {
		number, _, _ := strings.Cut(c.name, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Errorf("the case %q has no number", c.name)
		}
		tested[n] = true
	}
	for _, e := range elsewhere {
		if !strings.Contains(string(read(t, filepath.Join("..", filepath.FromSlash(e.file)))), "func "+e.test+"(") {
			t.Errorf("%s has no %s for %s", e.file, e.test, e.what)
		}
		for n := e.first; n <= e.last; n++ {
			tested[n] = true
		}
	}
	for n := 1; n <= lastCase; n++ {
		if !tested[n] {
			t.Errorf("case %d is tested nowhere", n)
		}
	}
}
