package page

import "time"

// PackageView is the page of a package at one version: what is this, who published it, how do I install it?
type PackageView struct {
	// Channel is the channel's name; Private says that reading it needs a token.
	Channel string
	Private bool
	// Name and Version say what is shown.
	Name, Version string
	// Latest is the version that clients get.
	Latest string
	// Pinned says that the address named the version: the commands then name it, too.
	Pinned bool
	// Summary is one sentence, said by the package.
	Summary string
	Said    Said
	// Files are all files of the version, by subdir and name; there is at least one.
	Files []File
	// Before is the version before this one; nil when there is none.
	Before *Before
	// Earlier is the last other version of which a file with an attestation that counts had come before this one; empty for
	// none.
	Earlier string
	// Versions is the newest versions' part of the matrix.
	Versions Matrix
	// VersionTotal counts all versions.
	VersionTotal int
	// Here are the names of those dependencies that this channel has.
	Here map[string]bool
	// SeesPublishers says that the reader may follow a file to its trusted publisher.
	SeesPublishers bool
	// MayCurate says that the reader may yank files and label them, MayDelete that the reader may delete them.
	MayCurate, MayDelete bool
}

// Said is what the package says of itself. Nobody checked it.
type Said struct {
	License string
	// Home, Docs and Source are addresses as the package has them.
	Home, Docs, Source string
	// Built is the builder's own time.
	Built time.Time
}

// Before is an earlier version, to compare with.
type Before struct {
	Version string
	Origin  Origin
	// Files counts its files, Attested those that carry an attestation that counts.
	Files, Attested int
}

// File is one artifact of the shown version.
type File struct {
	Subdir, Name string
	// Size is in bytes, SHA256 in lower-case hex.
	Size   int64
	SHA256 string
	// Build is the build string, BuildNumber its number, Built the builder's own time: said by the package.
	Build       string
	BuildNumber uint64
	Built       time.Time
	// Depends are the match specs of its dependencies as the package has them.
	Depends []string
	Origin  Origin
	// At is when the server took it.
	At time.Time
	// Labels are those that list it.
	Labels []string
	// Yanked says when and why it was yanked; nil where it was not.
	Yanked *Yanked
	// Patched says that the index corrects what the package says.
	Patched bool
	// Attestations are those of its bytes, in the order in which they came.
	Attestations []Attested
	// StepsBack is the version of the last file before this one that carries an attestation that counts, where this one has
	// none; empty where there is none, or nothing to compare.
	StepsBack string
	// RunID finds everything that its run published; empty for no run.
	RunID string
}

// Yanked is why solvers do not see a file.
type Yanked struct {
	At     time.Time
	Reason string
}

// Matrix is versions against subdirs.
type Matrix struct {
	// Subdirs are the columns: those that have the package in any version.
	Subdirs []string
	// Rows are versions, the highest first.
	Rows []MatrixRow
}

// MatrixRow is a version.
type MatrixRow struct {
	Version string
	// At is when its first file came.
	At time.Time
	// Yanked says that all of it is.
	Yanked bool
	// Cells stand in the order of Matrix.Subdirs.
	Cells []Cell
}

// Cell is the builds of one version in one subdir.
type Cell struct {
	// ByCI, ByToken and Imported count the builds that came so; all 0 when there is none. Yanked are those among them
	// that are yanked.
	ByCI, ByToken, Imported, Yanked int
	// Attested counts those by CI that carry an attestation that counts.
	Attested int
}

// VersionsView is the list of all versions of a package.
type VersionsView struct {
	Channel, Name, Summary string
	Matrix                 Matrix
	Paging                 Paging
}

func (c Cell) builds() int { return c.ByCI + c.ByToken + c.Imported }

// mark is the worst of the builds.
func (c Cell) mark() mark {
	switch {
	case c.Yanked > 0:
		return yanked
	case c.ByToken > 0:
		return byToken
	case c.Imported > 0:
		return imported
	case c.Attested == c.ByCI:
		return attested
	}
	return byCI
}

// words is the cell for those who do not see it: "14.1.1, linux-64, by CI, attestation verified, 2 builds".
func (c Cell) words(version, subdir string) string {
	s := show(version) + ", " + show(subdir) + ", " + c.mark().words()
	if c.builds() > 1 {
		s += ", " + count(c.builds(), "build")
	}
	if c.Yanked > 0 && c.Yanked < c.builds() {
		s += ", not all of them yanked"
	}
	return s
}

// anchor is the id of the first file of a subdir, which the matrix points at.
func anchor(subdir string) string { return "in-" + ident(subdir) }
