package oauth

import (
	"net/http"

	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/gate"
	"sluice/internal/server/reply"
)

// done ends the publish token that came as Bearer, for the job that is done with it. It answers 204 for every
// token, known or not.
func (o *OAuth) done(w http.ResponseWriter, r *http.Request) {
	bearer := caller.Credential(r)
	if bearer == "" {
		reply.Error(w, r, fault.New(fault.Unauthenticated, "Send the publish token that shall end as Authorization: Bearer."))
		return
	}
	if err := o.Revocations.Done(r.Context(), bearer); err != nil {
		reply.Error(w, r, err)
		return
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
}

// Revoke answers POST with the end of tokens that somebody found: one as RFC 7009 has it, or up to 100 as JSON.
// It asks nobody who they are.
func (o *OAuth) Revoke(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost:
		reply.Error(w, r, fault.New(fault.NotFound, `Report found tokens here by POST with the body {"tokens": ["…"]}, or as RFC 7009 has it.`))
	case contentType(r) == "application/json":
		if err := o.revokeMany(w, r); err != nil {
			reply.Mint(w, r, err)
		}
	default:
		if err := o.revokeOne(r); err != nil {
			refuse(w, r, err)
			return
		}
		noStore(w)
		w.WriteHeader(http.StatusOK)
	}
}

// revokeOne is RFC 7009. Its answer is the same for every string (section 2.2), and the hint is not needed: a
// token of ours says what it is.
func (o *OAuth) revokeOne(r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	t := form.Get("token")
	if t == "" {
		return protocol("invalid_request", "The form lacks token, the token that shall end.")
	}
	_, err = o.Revocations.Found(r.Context(), gate.RemoteAddr(r.Context()), []string{t})
	return err
}

// found is what a report is answered, one for each of its tokens and in their order.
type found struct {
	// Revoked says that the token has the form of one of ours, and if it ever was one, is none any more. It is not
	// told whether it was.
	Revoked bool `json:"revoked"`
	// Problem is what is wrong with its form.
	Problem string `json:"problem,omitempty"`
}

func (o *OAuth) revokeMany(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	tokens, err := readReport(body)
	if err != nil {
		return err
	}
	problems, err := o.Revocations.Found(r.Context(), gate.RemoteAddr(r.Context()), tokens)
	if err != nil {
		return err
	}
	answer := make([]found, len(problems))
	for i, p := range problems {
		if answer[i].Revoked = p == nil; p != nil {
			answer[i].Problem = p.Error()
		}
	}
	noStore(w)
	reply.JSON(w, http.StatusOK, struct {
		Tokens []found `json:"tokens"`
	}{answer})
	return nil
}
