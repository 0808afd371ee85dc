package graph

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// maxErrors is how many faults of a document are told at once.
const maxErrors = 10

// validator checks documents by the rules of the GraphQL specification. It uses the rules of gqlparser but three things:
// it stops at maxErrors, it never repeats a value of the document, and whether fields can be merged is found by a
// bounded algorithm of our own (see overlaps).
type validator struct {
	schema *ast.Schema
	rules  []core.Rule
	terse  []core.Rule // the same without suggestions
}

func newValidator(schema *ast.Schema) *validator {
	return &validator{schema: schema, rules: checks(true), terse: checks(false)}
}

// checks are the rules of the specification, in a fixed order.
func checks(suggest bool) []core.Rule {
	set := rules.NewDefaultRules()
	set.RemoveRule(rules.OverlappingFieldsCanBeMergedRule.Name)
	if !suggest {
		for with, without := range map[string]core.Rule{
			rules.FieldsOnCorrectTypeRule.Name: rules.FieldsOnCorrectTypeRuleWithoutSuggestions,
			rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
			rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
			rules.ScalarLeafsRule.Name:         rules.ScalarLeafsRuleWithoutSuggestions,
			rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
		} {
			set.ReplaceRule(with, without.RuleFunc)
		}
	}
	var all []core.Rule
	for name, check := range set.GetInner() {
		all = append(all, core.Rule{Name: name, RuleFunc: check})
	}
	slices.SortFunc(all, func(a, b core.Rule) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// enough ends a walk that has found maxErrors.
type enough struct{}

// maxSuggest is the longest document, in bytes, for whose faults something else is suggested: a name is compared with
// every name of the schema, and costs as much as both are long.
const maxSuggest = 16 << 10

// check validates a document and fills in its definitions. The document must have passed the limits.
//
// Errors: GRAPHQL_VALIDATION_FAILED, at most maxErrors of them; QUERY_TOO_COMPLEX.
func (v *validator) check(doc *ast.QueryDocument, suggest bool) gqlerror.List {
	set := v.terse
	if suggest {
		set = v.rules
	}
	if errs := v.walk(doc, set); len(errs) > 0 {
		return errs
	}
	o := overlaps{schema: v.schema, left: maxOverlap}
	for _, op := range doc.Operations {
		o.operation(op)
	}
	if o.left < 0 {
		return gqlerror.List{gqlerror.Wrap(ErrTooComplex)}
	}
	return o.errs
}

func (v *validator) walk(doc *ast.QueryDocument, set []core.Rule) (errs gqlerror.List) {
	defer func() {
		switch r := recover().(type) {
		case nil, enough:
		default:
			panic(r)
		}
	}()
	events := &core.Events{}
	for _, rule := range set {
		rule.RuleFunc(events, func(options ...core.ErrorOption) {
			e := &gqlerror.Error{Rule: rule.Name}
			for _, o := range options {
				o(e)
			}
			errs = append(errs, invalid(e))
			if len(errs) == maxErrors {
				panic(enough{})
			}
		})
	}
	core.Walk(v.schema, doc, events)
	return errs
}

var (
	// echoedValue is the end of the messages of ValuesOfCorrectType that quote a literal.
	echoedValue = regexp.MustCompile(`(?s)(?:: |, found ).*$`)
	// echoedToken is the end of the messages of the parser that quote more than a name.
	echoedToken = regexp.MustCompile(`(?s)(String|Int|Float|Comment|escape sequence)(?: "|: ).*$`)
)

// invalid makes a fault of what a rule of gqlparser found. Literals of the document are taken out of the message: somebody
// may have written a password into the document.
func invalid(e *gqlerror.Error) *gqlerror.Error {
	msg := cut(e.Message, 8*maxEcho) // before anything looks at it
	if e.Rule == rules.ValuesOfCorrectTypeRule.Name {
		msg = echoedValue.ReplaceAllString(msg, "")
	}
	e.Err = ErrValidation.Saying("%s", cut(msg, 2*maxEcho))
	return e
}

// unparsable makes a fault of a syntax error.
func unparsable(e *gqlerror.Error) *gqlerror.Error {
	e.Err = ErrParse.Saying("Syntax Error: %s", cut(echoedToken.ReplaceAllString(cut(e.Message, 8*maxEcho), "$1"), 2*maxEcho))
	return e
}
