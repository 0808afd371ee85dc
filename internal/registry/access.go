package registry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// attributes is what predicates and filters see of a document of the type with that key. The columns of the store are the
// same ones.
func (d Document) attributes(typeKey string) map[string]any {
	return map[string]any{
		"id": d.ID, "type": typeKey, "owner": d.Owner.ID, "label": d.Label, "rev": d.Rev, "data": d.Data,
		"createdAt": d.CreatedAt, "updatedAt": d.UpdatedAt,
	}
}

// Attributes reads a document for a check about it: id, type (the key), owner (the id), label, rev, data, createdAt and
// updatedAt. Nil when it is not there. In a transaction it reads what that sees. Cost: one read.
func (s *Service) Attributes(ctx context.Context, on ref.Ref) (map[string]any, error) {
	d, err := s.store.document(ctx, on)
	if errors.Is(err, fault.ErrNotFound) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	t, err := s.types.id(ctx, d.Type)
	if err != nil {
		return nil, err
	}
	return t.lift(d).attributes(t.Key), nil
}

// stored is a filter in which content types are named as documents are stored: by their ids. A key that no type has selects
// nothing.
func (s *Service) stored(ctx context.Context, f predicate.Filter) predicate.Filter {
	id := func(key any) any {
		word, _ := key.(string)
		if t, err := s.types.key(ctx, word); err == nil {
			return t.ID
		}
		return ""
	}
	switch {
	case len(f.Sub) > 0:
		f.Sub = slices.Clone(f.Sub)
		for i := range f.Sub {
			f.Sub[i] = s.stored(ctx, f.Sub[i])
		}
	case len(f.Path) == 1 && f.Path[0] == "type" && f.Op == predicate.OpIn:
		f.Values = slices.Clone(f.Values)
		for i, key := range f.Values {
			f.Values[i] = id(key)
		}
	case len(f.Path) == 1 && f.Path[0] == "type":
		f.Value = id(f.Value)
	}
	return f
}

// admits refuses to make a document what the actor could not have, were it there already: what a condition keeps them from
// touching, they do not make either. Cost: none.
func (s *Service) admits(ctx context.Context, permission string, t *compiled, docs ...draft) error {
	sc, err := s.authz.Scope(ctx, permission, homeOf(t.ID))
	if err != nil || sc.IsAll() {
		return err
	}
	for _, d := range docs {
		if !sc.Match(d.attributes(t.Key)) {
			return fault.ErrForbidden.With("permission", permission)
		}
	}
	return nil
}

// mask is what the fields of a content type are to one caller.
type mask struct{ hidden, frozen []string }

// mask reads the rules for the fields of a type; "" is all types together. Cost: none.
func (s *Service) mask(ctx context.Context, typeID string) (mask, error) {
	on := ref.New(ref.ContentType, typeID)
	if typeID == "" {
		on = ref.Ref{}
	}
	hidden, frozen, err := s.authz.Fields(ctx, on)
	return mask{hidden, frozen}, err
}

// over is a document without the fields that are hidden. The label may have been made of one of them, so it is made anew.
func (m mask) over(t *compiled, d Document) Document {
	if len(m.hidden) == 0 {
		return d
	}
	data := make(map[string]any, len(d.Data))
	for k, v := range d.Data {
		if !slices.Contains(m.hidden, k) {
			data[k] = v
		}
	}
	d.Data, d.Label = data, t.labelOf(d.ID, data)
	return d
}

// unescape undoes the escapes of a JSON Pointer.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// hides reports whether a JSON Pointer leads to a hidden field or into one.
func (m mask) hides(pointer string) bool {
	if len(m.hidden) == 0 {
		return false
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	return slices.Contains(m.hidden, unescape.Replace(head))
}

// writes refuses data that has a field the caller cannot write.
func (m mask) writes(data map[string]any) error {
	for _, field := range m.frozen {
		if _, given := data[field]; given {
			return ErrField.With("field", field)
		}
	}
	return nil
}

// shown are those of some fields that are not hidden.
func (m mask) shown(fields []string) []string {
	return slices.DeleteFunc(fields, func(f string) bool { return slices.Contains(m.hidden, f) })
}

// keeps is data as a caller has it, with the members they cannot write as they are.
func (m mask) keeps(have, data map[string]any) map[string]any {
	if len(m.frozen) == 0 {
		return data
	}
	next := maps.Clone(data)
	for _, field := range m.frozen {
		if v, has := have[field]; has {
			next[field] = v
		} else {
			delete(next, field)
		}
	}
	return next
}

// masked brings documents of any types to the newest versions of their schemas, and puts the masks over them. Cost: no read
// when the types are warm.
func (s *Service) masked(ctx context.Context, docs []Document) error {
	type view struct {
		t *compiled
		m mask
	}
	views := map[string]view{}
	for i, d := range docs {
		v, known := views[d.Type]
		if !known {
			var err error
			if v.t, err = s.types.id(ctx, d.Type); err != nil {
				return err
			}
			if v.m, err = s.mask(ctx, d.Type); err != nil {
				return err
			}
			views[d.Type] = v
		}
		docs[i] = v.m.over(v.t, v.t.lift(d))
	}
	return nil
}

// shownReferences are those whose field is not hidden.
func (s *Service) shownReferences(ctx context.Context, rows []Reference) ([]Reference, error) {
	masks := map[string]mask{}
	for _, r := range rows {
		if _, known := masks[r.FromType]; !known {
			m, err := s.mask(ctx, r.FromType)
			if err != nil {
				return nil, err
			}
			masks[r.FromType] = m
		}
	}
	return slices.DeleteFunc(rows, func(r Reference) bool { return masks[r.FromType].hides(r.Path) }), nil
}
