package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"sluice/internal/fault"
)

// maxForm bounds a form, in bytes. The largest field, the packages of a publisher, has 4,000 characters.
const maxForm = 64 << 10

// form reads the fields that were sent. What stands in the address does not count as sent.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, fault.Wrap(err, fault.BadRequest, "The form cannot be read: go back and send it again.")
	}
	return r.PostForm, plain(r.PostForm)
}

// query reads the address's own fields.
func query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadRequest, "What follows the question mark in this address cannot be read.")
	}
	return q, plain(q)
}

// plain refuses text that no field can hold, and that PostgreSQL would not store.
func plain(fields url.Values) error {
	for _, values := range fields {
		for _, v := range values {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return fault.New(fault.BadRequest, "A field holds bytes that are not text.")
			}
		}
	}
	return nil
}
