package runner

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rhysd/actionlint"
)

// scope is what expressions can name: "github", "env", "needs" and so on.
type scope map[string]any

// fill replaces each ${{ … }} in a text by its value. A text that is one expression alone keeps no blanks around it.
func (s scope) fill(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		v, n, err := s.value(rest)
		if err != nil {
			return "", err
		}
		out.WriteString(asText(v))
		text = rest[n:]
	}
}

// holds evaluates a condition; GitHub lets the ${{ }} around it go. One that names no function of the state, such as
// always(), holds only where nothing has failed.
func (s scope) holds(condition string) (bool, error) {
	text := strings.TrimSpace(condition)
	if inner, ok := strings.CutPrefix(text, "${{"); ok {
		text = strings.TrimSuffix(inner, "}}")
	}
	if s["failed"] == true && !strings.Contains(text, "always()") && !strings.Contains(text, "cancelled()") {
		return false, nil
	}
	if text == "" {
		return true, nil
	}
	v, _, err := s.value(text + "}}")
	return truthy(v), err
}

// value evaluates the expression at the beginning of a text, up to }}, and tells where it ends.
func (s scope) value(text string) (v any, end int, err error) {
	lexer := actionlint.NewExprLexer(text)
	node, failed := actionlint.NewExprParser().Parse(lexer)
	if failed != nil {
		return nil, 0, fmt.Errorf("expression %q: %w", text, failed)
	}
	v, err = s.eval(node)
	return v, lexer.Offset(), err
}

func (s scope) eval(node actionlint.ExprNode) (any, error) {
	switch n := node.(type) {
	case *actionlint.StringNode:
		return n.Value, nil
	case *actionlint.VariableNode:
		v, ok := s[n.Name]
		if !ok {
			return nil, fmt.Errorf("an expression names %s, which is not there", n.Name)
		}
		return v, nil
	case *actionlint.ObjectDerefNode:
		return s.member(n)
	case *actionlint.NotOpNode:
		v, err := s.eval(n.Operand)
		return !truthy(v), err
	case *actionlint.CompareOpNode:
		return s.compare(n)
	case *actionlint.LogicalOpNode:
		left, err := s.eval(n.Left)
		if err != nil || truthy(left) == (n.Kind == actionlint.LogicalOpNodeKindOr) {
			return left, err
		}
		return s.eval(n.Right)
	case *actionlint.FuncCallNode:
		return s.call(n)
	}
	return nil, fmt.Errorf("the runner does not know expressions of the kind %T", node)
}

// member is one of an object; what is not there is empty, as on the real runners.
func (s scope) member(n *actionlint.ObjectDerefNode) (any, error) {
	of, err := s.eval(n.Receiver)
	if err != nil {
		return nil, err
	}
	switch o := of.(type) {
	case map[string]any:
		return o[n.Property], nil
	case map[string]string:
		return o[n.Property], nil
	}
	return "", nil
}

func (s scope) compare(n *actionlint.CompareOpNode) (any, error) {
	left, err := s.eval(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := s.eval(n.Right)
	switch same := strings.EqualFold(asText(left), asText(right)); n.Kind {
	case actionlint.CompareOpNodeKindEq:
		return same, err
	case actionlint.CompareOpNodeKindNotEq:
		return !same, err
	}
	return nil, fmt.Errorf("the runner does not know the comparison %v", n.Kind)
}

func (s scope) call(n *actionlint.FuncCallNode) (any, error) {
	switch strings.ToLower(n.Callee) {
	case "always":
		return true, nil
	case "cancelled":
		return false, nil
	case "fromjson":
		text, err := s.eval(n.Args[0])
		if err != nil {
			return nil, err
		}
		var v any
		err = json.Unmarshal([]byte(asText(text)), &v)
		return v, err
	}
	return nil, fmt.Errorf("the runner does not know the function %s", n.Callee)
}

func truthy(v any) bool { return v != nil && v != false && v != "" }

func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return fmt.Sprint(v)
	}
	text, _ := json.Marshal(v) // it came from JSON
	return string(text)
}
