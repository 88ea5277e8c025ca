package page

import "strings"

// sourceLine is what stands under the repository: "commit abc1234 on main".
func (r Run) sourceLine() []span {
	var s []span
	if r.Commit != "" {
		s = append(s, words("commit "), r.commit())
	}
	if r.Ref != "" {
		s = append(s, words(strings.Repeat(" ", min(1, len(s)))+"on "+refWords(r.Ref)))
	}
	return s
}

func (r Run) environmentLine() string {
	if r.Environment == "" {
		return "no environment"
	}
	return "environment " + show(r.Environment)
}

// attempted is the run with its attempt: "1234, attempt 1".
func (r Run) attempted() string {
	if r.Attempt == "" {
		return show(r.Number)
	}
	return show(r.Number) + ", attempt " + show(r.Attempt)
}

// runLine is what started the run, and where it ran.
func (r Run) runLine() string {
	switch {
	case r.Event == "" && r.Runner == "":
		return ""
	case r.Runner == "":
		return show(r.Event)
	case r.Event == "":
		return runnerWords(r.Runner)
	}
	return show(r.Event) + ", " + runnerWords(r.Runner)
}

func (o Origin) tokenLine() []span {
	if o.Token == "" {
		return []span{words("with an API token")}
	}
	return []span{words("API token "), {text: show(o.Token), style: mono}}
}
