package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/internal/catalog"
	"sluice/internal/channel"
	"sluice/internal/server/web/page"
)

// search looks for packages in every channel that the reader may see.
func (s *site) search(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	f := s.frame(r)
	f.Query = strings.TrimSpace(q.Get("q"))
	v := page.SearchView{Query: f.Query}
	if v.Query != "" {
		if err := s.find(r, q, &v); err != nil {
			return err
		}
	}
	return s.show(w, r, http.StatusOK, f, page.Search(f, v))
}

func (s *site) find(r *http.Request, q url.Values, v *page.SearchView) error {
	ctx := r.Context()
	channels, err := s.visible(ctx)
	if err != nil {
		return err
	}
	v.Channels = len(channels)
	here := page.SearchPath + "?q=" + url.QueryEscape(v.Query)
	ask := catalog.Query{Channels: ids(channels), Text: v.Query, After: q.Get("after"), AfterChannel: q.Get("in"), Limit: perPage + 1}
	v.Packages, v.Paging, err = s.packages(ctx, channels, ask, func(last catalog.Package) string {
		return here + "&after=" + url.QueryEscape(last.Name) + "&in=" + url.QueryEscape(last.Channel.String())
	})
	if err != nil {
		return err
	}
	if ask.After != "" {
		v.Paging.First = here
		return nil
	}
	if err := s.exactFirst(r, channels, v); err != nil {
		return err
	}
	if len(v.Packages) == 0 {
		v.Near, err = s.near(ctx, ask.Channels, v.Query)
	}
	return err
}

// exactFirst puts the packages of just that name at the head of the first page. Those that also stand further
// down the list stay there.
func (s *site) exactFirst(r *http.Request, channels []channel.Channel, v *page.SearchView) error {
	name := strings.ToLower(v.Query)
	found, err := s.Catalog.Store.Packages(r.Context(), catalog.Query{Channels: ids(channels), Names: []string{name}, Signatures: true, Limit: perPage})
	if err != nil || len(found) == 0 {
		return err
	}
	rest := slices.DeleteFunc(v.Packages, func(p page.PackageRow) bool { return p.Name == name })
	if v.Packages = append(s.rows(channels, found), rest...); len(v.Packages) > v.Paging.To {
		v.Paging.From, v.Paging.To = 0, 0 // one more than the page has in the order of names
	}
	return nil
}
