package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sluice/internal/attest"
	"sluice/internal/attest/fulcio"
	"sluice/internal/fault"
)

type attestationCommand struct {
	Check attestationCheckCommand `cmd:"" help:"Find out what an attestation proves of a package file on this machine; nobody is asked."`
	Add   attestationAddCommand   `cmd:"" help:"Add attestations to files of a server that are there."`
	List  attestationListCommand  `cmd:"" help:"List the attestations of a file of a server."`
}

type attestationCheckCommand struct {
	Package     string `arg:"" type:"existingfile" placeholder:"FILE" help:"The package, under the file name that it was published with."`
	Attestation string `placeholder:"FILE" help:"Its sigstore bundle, or an array of them (default the package's name with .sigs after it)."`
	Channel     string `placeholder:"URL" help:"Channel that it must have been made for."`
	Issuer      string `placeholder:"URL" help:"Issuer of the identity token that the signer had: https://token.actions.githubusercontent.com."`
	Identity    string `placeholder:"URI" help:"Identity that must have signed, whole: https://github.com/OWNER/REPOSITORY/.github/workflows/FILE@REF."`
	Repository  string `placeholder:"URL" help:"Source repository that the signer must have worked for: https://github.com/OWNER/REPOSITORY."`
	TrustedRoot string `name:"trusted-root" type:"existingfile" placeholder:"FILE" help:"trusted_root.json of another sigstore instance (default: the public one, as this program knows it)."`
	JSON        bool   `name:"json" help:"Print the verdict as JSON, for scripts."`
}

// errUnproven ends a check of which no attestation holds; each was told.
var errUnproven = errors.New("no attestation holds")

// checkedAttestation is one attestation as --json prints it.
type checkedAttestation struct {
	Holds     bool           `json:"holds"`
	Code      fault.Code     `json:"code,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Signer    *fulcio.Signer `json:"signer,omitempty"`
	Target    string         `json:"target_channel,omitempty"`
	SignedAt  *time.Time     `json:"signed_at,omitempty"`
	LogIndex  string         `json:"log_index,omitempty"`
	Instance  string         `json:"instance,omitempty"`
	RootSum   string         `json:"trusted_root_sha256,omitempty"`
	Signature string         `json:"signature_sha256,omitempty"`
}

// Run checks every attestation, and answers yes when one holds.
func (c *attestationCheckCommand) Run(_ context.Context, s Streams) error {
	checker, err := c.checker()
	if err != nil {
		return err
	}
	subject, err := subjectOf(c.Package)
	if err != nil {
		return err
	}
	bundles, err := c.bundles()
	if err != nil {
		return err
	}
	all := make([]checkedAttestation, len(bundles))
	proven := false
	for i, b := range bundles {
		if all[i], err = c.check(checker, b, subject); err != nil {
			return err
		}
		proven = proven || all[i].Holds
	}
	if c.JSON {
		e := json.NewEncoder(s.Out)
		e.SetEscapeHTML(false)
		err = e.Encode(struct {
			File         string               `json:"file"`
			SHA256       string               `json:"sha256"`
			Proven       bool                 `json:"proven"`
			Attestations []checkedAttestation `json:"attestations"`
		}{subject.File, hex.EncodeToString(subject.SHA256[:]), proven, all})
	} else {
		err = c.print(s.Out, subject, all)
	}
	if err == nil && !proven {
		return errUnproven
	}
	return err
}

func (c *attestationCheckCommand) checker() (*attest.Checker, error) {
	profile, err := attest.PublicGoodProfile()
	if c.TrustedRoot != "" {
		var root []byte
		if root, err = os.ReadFile(c.TrustedRoot); err == nil {
			profile, err = attest.NewProfile(filepath.Base(c.TrustedRoot), root)
		}
	}
	if err != nil {
		return nil, err
	}
	return attest.NewChecker(profile), nil
}

// subjectOf reads a file as the subject that a statement has to name.
func subjectOf(file string) (attest.Subject, error) {
	f, err := os.Open(file)
	if err != nil {
		return attest.Subject{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return attest.Subject{}, err
	}
	return attest.Subject{File: filepath.Base(file), SHA256: [32]byte(h.Sum(nil))}, nil
}

// bundles reads the attestations of the package.
func (c *attestationCheckCommand) bundles() ([][]byte, error) {
	name := c.Attestation
	if name == "" {
		name = c.Package + ".sigs"
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) && c.Attestation == "" {
		return nil, fmt.Errorf("there is no %s: fetch it from beside the package, or name another file with --attestation", name)
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, attest.MaxPart+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return attest.ReadBundles(b, attest.MaxSidecar)
}

// check is what one attestation proves. An error is none of the attestation's.
func (c *attestationCheckCommand) check(checker *attest.Checker, b []byte, subject attest.Subject) (checkedAttestation, error) {
	v, err := checker.Check(b, subject)
	var out checkedAttestation
	if err == nil {
		at := v.SignedAt().UTC()
		out = checkedAttestation{
			Holds: true, Signer: &v.Signer, Target: v.Target.URL, SignedAt: &at, LogIndex: v.Log.Index,
			Instance: v.Profile, RootSum: v.Root, Signature: hex.EncodeToString(v.Key.Signature[:]),
		}
		if err = (attest.Wanted{Issuer: c.Issuer, Identity: c.Identity, Repository: c.Repository}).Match(v.Signer); err == nil && c.Channel != "" {
			err = v.Target.For(c.Channel)
		}
	}
	if err == nil {
		return out, nil
	}
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return checkedAttestation{}, err
	}
	out.Holds, out.Code, out.Detail = false, refusal.Code, refusal.Detail
	return out, nil
}

// print tells people of each attestation, and of what was not asked.
func (c *attestationCheckCommand) print(w io.Writer, subject attest.Subject, all []checkedAttestation) error {
	paint := colours(w)
	for i, a := range all {
		verdict := paint(green, "holds")
		if !a.Holds {
			verdict = paint(red, "does not hold") + ": " + shown(a.Detail) + " [" + string(a.Code) + "]"
		}
		if _, err := fmt.Fprintf(w, "Attestation %d of %d %s\n", i+1, len(all), verdict); err != nil {
			return err
		}
		if a.Signer == nil {
			continue
		}
		target := a.Target
		if target == "" {
			target = "none in particular"
		}
		err := fields(w, "  file", subject.File, "  sha256", hex.EncodeToString(subject.SHA256[:]), "  signed by", a.Signer.Identity, "  issuer", a.Signer.Issuer, "  repository", a.Signer.Repository,
			"  commit", a.Signer.Commit, "  ref", a.Signer.Ref, "  environment", a.Signer.Environment, "  run", a.Signer.Run, "  for channel", target,
			"  signed at", day(*a.SignedAt)+" UTC", "  log entry", a.LogIndex, "  by instance", a.Instance)
		if err != nil {
			return err
		}
	}
	var unasked string
	switch {
	case c.Issuer == "" || c.Identity == "" && c.Repository == "":
		unasked = "Anybody can sign: compare who did with whom you expect, or have it compared with --issuer and --repository or --identity.\n"
	case c.Channel == "":
		unasked = "An attestation for one channel can be copied to another: compare the channel, or have it compared with --channel.\n"
	}
	_, err := io.WriteString(w, unasked+"An attestation proves which run signed, not that what it built is good.\n")
	return err
}
