package registry

import (
	"context"
	"errors"
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
func (s *Service) Attributes(ctx context.Context, id string) (map[string]any, error) {
	d, err := s.store.document(ctx, id)
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
	return d.attributes(t.Key), nil
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
	sc, err := s.authz.Scope(ctx, permission, ref.Document)
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

// hides reports whether a JSON Pointer leads to a hidden field or into one.
func (m mask) hides(pointer string) bool {
	head, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	return slices.Contains(m.hidden, strings.NewReplacer("~1", "/", "~0", "~").Replace(head))
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

// masked puts the masks over documents of any types. Cost: no read when the types are warm.
func (s *Service) masked(ctx context.Context, docs []Document) error {
	masks := map[string]mask{}
	for i, d := range docs {
		m, known := masks[d.Type]
		if !known {
			var err error
			if m, err = s.mask(ctx, d.Type); err != nil {
				return err
			}
			masks[d.Type] = m
		}
		if len(m.hidden) > 0 {
			t, err := s.types.id(ctx, d.Type)
			if err != nil {
				return err
			}
			docs[i] = m.over(t, d)
		}
	}
	return nil
}

// shownReferences are those whose field is not hidden; types gives the content type of each document they are in.
func (s *Service) shownReferences(ctx context.Context, rows []Reference, types map[string]string) ([]Reference, error) {
	masks := map[string]mask{}
	for _, typ := range types {
		if _, known := masks[typ]; !known {
			m, err := s.mask(ctx, typ)
			if err != nil {
				return nil, err
			}
			masks[typ] = m
		}
	}
	return slices.DeleteFunc(rows, func(r Reference) bool { return masks[types[r.From.ID]].hides(r.Path) }), nil
}
