package predicate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
)

// Bounds of an expression.
const (
	MaxSource = 1000 // bytes
	MaxNodes  = 200
)

// Outcome is what a predicate says of one object.
type Outcome int8

// The outcomes. The zero Outcome says nothing.
const (
	Abstain Outcome = iota // there is no object to speak of
	Allow
	Deny
)

// String is the word for it: ABSTAIN, ALLOW or DENY.
func (o Outcome) String() string { return [...]string{"ABSTAIN", "ALLOW", "DENY"}[o] }

// Env is what an expression sees besides the object.
type Env struct {
	User string            // `user.id`
	Args map[string]string // `args.region`; one that is not there is null
	Now  time.Time         // `now`, as [Moment] writes it; whoever asks decides how fine
}

// SyntaxError tells what an expression may not be, and where.
type SyntaxError struct {
	Msg          string
	Line, Column int // from 1
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Msg) }

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	source string
	build  func(Env) Filter
}

// Source is the text of the expression.
func (e *Expr) Source() string { return e.source }

// Filter is the objects for which the expression holds.
func (e *Expr) Filter(env Env) Filter { return e.build(env) }

// Compile reads an expression. Its error is a [SyntaxError].
func Compile(source string) (_ *Expr, err error) {
	if len(source) > MaxSource {
		return nil, &SyntaxError{fmt.Sprintf("an expression has at most %d bytes", MaxSource), 1, 1}
	}
	cfg := conf.CreateNew()
	cfg.MaxNodes = MaxNodes
	tree, err := parser.ParseWithConfig(source, cfg)
	if err != nil {
		if at, ok := errors.AsType[*file.Error](err); ok {
			return nil, &SyntaxError{at.Message, max(at.Line, 1), at.Column + 1}
		}
		return nil, &SyntaxError{err.Error(), 1, 1}
	}
	c := compiler{file.NewSource(source)}
	build, err := c.condition(tree.Node)
	if err != nil {
		return nil, err
	}
	return &Expr{source, build}, nil
}

type compiler struct{ source file.Source }

// refuse is the error of a node that the language does not have.
func (c compiler) refuse(n ast.Node, format string, args ...any) error {
	at := (&file.Error{Location: n.Location()}).Bind(c.source)
	return &SyntaxError{fmt.Sprintf(format, args...), at.Line, at.Column + 1}
}

// condition compiles what is true or false.
func (c compiler) condition(n ast.Node) (func(Env) Filter, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		return func(Env) Filter { return constant(n.Value) }, nil
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			sub, err := c.condition(n.Node)
			if err != nil {
				return nil, err
			}
			return func(env Env) Filter { return Not(sub(env)) }, nil
		}
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.MemberNode, *ast.IdentifierNode:
		o, err := c.operand(n)
		if err != nil {
			return nil, err
		}
		if o.path != nil {
			return func(Env) Filter { return Filter{Op: OpEq, Path: o.path, Value: true} }, nil
		}
	}
	return nil, c.refuse(n, "this is neither true nor false: use comparisons, &&, ||, ! and in")
}

func constant(b bool) Filter {
	if b {
		return All()
	}
	return None()
}

var comparisons = map[string]Op{"==": OpEq, "!=": OpEq, "<": OpLt, "<=": OpLe, ">": OpGt, ">=": OpGe}

// turned is the comparison with its sides changed.
var turned = map[Op]Op{OpEq: OpEq, OpLt: OpGt, OpLe: OpGe, OpGt: OpLt, OpGe: OpLe}

func (c compiler) binary(n *ast.BinaryNode) (func(Env) Filter, error) {
	switch n.Operator {
	case "&&", "and", "||", "or":
		left, err := c.condition(n.Left)
		if err != nil {
			return nil, err
		}
		right, err := c.condition(n.Right)
		if err != nil {
			return nil, err
		}
		if n.Operator == "&&" || n.Operator == "and" {
			return func(env Env) Filter { return And(left(env), right(env)) }, nil
		}
		return func(env Env) Filter { return Or(left(env), right(env)) }, nil
	case "in":
		return c.in(n)
	}
	op, ok := comparisons[n.Operator]
	if !ok {
		return nil, c.refuse(n, "the operator %s is not in this language", n.Operator)
	}
	left, err := c.operand(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(n.Right)
	if err != nil {
		return nil, err
	}
	if left.path != nil && right.path != nil {
		return nil, c.refuse(n, "two attributes of the object cannot be compared with each other")
	}
	if left.path == nil {
		left, right, op = right, left, turned[op]
	}
	if n.Operator == "!=" {
		return func(env Env) Filter { return Not(compared(op, left, right.value(env), env)) }, nil
	}
	return func(env Env) Filter { return compared(op, left, right.value(env), env) }, nil
}

// compared is a comparison with a constant; of two constants the answer.
func compared(op Op, left operand, value any, env Env) Filter {
	if left.path != nil {
		return Filter{Op: op, Path: left.path, Value: value}
	}
	have := left.value(env)
	if op == OpEq {
		return constant(have == value)
	}
	sign, ok := order(have, value)
	return constant(ok && holds(op, sign))
}

// in compiles `x in [..]` and `x in object.list`.
func (c compiler) in(n *ast.BinaryNode) (func(Env) Filter, error) {
	left, err := c.operand(n.Left)
	if err != nil {
		return nil, err
	}
	array, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		right, err := c.operand(n.Right)
		switch {
		case err != nil:
			return nil, err
		case right.path == nil || left.path != nil:
			return nil, c.refuse(n, "after in stands a list of constants, or a list of the object and then a constant before it")
		}
		return func(env Env) Filter { return Filter{Op: OpHas, Path: right.path, Value: left.value(env)} }, nil
	}
	items := make([]operand, len(array.Nodes))
	for i, item := range array.Nodes {
		if items[i], err = c.operand(item); err != nil {
			return nil, err
		}
		if items[i].path != nil {
			return nil, c.refuse(item, "a list holds constants")
		}
	}
	return func(env Env) Filter {
		if len(items) == 0 {
			return None()
		}
		f := Filter{Op: OpIn, Path: left.path}
		for _, item := range items {
			f.Values = append(f.Values, item.value(env))
		}
		if left.path != nil {
			return f
		}
		have := left.value(env)
		for _, v := range f.Values {
			if v == have {
				return All()
			}
		}
		return None()
	}, nil
}

// operand is an attribute of the object, or a value that is known before.
type operand struct {
	path  []string
	value func(Env) any
}

func (c compiler) operand(n ast.Node) (operand, error) {
	fixed := func(v any) (operand, error) { return operand{value: func(Env) any { return v }}, nil }
	switch n := n.(type) {
	case *ast.StringNode:
		return fixed(n.Value)
	case *ast.IntegerNode:
		return fixed(float64(n.Value))
	case *ast.FloatNode:
		return fixed(n.Value)
	case *ast.BoolNode:
		return fixed(n.Value)
	case *ast.NilNode:
		return fixed(nil)
	case *ast.UnaryNode:
		if o, err := c.operand(n.Node); err == nil && n.Operator == "-" && o.path == nil {
			if v, ok := o.value(Env{}).(float64); ok {
				return fixed(-v)
			}
		}
	case *ast.IdentifierNode:
		if n.Value == "now" {
			return operand{value: func(e Env) any { return Moment(e.Now) }}, nil
		}
	case *ast.MemberNode:
		return c.member(n)
	}
	return operand{}, c.refuse(n, "this is neither a constant nor object.…, user.id, args.… or now")
}

func (c compiler) member(n *ast.MemberNode) (operand, error) {
	var path []string
	var root ast.Node = n
	for m, ok := n, true; ok; m, ok = root.(*ast.MemberNode) {
		name, isName := m.Property.(*ast.StringNode)
		if !isName || m.Method || m.Optional || !isWord(name.Value) || len(path) == 10 {
			return operand{}, c.refuse(m, "an attribute is named by up to 10 words of letters, digits, _ and -")
		}
		path, root = append([]string{name.Value}, path...), m.Node
	}
	id, _ := root.(*ast.IdentifierNode)
	switch {
	case id != nil && id.Value == "object":
		return operand{path: path}, nil
	case id != nil && id.Value == "user" && len(path) == 1 && path[0] == "id":
		return operand{value: func(e Env) any { return e.User }}, nil
	case id != nil && id.Value == "args" && len(path) == 1:
		return operand{value: func(e Env) any {
			if v, ok := e.Args[path[0]]; ok {
				return v
			}
			return nil
		}}, nil
	}
	return operand{}, c.refuse(n, "there are only object.…, user.id, args.… and now")
}

// isWord reports whether s can be a part of a path: nothing that means something to a database.
func isWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) < 0
}
