package registry

import (
	"context"
	"maps"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Outcome is what a reference leads to.
type Outcome uint8

// The outcomes. The zero value tells nothing.
const (
	Hidden  Outcome = iota // there or not: the caller may not know
	Found                  // the object
	Gone                   // a tombstone
	Unknown                // no object of this id ever was, as far as this server knows
	Strange                // an object of a type that nothing is known of, or that is out of use
)

// Target is what one reference leads to: never nothing by accident.
type Target struct {
	Of      ref.Ref
	Outcome Outcome
	Object  any // Found: a Document, a ContentType, or what the finder of the type gave; Gone: a Tombstone; Strange: the id of its content type; else nil
}

// Finder gives the objects with these ids that exist and that the actor of ctx may see, in one read. A FORBIDDEN or
// UNAUTHENTICATED error hides all of them. It may be called inside a transaction.
type Finder func(ctx context.Context, ids []string) (map[string]any, error)

// RegisterTarget lets references lead to objects of another type. It panics on a type that is taken, and after the first
// use of the service: both are mistakes of the programmer.
func (s *Service) RegisterTarget(typ string, find Finder) {
	if _, taken := s.targets[typ]; taken || IsDocument(typ) || typ == ref.ContentType {
		panic("registry: target registered twice: " + typ)
	}
	if s.frozen.Load() {
		panic("registry: target registered while serving: " + typ)
	}
	s.targets[typ] = find
}

// finder is the registered finder of a type; it freezes the table.
func (s *Service) finder(typ string) (Finder, bool) {
	if !s.frozen.Load() {
		s.frozen.Store(true)
	}
	f, ok := s.targets[typ]
	return f, ok
}

// Resolve tells what each of at most [MaxResolve] references leads to, in their order. Cost: one read for each type among
// them that the actor may read at all (none for content types in memory), and one more when a document is gone.
//
// Errors: UNAUTHENTICATED, BAD_USER_INPUT for too many. What a single reference lacks is its outcome, not an error.
func (s *Service) Resolve(ctx context.Context, refs []ref.Ref) ([]Target, error) {
	if actor.From(ctx).IsAnonymous() {
		return nil, fault.ErrUnauthenticated
	}
	if len(refs) > MaxResolve {
		return nil, fault.ErrInput.Saying("at most %d references are resolved at once", MaxResolve).On("refs")
	}
	found := make(map[ref.Ref]Target, len(refs))
	for _, g := range byType(refs) {
		if err := s.resolveType(ctx, g.typ, g.ids, found); err != nil {
			return nil, err
		}
	}
	out := make([]Target, len(refs))
	for i, r := range refs {
		out[i] = found[r]
	}
	return out, nil
}

// group are the distinct ids of one type, in the order asked.
type group struct {
	typ string
	ids []string
}

func byType(refs []ref.Ref) []group {
	var groups []group
	seen := make(map[ref.Ref]bool, len(refs))
	for _, r := range refs {
		if seen[r] {
			continue
		}
		seen[r] = true
		i := slices.IndexFunc(groups, func(g group) bool { return g.typ == r.Type })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{typ: r.Type})
		}
		groups[i].ids = append(groups[i].ids, r.ID)
	}
	return groups
}

// resolveType adds the targets of one type to found.
func (s *Service) resolveType(ctx context.Context, typ string, ids []string, found map[ref.Ref]Target) error {
	absent, objects := Unknown, map[string]any{}
	var err error
	switch find, ok := s.finder(typ); {
	case IsDocument(typ):
		return s.resolveDocuments(ctx, typ, ids, found)
	case typ == ref.ContentType:
		objects, absent, err = s.resolveContentTypes(ctx, ids)
	case ok:
		objects, err = find(ctx, ids)
		if k := fault.From(err); err != nil && (k.Kind == fault.Forbidden || k.Kind == fault.Unauthenticated) {
			objects, absent, err = nil, Hidden, nil
		}
	case typ != "":
		absent = Strange
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		r := ref.New(typ, id)
		found[r] = Target{Of: r, Outcome: absent}
		if o, ok := objects[id]; ok {
			found[r] = Target{Of: r, Outcome: Found, Object: o}
		}
		if absent == Strange {
			found[r] = Target{Of: r, Outcome: absent, Object: ""}
		}
	}
	return nil
}

func (s *Service) resolveContentTypes(ctx context.Context, ids []string) (map[string]any, Outcome, error) {
	sc, err := s.visible(ctx, ref.ContentType)
	if err != nil || sc.IsNone() {
		return nil, Hidden, err
	}
	types, err := s.types.ids(ctx, ids)
	objects := make(map[string]any, len(types))
	for id, t := range types {
		objects[id] = t.ContentType
	}
	return objects, Unknown, err
}

func (s *Service) resolveDocuments(ctx context.Context, home string, ids []string, found map[ref.Ref]Target) error {
	sc, err := s.visible(ctx, home)
	if err != nil {
		return err
	}
	docs := map[string]Document{}
	absent := Hidden // with a filter for a scope, what is not found may be there and hidden
	if !sc.IsNone() {
		if docs, err = s.store.documentsByID(ctx, home, sc, ids); err != nil {
			return err
		}
	}
	if sc.IsAll() {
		absent = Unknown
	}
	var missing []ref.Ref
	shown := slices.Collect(maps.Values(docs))
	if err := s.masked(ctx, shown); err != nil {
		return err
	}
	for _, d := range shown {
		docs[d.ID] = d
	}
	for _, id := range ids {
		r := ref.New(home, id)
		found[r] = Target{Of: r, Outcome: absent}
		d, ok := docs[id]
		if !ok {
			missing = append(missing, r)
			continue
		}
		t, err := s.types.id(ctx, d.Type)
		if err != nil {
			return err
		}
		if found[r] = (Target{Of: r, Outcome: Found, Object: d}); t.State == Retired {
			found[r] = Target{Of: r, Outcome: Strange, Object: t.ID}
		}
	}
	if len(missing) == 0 || !sc.IsAll() { // a tombstone has a label, and nobody knows any more who could see it
		return nil
	}
	stones, err := s.store.tombstonesOf(ctx, missing)
	for _, t := range stones {
		found[t.Of] = Target{Of: t.Of, Outcome: Gone, Object: t}
	}
	return err
}

// wanted is a new reference whose target must exist.
type wanted struct {
	link
	item int // of an import; -1 for a single document
}

// refuse blames the reference.
func (w wanted) refuse(e *fault.Error) error {
	e = e.Saying("%s: at %q: %s", e.Msg, w.path, w.to).With("pointer", w.path).With("to", w.to.String())
	if w.item >= 0 {
		e = e.With("item", w.item)
	}
	return e
}

// checkTargets makes sure, inside the transaction, that new references lead to objects that exist, are of an allowed kind
// and may be seen by the actor, and that documents among them cannot be deleted before the commit, nor are being deleted.
// Cost: one read for each type, one write if there are documents.
//
// Errors: REF_TYPE (with the allowed names), REF_TARGET_MISSING.
func (s *Service) checkTargets(ctx context.Context, ws []wanted) error {
	refs := make([]ref.Ref, len(ws))
	for i, w := range ws {
		refs[i] = w.to
	}
	for _, g := range byType(refs) {
		if IsDocument(g.typ) { // before they are read: the shorter the time from snapshot to write, the fewer conflicts
			if err := s.store.touch(ctx, g.typ, g.ids); err != nil {
				return err
			}
		}
		keys, err := s.existing(ctx, g)
		if err != nil {
			return err
		}
		for _, w := range ws {
			if w.to.Type != g.typ {
				continue
			}
			names, there := keys[w.to.ID]
			switch {
			case keys == nil, (there || !IsDocument(g.typ)) && !w.rule.allows(g.typ, names):
				return w.refuse(ErrRefType.With("allowed", w.rule.To))
			case !there:
				return w.refuse(ErrRefMissing)
			}
		}
	}
	return nil
}

// existing gives which of these objects exist for the actor, and for documents the keys of the content type. Nil means that
// nothing of this type can be pointed at.
func (s *Service) existing(ctx context.Context, g group) (map[string][]string, error) {
	if IsDocument(g.typ) {
		return s.existingDocuments(ctx, g.typ, g.ids)
	}
	if _, ok := s.finder(g.typ); !ok && g.typ != ref.ContentType {
		return nil, nil //nolint:nilnil // the documented third answer
	}
	found := make(map[ref.Ref]Target, len(g.ids))
	if err := s.resolveType(ctx, g.typ, g.ids, found); err != nil {
		return nil, err
	}
	keys := make(map[string][]string, len(found))
	for r, t := range found {
		if t.Outcome == Found {
			keys[r.ID] = nil
		}
	}
	return keys, nil
}

func (s *Service) existingDocuments(ctx context.Context, home string, ids []string) (map[string][]string, error) {
	keys := map[string][]string{}
	sc, err := s.visible(ctx, home)
	if err != nil || sc.IsNone() {
		return keys, err
	}
	types, err := s.store.typeOfLasting(ctx, home, sc, ids)
	if err != nil {
		return nil, err
	}
	known, err := s.types.ids(ctx, slices.Compact(slices.Sorted(maps.Values(types))))
	if err != nil {
		return nil, err
	}
	for id, typ := range types {
		if t, ok := known[typ]; ok && t.State != Retired {
			keys[id] = append([]string{t.Key}, t.Aliases...)
		}
	}
	return keys, nil
}
