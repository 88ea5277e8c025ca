package sigstore

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"
)

// Sign has statements signed by whomever the identity token names, and returns their bundles. They need not be statements. All
// are signed at once, for the log keeps each waiting for about a second.
func (i *Instance) Sign(t testing.TB, identityToken, payloadType string, statements ...string) []string {
	t.Helper()
	bundles, failures := make([]string, len(statements)), make([]error, len(statements))
	var signing sync.WaitGroup
	for n, statement := range statements {
		signing.Go(func() { bundles[n], failures[n] = bundle(t.Context(), identityToken, payloadType, statement) })
	}
	signing.Wait()
	must(t, errors.Join(failures...))
	return bundles
}

func bundle(ctx context.Context, identityToken, payloadType, statement string) (string, error) {
	keys, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return "", err
	}
	b, err := sign.Bundle(&sign.DSSEData{Data: []byte(statement), PayloadType: payloadType}, keys, sign.BundleOptions{
		Context:                    ctx,
		CertificateProvider:        sign.NewFulcio(&sign.FulcioOptions{BaseURL: url(fulcioPort)}),
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: identityToken},
		TimestampAuthorities:       []*sign.TimestampAuthority{sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: url(timestampPort) + "/api/v1/timestamp"})},
		TransparencyLogs:           []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: url(rekorPort), Version: 2})},
	})
	if err != nil {
		return "", err
	}
	raw, err := protojson.Marshal(b)
	return string(raw), err
}
