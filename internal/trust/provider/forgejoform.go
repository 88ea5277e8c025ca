package provider

import "strings"

// Normalise takes apart what people paste: the repository's address, "owner/repository" in either field, the
// workflow's path or address.
func (forgejo) Normalise(r Rule) (Rule, []Problem) {
	site := forgejoSite(r.Issuer)
	owner, repo := pasted(r.Owner, site), pasted(r.Repository, site)
	if r.AnyRepository {
		repo = ""
	} else {
		owner, repo = pair(owner, repo)
	}
	r.Owner, r.Repository, r.Workflow = owner, repo, forgejoWorkflowName(r.Workflow)
	var out []Problem
	if !githubRepo(r.Owner) {
		out = append(out, Problem{"owner", r.Owner, "the name of a user or organisation on " + site + ": letters, digits, -, _ and ." + plainNote(r.Owner)})
	}
	if !githubRepo(r.Repository) && !r.AnyRepository {
		out = append(out, Problem{"repository", r.Repository, "the name of a repository on " + site + ": letters, digits, -, _ and ." + plainNote(r.Repository)})
	}
	if !forgejoFile(r.Workflow) {
		out = append(out, Problem{"workflow", r.Workflow, "the name of a file in .forgejo/workflows that ends in .yml or .yaml, " +
			"or the path of one in .gitea/workflows or .github/workflows" + plainNote(r.Workflow)})
	}
	return r, append(out, badIDs(r)...)
}

// forgejoWorkflowName finds the file's name in a path, a workflow reference or an address; with the folder where it
// is not the usual one.
func forgejoWorkflowName(s string) string {
	s = strings.TrimSpace(s)
	for i, folder := range forgejoFolders {
		_, name, ok := strings.Cut(s, folder)
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(trimQuery(name), "@refs/")
		if name = strings.TrimSpace(name); i > 0 {
			name = folder + name
		}
		return name
	}
	return strings.TrimPrefix(s, "./")
}
