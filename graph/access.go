package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// Authorizer decides whether the actor of ctx may do something.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// access is what @access says of one root field.
type access struct {
	rule       model.AccessRule
	permission string
}

// accessRules reads @access of every root field.
func accessRules(schema *ast.Schema) (map[*ast.FieldDefinition]access, error) {
	rules := map[*ast.FieldDefinition]access{}
	var errs []error
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			a, err := accessOf(f)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s.%s %w", root.Name, f.Name, err))
			}
			rules[f] = a
		}
	}
	return rules, errors.Join(errs...)
}

func accessOf(f *ast.FieldDefinition) (access, error) {
	d := f.Directives.ForName("access")
	if d == nil {
		return access{}, errors.New("says nothing about @access")
	}
	text := func(name string) string {
		if arg := d.Arguments.ForName(name); arg != nil {
			return arg.Value.Raw
		}
		return ""
	}
	a := access{rule: model.AccessRule(text("rule")), permission: text("permission")}
	if (a.rule == model.AccessRulePermission) != (a.permission != "") {
		return access{}, errors.New("must name a permission for the rule PERMISSION, and only for it")
	}
	return a, nil
}

// CheckAccess reports every root field that says nothing about @access, or names a permission that is not in the
// catalogue (key to description).
func CheckAccess(schema *ast.Schema, catalogue map[string]string) error {
	rules, err := accessRules(schema)
	errs := []error{err}
	for f, a := range rules {
		if _, known := catalogue[a.permission]; a.permission != "" && !known {
			errs = append(errs, fmt.Errorf("%s needs the permission %q, which does not exist", f.Name, a.permission))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return errors.Join(errs...)
}

// allow applies the rule of a root field. It is the coarse gate, so that no resolver can forget it; services decide again,
// about the very objects.
func (s *Server) allow(ctx context.Context, f *ast.FieldDefinition) error {
	if strings.HasPrefix(f.Name, "__") {
		return nil // introspection was decided about with the document
	}
	a, known := s.access[f]
	switch {
	case known && a.rule == model.AccessRulePublic:
		return nil
	case known && a.rule == model.AccessRuleUser:
		if actor.From(ctx).IsAnonymous() {
			return fault.ErrUnauthenticated
		}
		return nil
	case known && a.rule == model.AccessRuleSession:
		switch who := actor.From(ctx); {
		case who.IsAnonymous():
			return fault.ErrUnauthenticated
		case !who.IsPerson() && !who.System:
			return session.ErrKeyForbidden
		}
		return nil
	case known && a.rule == model.AccessRulePermission:
		return s.rights.Require(ctx, a.permission, ref.Ref{})
	default:
		return fault.ErrForbidden // a root field nobody has thought about
	}
}

// guard is gqlgen's middleware of the root fields of queries and mutations: a field that is refused is null, before its
// arguments are looked at, and its siblings go on.
func (s *Server) guard(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	f := graphql.GetRootFieldContext(ctx).Field
	if err := s.allow(ctx, f.Definition); err != nil {
		graphql.AddError(ctx, onField(f, err))
		return graphql.Null
	}
	return next(ctx)
}

// guardSubscription does the same for the one root field of a subscription, which gqlgen calls no middleware for.
func (s *Server) guardSubscription(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	for _, f := range rootFields(op) {
		if err := s.allow(ctx, f.Definition); err != nil {
			return s.present(ctx, onField(f, err))
		}
	}
	return nil
}

func onField(f graphql.CollectedField, err error) *gqlerror.Error {
	e := gqlerror.WrapPath(ast.Path{ast.PathName(f.Alias)}, err)
	if f.Position != nil {
		e.Locations = []gqlerror.Location{{Line: f.Position.Line, Column: f.Position.Column}}
	}
	return e
}
