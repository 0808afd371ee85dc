package rbac

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// MaxFields is how many fields of one type can have a rule.
const MaxFields = 100

// FieldRule says who reads and who writes one field of the objects of a type. Who may use rbac.field.write may do both.
type FieldRule struct {
	ID        string    `bson:"_id"`
	On        ref.Ref   `bson:"on"`      // whose fields: a content type
	Path      string    `bson:"path"`    // a field of the data, at the top level
	Readers   []string  `bson:"readers"` // ids of the roles one of which a reader holds; nil for everybody
	Writers   []string  `bson:"writers"` // the same of those who write; nil for everybody who reads
	CreatedAt time.Time `bson:"createdAt"`
}

// Ref is the rule as a reference.
func (f FieldRule) Ref() ref.Ref { return ref.New(ref.FieldRule, f.ID) }

func putField(list []FieldRule, f FieldRule) []FieldRule {
	list = append(dropField(list, f.Path), f)
	slices.SortFunc(list, func(a, b FieldRule) int { return strings.Compare(a.Path, b.Path) })
	return list
}

func dropField(list []FieldRule, path string) []FieldRule {
	return slices.DeleteFunc(slices.Clone(list), func(f FieldRule) bool { return f.Path == path })
}

// Fields is which fields of the objects of a type the actor of ctx cannot read, and which they cannot write, sorted; what
// cannot be read cannot be written. The zero Ref is all types together: whether there is anything at all to leave out. It
// looks into memory only.
//
// Errors: POLICY_STALE.
func (s *Service) Fields(ctx context.Context, on ref.Ref) (hidden, frozen []string, err error) {
	a := actor.From(ctx)
	if a.System {
		return nil, nil, nil
	}
	s.mend(ctx)
	now := s.now().UnixMilli()
	p := s.current(now)
	if p == nil {
		return nil, nil, ErrStale
	}
	rules := p.fields[on]
	if on.IsZero() {
		for _, list := range p.fields {
			rules = append(rules, list...)
		}
	}
	if len(rules) == 0 || s.ask(ctx, Check{Permission: PermFieldWrite}).Allowed {
		return nil, nil, nil
	}
	who := p.principal(a, now)
	for _, f := range rules {
		reads := p.holdsAny(&who, f.Readers, now)
		if !reads {
			hidden = append(hidden, f.Path)
		}
		if !reads || !p.holdsAny(&who, f.Writers, now) {
			frozen = append(frozen, f.Path)
		}
	}
	return hidden, frozen, nil
}

// holdsAny reports whether a person holds one of the roles, by id; nil is no condition.
func (p *policy) holdsAny(who *person, roles []string, now int64) bool {
	return roles == nil || slices.ContainsFunc(who.holds, func(h hold) bool {
		return h.counts(now) && slices.ContainsFunc(roles, func(id string) bool {
			row, ok := p.graph.rows[id]
			return ok && p.graph.reaches(h.role, row, now)
		})
	})
}

// FieldCmd asks for a rule of a field.
type FieldCmd struct {
	On      ref.Ref
	Path    string   // a field of the data, at the top level: 1 to 100 characters
	Readers []string // ids of roles; nil for everybody
	Writers []string // ids of roles; nil for everybody who reads
}

// SetField says who reads and writes a field, in place of what was said before; nothing for either takes the rule away.
// Needs rbac.field.write. The event rbac.field.set or rbac.field.removed commits with it. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, NOT_FOUND for a role, FIELD_RULE_LIMIT, OUTCOME_UNKNOWN.
func (s *Service) SetField(ctx context.Context, c FieldCmd) (FieldRule, error) {
	if err := s.Require(ctx, PermFieldWrite, ref.Ref{}); err != nil {
		return FieldRule{}, err
	}
	if c.On.IsZero() || c.Path == "" || !fits(c.Path, maxName) {
		return FieldRule{}, fault.ErrInput.On("input.path").Saying("a rule is for a field of a content type")
	}
	var f FieldRule
	err := s.write(ctx, func(ctx context.Context, t *turn) error {
		if err := t.authorize(ctx, PermFieldWrite); err != nil {
			return err
		}
		p, err := t.policy(ctx)
		if err != nil {
			return err
		}
		for _, id := range append(slices.Clone(c.Readers), c.Writers...) {
			if _, ok := p.graph.rows[id]; !ok {
				return fault.ErrNotFound.On("input.readers")
			}
		}
		f = FieldRule{ID: ref.NewID(), On: c.On, Path: c.Path, CreatedAt: s.now()}
		rules := p.fields[c.On]
		if i := slices.IndexFunc(rules, func(r FieldRule) bool { return r.Path == c.Path }); i >= 0 {
			f = rules[i]
		} else if len(rules) >= MaxFields {
			return ErrFields.With("limit", MaxFields)
		}
		f.Readers, f.Writers = c.Readers, c.Writers
		if f.Readers == nil && f.Writers == nil {
			t.record(change{kind: kindFieldRemoved, Field: &f})
			return s.store.deleteField(ctx, f.ID)
		}
		t.record(change{kind: kindFieldSet, Field: &f})
		return s.store.replaceField(ctx, f)
	})
	return f, err
}

// FieldRules lists the rules for the fields of a type, by path. Needs rbac.role.read. Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) FieldRules(ctx context.Context, on ref.Ref) ([]FieldRule, error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return nil, err
	}
	p, err := s.known()
	if err != nil {
		return nil, err
	}
	return append([]FieldRule{}, p.fields[on]...), nil
}
