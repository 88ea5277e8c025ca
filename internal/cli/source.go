package cli

import (
	"errors"
	"fmt"
	"strings"

	"sluice/internal/importing"
)

// sourceFlags say with what secret a channel elsewhere is read.
type sourceFlags struct {
	TokenEnv  string `name:"token-env" placeholder:"VARIABLE" xor:"credential" help:"Environment variable with a token for a private source, sent as a bearer token."`
	HeaderEnv string `name:"header-env" placeholder:"HEADER=VARIABLE" xor:"credential" help:"The same for sources that want another header, such as X-API-Key=VARIABLE."`
}

// credential reads the secret for a private source from the environment.
func (c sourceFlags) credential(getenv func(string) string) (importing.Credential, error) {
	header, variable, prefix := "Authorization", c.TokenEnv, "Bearer "
	if c.HeaderEnv != "" {
		var ok bool
		if header, variable, ok = strings.Cut(c.HeaderEnv, "="); !ok || header == "" || variable == "" {
			return importing.Credential{}, errors.New("--header-env must be of the form HEADER=VARIABLE, such as X-API-Key=QUETZ_KEY")
		}
		prefix = ""
	}
	if variable == "" {
		return importing.Credential{}, nil
	}
	value := getenv(variable)
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return importing.Credential{}, fmt.Errorf("the environment variable %s holds no token: set it to the token alone", variable)
	}
	return importing.Credential{Header: header, Value: prefix + value}, nil
}
