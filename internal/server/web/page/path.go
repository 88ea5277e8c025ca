package page

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// Paths of pages that stand alone.
const (
	HomePath       = "/"
	SearchPath     = "/search"
	SetupPath      = "/setup"
	SignInPath     = "/sign-in"
	SignOutPath    = "/sign-out"
	TokensPath     = "/account/tokens"
	NewChannelPath = "/account/new-channel"
	MailPath       = "/account/mail"
)

const (
	openAPIPath = "/api/v1/openapi.json"
	readyPath   = "/readyz"
)

// ChannelPath is the page of a channel and its packages.
func ChannelPath(channel string) string { return "/channels/" + url.PathEscape(channel) }

// PackagePath is the page of a package, at its latest version.
func PackagePath(channel, name string) string {
	return ChannelPath(channel) + "/packages/" + url.PathEscape(name)
}

// VersionsPath is the list of all versions of a package.
func VersionsPath(channel, name string) string { return PackagePath(channel, name) + "/versions" }

// VersionPath is the page of one version of a package.
func VersionPath(channel, name, version string) string {
	return VersionsPath(channel, name) + "/" + url.PathEscape(version)
}

// CheckPath tells how the check of a channel's index stands; a POST to it begins one.
func CheckPath(channel string) string { return ChannelPath(channel) + "/check" }

// DemandPath is what a channel demands of attestations; a POST to it changes it.
func DemandPath(channel string) string { return ChannelPath(channel) + "/attestations" }

// DenyPath takes a POST that lets signatures count for nothing, or takes that back.
func DenyPath(channel string) string { return DemandPath(channel) + "/denied" }

// PublishersPath is the list of a channel's trusted publishers; a POST to it adds one.
func PublishersPath(channel string) string { return ChannelPath(channel) + "/publishers" }

// PublisherPath is the same list with one publisher chosen. The sentences of refusals lead here.
func PublisherPath(channel, id string) string {
	return PublishersPath(channel) + "/" + url.PathEscape(id)
}

// PublisherWorkflowPath is the workflow file for a publisher, as plain text.
func PublisherWorkflowPath(channel, id string) string {
	return PublisherPath(channel, id) + "/workflow"
}

// PublisherRemovePath asks whether to remove a publisher; a POST to it removes it.
func PublisherRemovePath(channel, id string) string { return PublisherPath(channel, id) + "/remove" }

// PublisherNewPath is the form for a new publisher with everything that it can say.
func PublisherNewPath(channel string) string { return PublishersPath(channel) + "/new" }

// PublisherTryPath tries an identity token against a channel's publishers.
func PublisherTryPath(channel string) string { return PublishersPath(channel) + "/try" }

// PublisherEditPath is the form that changes a publisher.
func PublisherEditPath(channel, id string) string { return PublisherPath(channel, id) + "/edit" }

// PublisherSwitchPath takes a POST that switches a publisher off or on.
func PublisherSwitchPath(channel, id string) string { return PublisherPath(channel, id) + "/switch" }

// PublisherNarrowPath asks whether to narrow a publisher to what its last run had; a POST to it does.
func PublisherNarrowPath(channel, id string) string { return PublisherPath(channel, id) + "/narrow" }

// PublisherAllowPath asks whether to let runs like a refused one in; a POST to it does.
func PublisherAllowPath(channel, id, event string) string {
	return PublisherPath(channel, id) + "/allow/" + url.PathEscape(event)
}

// PublisherMovePath asks whether to follow a repository to another owner; a POST to it does.
func PublisherMovePath(channel, id, event string) string {
	return PublisherPath(channel, id) + "/move/" + url.PathEscape(event)
}

// UploadsPath takes a POST that says who may upload to a channel.
func UploadsPath(channel string) string { return ChannelPath(channel) + "/uploads" }

// AuditPath is the audit log of a channel.
func AuditPath(channel string) string { return ChannelPath(channel) + "/audit" }

// TokenRevokePath asks whether to revoke an API token; a POST to it revokes it.
func TokenRevokePath(id string) string { return TokensPath + "/" + url.PathEscape(id) + "/revoke" }

// FilesPath is the list of a channel's files for its keepers.
func FilesPath(channel string) string { return ChannelPath(channel) + "/files" }

// CurationPath asks whether to change files; a POST to it changes them.
func CurationPath(channel string) string { return FilesPath(channel) + "/change" }

// LabelPath is where clients find a label of a channel; the channel itself for main and for "".
func LabelPath(channel, label string) string {
	path := "/" + url.PathEscape(channel)
	if label == "" || label == mainLabel {
		return path
	}
	return path + "/label/" + (&url.URL{Path: label}).EscapedPath()
}

// DownloadPath is where clients get an artifact, at the address of a label.
func DownloadPath(channel, label, subdir, file string) string {
	return LabelPath(channel, label) + "/" + url.PathEscape(subdir) + "/" + url.PathEscape(file)
}

// RecordPath is what the JSON API says of an artifact.
func RecordPath(channel, subdir, file string) string {
	return "/api/v1/channels/" + url.PathEscape(channel) + "/packages/" + url.PathEscape(subdir) + "/" + url.PathEscape(file)
}

// BundlePath is an attestation of an artifact as it came; ordinals count from 1.
func BundlePath(channel, subdir, file string, ordinal int) string {
	return RecordPath(channel, subdir, file) + "/attestations/" + strconv.Itoa(ordinal)
}

// signInPath leads to the sign-in page and from there back to next.
func signInPath(next string) string {
	if next == "" || next == HomePath {
		return SignInPath
	}
	return SignInPath + "?next=" + url.QueryEscape(next)
}

// channelBy is a channel's list of packages, those published one way only.
func channelBy(channel string, by string) string {
	return ChannelPath(channel) + "?by=" + url.QueryEscape(by)
}

// local is a path of this server that a view brought along, fit for a link: it leads nowhere else, and
// holds nothing that is not printable.
func local(path string) templ.SafeURL {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.HasPrefix(path, `/\`) {
		return HomePath
	}
	var b strings.Builder
	for _, c := range []byte(path) {
		if c <= ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return templ.SafeURL(b.String())
}
