package web

import (
	"net/url"
	"slices"
	"strings"

	"sluice/internal/server/web/page"
	"sluice/internal/trust"
	"sluice/internal/trust/provider"
)

// service is a CI service that a publisher can be of, with those of its issuers that are configured.
type service struct {
	// name is what addresses and forms call it.
	name    string
	traits  provider.Traits
	issuers []trust.Issuer
}

// services are the CI services that the form offers, in the order of the configuration. Issuers that ask for the
// same fields are one service.
func (s *site) services() []service {
	var out []service
	for _, is := range s.Publishers.Issuers {
		t := is.Provider.Traits()
		i := slices.IndexFunc(out, func(o service) bool { return o.traits.Name == t.Name && slices.Equal(o.traits.Fields, t.Fields) })
		if i >= 0 {
			out[i].issuers = append(out[i].issuers, is)
			continue
		}
		name := t.Name
		if slices.ContainsFunc(out, func(o service) bool { return o.name == name }) {
			name = is.Name
		}
		out = append(out, service{name, t, []trust.Issuer{is}})
	}
	return out
}

// chosenService is the service that the fields name; else GitHub, whose runs most people have, or the first.
func (s *site) chosenService(fields url.Values) service {
	all := s.services()
	for _, name := range []string{fields.Get("provider"), "github"} {
		if i := slices.IndexFunc(all, func(o service) bool { return o.name == name }); i >= 0 {
			return all[i]
		}
	}
	if len(all) == 0 {
		return service{}
	}
	return all[0]
}

// serviceOf is the service of a publisher, as long as its issuer is configured.
func (s *site) serviceOf(p trust.Publisher) (service, bool) {
	for _, o := range s.services() {
		if o.traits.Name == p.Provider && slices.ContainsFunc(o.issuers, func(is trust.Issuer) bool { return is.URL == p.Issuer }) {
			return o, true
		}
	}
	return service{}, false
}

// issuerChoices are the issuers of a service, to choose from.
func (o service) issuerChoices() []page.Choice {
	var out []page.Choice
	for _, is := range o.issuers {
		out = append(out, page.Choice{Value: is.URL, Label: is.URL})
	}
	return out
}

// shortTitle is a service's name without the word that the services of one firm are told apart by.
func shortTitle(title string) string {
	for _, word := range []string{" Actions", " CI/CD", " CI"} {
		title = strings.TrimSuffix(title, word)
	}
	return title
}

// fieldsOf are the values of the service's own fields, as an address or a form has them.
func (o service) fieldsOf(r provider.Rule) url.Values {
	q := url.Values{"provider": {o.name}, "issuer": {r.Issuer}}
	for _, f := range o.traits.Fields {
		if v := f.Slot.Get(r); v != "" {
			q.Set(f.Name, v)
		}
	}
	return q
}
