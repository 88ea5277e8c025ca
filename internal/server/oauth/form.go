package oauth

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

	"sluice/internal/fault"
)

// formType is the content type of every request in OAuth (RFC 6749, appendix B).
const formType = "application/x-www-form-urlencoded"

// contentType is the media type of a request's body, without parameters.
func contentType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// readForm reads the parameters in the body, and none in the address, where they would be logged on the way.
// Those without a value count as left out; none but the targets may come twice (RFC 6749, section 3.2, and RFC
// 8693, section 2.1).
func readForm(r *http.Request) (url.Values, error) {
	if contentType(r) != formType {
		return nil, protocol("invalid_request", "Send the parameters in the body, as Content-Type: %s.", formType)
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, protocol("invalid_request", "The form cannot be read: it is name=value joined by &, with everything else percent-encoded.")
	}
	for name, values := range form {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		form[name] = values
		if len(values) > 1 && name != "audience" && name != "resource" {
			return nil, protocol("invalid_request", "The form has a parameter twice: only audience and resource may come more than once.")
		}
	}
	return form, nil
}

func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fault.New(fault.TooLarge, "The body is larger than the %d KiB that this path takes.", maxBody>>10)
	}
	return body, nil
}
