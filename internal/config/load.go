package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Load puts the sources together, highest first: flags, the variables SLUICE_… that env gives (os.Getenv;
// an empty one counts as unset), the TOML file, the defaults. The file is the one named, or else the one
// that SLUICE_CONFIG names, or else none. Lists are comma-separated in variables. The error joins every
// mistake, each naming where it stands.
func Load(flags Flags, env func(string) string, file string) (Config, error) {
	var all Flags
	from := map[string]string{}
	all.lay(defaults(), from, func(string) string { return "default" })
	file = cmp.Or(file, env(envName("config")))
	fromFile, errFile := readFile(file)
	all.lay(fromFile.Flags, from, func(key string) string { return file + ": " + key })
	fromEnv, errEnv := readEnv(env)
	all.lay(fromEnv, from, envName)
	all.lay(flags, from, flagName)
	c, errParse := all.parse(from)
	var errIssuers error
	if len(fromFile.Issuers) > 0 && fromEnv.Issuer == nil && flags.Issuer == nil {
		c.Issuers, errIssuers = fromFile.addIssuers(file)
		c.from["issuer"], c.from["issuers"] = file+": issuer", file
	}
	return c, errors.Join(errFile, errEnv, errParse, errIssuers, c.Validate())
}

// fileSettings are those of a file: what flags and variables can say, and what only a file can.
type fileSettings struct {
	Flags
	Issuers map[string]IssuerTable `toml:"issuers"`
}

// readFile reads a TOML file; a key that is no setting is a mistake, named with its line.
func readFile(name string) (fileSettings, error) {
	var f fileSettings
	if name == "" {
		return f, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return f, fmt.Errorf("read the configuration file: %w", err)
	}
	err = toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&f)
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		return f, unknownKeys(name, strict)
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := bad.Position()
		return f, fmt.Errorf("%s, line %d: %s", name, line, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	return f, err
}

func unknownKeys(name string, strict *toml.StrictMissingError) error {
	var errs []error
	for _, e := range strict.Errors {
		line, _ := e.Position()
		known := append(keys(), "issuers")
		if len(e.Key()) > 2 && e.Key()[0] == "issuers" {
			known = tomlNames(reflect.TypeFor[IssuerTable]())
		}
		errs = append(errs, fmt.Errorf("%s, line %d: there is no setting %q; the settings are %s",
			name, line, strings.Join(e.Key(), "."), strings.Join(known, ", ")))
	}
	return errors.Join(errs...)
}

func readEnv(env func(string) string) (Flags, error) {
	var f Flags
	var errs []error
	v := reflect.ValueOf(&f).Elem()
	for i, key := range keys() {
		s := env(envName(key))
		if s == "" {
			continue
		}
		switch p := v.Field(i).Addr().Interface().(type) {
		case **Text:
			*p = new(Text(s))
		case *[]string:
			*p = strings.Split(s, ",")
		case *map[string]string:
			m, err := parsePairs(s)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", envName(key), err))
			}
			*p = m
		}
	}
	return f, errors.Join(errs...)
}

func parsePairs(s string) (map[string]string, error) {
	m := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return m, fmt.Errorf("%q is not NAME=URL", pair)
		}
		m[k] = v
	}
	return m, nil
}
