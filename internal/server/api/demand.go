package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice/internal/attest/policy"
	"sluice/internal/catalog"
)

// demandJSON is what a channel demands of attestations. In a change, what is absent stays, and a list is the whole list.
type demandJSON struct {
	Mode            *string      `json:"mode,omitempty" enum:"off,optional,required,required_for" example:"required" doc:"off refuses attestations, optional takes those that come, required refuses files without one that counts, required_for does so for the packages of that list."`
	RequiredFor     []string     `json:"required_for,omitzero" nullable:"false" maxItems:"100" example:"[\"libtide*\"]" doc:"Names of packages, or beginnings with '*' at their end, for the mode required_for."`
	Signer          *string      `json:"signer,omitempty" enum:"run,publisher,any" example:"run" doc:"Who may sign what a CI run uploads: run, that run; publisher, also any run that a trusted publisher lets in; any, every CI job. What comes with an API token, a publisher's run has to sign, unless it is any."`
	Target          *string      `json:"target_channel,omitempty" enum:"exact,listed,ignore" example:"listed" doc:"For which channel an attestation has to be made: exact, this one at its public address; listed, also at one of aliases; ignore, any."`
	Aliases         []string     `json:"aliases,omitzero" nullable:"false" maxItems:"20" example:"[\"https://old.example.org/forge\"]" doc:"Other addresses of the channel, such as former ones, without a slash at their end."`
	AllowAbsent     *bool        `json:"allow_absent,omitempty" example:"true" doc:"Whether attestations for no channel in particular are taken. Those hold in every channel."`
	Instances       []string     `json:"instances,omitzero" nullable:"false" maxItems:"20" example:"[\"sigstore\"]" doc:"Names of the instances of sigstore that count; empty: all that the server knows."`
	NoRegress       *string      `json:"no_regress,omitempty" enum:"allow,warn,refuse" example:"warn" doc:"What becomes of a file without an attestation whose package has one with: it is taken, taken with a warning, or refused."`
	OtherStatements *bool        `json:"other_statements,omitempty" example:"true" doc:"Whether statements of other types, such as SLSA provenance, are kept beside. They satisfy no demand."`
	Denied          []denialJSON `json:"denied,omitzero" nullable:"false" maxItems:"200" doc:"Signatures that count for nothing."`
	State           string       `json:"state,omitempty" readOnly:"true" maxLength:"64" example:"5f0c7a2be0d3419c5f0c7a2be0d3419c" doc:"Names all of this as it is: another one after every change."`
	Expect          string       `json:"expect,omitempty" writeOnly:"true" maxLength:"64" example:"5f0c7a2be0d3419c5f0c7a2be0d3419c" doc:"In a change, the state of what was read before: when it is in another by now, nothing is changed (409, conflict). Absent: whatever it is. Say it wherever a list is changed, or what others added meanwhile is lost."`
}

// denialJSON is policy.Denial.
type denialJSON struct {
	Identity     string    `json:"identity,omitempty" example:"https://github.com/acme/forge/" doc:"What the signer's identity begins with. All that is said of a denial has to agree."`
	RepositoryID string    `json:"repository_id,omitempty" example:"41881900" doc:"The unchangeable id of the signer's repository, at issuer."`
	Issuer       string    `json:"issuer,omitempty" example:"https://token.actions.githubusercontent.com" doc:"Who issued the signer's identity token."`
	Run          string    `json:"run,omitempty" example:"https://github.com/acme/forge/actions/runs/77" doc:"The address of a run; without its attempt, all of them."`
	Serial       string    `json:"certificate_serial,omitempty" example:"0abc" doc:"A certificate's serial number, in small hexadecimal digits."`
	LogID        string    `json:"log_id,omitempty" example:"c0ffee" doc:"A transparency log's key id, in small hexadecimal digits."`
	LogFrom      int64     `json:"log_from,omitempty" minimum:"0" example:"1000" doc:"The first entry of the log that is meant."`
	LogTo        int64     `json:"log_to,omitempty" minimum:"0" example:"1999" doc:"The last one; absent: there is no last."`
	From         time.Time `json:"from,omitzero" example:"2026-08-20T12:00:00Z" doc:"It was signed then or later."`
	Until        time.Time `json:"until,omitzero" example:"2026-08-21T12:00:00Z" doc:"It was signed then or before."`
	Why          string    `json:"why" example:"The repository was taken over." doc:"The reason, for people. Who uploads reads it."`
}

// demandOf says the whole policy.
func demandOf(p policy.Policy) *demandJSON {
	return &demandJSON{
		Mode: new(string(p.Mode)), RequiredFor: p.RequiredFor, Signer: new(string(p.Signer)), Target: new(string(p.Target)), Aliases: p.Aliases,
		AllowAbsent: &p.AllowAbsent, Instances: p.Instances, NoRegress: new(string(p.NoRegress)), OtherStatements: &p.OtherStatements,
		Denied: each(p.Denied, func(d policy.Denial) denialJSON { return denialJSON(d) }), State: p.State(),
	}
}

// over is the policy p with what j says in its place.
func (j demandJSON) over(p policy.Policy) policy.Policy {
	replace(&p.Mode, j.Mode)
	replace(&p.Signer, j.Signer)
	replace(&p.Target, j.Target)
	replace(&p.NoRegress, j.NoRegress)
	if j.AllowAbsent != nil {
		p.AllowAbsent = *j.AllowAbsent
	}
	if j.OtherStatements != nil {
		p.OtherStatements = *j.OtherStatements
	}
	if j.RequiredFor != nil {
		p.RequiredFor = j.RequiredFor
	}
	if j.Aliases != nil {
		p.Aliases = j.Aliases
	}
	if j.Instances != nil {
		p.Instances = j.Instances
	}
	if j.Denied != nil {
		p.Denied = each(j.Denied, func(d denialJSON) policy.Denial { return policy.Denial(d) })
	}
	return p
}

// replace puts a word that is said in the place of another.
func replace[T ~string](word *T, said *string) {
	if said != nil {
		*word = T(*said)
	}
}

// failingJSON is what would fail other demands, and does not fail those of today.
type failingJSON struct {
	failuresJSON

	Already failuresJSON `json:"already" doc:"What fails already, by what is demanded today, and would by this."`
}

// failuresJSON are files that fail.
type failuresJSON struct {
	Unattested  int               `json:"unattested" minimum:"0" example:"12" doc:"How many files need an attestation and have none."`
	NotCounting int               `json:"not_counting" minimum:"0" example:"3" doc:"How many have attestations that do not satisfy what is needed, or that count now and would count no more."`
	Files       []failingFileJSON `json:"files" nullable:"false" doc:"The first 200 of both. They stay as they are: what is demanded is demanded of what comes."`
}

func failuresOf(f catalog.Failures) failuresJSON {
	return failuresJSON{
		Unattested: f.Unattested, NotCounting: f.NotCounting, Files: each(f.First, func(f catalog.FailingFile) failingFileJSON {
			return failingFileJSON{Subdir: f.Subdir, Filename: f.Filename, Code: string(f.Why.Code), Reason: f.Why.Detail}
		}),
	}
}

type failingFileJSON struct {
	Subdir   string `json:"subdir" example:"noarch" doc:"The folder of the file."`
	Filename string `json:"filename" example:"libtide-1.2.0-0.conda" doc:"The file name."`
	Code     string `json:"code" example:"attestation_required" doc:"Why, as a code of a refused upload."`
	Reason   string `json:"reason" doc:"The same in words."`
}

type previewInput struct {
	Channel string `path:"channel" example:"forge" doc:"Name of the channel."`
	Body    demandJSON
}

type previewOutput struct{ Body failingJSON }

func (s *service) demandRoute() {
	add(s, huma.Operation{
		OperationID: "preview-attestations", Method: http.MethodPost, Path: "/channels/{channel}/attestations/preview", Tags: []string{"channels"},
		Summary:     "Show which files of a channel would fail other demands",
		Description: "For owners of the channel. The body is what a change of the channel would have as attestations. Files that fail by what is demanded today are told apart. Nothing is changed.",
	}, s.previewDemand)
}

func (s *service) previewDemand(ctx context.Context, in *previewInput) (*previewOutput, error) {
	ch, err := s.where(ctx, in.Channel, s.Access.MayManage)
	if err != nil {
		return nil, err
	}
	failing, err := s.Catalog.Failing(ctx, ch, in.Body.over(ch.Attestations), s.URL+"/"+ch.Name.String())
	return &previewOutput{Body: failingJSON{failuresOf(failing.Failures), failuresOf(failing.Already)}}, err
}
