package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fromFile reads a YAML file. Groups nest, so `mongodb: {database: x}` sets mongodb.database.
func fromFile(path string, settings []*Setting, problems *[]string) layer {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		*problems = append(*problems, fmt.Sprintf("configuration file: %v", err))
		return nil
	}
	r := fileReader{path: path, settings: settings, found: layer{}}
	f, err := parser.ParseBytes(b, 0)
	switch {
	case err != nil:
		r.problem(0, "%s", firstLine(err))
	case len(f.Docs) > 1:
		r.problem(0, "holds several documents")
	case len(f.Docs) == 1 && f.Docs[0].Body != nil:
		r.walk("", f.Docs[0].Body)
	}
	*problems = append(*problems, r.problems...)
	return r.found
}

type fileReader struct {
	path     string
	settings []*Setting
	found    layer
	problems []string
}

func (r *fileReader) problem(line int, format string, args ...any) {
	where := r.path
	if line > 0 {
		where = fmt.Sprintf("%s:%d", r.path, line)
	}
	r.problems = append(r.problems, where+": "+fmt.Sprintf(format, args...))
}

// walk reads one group of settings.
func (r *fileReader) walk(group string, n ast.Node) {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode:
		return
	default:
		r.problem(lineOf(n), "settings of the form `key: value` are expected")
		return
	}
	for _, p := range pairs {
		key := group + p.Key.GetToken().Value
		if slices.ContainsFunc(r.settings, func(s *Setting) bool { return strings.HasPrefix(s.Key, key+".") }) {
			r.walk(key+".", p.Value)
			continue
		}
		i := slices.IndexFunc(r.settings, func(s *Setting) bool { return s.Key == key })
		if i < 0 {
			r.problem(lineOf(p.Key), "there is no setting %s", key)
			continue
		}
		if text, ok := scalar(p.Value); ok {
			r.found[r.settings[i].Flag] = value{text, fmt.Sprintf("%s:%d", r.path, lineOf(p.Key))}
		} else {
			r.problem(lineOf(p.Key), "%s must be one plain value, or a list of them", key)
		}
	}
}

// scalar gives the text of a plain value; the items of a list are joined by commas.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		return "", true
	case *ast.SequenceNode:
		items := make([]string, len(n.Values))
		for i, v := range n.Values {
			text, ok := scalar(v)
			if !ok || v.Type() == ast.SequenceType || strings.Contains(text, ",") {
				return "", false
			}
			items[i] = text
		}
		return strings.Join(items, ","), true
	default:
		return "", false
	}
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// firstLine is a syntax error without the excerpt of the file below it, which may show a secret.
func firstLine(err error) string {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			return fmt.Sprintf("line %d is not YAML: %s", t.Position.Line, syntax.GetMessage())
		}
		return syntax.GetMessage()
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
