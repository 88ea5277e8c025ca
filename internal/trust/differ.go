package trust

import (
	"strconv"
	"strings"
	"time"

	"sluice/internal/conda"
	"sluice/internal/trust/provider"
)

// A Difference is one field in which two publishers differ, as people read it.
type Difference struct{ Field, Before, After string }

// Differences are the fields that a step changes, by their names in JSON, in the order of the form. Only changes
// have some.
func (s Step) Differences() []Difference {
	if s.Kind != Changed {
		return nil
	}
	var out []Difference
	before := terms(s.Before)
	for i, after := range terms(s.After) {
		if before[i].value != after.value {
			out = append(out, Difference{Field: after.field, Before: before[i].value, After: after.value})
		}
	}
	return out
}

// term is what an owner sets of a publisher, in one field.
type term struct{ field, value string }

func terms(p Publisher) []term {
	slots := map[provider.Slot]string{
		provider.OwnerSlot: "repository_owner", provider.RepositorySlot: "repository", provider.WorkflowSlot: "workflow",
		provider.OwnerIDSlot: "repository_owner_id", provider.RepositoryIDSlot: "repository_id",
	}
	if service, ok := provider.ByName(p.Provider); ok {
		for _, f := range service.Traits().Fields {
			slots[f.Slot] = f.Name
		}
	}
	return []term{
		{"provider", p.Provider},
		{"issuer", p.Issuer},
		{slots[provider.OwnerSlot], p.Owner},
		{slots[provider.RepositorySlot], p.Repository},
		{"any_repository", strconv.FormatBool(p.AnyRepository)},
		{slots[provider.WorkflowSlot], p.Workflow},
		{slots[provider.OwnerIDSlot], p.OwnerID},
		{slots[provider.RepositoryIDSlot], p.RepositoryID},
		{"environment", p.Environment},
		{"refs", strings.Join(p.Refs, ", ")},
		{"protected_ref", strconv.FormatBool(p.ProtectedRef)},
		{"events", strings.Join(p.Events, ", ")},
		{"hosted_runner", strconv.FormatBool(p.HostedRunner)},
		{"reusable", p.Reusable},
		{"right", string(p.Right)},
		{"packages", spelled(p.Packages, Pattern.String)},
		{"subdirs", spelled(p.Subdirs, conda.Subdir.String)},
		{"new_names", strconv.FormatBool(p.NewNames)},
		{"files_per_run", strconv.FormatInt(p.PerRun.Files, 10)},
		{"bytes_per_run", strconv.FormatInt(p.PerRun.Bytes, 10)},
		{"new_names_per_run", strconv.FormatInt(p.PerRun.Names, 10)},
		{"attestations", string(p.Demand.Attestations)},
		{"signer", string(p.Demand.Signer)},
		{"expires_at", instant(p.ExpiresAt)},
		{"idle_days", strconv.Itoa(p.IdleDays)},
	}
}

func spelled[T any](values []T, spell func(T) string) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = spell(v)
	}
	return strings.Join(words, ", ")
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
