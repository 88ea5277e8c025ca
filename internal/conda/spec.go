package conda

import "strings"

// A match specification ends in bracket keys at most: name >=1[build="h*",when="python>=3.10"]. Nothing
// else of it is read here. Whoever parses more of what is only passed on takes on every client's dialect.

// bracketKeys returns the keys in the brackets of a specification, and whether the brackets are well
// formed: name="value" or name=value, comma-separated, values quoted or themselves bracketed where they
// hold a comma or a bracket. It returns the keys that it saw even when they are not.
func bracketKeys(spec string) (keys []string, ok bool) {
	_, rest, found := strings.Cut(spec, "[")
	if !found {
		return nil, true
	}
	for {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			return keys, false
		}
		key = strings.TrimSpace(key)
		keys = append(keys, key)
		end := valueEnd(after)
		switch {
		case !allKey(key) || end == len(after):
			return keys, false
		case after[end] == ']':
			return keys, strings.TrimSpace(after[end+1:]) == ""
		}
		rest = after[end+1:]
	}
}

// valueEnd returns the index of the ',' or ']' that ends the value at the start of s, or len(s).
func valueEnd(s string) int {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[':
			depth++
		case depth > 0:
			if c == ']' {
				depth--
			}
		case c == ']' || c == ',':
			return i
		}
	}
	return len(s)
}

func allKey(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// anyV3 reports whether a specification uses a key that only readers of v3 understand (CEP 43, 44, 45).
func anyV3(specs []string) bool {
	for _, s := range specs {
		keys, _ := bracketKeys(s)
		for _, k := range keys {
			if k == "when" || k == "extras" || k == "flags" {
				return true
			}
		}
	}
	return false
}

// checkV3Spec refuses what CEP 48 does not allow in v3: anything between name and brackets, empty
// brackets, unknown keys.
func checkV3Spec(spec string) *SyntaxError {
	const what = "dependency"
	name, rest, bracketed := strings.Cut(spec, "[")
	if err := checkName(what, name); err != nil {
		return refuse(what, spec, `is not in the form that repodata v3 asks for: a bare name or name[version=">=1",...]`)
	}
	keys, ok := bracketKeys(spec)
	if bracketed && (!ok || strings.HasPrefix(rest, "]") || !strings.HasSuffix(spec, "]")) {
		return refuse(what, spec, "has brackets that cannot be read")
	}
	for _, k := range keys {
		switch k {
		case "version", "build", "build_number", "when", "extras", "flags":
		default:
			return refuse(what, spec, "has the key %q, which repodata v3 does not know", k)
		}
	}
	return nil
}
