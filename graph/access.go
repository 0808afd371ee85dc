package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
)

// Authorizer decides whether the actor of ctx may do something, on some object at least.
type Authorizer interface {
	RequireSome(ctx context.Context, permission string) error
}

// access is what @access and @fresh say of one root field.
type access struct {
	rule       model.AccessRule
	permission string
	writes     bool          // a field of Mutation
	fresh      *session.Need // nil without @fresh
	entitled   entitlement   // zero without @entitled
	maxAge     int           // seconds, of @cacheControl; 0 without it
}

// Prover knows how recently the actor of ctx has proved who they are.
type Prover interface {
	RequireFresh(ctx context.Context, n session.Need) (session.Session, error)
}

// accessRules reads @access and @fresh of every root field.
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
			a.writes = root == schema.Mutation
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
	a := access{rule: model.AccessRule(text("rule")), permission: text("permission"), fresh: needOf(f)}
	if e := f.Directives.ForName("entitled"); e != nil {
		a.entitled.feature = e.Arguments.ForName("feature").Value.Raw
		if uses := e.Arguments.ForName("uses"); uses != nil {
			a.entitled.uses, _ = strconv.ParseInt(uses.Value.Raw, 10, 64) // an Int: the schema was validated
		}
	}
	if (a.rule == model.AccessRulePermission) != (a.permission != "") {
		return access{}, errors.New("must name a permission for the rule PERMISSION, and only for it")
	}
	if c := f.Directives.ForName("cacheControl"); c != nil {
		a.maxAge, _ = strconv.Atoi(c.Arguments.ForName("maxAge").Value.Raw) // an Int: the schema was validated
		if a.rule != model.AccessRulePublic || a.maxAge < 1 {
			return access{}, errors.New("may be cached for a second or more, and only if it is public")
		}
	}
	return a, nil
}

// levels are the schema's words for how much a proof has shown.
var levels = map[model.ProofLevel]session.Level{
	model.ProofLevelAny: session.AnyProof, model.ProofLevelFull: session.FullProof, model.ProofLevelTwoFactors: session.TwoFactors,
}

// needOf is what @fresh says of a field; nil without it.
func needOf(f *ast.FieldDefinition) *session.Need {
	d := f.Directives.ForName("fresh")
	if d == nil {
		return nil
	}
	need := session.Need{Level: session.FullProof}
	if arg := d.Arguments.ForName("level"); arg != nil {
		need.Level = levels[model.ProofLevel(arg.Value.Raw)]
	}
	if arg := d.Arguments.ForName("maxAge"); arg != nil {
		if s, err := strconv.Atoi(arg.Value.Raw); err == nil {
			need.Age = time.Duration(s) * time.Second
		}
	}
	return &need
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

// leaving are the mutations that whoever acts as somebody else may always use: to go, and what changes nothing of the user.
var leaving = []string{"stopImpersonating", "signOut", "takeFlashMessages", "refreshSession", "reauthenticate"}

// allow applies the rules of a root field. It is the coarse gate, so that no resolver can forget it; services decide again,
// about the very objects.
func (s *Server) allow(ctx context.Context, f *ast.FieldDefinition) error {
	if strings.HasPrefix(f.Name, "__") {
		return nil // introspection was decided about with the document
	}
	a, known := s.access[f]
	if !known {
		return fault.ErrForbidden // a root field nobody has thought about
	}
	who := actor.From(ctx)
	if who.Impersonator != "" && a.writes && !slices.Contains(leaving, f.Name) && (who.ReadOnly || a.rule == model.AccessRuleSession) {
		return session.ErrImpersonated
	}
	if err := s.admits(ctx, a, who); err != nil {
		return err
	}
	if a.fresh != nil && !who.System {
		if _, err := s.proofs.RequireFresh(ctx, *a.fresh); err != nil {
			return err
		}
	}
	return s.pass(ctx, a.entitled, who)
}

// admits applies @access.
func (s *Server) admits(ctx context.Context, a access, who actor.Actor) error {
	switch a.rule {
	case model.AccessRulePublic:
		return nil
	case model.AccessRuleUser:
		if who.IsAnonymous() {
			return fault.ErrUnauthenticated
		}
		return nil
	case model.AccessRuleSession:
		switch {
		case who.IsAnonymous():
			return fault.ErrUnauthenticated
		case !who.IsPerson() && !who.System:
			return session.ErrKeyForbidden
		}
		return nil
	case model.AccessRulePermission:
		return s.rights.RequireSome(ctx, a.permission)
	default:
		return fault.ErrForbidden
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
