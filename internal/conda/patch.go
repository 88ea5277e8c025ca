package conda

import (
	"fmt"
	"slices"
	"strings"
)

// Patch is an overlay over what a package says of itself: what the index says instead, as the
// patch_instructions.json of the channel format have it. A nil field leaves the package's own value, a
// pointer to an empty value takes it away. Identity, hashes, times and what only repodata v3 knows cannot
// be patched. The zero value changes nothing. A Patch and what it was applied to share their lists.
type Patch struct {
	Depends, Constrains     *[]string
	TrackFeatures, Features *string
	License, LicenseFamily  *string
	Purls                   *[]string
	RunExports              *RunExports
}

// IsZero reports whether the patch changes nothing.
func (p Patch) IsZero() bool { return p == Patch{} }

// Apply returns what the index says of a package that says r and re itself. v3 says that the record is
// listed in repodata v3. It refuses a patch after which the specifications could not be listed where the
// record is: in v3 they must be canonical (Record.CheckV3), and elsewhere older clients must understand
// them. Its error is a *SyntaxError of What "dependency".
func (p Patch) Apply(r Record, re RunExports, v3 bool) (Record, RunExports, error) {
	out := p.over(r)
	switch {
	case v3:
		if err := out.CheckV3(); err != nil {
			return Record{}, RunExports{}, err
		}
	case out.NeedsV3() && !r.NeedsV3():
		return Record{}, RunExports{}, refuse("dependency", out.firstV3(),
			"asks for extras, for flags or under a condition; the package is listed for clients that know none of these, and a patch cannot change that")
	}
	if p.RunExports != nil {
		re = *p.RunExports
	}
	return out, re, nil
}

// over lays the patch over r.
func (p Patch) over(r Record) Record {
	replace(&r.Depends, p.Depends)
	replace(&r.Constrains, p.Constrains)
	replace(&r.TrackFeatures, p.TrackFeatures)
	replace(&r.Features, p.Features)
	replace(&r.License, p.License)
	replace(&r.LicenseFamily, p.LicenseFamily)
	replace(&r.Purls, p.Purls)
	return r
}

func replace[T any](old, by *T) {
	if by != nil {
		*old = *by
	}
}

// firstV3 returns the first specification that only v3 can hold.
func (r Record) firstV3() string {
	for _, spec := range slices.Concat(r.Depends, r.Constrains) {
		if anyV3([]string{spec}) {
			return spec
		}
	}
	return ""
}

// UnpatchableError says that a channel lists a package in a way that no patch can bring about.
type UnpatchableError struct {
	// Differences are the lines of Diff for the fields in question, the package's own value first.
	Differences []string
}

func (e *UnpatchableError) Error() string {
	return fmt.Sprintf("the index says of the package what it does not say itself, and no patch can change that: %s", strings.Join(e.Differences, "; "))
}

// PatchBetween returns the patch that makes the record published of a package that says own itself. Its
// error is an *UnpatchableError. It does not look at hashes, size and time of listing, which are the
// index's, nor at run_exports, which records of repodata.json do not have.
func PatchBetween(own, published Record) (Patch, error) {
	p := Patch{
		Depends: changedList(own.Depends, published.Depends), Constrains: changedList(own.Constrains, published.Constrains),
		TrackFeatures: changed(own.TrackFeatures, published.TrackFeatures), Features: changed(own.Features, published.Features),
		License: changed(own.License, published.License), LicenseFamily: changed(own.LicenseFamily, published.LicenseFamily),
		Purls: changedList(own.Purls, published.Purls),
	}
	made := p.over(own)
	made.MD5, made.SHA256, made.Size, made.IndexedMS = published.MD5, published.SHA256, published.Size, published.IndexedMS
	made.AttestationsSHA256 = published.AttestationsSHA256
	if rest := Diff(made, published); len(rest) > 0 {
		return Patch{}, &UnpatchableError{Differences: rest}
	}
	return p, nil
}

// changedList is changed of a list. One that was taken away is empty, never nil: as JSON, nil would change nothing.
func changedList(own, published []string) *[]string {
	return changed(own, append([]string{}, published...))
}

// changed returns a pointer to the published value where it differs.
func changed[T any](own, published T) *T {
	if same(own, published) {
		return nil
	}
	return &published
}
