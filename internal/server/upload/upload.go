// Package upload speaks the protocol of the clients that publish: the exchange of an identity token for a
// publish token, and the upload itself. It answers with one plain sentence and only with the statuses after
// which those clients do not send the same file again. It decides nothing: access, trust and publish do.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"sluice/internal/access"
	"sluice/internal/audit"
	"sluice/internal/channel"
	"sluice/internal/conda"
	"sluice/internal/fault"
	"sluice/internal/publish"
	"sluice/internal/server/caller"
	"sluice/internal/server/gate"
	"sluice/internal/server/reply"
	"sluice/internal/trust"
)

// Paths of the protocol. They are fixed: the clients build them from the server's address.
const (
	MintPath     = "/api/oidc/mint_token"
	AudiencePath = "/api/oidc/audience"
	UploadPath   = "/api/v1/upload/"
)

// Channels finds channels by name.
type Channels interface {
	ChannelByName(ctx context.Context, name conda.Channel) (channel.Channel, error)
}

// Uploads is the handlers of the protocol.
type Uploads struct {
	Exchange *trust.Exchange
	Access   *access.Access
	Channels Channels
	Publish  *publish.Uploads
	Audit    audit.Log
	Log      *slog.Logger
}

// Mint answers POST /api/oidc/mint_token with the publish token alone: the clients put the body, as it is,
// into a header, where a newline would make it invalid.
func (u *Uploads) Mint(w http.ResponseWriter, r *http.Request) {
	if err := u.mint(w, r); err != nil {
		reply.Mint(w, r, err)
	}
}

func (u *Uploads) mint(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return fault.New(fault.NotFound, `Exchange an identity token here by POST with the body {"token": "<jwt>"}.`)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, trust.MaxBody+1))
	if err != nil {
		return err
	}
	idToken, err := trust.ReadBody(body)
	if err != nil {
		return err
	}
	t, _, err := u.Exchange.Exchange(trust.WithClient(r.Context(), gate.RemoteAddr(r.Context())), idToken)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	reply.Text(w, http.StatusOK, t.Reveal())
	return nil
}

// Audience answers GET /api/oidc/audience with the audience that an identity token for this server names.
func (u *Uploads) Audience(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		reply.Error(w, r, fault.New(fault.NotFound, "Ask for the audience by GET."))
		return
	}
	reply.JSON(w, http.StatusOK, struct {
		Audience string `json:"audience"`
	}{u.Exchange.Audience()})
}

// Upload answers POST /api/v1/upload/{channel}. What is left of the body of a refused upload is read to its
// end by the gate: the clients send first and listen afterwards.
func (u *Uploads) Upload(w http.ResponseWriter, r *http.Request) {
	a := &attempt{}
	sentence, err := u.upload(r, a)
	if err == nil {
		reply.Text(w, http.StatusOK, sentence)
		return
	}
	u.note(r.Context(), a, err)
	reply.Error(w, r, err)
}

// attempt is what is known so far of an upload, for the audit of its refusal.
type attempt struct {
	principal access.Principal
	channel   channel.Channel
	// allowed says that the principal may upload to the channel at all.
	allowed bool
	file    string
}

func (u *Uploads) upload(r *http.Request, a *attempt) (sentence string, err error) {
	name, _ := strings.CutPrefix(r.URL.Path+"/", UploadPath)
	name = strings.TrimSuffix(name, "/")
	if r.Method != http.MethodPost {
		return "", fault.New(fault.NotFound, "Upload by POST to %sCHANNEL.", UploadPath)
	}
	if a.principal, err = u.principal(r); err != nil {
		return "", err
	}
	if a.channel, err = u.channel(r.Context(), a.principal, name); err != nil {
		return "", err
	}
	right, err := u.Access.MayUpload(r.Context(), a.principal, a.channel)
	if err != nil {
		return "", err
	}
	a.allowed = true
	gate.Note(r.Context(), slog.String("channel", a.channel.Name.String()))
	got, err := receive(r, r.Body, u.Publish)
	if err != nil {
		return "", err
	}
	a.file = got.File().String()
	out, err := got.Publish(r.Context(), a.channel, right)
	if err != nil {
		return "", err
	}
	if out.Already {
		return fmt.Sprintf("%s is in channel %s already, with these same bytes.", a.file, a.channel.Name), nil
	}
	return fmt.Sprintf("%s is published in channel %s.", a.file, a.channel.Name), nil
}

func (u *Uploads) principal(r *http.Request) (access.Principal, error) {
	t := caller.Credential(r)
	if t == "" {
		return access.Principal{}, nil
	}
	return u.Access.Bearer(r.Context(), t)
}

// channel finds the channel to upload to. Nobody learns from the answer which private channels exist: who is
// not known gets the same 401 for every name, a publish token the same refusal for every channel but its own.
func (u *Uploads) channel(ctx context.Context, p access.Principal, name string) (channel.Channel, error) {
	ch := channel.Channel{}
	parsed, err := conda.ParseChannel(name)
	if err == nil {
		ch, err = u.Channels.ChannelByName(ctx, parsed)
	} else {
		err = fault.Wrap(err, fault.NotFound, "%v", err)
	}
	if fault.Is(err, fault.NotFound) && (p.Anonymous() || p.Publish != nil) {
		ch.Name = parsed
		_, err = u.Access.MayUpload(ctx, p, ch)
	}
	return ch, err
}

// note writes a refusal into the channel's audit log, when the caller is known: nobody else shall be able to
// fill it.
func (u *Uploads) note(ctx context.Context, a *attempt, err error) {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || a.principal.Anonymous() || a.channel.ID == 0 {
		return
	}
	subject := a.file
	if subject == "" {
		subject = a.channel.Name.String()
	}
	sentence := f.Detail
	if !a.allowed { // what the caller is told may name channels that this one's owners may not know of
		sentence = "an upload was refused: the caller may not upload to channel " + a.channel.Name.String()
	}
	werr := u.Audit.Append(context.WithoutCancel(ctx), audit.Event{
		Kind: audit.UploadRefused, Actor: a.principal.Actor(), ChannelID: a.channel.ID, Channel: a.channel.Name.String(),
		Subject: subject, Sentence: sentence, Code: string(f.Code),
	})
	if werr != nil {
		u.Log.LogAttrs(ctx, slog.LevelError, "a refusal is missing from the audit log", slog.String("request", gate.RequestID(ctx)), slog.Any("cause", werr))
	}
}
