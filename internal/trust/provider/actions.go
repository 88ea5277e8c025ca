package provider

import (
	"cmp"
	"slices"
	"strings"

	"sluice/internal/fault"
)

// What GitHub Actions and the services that took over its tokens share: names of workflow files.

// actionsWorkflow compares the file that was started. dirs are the folders that the service looks for files in, each
// with a slash at both ends. Where the tokens tell the file that the job lives in, reusableWorkflow compares it.
func actionsWorkflow(r Rule, p Provenance, dirs []string) Point {
	started := Point{Field: "workflow", Claim: "workflow_ref", Got: p.Workflow, Want: r.Workflow}
	// A deployment of a commit has no ref.
	at := "@" + cmp.Or(p.Ref, p.SHA)
	if !slices.ContainsFunc(dirs, func(dir string) bool { return sameFile(p.WorkflowRef, p.Repository, dir+r.Workflow+at) }) {
		started = workflowDifference(r, p, dirs, at)
	}
	return started
}

// sameFile reports whether ref is repository+tail, the repository compared as the service compares names.
func sameFile(ref, repository, tail string) bool {
	n := len(repository)
	return len(ref) == n+len(tail) && foldEqual(ref[:n], repository) && ref[n:] == tail
}

// workflowDifference explains; nothing is decided here any more.
func workflowDifference(r Rule, p Provenance, dirs []string, at string) Point {
	d := Point{Field: "workflow", Code: fault.WorkflowMismatch, Claim: "workflow_ref", Got: p.Workflow, Want: r.Workflow}
	switch {
	case p.Workflow == "" || p.Workflow == r.Workflow:
		d.Got, d.Want = p.WorkflowRef, p.Repository+dirs[0]+r.Workflow+at
	case sameFile(p.JobWorkflowRef, p.Repository, dirs[0]+r.Workflow+at):
		d.Hint = "The job lives in " + r.Workflow + ", but the run was started by " + p.Workflow + ", and that one counts"
	case foldEqual(p.Workflow, r.Workflow):
		d.Hint = "They differ only in upper and lower case"
	case foldEqual(stem(p.Workflow), stem(r.Workflow)):
		d.Hint = "They differ only in the extension"
	}
	return d
}

// reusableWorkflow compares the file that the job lives in: the started one, or the reusable one that the rule
// names.
func reusableWorkflow(r Rule, p Provenance) Point {
	d := Point{Field: "job's workflow", Claim: "job_workflow_ref", Got: p.JobWorkflowRef, Want: cmp.Or(r.Reusable, p.WorkflowRef)}
	called := p.JobWorkflowRef != p.WorkflowRef
	switch {
	case r.Reusable == "" && !called || r.Reusable != "" && sameReusable(r.Reusable, p.JobWorkflowRef):
		return d
	case r.Reusable == "":
		path, _ := cutRef(p.JobWorkflowRef)
		d.Hint = "The job lives in a reusable workflow: put it into " + r.Workflow + " itself, or set the publisher's reusable workflow to " + cmp.Or(path, p.JobWorkflowRef)
	case !called:
		d.Got, d.Hint = cmp.Or(p.Workflow, p.WorkflowRef), "The job must live in the reusable workflow that the publisher names"
	}
	d.Code = fault.ReusableWorkflow
	return d
}

// sameReusable compares the reusable workflow that a rule names with the one of the job. Owner and repository
// compare as names do, the rest byte for byte. A rule without "@" takes any ref or commit, and nothing else after
// the file: "f.yml@evil.yml@refs/heads/x" is another file than "f.yml".
func sameReusable(want, got string) bool {
	path, ref := cutRef(got)
	wantPath, wantRef, pinned := strings.Cut(want, "@")
	if pinned && wantRef != ref || ref == "" {
		return false
	}
	name, file, ok := repositoryPart(wantPath)
	gotName, gotFile, gotOK := repositoryPart(path)
	return ok && gotOK && foldEqual(name, gotName) && file == gotFile
}

// repositoryPart cuts "owner/repository" off a path.
func repositoryPart(path string) (name, file string, ok bool) {
	parts := strings.SplitN(path, "/", 3)
	if len(parts) < 3 {
		return "", "", false
	}
	return parts[0] + "/" + parts[1], parts[2], true
}

// cutRef cuts a workflow reference into file and ref. A file name holds no '/', so the first "@refs/" ends it; a
// reference by commit ends at the last '@'. ref is "" when it is neither a full ref nor a commit.
func cutRef(s string) (path, ref string) {
	if path, rest, ok := strings.Cut(s, "@refs/"); ok {
		kind, name, _ := strings.Cut(rest, "/")
		if name != "" && (kind == "heads" || kind == "tags" || kind == "pull") {
			return path, "refs/" + rest
		}
		return path, ""
	}
	i := max(strings.LastIndexByte(s, '@'), 0)
	if path, ref := s[:i], strings.TrimPrefix(s[i:], "@"); hexSHA(ref) {
		return path, ref
	}
	return s[:i], ""
}

// workflowFile cuts the file name out of a workflow reference, to show it. It is "" when what is left is not a
// file of one of the repository's own folders.
func workflowFile(ref, repository string, dirs ...string) string {
	path, _ := cutRef(ref)
	for _, dir := range dirs {
		dir = repository + dir
		if len(path) > len(dir) && foldEqual(path[:len(dir)], dir) && !strings.Contains(path[len(dir):], "/") {
			return path[len(dir):]
		}
	}
	return ""
}

// reusableName reports whether s can be the reusable workflow of a rule.
func reusableName(s string) bool {
	path, ref, pinned := strings.Cut(s, "@")
	name, file, ok := repositoryPart(path)
	owner, repo, _ := strings.Cut(name, "/")
	fullRef := strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/") || hexSHA(ref)
	folder := strings.LastIndexByte(file, '/')
	return ok && len(s) <= 2*maxCondition && githubOwner(owner) && githubRepo(repo) && folder > 0 && githubFile(file[folder+1:]) &&
		!strings.Contains(file, "..") && (!pinned || fullRef && badGlob(ref) == "" || pinned && hexSHA(ref))
}

// CalledFile is the reusable workflow that a run's job lives in, as a rule names it, or "" when the job stands in
// the file that was started.
func CalledFile(run Provenance) string {
	if run.JobWorkflowRef == run.WorkflowRef {
		return ""
	}
	path, _ := cutRef(run.JobWorkflowRef)
	return path
}
