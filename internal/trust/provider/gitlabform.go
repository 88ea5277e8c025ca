package provider

import (
	"net/url"
	"path"
	"strings"
)

// Normalise takes apart what people paste: the project's address, "namespace/project" in either field, the address of
// the configuration's page or its path.
func (gitlab) Normalise(r Rule) (Rule, []Problem) {
	namespace, project := gitlabPath(r.Owner, r.Issuer), gitlabPath(r.Repository, r.Issuer)
	if r.AnyRepository {
		project = ""
	} else {
		namespace, project = gitlabFullName(namespace, project)
	}
	r.Owner, r.Repository, r.Workflow = namespace, project, gitlabConfigName(r.Workflow, r.Issuer)
	var out []Problem
	if !gitlabNamespace(r.Owner) {
		out = append(out, Problem{"owner", r.Owner, "the path of a group or user on " + r.Issuer + ", such as acme or acme/tools: letters, digits, -, _ and ." + plainNote(r.Owner)})
	}
	if !gitlabName(r.Repository) && !r.AnyRepository {
		out = append(out, Problem{"repository", r.Repository, "the last part of a project's path on " + r.Issuer + ": letters, digits, -, _ and ." + plainNote(r.Repository)})
	}
	if !gitlabFile(r.Workflow) {
		out = append(out, Problem{"workflow", r.Workflow, "the path of a file in the project that ends in .yml or .yaml" + plainNote(r.Workflow)})
	}
	return r, append(out, badIDs(r)...)
}

// gitlabPath is the path of a group or project in an address, or as it is.
func gitlabPath(s, issuer string) string {
	s, _, _ = strings.Cut(pasted(s, issuer)+"/", "/-/") // what follows is a page of it
	return strings.TrimSuffix(strings.Trim(s, "/"), ".git")
}

// gitlabFullName finds namespace and project in the two fields, either of which may hold both while the other is
// empty or says the same. Where the fields contradict each other they stay as they are, and fail.
func gitlabFullName(namespace, project string) (string, string) {
	if of, name := cutLast(project); of != "" && (namespace == "" || foldEqual(namespace, of) || namespace == project) {
		return of, name
	}
	if of, name := cutLast(namespace); of != "" && project == "" {
		return of, name
	}
	return namespace, project
}

// gitlabConfigName finds the path of the configuration in an address of its page, in a reference as tokens have it,
// or takes it as it is. A branch whose name holds a slash cannot be told from folders in an address.
func gitlabConfigName(s, issuer string) string {
	s = strings.TrimSpace(s)
	address := strings.Contains(s, "://")
	for _, page := range []string{"/-/blob/", "/-/raw/", "/-/edit/", "/-/blame/"} {
		if _, rest, ok := strings.Cut(pasted(s, issuer), page); ok && address {
			_, file, _ := strings.Cut(rest, "/")
			if plain, err := url.PathUnescape(file); err == nil {
				file = plain
			}
			return strings.TrimSpace(file)
		}
	}
	if _, file, ok := strings.Cut(s, "//"); ok && !address {
		s, _, _ = strings.Cut(file, "@refs/")
	}
	if s == "" {
		return gitlabConfig
	}
	return strings.TrimLeft(strings.TrimPrefix(s, "./"), "/")
}

// cutLast parts a path before its last slash; of is empty when there is none.
func cutLast(path string) (of, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// gitlabNamespace: names of groups, up to twenty deep.
func gitlabNamespace(s string) bool {
	return len(s) <= 2*maxCondition && everyPart(s, gitlabName)
}

// gitlabName: GitLab takes letters, digits, '_', '-' and '.' for the parts of paths, with no '-' at the beginning and
// no ".git" at the end.
func gitlabName(s string) bool {
	return s != "." && s != ".." && !strings.HasPrefix(s, "-") && !strings.HasSuffix(s, ".git") &&
		within(s, maxCondition, func(c byte) bool { return alnum(c) || c == '-' || c == '_' || c == '.' })
}

// gitlabFile: the path of a file in the project. GitLab takes what follows "yml@" for the name of another project.
func gitlabFile(s string) bool {
	ext := strings.HasSuffix(s, ".yml") || strings.HasSuffix(s, ".yaml")
	return ext && strings.TrimSpace(s) == s && path.Clean(s) == s && !strings.Contains(s, "yml@") && !strings.Contains(s, "yaml@") &&
		s != ".." && !strings.HasPrefix(s, "../") && !strings.HasPrefix(s, "/") &&
		within(s, maxCondition, func(c byte) bool { return ' ' <= c && c <= '~' && !strings.ContainsRune(`:\*?#%"<>`, rune(c)) })
}

func everyPart(path string, ok func(string) bool) bool {
	for part := range strings.SplitSeq(path, "/") {
		if !ok(part) {
			return false
		}
	}
	return true
}

// escapePath escapes each part of a path for an address.
func escapePath(path string) string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return strings.Join(parts, "/")
}
