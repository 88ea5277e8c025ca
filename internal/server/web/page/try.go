package page

// TryView is the page on which a token is tried: what would become of it?
type TryView struct {
	Head ChannelHead
	// Issuers are those to choose from, Issuer the chosen one.
	Issuers []Choice
	Issuer  Field
	// Error is why what was pasted cannot be read.
	Error string
	// Trial is what would happen; nil before something was tried.
	Trial *Trial
}

// Trial is what would become of an identity token.
type Trial struct {
	// Granted says that it would be exchanged. Proven says that a token came whose signature is good.
	Granted, Proven bool
	// Run is where it comes from, with what it says of itself only.
	Repository, Workflow, Ref, Run string
	// Problems are why it would be refused whatever the publishers say.
	Problems []string
	// Results are the publishers that have to do with the run, the nearest first; Others counts the rest.
	Results []TrialResult
	Others  int
}

// TrialResult is one publisher held against the run.
type TrialResult struct {
	Publisher Publisher
	Rule      []Phrase
	Granted   bool
	// Why is why it is not the run's publisher, or lets nobody in; empty where only Checks differ.
	Why    string
	Checks []Check
}

// verdict is the first line of the result.
func (t Trial) verdict() (tone, string) {
	switch {
	case t.Granted:
		return told, "This token would be exchanged."
	case t.fits() && !t.Proven && len(t.Problems) == 0:
		return told, "A token with these claims would be exchanged, if it was signed by its issuer, in time, and for this server."
	case t.fits():
		return stop, "A publisher fits, and yet this token would be refused."
	}
	return stop, "This would be refused."
}

func (t Trial) fits() bool { return len(t.Results) > 0 && t.Results[0].Granted }

func (t Trial) run() []span {
	return Attempt{Repository: t.Repository, Workflow: t.Workflow, Ref: t.Ref, Run: t.Run}.run()
}
