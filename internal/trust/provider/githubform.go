package provider

import "strings"

// Normalise takes apart what people paste: the repository's address, "owner/repository" in either field, the
// workflow's path or address.
func (github) Normalise(r Rule) (Rule, []Problem) {
	r.Owner, r.Repository = githubFullName(r.Owner, r.Repository)
	r.Workflow = githubWorkflowName(r.Workflow)
	r.Environment = strings.TrimSpace(r.Environment)
	var out []Problem
	if !githubOwner(r.Owner) {
		out = append(out, Problem{"owner", r.Owner, "the name of a user or organisation on GitHub: letters, digits and -" + plainNote(r.Owner)})
	}
	if !githubRepo(r.Repository) {
		out = append(out, Problem{"repository", r.Repository, "the name of a repository: letters, digits, -, _ and ." + plainNote(r.Repository)})
	}
	if !githubFile(r.Workflow) {
		out = append(out, Problem{"workflow", r.Workflow, "the name of a file in .github/workflows that ends in .yml or .yaml" + plainNote(r.Workflow)})
	}
	if !githubEnv(r.Environment) {
		out = append(out, Problem{"environment", r.Environment, "the name of an environment, at most 255 plain characters" + plainNote(r.Environment)})
	}
	return r, out
}

// plainNote says what is wrong with characters that look right, or stand for many names.
func plainNote(s string) string {
	switch {
	case strings.Contains(s, "*"):
		return "; wildcards are not taken here"
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }):
		return "; it holds a character outside plain ASCII, perhaps one that only looks right"
	}
	return ""
}

// githubFullName finds owner and repository in the two fields.
func githubFullName(owner, repo string) (string, string) {
	owner, repo = githubPath(owner), githubPath(repo)
	for _, s := range []string{repo, owner} { // the repository's field wins when both hold two parts
		if o, rest, ok := strings.Cut(s, "/"); ok {
			rest, _, _ = strings.Cut(rest, "/") // a page below the repository
			if other := owner; s == repo && other != "" && !strings.Contains(other, "/") && !foldEqual(other, o) {
				return owner, repo // contradicts the owner's field: let the check show it
			}
			return o, trimGit(rest)
		}
	}
	return owner, trimGit(repo)
}

// githubPath strips white space, the site's address, and slashes around.
func githubPath(s string) string {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		if _, s, ok = strings.Cut(rest, "/"); !ok {
			s = ""
		}
	} else if rest, ok := strings.CutPrefix(s, "github.com/"); ok {
		s = rest
	} else if _, rest, ok := strings.Cut(s, "@github.com:"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "?")
	s, _, _ = strings.Cut(s, "#")
	return strings.Trim(strings.TrimSpace(s), "/")
}

func trimGit(s string) string { return strings.TrimSuffix(s, ".git") }

// githubWorkflowName finds the file's name in a path or an address.
func githubWorkflowName(s string) string {
	s = strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(s, ".github/workflows/"); ok {
		s = rest
		if strings.Contains(s, "@") { // a workflow reference; a file name that holds '@' comes without a path
			s, _, _ = strings.Cut(s, "@refs/")
		}
	}
	return strings.TrimSpace(strings.TrimPrefix(s, "./"))
}
