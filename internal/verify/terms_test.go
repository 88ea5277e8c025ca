package verify_test

import (
	"strings"
	"testing"

	"sluice/internal/verify"
)

func TestReadTerms(t *testing.T) {
	t.Parallel()
	const whole = `require = true
instances = ["public", "acme.json"]
target_channel = "listed"
aliases = ["https://old.example.com/forge"]
allow_absent = false
[[signer]]
packages = ["tide", "lib*"]
issuer = "https://token.actions.githubusercontent.com"
repository = "https://github.com/acme/forge"
repository_id = "1234"
workflow = "https://github.com/acme/forge/.github/workflows/build.yml"
ref = "refs/heads/main"
[[denied]]
log_id = "c0ffee"
log_from = 7
from = 2026-11-20T12:00:00Z
why = "the log forked"
`
	if got, err := verify.ReadTerms([]byte(whole)); err != nil || !got.Require || len(got.Instances) != 2 || len(got.Signers) != 1 || got.Signers[0].Ref != "refs/heads/main" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, tt := range []struct{ old, by, says string }{
		{"require", "requires", "not known"},
		{"repository_id", "repository_ids", "not known"},
		{"log_from", "log_form", "not known"},
		{`"public", "acme.json"`, "", "instances"},
		{`"listed"`, `"all"`, "target_channel"},
		{`"https://old.example.com/forge"`, `"https://a:b@old.example.com/forge"`, "aliases"},
		{`packages = ["tide", "lib*"]`, "", "say for which packages"},
		{`"lib*"`, `"l*b"`, "l*b"},
		{`issuer = "https://token.actions.githubusercontent.com"`, "", "issuer is missing"},
		{`build.yml"`, `build.yml@refs/heads/main"`, "before the @"},
		{`log_id = "c0ffee"`, "", "say whose"},
	} {
		text := strings.Replace(whole, tt.old, tt.by, 1)
		if _, err := verify.ReadTerms([]byte(text)); text == whole || err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s for %s: %v", tt.by, tt.old, err)
		}
	}
	anybody := "[[signer]]\npackages = [\"*\"]\nissuer = \"https://token.actions.githubusercontent.com\"\nref = \"refs/heads/main\""
	if _, err := verify.ReadTerms([]byte(anybody)); err == nil || !strings.Contains(err.Error(), "everybody") {
		t.Errorf("a signer who is everybody: %v", err)
	}
}
