package trust

import (
	"sluice/internal/fault"
	"sluice/internal/strictjson"
)

// MaxBody bounds the body of an exchange request, in bytes. Its reader stops one byte later.
const MaxBody = 64 << 10

// ReadBody takes the identity token out of the body of an exchange request, {"token": "<jwt>"}. It refuses
// with fault.TooLarge and fault.BadRequest. Other members are ignored.
func ReadBody(body []byte) (string, error) {
	if len(body) > MaxBody {
		return "", refuse(fault.TooLarge, "Request is too large", "its body may have 64 KiB", "Send the identity token alone")
	}
	bad := func(why string) error {
		return refuse(fault.BadRequest, "Request cannot be read", why, `Send the JSON object {"token": "<the identity token>"}`)
	}
	obj, err := strictjson.Object(body)
	if err != nil {
		return "", bad("the body " + err.Error())
	}
	switch tok := obj["token"].(type) {
	case string:
		return tok, nil
	case nil:
		return "", bad("the body has no member token")
	}
	return "", bad("the member token is no string")
}
