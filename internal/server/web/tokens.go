package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/account"
	"sluice/internal/channel"
	"sluice/internal/fault"
	"sluice/internal/server/caller"
	"sluice/internal/server/web/page"
	"sluice/internal/token"
)

// tokens lists the reader's own API tokens.
func (s *site) tokens(w http.ResponseWriter, r *http.Request) error {
	return s.showTokens(w, r, http.StatusOK, page.TokensView{})
}

// showTokens fills in what the page always has.
func (s *site) showTokens(w http.ResponseWriter, r *http.Request, status int, v page.TokensView) error {
	ctx := r.Context()
	me, err := s.self(r)
	if err != nil {
		return err
	}
	v.User, v.Admin, v.Mails = me.Name, me.Admin, s.Mails
	if v.Mail.Error == "" {
		to, err := s.Accounts.Addresses.MailAddress(ctx, me.Name)
		if err != nil {
			return err
		}
		v.Mail = field(to.Reveal())
	}
	list, err := s.Accounts.Tokens.APITokens(ctx, me.ID)
	if err != nil {
		return err
	}
	for _, t := range list {
		v.Tokens = append(v.Tokens, apiToken(t))
	}
	if v.Channels, v.Owned, err = s.memberships(ctx, me); err != nil {
		return err
	}
	f := s.frame(r)
	return s.show(w, r, status, f, page.Tokens(f, v))
}

// self is the reader's own account, where the reader may act for it.
func (s *site) self(r *http.Request) (account.User, error) {
	p := caller.From(r.Context())
	if err := s.Access.MaySelf(p); err != nil {
		return account.User{}, err
	}
	return *p.User, nil
}

// memberships are the channels that a token of the account can be limited to, and one that it owns.
func (s *site) memberships(ctx context.Context, u account.User) (names []string, owned string, err error) {
	channels, err := s.visible(ctx)
	if err != nil {
		return nil, "", err
	}
	roles, err := s.Channels.Store.Roles(ctx, u.ID)
	for _, ch := range channels {
		role, member := roles[ch.ID]
		if member || u.Admin {
			names = append(names, ch.Name.String())
		}
		if owned == "" && role == channel.Owner {
			owned = ch.Name.String()
		}
	}
	return names, owned, err
}

func apiToken(t account.APIToken) page.APIToken {
	return page.APIToken{
		ID: strconv.FormatInt(t.ID, 10), Name: t.Name, Hint: string(token.API) + t.Hint, May: may(t.Scopes), Channel: t.Channel,
		CreatedAt: t.CreatedAt, LastUsed: t.LastUsedAt, Ends: t.ExpiresAt, Revoked: t.RevokedAt, RevokedWhy: t.RevokedWhy,
	}
}

// may says in words what scopes are for.
func may(scopes []account.Scope) string {
	var words []string
	for _, s := range []struct {
		scope account.Scope
		word  string
	}{{account.Read, "read"}, {account.Upload, "publish"}, {account.Manage, "manage"}} {
		if slices.Contains(scopes, s.scope) {
			words = append(words, s.word)
		}
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// makeToken makes a token and shows it in this answer alone.
func (s *site) makeToken(w http.ResponseWriter, r *http.Request) error {
	fields, err := form(w, r)
	if err != nil {
		return err
	}
	me, err := s.self(r)
	if err != nil {
		return err
	}
	v := page.TokensView{Form: page.TokenForm{
		Name: field(fields.Get("name")), May: field(fields.Get("may")), Channel: field(fields.Get("channel")), Days: field(fields.Get("days")),
	}}
	n, err := s.newToken(r, fields, &v.Form)
	if err != nil {
		return err
	}
	if wrong := v.Form.May.Error + v.Form.Channel.Error + v.Form.Days.Error; wrong != "" {
		return s.showTokens(w, r, http.StatusUnprocessableEntity, v)
	}
	t, kept, err := s.Accounts.CreateToken(r.Context(), caller.From(r.Context()).Actor(), me, n)
	if fault.Is(err, fault.InvalidField) {
		v.Form.Name.Error = detail(err) // the rest was looked at before
		return s.showTokens(w, r, http.StatusUnprocessableEntity, v)
	} else if err != nil {
		return err
	}
	secret(w)
	made := &page.MadeToken{ID: strconv.FormatInt(kept.ID, 10), Name: kept.Name, Secret: t.Reveal()}
	return s.showTokens(w, r, http.StatusOK, page.TokensView{Made: made})
}

// newToken reads the form. What cannot be is said beside its field.
func (s *site) newToken(r *http.Request, fields url.Values, f *page.TokenForm) (account.NewToken, error) {
	n := account.NewToken{Name: fields.Get("name")}
	var err error
	if n.Scopes, err = account.ParseScopes(f.May.Value); err != nil {
		f.May.Error = detail(err)
	}
	days, err := strconv.Atoi(f.Days.Value)
	if n.Life = time.Duration(days) * 24 * time.Hour; err != nil || n.Life <= 0 || n.Life > account.MaxTokenLife {
		f.Days.Error = "Choose from the list: at most 365 days."
	}
	if f.Channel.Value == "" {
		return n, nil
	}
	ch, err := s.open(r.Context(), f.Channel.Value)
	if ok, err := allowed(err); err != nil {
		return n, err
	} else if !ok {
		f.Channel.Error = "There is no channel of that name that you may read."
	}
	n.ChannelID, n.Channel = ch.ID, ch.Name.String()
	return n, nil
}

// ownToken finds the reader's token that the address names.
func (s *site) ownToken(r *http.Request) (account.User, account.APIToken, error) {
	me, err := s.self(r)
	if err != nil {
		return me, account.APIToken{}, err
	}
	list, err := s.Accounts.Tokens.APITokens(r.Context(), me.ID)
	if err != nil {
		return me, account.APIToken{}, err
	}
	i := slices.IndexFunc(list, func(t account.APIToken) bool { return strconv.FormatInt(t.ID, 10) == r.PathValue("id") })
	if i < 0 {
		return me, account.APIToken{}, &missingError{
			title: "You have no such API token", sentence: "It may be somebody else's, or the address is wrong.",
			actions: []page.Action{{Text: "Your API tokens", URL: page.TokensPath}},
		}
	}
	return me, list[i], nil
}

// askRevoke asks once more. A token that has ended needs no revoking.
func (s *site) askRevoke(w http.ResponseWriter, r *http.Request) error {
	_, t, err := s.ownToken(r)
	if err != nil {
		return err
	}
	if !t.RevokedAt.IsZero() || !s.Now().Before(t.ExpiresAt) {
		return redirect(w, r, page.TokensPath)
	}
	f := s.frame(r)
	return s.show(w, r, http.StatusOK, f, page.RevokeToken(f, page.RevokeTokenView{Token: apiToken(t)}))
}

func (s *site) revoke(w http.ResponseWriter, r *http.Request) error {
	me, t, err := s.ownToken(r)
	if err != nil {
		return err
	}
	if err := s.Accounts.RevokeToken(r.Context(), caller.From(r.Context()).Actor(), me, t.ID); err != nil {
		return err
	}
	return redirect(w, r, page.TokensPath)
}
