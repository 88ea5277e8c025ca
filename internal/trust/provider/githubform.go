package provider

import (
	"fmt"
	"strings"
)

// Normalise takes apart what people paste: the repository's address, "owner/repository" in either field, the
// workflow's path or address.
func (github) Normalise(r Rule) (Rule, []Problem) {
	if r.AnyRepository {
		r.Owner, r.Repository = githubPath(r.Owner), ""
	} else {
		r.Owner, r.Repository = githubFullName(r.Owner, r.Repository)
	}
	r.Workflow = githubWorkflowName(r.Workflow)
	var out []Problem
	if !githubOwner(r.Owner) {
		out = append(out, Problem{"owner", r.Owner, "the name of a user or organisation on GitHub: letters, digits and -" + plainNote(r.Owner)})
	}
	if !githubRepo(r.Repository) && !r.AnyRepository {
		out = append(out, Problem{"repository", r.Repository, "the name of a repository: letters, digits, -, _ and ." + plainNote(r.Repository)})
	}
	if !githubFile(r.Workflow) {
		out = append(out, Problem{"workflow", r.Workflow, "the name of a file in .github/workflows that ends in .yml or .yaml" + plainNote(r.Workflow)})
	}
	return r, append(out, badIDs(r)...)
}

// plainNote says what is wrong with characters that look right, or stand for many names.
func plainNote(s string) string {
	if strings.Contains(s, "*") {
		return "; wildcards are not taken here"
	}
	for _, r := range s {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("; it holds U+%04X, which may only look right", r)
		}
	}
	return ""
}

// githubFullName finds owner and repository in the two fields, either of which may hold both. Where the fields
// contradict each other they stay as they are, and fail.
func githubFullName(owner, repo string) (string, string) {
	return pair(githubPath(owner), githubPath(repo))
}

// pair finds owner and repository in two paths, for services whose owners' names hold no slash.
func pair(owner, repo string) (string, string) {
	if o, r, ok := pathPair(repo); ok && (owner == "" || foldEqual(owner, o) || owner == repo) {
		return o, r
	}
	if o, r, ok := pathPair(owner); ok && (repo == "" || foldEqual(repo, r)) {
		return o, r
	}
	return owner, strings.TrimSuffix(repo, ".git")
}

// pathPair takes the first two parts of a path: a page below the repository stands for the repository.
func pathPair(path string) (owner, repo string, ok bool) {
	owner, rest, ok := strings.Cut(path, "/")
	repo, _, _ = strings.Cut(rest, "/")
	return owner, strings.TrimSuffix(repo, ".git"), ok
}

// githubPath strips white space, the site's address, and slashes around.
func githubPath(s string) string {
	s = trimQuery(strings.TrimSpace(s))
	switch {
	case strings.Contains(s, "://"):
		_, s, _ = strings.Cut(s[strings.Index(s, "://")+3:], "/")
	case strings.HasPrefix(s, "git@"):
		_, s, _ = strings.Cut(s, ":")
	default:
		s = strings.TrimPrefix(s, "github.com/")
	}
	return strings.Trim(strings.TrimSpace(s), "/")
}

func trimQuery(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i]
	}
	return s
}

// githubWorkflowName finds the file's name in a path, a workflow reference or an address.
func githubWorkflowName(s string) string {
	s = strings.TrimSpace(s)
	for _, folder := range []string{".github/workflows/", "/actions/workflows/"} {
		if _, name, ok := strings.Cut(s, folder); ok {
			name, _, _ = strings.Cut(trimQuery(name), "@refs/")
			return strings.TrimSpace(name)
		}
	}
	return strings.TrimPrefix(s, "./")
}

// githubOwner: GitHub takes letters, digits and hyphens; names of managed enterprise users hold an underscore.
func githubOwner(s string) bool {
	return within(s, 100, func(c byte) bool { return alnum(c) || c == '-' || c == '_' })
}

func githubRepo(s string) bool {
	return s != "." && s != ".." && !strings.HasSuffix(s, ".git") && within(s, 100, func(c byte) bool { return alnum(c) || c == '-' || c == '_' || c == '.' })
}

// githubFile: a plain file name that Actions would take for a workflow. It may hold '@' and blanks.
func githubFile(s string) bool {
	ext := strings.HasSuffix(s, ".yml") || strings.HasSuffix(s, ".yaml")
	return ext && stem(s) != "" && strings.TrimSpace(s) == s && within(s, 255, func(c byte) bool {
		return ' ' <= c && c <= '~' && !strings.ContainsRune(`/\*?#%"<>`, rune(c))
	})
}

func stem(file string) string {
	return strings.TrimSuffix(strings.TrimSuffix(file, ".yml"), ".yaml")
}
