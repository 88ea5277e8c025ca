package sigstore

import (
	"testing"

	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// Sign has a statement signed by whomever the identity token names, and returns the bundle. The statement need not be one.
func (i *Instance) Sign(t testing.TB, identityToken, payloadType, statement string) []byte {
	t.Helper()
	keys, err := sign.NewEphemeralKeypair(nil)
	must(t, err)
	b, err := sign.Bundle(&sign.DSSEData{Data: []byte(statement), PayloadType: payloadType}, keys, sign.BundleOptions{
		Context:                    t.Context(),
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: url(fulcioPort)}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: identityToken},
		TimestampAuthorities:       []*sign.TimestampAuthority{sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: url(timestampPort) + "/api/v1/timestamp"})},
		TransparencyLogs:           []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: url(rekorPort), Version: 2})},
	})
	must(t, err)
	raw, err := protojson.Marshal(b)
	must(t, err)
	return raw
}
