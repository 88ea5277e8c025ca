package page

import (
	"testing"
	"time"
)

func TestTokenHint(t *testing.T) {
	t.Parallel()
	const d = 24 * time.Hour
	for _, tt := range []struct {
		name       string
		token      APIToken
		hint, ends string
	}{
		{"fresh", APIToken{CreatedAt: before(d), Ends: now.Add(15 * d)}, "", "8 Dec 2026"},
		{"ends soon", APIToken{CreatedAt: before(d), Ends: now.Add(13*d + time.Hour)}, "ends soon", "in 13 days"},
		{"ends today", APIToken{CreatedAt: before(d), Ends: now.Add(time.Second)}, "ends soon", "in 1 minute"},
		{"never used", APIToken{CreatedAt: before(91 * d), Ends: now.Add(100 * d)}, "unused", "3 Mar 2027"},
		{"used lately", APIToken{CreatedAt: before(91 * d), LastUsed: before(89 * d), Ends: now.Add(100 * d)}, "", "3 Mar 2027"},
		{"ended", APIToken{CreatedAt: before(91 * d), Ends: before(d)}, "", "ended 22 Nov 2026"},
		{"revoked", APIToken{CreatedAt: before(91 * d), Ends: now.Add(d), Revoked: before(d)}, "", "revoked 22 Nov 2026"},
		{"found", APIToken{CreatedAt: before(d), Ends: now.Add(d), Revoked: now, RevokedWhy: "somebody found it"}, "", "revoked 23 Nov 2026: somebody found it"},
	} {
		_, hint := tt.token.hint(now)
		if ends := tt.token.ends(now); hint != tt.hint || ends != tt.ends {
			t.Errorf("%s = %q, %q; want %q, %q", tt.name, hint, ends, tt.hint, tt.ends)
		}
	}
}
