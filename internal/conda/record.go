package conda

// Record is what the index says of one artifact where it is listed (channel-format: CEP 34, 36, 47). Its
// strings are those of the package's info/index.json, normalised: no nulls, one spelling a meaning.
// Whoever makes one is artifact.Read; a Record made by hand is as right as its maker.
type Record struct {
	// Name, Version and Build equal the parts of the file name, byte for byte.
	Name, Version, Build string
	// BuildNumber is at most 2^63-1, so that it fits a signed column and every client.
	BuildNumber uint64
	// Subdir is the folder the artifact is served in.
	Subdir Subdir
	// Depends and Constrains are match specifications, passed through byte for byte. nil stands for none.
	Depends, Constrains []string
	// Noarch is "", "python" or "generic". It is independent of Subdir (CEP 20).
	Noarch string
	// License and LicenseFamily are free text; "" when not given.
	License, LicenseFamily string
	// Features and TrackFeatures are joined by single spaces; "" when not given.
	Features, TrackFeatures string
	// PythonSitePackagesPath is a relative path without ".." (CEP 17); "" when not given.
	PythonSitePackagesPath string
	// Purls are package URLs ("pkg:…"), sorted, without duplicates.
	Purls []string
	// ExtraDepends maps an extra's name to its dependencies (CEP 44). Not empty: the record needs v3.
	ExtraDepends map[string][]string
	// Flags are the build's flags (CEP 45). Not empty: the record needs v3.
	Flags []string
	// TimestampMS is the builder's clock, in milliseconds since 1970; 0 when not given.
	TimestampMS int64

	// MD5, SHA256 and Size are those of the artifact's bytes. The index owns them, and IndexedMS too: a
	// package that brings its own is not believed.
	MD5    [16]byte
	SHA256 [32]byte
	Size   int64
	// IndexedMS is the moment of the first listing in the label (CEP 47), in milliseconds since 1970.
	IndexedMS int64
	// AttestationsSHA256 is the digest of the file of the artifact's attestations (CEP 50); zero: it has none. It is the index's, too.
	AttestationsSHA256 [32]byte
}

// NeedsV3 reports whether only repodata of revision 3 can hold the record (CEP 48): it has extras or
// flags of its own, or asks for some in depends or constrains. A package can need v3 by saying so, too:
// see artifact.Package.SchemaVersion.
func (r Record) NeedsV3() bool {
	return len(r.ExtraDepends) > 0 || len(r.Flags) > 0 || anyV3(r.Depends) || anyV3(r.Constrains)
}

// CheckV3 says whether every specification of a record that goes to v3 is written in the canonical form
// that v3 readers expect: a bare name, or name[key="value",…] with v3's keys. Clients rewrite others;
// we own no writer of specifications and refuse them. Its error is a *SyntaxError of What "dependency".
func (r Record) CheckV3() error {
	lists := [][]string{r.Depends, r.Constrains}
	for _, l := range r.ExtraDepends {
		lists = append(lists, l)
	}
	for _, l := range lists {
		for _, spec := range l {
			if err := checkV3Spec(spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// RunExports are the dependencies that a package hands on to what is built with it (CEP 12), each a match
// specification passed through byte for byte.
type RunExports struct {
	Weak, Strong, Noarch, WeakConstrains, StrongConstrains []string
}

// IsZero reports whether the package exports nothing.
func (e RunExports) IsZero() bool {
	return len(e.Weak)+len(e.Strong)+len(e.Noarch)+len(e.WeakConstrains)+len(e.StrongConstrains) == 0
}
