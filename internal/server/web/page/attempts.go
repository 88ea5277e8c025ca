package page

import (
	"slices"
	"time"
)

// Attempt is a refused exchange, or several that are alike.
type Attempt struct {
	// ID is the number of the last of them in the audit log.
	ID string
	// At is when the last of them came, Times how many there were, Since when the first came.
	At, Since time.Time
	Times     int
	// Repository is "owner/name", Workflow the file's name, Ref the full name of the ref, Commit the commit, as the
	// token had them. All but Repository may be empty.
	Repository, Workflow, Ref, Commit string
	// Run is the run's number, RunURL its log, CommitURL the commit's page.
	Run, RunURL, CommitURL string
	// Sentence says what differed.
	Sentence string
	// Checks are the rules that the run was held against.
	Checks []Check
	// OtherIDs says that the ids differ from the pinned ones: perhaps somebody took the name over. Pinned says that
	// the ids are pinned and the same.
	OtherIDs, Pinned bool
	// Passes says that the rule, as it is now, lets such runs in.
	Passes bool
	// MayAllow and MayMove say that a change of the publisher would let such runs in, or follow the repository.
	MayAllow, MayMove bool
	// Make leads to a form for a publisher of such runs; empty where none is offered.
	Make string
}

// Check is one rule held against a run.
type Check struct {
	// Field is the rule, Claim what the token calls it.
	Field, Claim string
	// Got is what the token has, Want what the publisher wants.
	Got, Want string
	// Differs says that they do not fit; Hint is the fix as a sentence without a stop, or empty.
	Differs bool
	Hint    string
}

// Exchange is a publish token that a publisher gave.
type Exchange struct {
	At time.Time
	// Repository, Workflow, Ref and Commit are what the token said, Run and RunURL the run.
	Repository, Workflow, Ref, Commit string
	Run, RunURL, CommitURL            string
	Checks                            []Check
}

// ChangeView asks whether to change a publisher as it was proposed: what was, and what would be.
type ChangeView struct {
	Head      ChannelHead
	Publisher Publisher
	// Title is the question, Why says where the proposal comes from, Button what happens.
	Title, Why, Button string
	// Path is where the answer is sent, Version the publisher's version that is shown.
	Path, Version string
	// Before and After are the rule as it is and as it would be; IDsBefore and IDsAfter the pinned ids, where those
	// change.
	Before, After       []Phrase
	IDsBefore, IDsAfter string
	// Error is why it was not done.
	Error string
}

// run is where the attempt came from.
func (a Attempt) run() []span {
	s := []span{{text: show(a.Repository), style: strong}}
	if a.Workflow != "" {
		s = append(s, words(" · "+show(a.Workflow)))
	}
	if a.Ref != "" {
		s = append(s, words(" on "+refWords(a.Ref)))
	}
	if a.Run != "" {
		s = append(s, words(", "), link("run "+show(a.Run), a.RunURL))
	}
	return s
}

// differences say what differed, in the words of the client's refusal.
func (a Attempt) differences() []span {
	differ := slices.DeleteFunc(slices.Clone(a.Checks), func(c Check) bool { return !c.Differs })
	var s []span
	for i, c := range differ {
		label := "token has "
		if i > 0 {
			label = "; token has "
		}
		if (len(differ) > 1 || a.OtherIDs) && c.Got != "" {
			label += show(c.Field) + " "
		}
		s = append(s, words(label), c.value(c.Got), words(", this publisher wants "), c.value(c.Want))
	}
	if len(s) == 0 {
		return []span{words(show(a.Sentence))}
	}
	return append(s, words("."))
}

// value is one side of a comparison, with its field where it says nothing by itself.
func (c Check) value(v string) span {
	if v == "" {
		return words("no " + show(c.Field))
	}
	return span{text: show(v), style: mono}
}

// from is the run and the commit, and what fits besides.
func (a Attempt) from() []span {
	var s []span
	if a.Run != "" {
		s = append(s, link("Run "+show(a.Run), a.RunURL))
	} else if a.OtherIDs {
		return nil // its own claims would look like those of the real one
	} else {
		s = append(s, words("A run"))
	}
	if a.Ref != "" {
		s = append(s, words(" on "+refWords(a.Ref)))
	}
	if a.Commit != "" {
		s = append(s, words(", commit "), link(show(shortCommit(a.Commit)), a.CommitURL))
	}
	s = append(s, words("."))
	if a.Pinned {
		s = append(s, words(" All else fits, the pinned ids too."))
	}
	return s
}

func (e Exchange) run() []span {
	return Attempt{Repository: e.Repository, Workflow: e.Workflow, Ref: e.Ref, Run: e.Run, RunURL: e.RunURL}.run()
}

func shortCommit(sha string) string { return sha[:min(7, len(sha))] }

// fits is the last column of a check.
func (c Check) fits() string {
	if c.Differs {
		return "differs"
	}
	return "ok"
}
