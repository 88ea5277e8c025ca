package server

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

func TestIssuersOfAConfiguration(t *testing.T) {
	t.Parallel()
	claims := map[string]string{"repository": "sub", "repository_id": "sub"}
	issuers, err := issuersOf(config.Config{Issuers: map[string]config.Issuer{
		"github": {}, "google": {}, "circleci-acme": {URL: "https://oidc.circleci.com/org/b9291e0d-a11e-41fb-8517-c545388b5953"},
		"jenkins": {URL: "https://jenkins.acme.dev/oidc", Provider: "generic", Claims: claims, Proxy: "http://u:p@proxy:3128"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, is := range issuers {
		got = append(got, is.Name+" "+is.Provider.Traits().Name+" "+is.URL)
	}
	want := "github github https://token.actions.githubusercontent.com\n" +
		"circleci-acme circleci https://oidc.circleci.com/org/b9291e0d-a11e-41fb-8517-c545388b5953\n" +
		"google google https://accounts.google.com\n" +
		"jenkins jenkins https://jenkins.acme.dev/oidc"
	if strings.Join(got, "\n") != want || issuers[3].Proxy == nil || issuers[0].Proxy != nil {
		t.Errorf("issuers:\n%s", strings.Join(got, "\n"))
	}

	_, err = issuersOf(config.Config{Issuers: map[string]config.Issuer{
		"work": {URL: "https://w.example.com"}, "jenkins": {Provider: "generic", URL: "https://jenkins.acme.dev"}, "github": {Claims: claims},
	}})
	for _, want := range []string{"issuer work: the name tells no CI service", "issuer jenkins: claims", "issuer github: what its claims mean is known"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the mistakes lack %q:\n%v", want, err)
		}
	}
}
