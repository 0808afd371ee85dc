package registry

import (
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/backendbook/backendbook/internal/ref"
)

// link is one reference found in data.
type link struct {
	path string // JSON Pointer
	to   ref.Ref
	rule *rule
}

// allows reports whether the rule lets a reference lead to an object of this type, or to a document of a content type that has
// these keys.
func (r *rule) allows(typ string, keys []string) bool {
	return slices.ContainsFunc(r.To, func(name string) bool {
		if IsDocument(typ) {
			return name == "*" || name == ref.Document || slices.Contains(keys, name)
		}
		return name == "*" || name == typ
	})
}

// links finds the references in valid data, by path. An absent or null value is no reference.
//
// Errors: DOCUMENT_INVALID for a value that is no global id, for more than MaxReferences, and where two different rules
// meet.
func (c *compiled) links(data map[string]any) ([]link, error) {
	if !c.pointed {
		return nil, nil
	}
	f := finder{found: map[string]link{}}
	if err := f.visit(c.schema, data, nil); err != nil {
		return nil, err
	}
	if len(f.found) > MaxReferences {
		return nil, ErrInvalid.Saying("a document holds at most %d references", MaxReferences)
	}
	all := make([]link, 0, len(f.found))
	for _, l := range f.found {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b link) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

type finder struct{ found map[string]link }

// visit goes along the branches that checkPlaces allows references on. checkWork has bounded the walk.
func (f finder) visit(s *jsonschema.Schema, v any, path []string) error {
	if s == nil || s.Bool != nil {
		return nil
	}
	for _, x := range s.Extensions {
		if r, ok := x.(*rule); ok {
			if err := f.add(r, v, path); err != nil {
				return err
			}
		}
	}
	if err := f.visit(s.Ref, v, path); err != nil {
		return err
	}
	for _, sub := range s.AllOf {
		if err := f.visit(sub, v, path); err != nil {
			return err
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return f.members(s, v, path)
	case []any:
		for i := len(s.PrefixItems); i < len(v); i++ {
			if err := f.visit(s.Items2020, v[i], append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f finder) members(s *jsonschema.Schema, m map[string]any, path []string) error {
	for k, e := range m {
		subs := []*jsonschema.Schema{}
		if p, ok := s.Properties[k]; ok {
			subs = append(subs, p)
		}
		for re, p := range s.PatternProperties {
			if re.MatchString(k) {
				subs = append(subs, p)
			}
		}
		if len(subs) == 0 {
			subs = append(subs, schemaOf(s.AdditionalProperties))
		}
		for _, sub := range subs {
			if err := f.visit(sub, e, append(path, k)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f finder) add(r *rule, v any, path []string) error {
	if v == nil {
		return nil
	}
	p := pointer(path)
	s, _ := v.(string)
	to, err := ref.Parse(s)
	if err != nil {
		return ErrInvalid.Saying("at %q: a reference is the global id of an object", p).With("pointer", p)
	}
	if old, ok := f.found[p]; ok && (old.rule.OnDelete != r.OnDelete || !slices.Equal(old.rule.To, r.To)) {
		return ErrInvalid.Saying("at %q: the schema has two rules for this reference", p).With("pointer", p)
	}
	f.found[p] = link{path: p, to: to, rule: r}
	return nil
}

// rows are the links of a document as stored.
func rows(d Document, links []link) []Reference {
	out := make([]Reference, len(links))
	for i, l := range links {
		out[i] = Reference{ID: ref.NewID(), From: d.Ref(), FromType: d.Type, Path: l.path, To: l.to, OnDelete: l.rule.OnDelete}
	}
	return out
}

// targetsOf is what rows lead to, and linked what links do.
func targetsOf(all []Reference) []ref.Ref {
	out := make([]ref.Ref, len(all))
	for i, r := range all {
		out[i] = r.To
	}
	return out
}

func linked(links []link) []ref.Ref {
	out := make([]ref.Ref, len(links))
	for i, l := range links {
		out[i] = l.to
	}
	return out
}

func idsOf(refs []ref.Ref) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = r.ID
	}
	return out
}

// difference tells which stored rows go and which new ones come; a row that stays the same keeps its id.
func difference(old, next []Reference) (gone []string, added []Reference) {
	same := func(a, b Reference) bool { return a.Path == b.Path && a.To == b.To && a.OnDelete == b.OnDelete }
	have := make(map[string]Reference, len(old))
	for _, o := range old {
		have[o.Path] = o
	}
	for _, n := range next {
		if o, ok := have[n.Path]; ok && same(o, n) {
			delete(have, n.Path)
		} else {
			added = append(added, n)
		}
	}
	for _, o := range old {
		if _, left := have[o.Path]; left {
			gone = append(gone, o.ID)
		}
	}
	return gone, added
}
