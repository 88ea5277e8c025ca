package conda

// Traits are what an installation has to do beside laying down files, as channeldata.json tells of each
// package (CEP 38). They are a set of bits that fits one number: | joins two sets. The bits are stored,
// so none ever changes its meaning.
type Traits uint8

// The traits, in the order of CEP 34's scripts.
const (
	// Activates and Deactivates: it has scripts for when an environment is entered and left.
	Activates Traits = 1 << iota
	Deactivates
	// PreLinks, PostLinks and PreUnlinks: it has scripts that run before and after it is installed, and
	// before it is removed.
	PreLinks
	PostLinks
	PreUnlinks
	// BinaryPrefix and TextPrefix: it has files, read as bytes or as text, in which the place where it was
	// built must be replaced by that where it is installed.
	BinaryPrefix
	TextPrefix
)

// Has reports whether t has all of what.
func (t Traits) Has(what Traits) bool { return t&what == what }
