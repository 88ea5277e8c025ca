package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/fault"
	"sluice/internal/server/gate"
	"sluice/internal/server/reply"
	"sluice/internal/trust"
)

// Names of RFC 8693: the grant (section 2.1), and the types of tokens (section 3).
const (
	grantType       = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	idTokenType     = "urn:ietf:params:oauth:token-type:id_token"
	jwtType         = "urn:ietf:params:oauth:token-type:jwt"
)

// Scopes of a publish token. Which packages it uploads, and which channels it reads, its publishers say.
const scopeUpload, scopeRead = "upload", "read"

// scopes are the words for what a token is good for. Every publish token reads the channels that it covers.
func scopes(t trust.PublishToken) string {
	if slices.ContainsFunc(t.Grants, func(g trust.Grant) bool { return g.Right == trust.Publish }) {
		return scopeRead + " " + scopeUpload
	}
	return scopeRead
}

// answer is a successful exchange (RFC 8693, section 2.2.1).
type answer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type"`
	Type        string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int `json:"expires_in"`
	// Scope is what the token is good for, which may be less than was asked for (RFC 6749, section 3.3).
	Scope string `json:"scope"`
}

// exchange is the mint in the form of RFC 8693.
func (o *OAuth) exchange(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(r)
	if err == nil {
		err = o.check(form)
	}
	if err != nil {
		refuse(w, r, err)
		return
	}
	ctx := trust.WithClient(r.Context(), gate.RemoteAddr(r.Context()))
	t, kept, err := o.Exchange.Exchange(ctx, form.Get("subject_token"))
	if err != nil {
		refuse(w, r, err)
		return
	}
	noStore(w)
	reply.JSON(w, http.StatusOK, answer{
		AccessToken: t.Reveal(), IssuedType: accessTokenType, Type: "Bearer", Scope: scopes(kept),
		ExpiresIn: int(kept.ExpiresAt.Sub(kept.CreatedAt).Seconds()),
	})
}

// check refuses what is asked for and cannot be given. What nobody knows is ignored, as RFC 6749, section 3.2,
// wants it; so is an Authorization header, since the clients send what they have stored to every path of a host.
func (o *OAuth) check(form url.Values) error {
	switch given := form.Get; {
	case given("grant_type") == "":
		return missing("grant_type")
	case given("grant_type") != grantType:
		return protocol("unsupported_grant_type", "The only grant here is the token exchange: send grant_type=%s.", grantType)
	case given("client_secret") != "" || given("client_assertion") != "":
		return protocol("invalid_client", "This server keeps no list of clients: send the identity token alone, without client_secret and client_assertion.")
	case given("actor_token") != "" || given("actor_token_type") != "":
		return protocol("invalid_request", "Nobody can act for somebody else here: leave out actor_token and actor_token_type.")
	case given("requested_token_type") != "" && given("requested_token_type") != accessTokenType:
		return protocol("invalid_request", "The token that is issued here is of the type %s: ask for that, or leave out requested_token_type.", accessTokenType)
	case !known(given("scope")):
		return protocol("invalid_scope", "The scopes of a publish token are %s and %s: ask for these, or leave out scope.", scopeRead, scopeUpload)
	}
	if err := o.checkTarget(form); err != nil {
		return err
	}
	switch given := form.Get; {
	case given("subject_token_type") == "":
		return missing("subject_token_type")
	case given("subject_token_type") != idTokenType && given("subject_token_type") != jwtType:
		return protocol("invalid_request", "The token that is exchanged here is an identity token of a CI service: send subject_token_type=%s.", idTokenType)
	case given("subject_token") == "":
		return missing("subject_token")
	}
	return nil
}

// known reports whether the scopes, joined by blanks, are all ones that there are.
func known(asked string) bool {
	for s := range strings.FieldsSeq(asked) {
		if s != scopeRead && s != scopeUpload {
			return false
		}
	}
	return true
}

// checkTarget refuses every target but this server: a publish token cannot be made for less, nor for anybody else.
func (o *OAuth) checkTarget(form url.Values) error {
	for _, a := range form["audience"] {
		if a != o.Exchange.Audience() && a != o.URL {
			return protocol("invalid_target", "A publish token is for this server: ask for the audience %s, or leave out audience.", o.Exchange.Audience())
		}
	}
	for _, a := range form["resource"] {
		if a != o.URL && a != o.URL+"/" {
			return protocol("invalid_target", "A publish token is for the whole server, and its publishers say which channels it covers: ask for the resource %s, or leave out resource.", o.URL)
		}
	}
	return nil
}

func missing(name string) error {
	return protocol("invalid_request", "The form lacks %s. It has grant_type=%s, subject_token_type=%s, and in subject_token the identity token.", name, grantType, idTokenType)
}

// noStore keeps an answer out of every cache (RFC 6749, section 5.1).
func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

// protocol makes a refusal with the error name of an RFC.
func protocol(name, format string, args ...any) error {
	return &protocolError{name: name, said: fault.New(fault.BadRequest, format, args...)}
}
