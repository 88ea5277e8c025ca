package conda

import "sluice/internal/conda/version"

// CheckName says whether s can be the name of a package that is uploaded (CEP 26): lower-case letters,
// digits and the separators '.', '_', '-', beginning with a letter, a digit or one underscore, never two
// separators in a row after that. Names that begin with two underscores are virtual: only clients make
// them. Its error is a *SyntaxError.
func CheckName(s string) error {
	if err := checkName("package name", s); err != nil {
		return err
	}
	return nil
}

func checkName(what, s string) *SyntaxError {
	if err := bounded(what, s, MaxName); err != nil {
		return err
	}
	if err := only(what, s, "lower-case letters, digits, '.', '_' and '-'", nameByte); err != nil {
		return err
	}
	switch {
	case len(s) > 1 && s[:2] == "__":
		return refuse(what, s, "begins with two underscores: such names are virtual, made by clients and never uploaded")
	case s[0] == '.' || s[0] == '-':
		return refuse(what, s, "begins with %q; it must begin with a letter, a digit or one underscore", s[0])
	}
	return checkSeparators(what, s)
}

// checkSeparators refuses two separators in a row. It begins at the second byte: the grammar counts a
// leading underscore as a letter.
func checkSeparators(what, s string) *SyntaxError {
	for i := 2; i < len(s); i++ {
		if !lower(s[i-1]) && !lower(s[i]) {
			return refuse(what, s, "holds two separators in a row: %q", s[i-1:i+1])
		}
	}
	return nil
}

func nameByte(c byte) bool { return lower(c) || c == '.' || c == '_' || c == '-' }

// CheckVersion says whether s can be the version of a package that is uploaded: the characters of
// CEP 26, and readable by the rules of CEP 33. Its error is a *SyntaxError.
func CheckVersion(s string) error {
	const what = "version"
	if err := bounded(what, s, MaxVersion); err != nil {
		return err
	}
	if err := only(what, s, "lower-case letters, digits, '.', '_', '+' and '!'", versionByte); err != nil {
		return err
	}
	if _, err := version.Parse(s); err != nil {
		return refuse(what, s, "%s", err)
	}
	return nil
}

func versionByte(c byte) bool { return lower(c) || c == '.' || c == '_' || c == '+' || c == '!' }

// CheckBuild says whether s can be a build string (CEP 26). Its error is a *SyntaxError.
func CheckBuild(s string) error {
	const what = "build string"
	if err := bounded(what, s, MaxBuild); err != nil {
		return err
	}
	if err := only(what, s, "letters, digits, '_', '.' and '+'", buildByte); err != nil {
		return err
	}
	return nil
}

func buildByte(c byte) bool { return lower(c) || upper(c) || c == '_' || c == '.' || c == '+' }
