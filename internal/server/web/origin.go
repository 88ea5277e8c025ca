package web

import (
	"cmp"
	"slices"
	"strconv"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
	"sluice/internal/server/web/page"
	"sluice/internal/trust"
)

// origin says how something came, as far as the reader may know: persons are named to insiders of the channel,
// and what a private repository has on its own site is linked for them alone.
func origin(run trust.Provenance, uploader string, inside bool) page.Origin {
	switch {
	case !run.IsZero():
		return page.Origin{Run: runOf(run, inside || run.Visibility == "public")}
	case inside:
		return page.Origin{Member: uploader}
	}
	return page.Origin{}
}

func runOf(p trust.Provenance, linked bool) page.Run {
	run := page.Run{
		Repository: p.Repository, RepositoryID: p.RepositoryID, Workflow: cmp.Or(p.Workflow, "a workflow"),
		Number: runNumber(p), Attempt: p.RunAttempt, Commit: p.SHA, Ref: p.Ref, Event: p.Event,
		Environment: p.Environment, Runner: p.Runner,
	}
	if linked {
		run.RepositoryURL, run.WorkflowURL, run.URL, run.CommitURL = p.RepositoryURL(), p.WorkflowURL(), p.RunURL(), p.CommitURL()
	}
	return run
}

// runNumber is the number by which people know the run.
func runNumber(p trust.Provenance) string { return cmp.Or(p.RunNumber, p.RunID) }

// fileOrigin is the origin of a file, with the rule that let it in where that is still there.
func fileOrigin(f catalog.File, inside bool, rules map[int64]bool) page.Origin {
	o := sourced(origin(f.Run, f.Uploader, inside), f.Source)
	if o.ByCI() && rules[f.PublisherID] {
		o.Run.Publisher = strconv.FormatInt(f.PublisherID, 10)
	}
	return o
}

// release is the files of one version from one run or person, by what its channel demands: it is attested where every file is.
func release(r catalog.Release, inside bool, d demand) page.Release {
	return page.Release{
		Channel: r.Channel.String(), Package: r.Name, Version: r.Version, Subdirs: r.Subdirs,
		Origin: sourced(origin(r.Run, r.Uploader, inside), r.Source), At: r.At,
		Attested: !slices.ContainsFunc(r.Signatures, func(of []policy.Signature) bool { return !d.satisfied(of) }),
	}
}

// sourced is the origin of what may have been imported.
func sourced(o page.Origin, source string) page.Origin {
	if source != "" {
		return page.Origin{Imported: source}
	}
	return o
}

// row is a package in a list, by what its channel demands.
func row(p catalog.Package, d demand) page.PackageRow {
	return page.PackageRow{
		Channel: p.Channel.String(), Name: p.Name, Summary: p.Summary, Latest: p.Latest, Subdirs: p.Subdirs,
		Origin: sourced(origin(p.Run, "", false), p.Source), At: p.LatestAt, Yanked: p.Yanked, Attested: d.satisfied(p.Signatures),
	}
}
