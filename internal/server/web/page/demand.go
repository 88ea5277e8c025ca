package page

// DemandView is the page on which owners say what their channel demands of attestations.
type DemandView struct {
	Head ChannelHead
	// Terms are what is demanded now, in words.
	Terms []Term
	// Denied are the signatures that count for nothing.
	Denied []Denied
	// Form changes the terms, Deny adds to Denied.
	Form DemandForm
	Deny DenyForm
}

// Term is one setting, and what it is set to.
type Term struct{ Name, Value string }

// Denied are signatures that count for nothing, in words, and why.
type Denied struct{ Words, Why string }

// DemandForm is the form of the terms as it was filled in.
type DemandForm struct {
	Mode, RequiredFor, Signer, Target, Aliases, AllowAbsent, Instances, NoRegress, OtherStatements Field
	// State is sent again: it names the terms that the form was made from.
	State string
	// Error is why the whole form was refused.
	Error string
	// Failing is what somebody has to agree to first; nil: nothing.
	Failing *Failing
}

// DenyForm is the form of a denial as it was filled in.
type DenyForm struct {
	By, Value, Issuer, LogFrom, LogTo, From, Until, Why Field
	Error                                               string
	Failing                                             *Failing
}

// Failing is what lies in the channel and would fail what is to be demanded, and does not fail what is demanded now.
type Failing struct {
	// Unattested and NotCounting count the files without an attestation, and those with one that would not count.
	Unattested, NotCounting int
	// Files are the first of them.
	Files []FailingFile
	// Already counts the files that fail by what is demanded now.
	Already int
	// Confirmed is sent again by who agrees: what would change, in words.
	Confirmed string
}

// FailingFile is a file, and what is wrong with it.
type FailingFile struct{ Path, Why string }

func (f Failing) total() int { return f.Unattested + f.NotCounting }

func (f Failing) words() string {
	return " " + count(f.Unattested, "file") + " without an attestation, " + number(f.NotCounting) + " with one that would not count. They stay; the next of their kind would be refused." +
		pick(f.Already > 0, " "+count(f.Already, "more file")+pick(f.Already == 1, " fails", " fail")+" already, by what is demanded now.", "") + " Send it again to save it."
}

func modeChoices() []Choice {
	return []Choice{{"off", "Refused"}, {"optional", "Optional"}, {"required", "Required"}, {"required_for", "Required for some packages"}}
}

func signerChoices() []Choice {
	return []Choice{{"run", "The run that uploads"}, {"publisher", "Any run of a trusted publisher"}, {"any", "Any CI job"}}
}

func targetChoices() []Choice {
	return []Choice{{"exact", "This channel at its public address"}, {"listed", "This channel, also at its other addresses"}, {"ignore", "Any channel"}}
}

func regressChoices() []Choice {
	return []Choice{{"allow", "Taken"}, {"warn", "Taken, with a warning"}, {"refuse", "Refused"}}
}

func denyChoices() []Choice {
	return []Choice{{"run", "Address of the run"}, {"identity", "Beginning of the signer's identity"}, {"repository_id", "Id of the repository"}, {"certificate_serial", "Serial number of the certificate"}, {"log_id", "Key id of the log"}}
}
