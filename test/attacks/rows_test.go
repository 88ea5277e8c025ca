package attacks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rows is how many rows the catalogue has.
const rows = 94

// elsewhere are the rows whose attack is not one over HTTP against a server, with the test that holds each and what it
// says of the row.
var elsewhere = map[int]struct{ file, says string }{
	30: {"internal/trust/keys_test.go", "Rows 30 to 32"},    // discovery that lies: of addresses off this machine
	31: {"internal/trust/keys_test.go", "31 redirect"},      // redirects of an issuer
	32: {"internal/trust/keys_test.go", "Rows 30 to 32"},    // key sets that are huge, slow, compressed, or none
	36: {"internal/trust/keys_test.go", "Rows 29, 35, 36"},  // 24 hours later
	37: {"internal/trust/keys_test.go", "Rows 34, 37"},      // two keys of one name
	38: {"internal/trust/issuersettings_test.go", "Row 38"}, // a resolver that lies
	93: {"internal/trust/publisher_test.go", "Row 93"},      // refused before there is a server
}

// TestEveryRowIsTried reads this package's tables, and the tests elsewhere.
func TestEveryRowIsTried(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tried := map[int]bool{}
	row := regexp.MustCompile(`(?m)^\s*(?:\{|t\.Run\(")(\d+)(?:, "|[ "])`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range row.FindAllStringSubmatch(string(source), -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			tried[n] = true
		}
	}
	for n, at := range elsewhere {
		source, err := os.ReadFile(filepath.Join("..", "..", at.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), at.says) {
			t.Errorf("%s does not hold row %d any more", at.file, n)
		}
		tried[n] = true
	}
	var missing []int
	for n := range rows {
		if !tried[n+1] {
			missing = append(missing, n+1)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("no case for the rows %v", missing)
	}
}
