package rbac

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// MaxPredicates is how many predicates one permission can have.
const MaxPredicates = 10

// Predicate narrows a permission: who holds it may use it only where the expression holds. The rules of package predicate
// are those of expressions.
type Predicate struct {
	ID          string    `bson:"_id"`
	Permission  string    `bson:"permission"` // key
	Name        string    `bson:"name"`       // unique for the permission; what a refusal tells
	Expression  string    `bson:"expression"` // such as `object.owner == user.id`; empty for one in Go
	Description string    `bson:"description"`
	CreatedAt   time.Time `bson:"createdAt"`
}

// Ref is the predicate as a reference.
func (p Predicate) Ref() ref.Ref { return ref.New(ref.Predicate, p.ID) }

// Go is a predicate in code: for a caller and the time, the objects for which the permission may be used.
type Go func(predicate.Env) predicate.Filter

// rule is a predicate as a policy keeps it. One that can't be compiled, since it was stored by another release, admits
// nothing.
type rule struct {
	Predicate
	filter Go
}

// withRule is the predicates with one more, or in place of that of its id.
func withRule(all map[uint32][]rule, cat *catalogue, p Predicate) map[uint32][]rule {
	perm, ok := cat.ids[p.Permission]
	if !ok {
		return all
	}
	r := rule{p, func(predicate.Env) predicate.Filter { return predicate.None() }}
	if e, err := predicate.Compile(p.Expression); err == nil {
		r.filter = e.Filter
	}
	all = withoutRule(all, p)
	all[perm] = append(slices.Clone(all[perm]), r)
	slices.SortFunc(all[perm], func(a, b rule) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func withoutRule(all map[uint32][]rule, p Predicate) map[uint32][]rule {
	all = maps.Clone(all)
	for perm, list := range all {
		all[perm] = slices.DeleteFunc(slices.Clone(list), func(r rule) bool { return r.ID == p.ID })
		if len(all[perm]) == 0 {
			delete(all, perm)
		}
	}
	return all
}

// Verdict is what one predicate said.
type Verdict struct {
	Name       string
	Expression string
	Outcome    predicate.Outcome
}

// rules is the predicates of a permission, those in code first.
func (s *Service) rules(p *policy, perm uint32) []rule {
	fixed := s.predicates[perm]
	if len(fixed) == 0 {
		return p.predicates[perm]
	}
	return append(slices.Clone(fixed), p.predicates[perm]...)
}

// RegisterPredicate narrows a permission by a predicate in code. Only before serving; a permission that is not in the
// catalogue is a panic.
func (s *Service) RegisterPredicate(permission, name, description string, filter Go) {
	perm, ok := s.cat.ids[permission]
	if !ok {
		panic("rbac: a predicate for the unknown permission " + permission)
	}
	s.predicates[perm] = append(s.predicates[perm], rule{Predicate{Permission: permission, Name: name, Description: description}, filter})
}

// Attributes reads what predicates and parameters can see of an object: nil when it is not there. "id" is added.
type Attributes func(ctx context.Context, id string) (map[string]any, error)

// RegisterObject tells how to read the objects of a type, for checks about a single one. Only before serving.
func (s *Service) RegisterObject(typ string, read Attributes) { s.objects[typ] = read }

// attributes is what can be seen of an object; nil for none at all. Cost: what its type needs, mostly one read.
func (s *Service) attributes(ctx context.Context, on ref.Ref) (map[string]any, error) {
	if on.IsZero() {
		return nil, nil
	}
	seen := map[string]any{}
	if read := s.objects[on.Type]; read != nil {
		found, err := read(ctx, on.ID)
		if err != nil {
			return nil, err
		}
		maps.Copy(seen, found)
	}
	seen["id"] = on.ID
	return seen, nil
}

// verdicts asks each predicate of a permission about an object. Without an object only those speak that need none.
func verdicts(rules []rule, env predicate.Env, object map[string]any) []Verdict {
	all := make([]Verdict, len(rules))
	for i, r := range rules {
		all[i] = Verdict{Name: r.Name, Expression: r.Expression, Outcome: judge(r.filter(env), object)}
	}
	return all
}

func judge(f predicate.Filter, object map[string]any) predicate.Outcome {
	switch {
	case f.Op == predicate.OpNone:
		return predicate.Deny
	case f.Op == predicate.OpAll:
		return predicate.Allow
	case object == nil:
		return predicate.Abstain
	case f.Match(object):
		return predicate.Allow
	default:
		return predicate.Deny
	}
}

// PredicateCmd asks for a predicate.
type PredicateCmd struct {
	Permission  string
	Name        string // 2 to 64 of a-z, 0-9, dot, dash and underscore
	Expression  string
	Description string // at most 500 characters
}

// SetPredicate narrows a permission, or changes the predicate of that name. Needs rbac.predicate.write. It is in force when
// SetPredicate returns. The event rbac.predicate.set commits with it. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, UNKNOWN_PERMISSION, BAD_USER_INPUT, PREDICATE_INVALID with line and column,
// PREDICATE_LIMIT, OUTCOME_UNKNOWN.
func (s *Service) SetPredicate(ctx context.Context, c PredicateCmd) (Predicate, error) {
	if err := s.Require(ctx, PermPredicateWrite, ref.Ref{}); err != nil {
		return Predicate{}, err
	}
	var set Predicate
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		set, err = t.setPredicate(ctx, c)
		return err
	})
	return set, err
}

// check refuses what can't be a predicate, before anything is read.
func (c PredicateCmd) check(cat *catalogue) error {
	_, known := cat.ids[c.Permission]
	switch {
	case !known:
		return unknown(c.Permission).On("input.permission")
	case !ref.IsKey(c.Name):
		return fault.ErrInput.On("input.name").Saying("a predicate's name is 2 to 64 of a-z, 0-9, dot, dash and underscore")
	case !fits(c.Description, maxDescription):
		return fault.ErrInput.On("input.description").Saying("a description is at most 500 characters")
	}
	if _, err := predicate.Compile(c.Expression); err != nil {
		return badExpression(err)
	}
	return nil
}

func (t *turn) setPredicate(ctx context.Context, c PredicateCmd) (Predicate, error) {
	if err := c.check(t.s.cat); err != nil {
		return Predicate{}, err
	}
	if err := t.authorize(ctx, PermPredicateWrite); err != nil {
		return Predicate{}, err
	}
	p, err := t.policy(ctx)
	if err != nil {
		return Predicate{}, err
	}
	set := Predicate{ID: ref.NewID(), Permission: c.Permission, Name: c.Name, CreatedAt: t.s.now()}
	here := p.predicates[t.s.cat.ids[c.Permission]]
	if i := slices.IndexFunc(here, func(r rule) bool { return r.Name == c.Name }); i >= 0 {
		set = here[i].Predicate
	} else if len(here) >= MaxPredicates {
		return Predicate{}, ErrPredicates.With("limit", MaxPredicates)
	}
	set.Expression, set.Description = c.Expression, c.Description
	t.record(change{kind: kindPredicateSet, Predicate: &set})
	return set, t.s.store.replacePredicate(ctx, set)
}

// RemovePredicate takes a predicate away. Needs rbac.predicate.write. The event rbac.predicate.removed commits with it.
// Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, OUTCOME_UNKNOWN.
func (s *Service) RemovePredicate(ctx context.Context, id string) error {
	if err := s.Require(ctx, PermPredicateWrite, ref.Ref{}); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, t *turn) error { return t.removePredicate(ctx, id) })
}

func (t *turn) removePredicate(ctx context.Context, id string) error {
	if err := t.authorize(ctx, PermPredicateWrite); err != nil {
		return err
	}
	p, err := t.s.store.predicate(ctx, id)
	if err != nil {
		return err
	}
	t.record(change{kind: kindPredicateRemoved, Predicate: &p})
	return t.s.store.deletePredicate(ctx, id)
}

// Predicates lists all predicates, those in code too, by permission and name. Needs rbac.role.read. Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) Predicates(ctx context.Context) ([]Predicate, error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return nil, err
	}
	p, err := s.known()
	if err != nil {
		return nil, err
	}
	all := []Predicate{}
	for perm := range s.cat.keys {
		for _, r := range s.rules(p, uint32(perm)) {
			all = append(all, r.Predicate)
		}
	}
	return all, nil
}

// badExpression tells where an expression is wrong.
func badExpression(err error) error {
	e := ErrExpression.On("input.expression").Because(err)
	if at, ok := errors.AsType[*predicate.SyntaxError](err); ok {
		return e.Saying("%s", at.Msg).With("line", at.Line).With("column", at.Column)
	}
	return e
}
