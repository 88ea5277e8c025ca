package page

import "net/http"

// FailureView is the page of a refusal or an error: what happened, what now?
type FailureView struct {
	// Status is the HTTP status.
	Status int
	// Title names the thing, in one sentence without a stop; Sentence tells what to do.
	Title, Sentence string
	// Near are packages that may have been meant; only such as the reader may see.
	Near []Near
	// Actions are at most two ways on, the likelier first.
	Actions []Action
	// Request is the id to give to the people who run the server.
	Request string
}

// Failure is the page for a status, in words that fit whenever nothing better is known. The words of 404
// are the same for what does not exist and for what the reader may not see.
func Failure(f Frame, status int, request string) FailureView {
	v := FailureView{Status: status, Request: request}
	v.Title, v.Sentence = failureWords(status)
	v.Actions = []Action{{"All channels", HomePath}}
	switch {
	case status == http.StatusUnauthorized:
		v.Actions = []Action{{"Sign in", signInPath(f.Path)}}
	case status == http.StatusNotFound && f.User == "":
		v.Sentence += " Signing in may help."
		v.Actions = append(v.Actions, Action{"Sign in", signInPath(f.Path)})
	}
	return v
}

func failureWords(status int) (title, sentence string) {
	switch status {
	case http.StatusBadRequest:
		return "This request cannot be read", "Go back and send the form again."
	case http.StatusUnauthorized:
		return "Sign in to see this", "This page is for people who have an account here."
	case http.StatusForbidden:
		return "You may not do this", "An owner of the channel can, or can give you the right to."
	case http.StatusNotFound:
		return "There is nothing here", "It does not exist, or you may not see it."
	case http.StatusMethodNotAllowed:
		return "This page cannot be used that way", "Go back and begin again."
	case http.StatusConflict:
		return "Something was changed meanwhile", "Go back, look at what is there now, and try again."
	case http.StatusRequestEntityTooLarge:
		return "That is too much", "Send less at once."
	case http.StatusUnprocessableEntity:
		return "This cannot be taken as it is", "Go back and change it."
	case http.StatusTooManyRequests:
		return "That was too often", "Wait a minute, then try again."
	case http.StatusServiceUnavailable:
		return "The server cannot answer just now", "Try again in a minute."
	}
	return "The server could not answer", "Try again in a minute; if it stays, give the request id below to the people who run the server."
}
