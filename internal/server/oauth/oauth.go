// Package oauth says in the words of OAuth what server/upload says in the words of the upload clients, for
// programs that know standards and not us: the exchange of an identity token (RFC 8693), where to find it
// (RFC 8414), and the end of a token (RFC 7009, and a form of our own for many). It decides nothing: trust and
// revoke do. It must not know what a token is good for.
package oauth

import (
	"net/http"

	"sluice/internal/fault"
	"sluice/internal/revoke"
	"sluice/internal/server/reply"
	"sluice/internal/trust"
)

// Paths of the endpoints. Clients find the first two by MetadataPath, which RFC 8414, section 3, makes of a
// server's address.
const (
	TokenPath    = "/api/oidc/token"
	RevokePath   = "/api/oidc/revoke"
	MetadataPath = "/.well-known/oauth-authorization-server"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = trust.MaxBody

// OAuth is the handlers. All fields are required.
type OAuth struct {
	// URL is the server's public address, which is its issuer name.
	URL         string
	Exchange    *trust.Exchange
	Revocations *revoke.Revocations
}

// Token answers POST with the exchange, and DELETE with the end of the publish token that came as Bearer.
func (o *OAuth) Token(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		o.exchange(w, r)
	case http.MethodDelete:
		o.done(w, r)
	default:
		reply.Error(w, r, fault.New(fault.NotFound, "Exchange an identity token here by POST (RFC 8693), or end a publish token by DELETE with it as Bearer."))
	}
}

// metadata is what RFC 8414, section 2, calls so.
type metadata struct {
	Issuer             string   `json:"issuer"`
	TokenEndpoint      string   `json:"token_endpoint"`
	RevocationEndpoint string   `json:"revocation_endpoint"`
	GrantTypes         []string `json:"grant_types_supported"`
	TokenAuth          []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuth     []string `json:"revocation_endpoint_auth_methods_supported"`
	Scopes             []string `json:"scopes_supported"`
	// ResponseTypes is required, and empty: nobody signs in here through a browser for a program.
	ResponseTypes []string `json:"response_types_supported"`
}

// Metadata answers GET with where to exchange tokens, and which kind of exchange there is.
func (o *OAuth) Metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		reply.Error(w, r, fault.New(fault.NotFound, "Ask for the metadata by GET."))
		return
	}
	none := []string{"none"}
	w.Header().Set("Cache-Control", "public, max-age=300")
	reply.JSON(w, http.StatusOK, metadata{
		Issuer: o.URL, TokenEndpoint: o.URL + TokenPath, RevocationEndpoint: o.URL + RevokePath, GrantTypes: []string{grantType},
		TokenAuth: none, RevocationAuth: none, Scopes: []string{scopeRead, scopeUpload}, ResponseTypes: []string{},
	})
}
