package page

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
)

// evil is what a package, a token or a person might put into any text: marks that turn the reading
// direction, a blank of no width, an escape, and an attempt at markup.
const evil = "\u202eevil\u200b\x1b\"'><script>&"

// poison puts evil at the end of every string in v that reflection can reach.
func poison[T any](v T) T {
	spoil(reflect.ValueOf(&v).Elem())
	return v
}

func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + evil)
	case reflect.Struct:
		for _, f := range v.Fields() {
			if f.CanSet() {
				spoil(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	}
}

var (
	// A field of a form holds what its reader sent, and sends it back as it was.
	formValue = regexp.MustCompile(` value="[^"]*"|<textarea[^>]*>[^<]*</textarea>`)
	raw       = regexp.MustCompile("[\u202e\u200b\x1b]|evil[^<]*<script")
)

func TestUntrustedText(t *testing.T) {
	style := frame("").Style
	f := poison(frame("mara"))
	f.Style = style
	for name, c := range hostile(f) {
		t.Run(name, func(t *testing.T) {
			out := render(t, c)
			shown := formValue.ReplaceAll(out, nil)
			if at := raw.FindIndex(shown); at != nil {
				t.Errorf("the page holds unescaped text: …%q…", shown[max(0, at[0]-120):min(len(shown), at[1]+20)])
			}
			d := parse(t, out)
			d.checkPolicy(t)
			for _, n := range d.nodes {
				if n.Data == "a" && strings.Contains(attr(n, "href"), "script:") {
					t.Errorf("a link leads to %q", attr(n, "href"))
				}
			}
		})
	}
}

func hostile(f Frame) map[string]templ.Component {
	tokenFiles := tokenPackage()
	tokenFiles.Before = nil
	made := tokensView()
	made.Made = &MadeToken{Name: "x"}
	form := publishersView()
	form.Form = shortForm("github")
	form.Form.Rule, form.Form.Confirm, form.Form.Warnings, form.Form.Error, form.Form.Understood = rule(), true, []string{"x"}, "x", []string{"x"}
	full := ruleForm()
	full.Confirm, full.Rule, full.Error, full.Version, full.OwnerID = true, rule(), "x", "1", "1"
	return map[string]templ.Component{
		"home":             Home(f, poison(HomeView{Title: "x", Channels: []ChannelRow{{LastAt: now, Packages: 1, Artifacts: 2}}, Recent: releases()})),
		"home-none":        Home(f, poison(HomeView{})),
		"channel":          Channel(f, poison(channelView())),
		"channel-empty":    Channel(f, poison(ChannelView{MayManage: true})),
		"package":          Package(f, poison(packageView())),
		"package-attested": Package(f, poison(partlyAttested())),
		"package-distrust": Package(f, poison(distrustedPackage())),
		"package-token":    Package(f, poison(tokenFiles)),
		"package-mixed":    Package(f, poison(mixedPackage())),
		"versions":         Versions(f, poison(VersionsView{Matrix: versions()})),
		"publishers":       Publishers(f, poison(form)),
		"remove-publisher": RemovePublisher(f, poison(RemovePublisherView{Publisher: publishers()[1], Rule: rule(), AskName: true})),
		"rule":             Rule(f, poison(RuleView{Publisher: publishers()[1], Form: full})),
		"change":           Change(f, poison(changeView())),
		"try":              Try(f, poison(tryView())),
		"audit":            Audit(f, poison(auditView())),
		"files":            Files(f, poison(filesView())),
		"curation":         Curation(f, poison(curationView("yank"))),
		"curation-asks":    Curation(f, poison(CurationView{Kind: "move"})),
		"package-yanked":   Package(f, poison(yankedPackage())),
		"package-imported": Package(f, poison(importedPackage())),
		"tokens":           Tokens(f, poison(made)),
		"revoke":           RevokeToken(f, poison(RevokeTokenView{Token: tokensView().Tokens[0]})),
		"new-channel":      NewChannel(f, poison(NewChannelView{})),
		"search":           Search(f, poison(SearchView{Packages: packages()})),
		"search-none":      Search(f, poison(SearchView{Near: []Near{{"a", "b"}}})),
		"sign-in":          SignIn(f, poison(SignInView{})),
		"setup":            Setup(f, poison(SetupView{State: SetupOpen})),
		"error":            Fail(f, poison(FailureView{Status: 404, Near: []Near{{"a", "b"}}, Actions: []Action{{"x", "/x"}}})),
	}
}
