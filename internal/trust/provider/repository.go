package provider

import "sluice/internal/fault"

// compareRepository is compareNames for services that take names in any case for the same.
func compareRepository(r Rule, p Provenance, sane bool) Verdict {
	return compareNames(r, p, sane, foldEqual)
}

// compareNames decides whose repository a run is of. Once ids are pinned they say it; before, the names do.
// sane says that the names are ones that the service gives: anything else, look-alike letters among them, belongs
// to no publisher. same says when two names are one. trusted-publishing.md §4 has the table.
func compareNames(r Rule, p Provenance, sane bool, same func(a, b string) bool) Verdict {
	if !sane || p.RepositoryID == "" || p.OwnerID == "" {
		return Verdict{Code: fault.NoPublisher}
	}
	if r.AnyRepository {
		return compareOwner(r, p, same)
	}
	sameName := same(r.FullName(), p.Repository)
	sameOwner := r.OwnerID == p.OwnerID || r.OwnerID == "" && same(r.Owner, p.Owner)
	switch {
	case r.RepositoryID == "" && !sameName:
		return Verdict{Code: fault.NoPublisher}
	case r.RepositoryID == "" && sameOwner:
		return Verdict{Proven: true}
	case r.RepositoryID != "" && r.RepositoryID == p.RepositoryID && sameOwner:
		return Verdict{Proven: true, Renamed: r.FullName() != p.Repository}
	case r.RepositoryID != "" && r.RepositoryID == p.RepositoryID:
		return Verdict{Code: fault.OwnerChanged}
	case sameName:
		return Verdict{Code: fault.IDMismatch}
	}
	return Verdict{Code: fault.NoPublisher}
}

// compareOwner is the same for a rule that means every repository of an owner.
func compareOwner(r Rule, p Provenance, same func(a, b string) bool) Verdict {
	sameName := same(r.Owner, p.Owner)
	switch {
	case r.OwnerID == p.OwnerID:
		return Verdict{Proven: true, Renamed: r.Owner != p.Owner}
	case r.OwnerID == "" && sameName:
		return Verdict{Proven: true}
	case sameName:
		return Verdict{Code: fault.IDMismatch}
	}
	return Verdict{Code: fault.NoPublisher}
}

// badIDs are the problems of ids that somebody typed, for services whose ids are decimal.
func badIDs(r Rule) []Problem {
	var out []Problem
	for _, slot := range []Slot{OwnerIDSlot, RepositoryIDSlot} {
		if id := slot.Get(r); id != "" && !digits(id) {
			out = append(out, Problem{string(slot), id, "a number of decimal digits, as the service has it"})
		}
	}
	return out
}
