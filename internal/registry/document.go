package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// The size of a batch of an import. Its one event stays below MongoDB's 16 MiB even if the data is all empty texts, which
// BSON stores in four times the bytes.
const (
	batchItems = 500
	batchBytes = 2 << 20
)

// CreateCmd asks for a new document.
type CreateCmd struct {
	Type string // key of the content type
	Data map[string]any
	// Sealed says that the code makes the document, and so may write the members of a type of the code that callers may not.
	Sealed bool
}

// Create makes a document owned by the actor; the event registry.document.created commits with it. It uses one of the
// owner's [FeatureDocuments]; the system owns without a limit.
// Cost: 2 writes and 1 commit, with references 1 read for each type pointed at and 2 writes more, and the quota's.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, FIELD_FORBIDDEN, CONTENT_TYPE_UNKNOWN, DOCUMENT_INVALID (with a JSON Pointer), REF_TYPE,
// REF_TARGET_MISSING, QUOTA_EXCEEDED, CONTENDED.
func (s *Service) Create(ctx context.Context, cmd CreateCmd) (Document, error) {
	if err := s.authz.Require(ctx, PermCreate, ref.Ref{}); err != nil {
		return Document{}, err
	}
	t, err := s.types.key(ctx, cmd.Type)
	if err != nil {
		return Document{}, err
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return Document{}, err
	}
	if err := m.writes(cmd.Data); err != nil {
		return Document{}, err
	}
	if !cmd.Sealed {
		if err := t.sealed(nil, cmd.Data); err != nil {
			return Document{}, err
		}
	}
	d, err := s.draft(ctx, t, cmd.Data, actor.From(ctx).Ref())
	if err != nil {
		return Document{}, err
	}
	if err := s.admits(ctx, PermCreate, t, d); err != nil {
		return Document{}, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.insert(ctx, []draft{d}, -1); err != nil {
			return err
		}
		return s.events.Append(ctx, kindCreated, d.Ref(), documentFact{Document: d.Document, Links: sortedRefs(linked(d.links))})
	})
	if err != nil {
		return Document{}, err
	}
	return d.bare(), nil
}

// draft is a valid document that is not stored yet.
type draft struct {
	Document
	before Document // as it is stored; zero for a new one
	links  []link
	bytes  int // about as large as it is stored
}

func (s *Service) draft(ctx context.Context, t *compiled, data map[string]any, owner ref.Ref) (draft, error) {
	if t.State == Retired {
		return draft{}, ErrTypeRetired
	}
	now := s.now()
	d := draft{Document: Document{
		ID: ref.NewID(), Type: t.ID, Rev: 1, Owner: owner, By: author(ctx), Op: OpCreate, CreatedAt: now, UpdatedAt: now,
	}}
	return d, s.fill(t, &d, data)
}

// fill gives a document new data and what follows from it.
func (s *Service) fill(t *compiled, d *draft, data map[string]any) error {
	r := &reader{err: ErrInvalid, depth: MaxDepth, left: MaxDataBytes}
	plain, err := r.object(data)
	if err != nil {
		return err
	}
	if err := t.validate(plain); err != nil {
		return err
	}
	d.Data, d.Version, d.Label, d.bytes = plain, t.Version, t.labelOf(d.ID, plain), MaxDataBytes-r.left
	derive(t, &d.Document)
	d.links, err = t.links(plain)
	return err
}

// insert stores drafts of one owner with their references. first is the number of the first in an import, or -1.
func (s *Service) insert(ctx context.Context, ds []draft, first int) error {
	var want []wanted
	var refs []Reference
	docs := make([]Document, len(ds))
	for i, d := range ds {
		docs[i] = d.Document
		refs = append(refs, rows(d.Document, d.links)...)
		item := -1
		if first >= 0 {
			item = first + i
		}
		for _, l := range d.links {
			want = append(want, wanted{l, item})
		}
	}
	if err := s.consume(ctx, docs[0].Owner, len(docs)); err != nil {
		return err
	}
	if err := s.checkTargets(ctx, want); err != nil {
		return err
	}
	if err := s.store.insertDocuments(ctx, docs); err != nil {
		return err
	}
	return s.store.insertReferences(ctx, refs)
}

func (s *Service) consume(ctx context.Context, owner ref.Ref, n int) error {
	if owner.Type == ref.System {
		return nil
	}
	return s.quota.Consume(ctx, owner, FeatureDocuments, int64(n))
}

// UpdateCmd asks for a change of a document.
type UpdateCmd struct {
	On    ref.Ref
	Rev   int            // the revision the caller saw
	Patch map[string]any // JSON Merge Patch (RFC 7396)
	Merge bool           // change a newer revision too, if nobody has changed the same members of the data since
}

// Update changes the data of a document; the event registry.document.updated commits with it. References that stay are
// not checked again: one with the rule KEEP may lead to a tombstone. Cost: 2 reads, 3 writes, 1 commit; as [Service.Create]
// for new references.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, FIELD_FORBIDDEN, NOT_FOUND, DOCUMENT_STALE (with the current rev, and in fields the members
// of the patch that were changed since), DOCUMENT_DELETING, CONTENT_TYPE_RETIRED, DOCUMENT_INVALID, REF_TYPE, REF_TARGET_MISSING,
// OVER_QUOTA, CONTENDED.
func (s *Service) Update(ctx context.Context, cmd UpdateCmd) (Document, error) {
	patch, err := plainData(cmd.Patch)
	if err != nil {
		return Document{}, err
	}
	return s.alter(ctx, alteration{
		on: cmd.On, rev: cmd.Rev, patch: patch, merge: cmd.Merge, op: OpUpdate, kind: kindUpdated,
		data: func(_ context.Context, _ *compiled, cur Document) (map[string]any, error) {
			merged, _ := mergePatch(cur.Data, patch).(map[string]any)
			return merged, nil
		},
	})
}

// alteration is a change of the data of one document.
type alteration struct {
	on    ref.Ref
	rev   int
	patch map[string]any // what it changes; nil for everything
	merge bool
	op    Op
	kind  string // of the event
	// data is what the data becomes; it may run again.
	data func(ctx context.Context, t *compiled, cur Document) (map[string]any, error)
}

func (s *Service) alter(ctx context.Context, a alteration) (Document, error) {
	if err := s.authz.Require(ctx, PermUpdate, a.on); err != nil {
		return Document{}, err
	}
	var next draft
	var t *compiled
	var m mask
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.store.document(ctx, a.on)
		if err != nil {
			return err
		}
		if err := s.authz.Require(ctx, PermUpdate, a.on); err != nil { // about the very revision that is changed
			return err
		}
		if t, err = s.types.id(ctx, cur.Type); err != nil {
			return err
		}
		if m, err = s.mask(ctx, t.ID); err != nil {
			return err
		}
		if err := s.changeable(ctx, t, m, cur, a); err != nil {
			return err
		}
		next = draft{Document: t.lift(cur), before: cur}
		data, err := a.data(ctx, t, next.Document)
		if err != nil {
			return err
		}
		if a.patch == nil {
			data = m.keeps(next.Data, data)
		}
		if err := t.sealed(next.Data, data); err != nil {
			return err
		}
		if err := s.change(ctx, t, &next, data, a.op); err != nil {
			return err
		}
		if err := s.admits(ctx, PermUpdate, t, next); err != nil {
			return err
		}
		links, err := s.relink(ctx, next)
		if err != nil {
			return err
		}
		if err := s.remember(ctx, cur, next.Document); err != nil {
			return err
		}
		if err := s.store.updateDocuments(ctx, []Document{next.Document}); err != nil {
			return err
		}
		return s.events.Append(ctx, a.kind, next.Ref(), documentFact{Document: next.Document, Links: links})
	})
	if err != nil {
		return Document{}, err
	}
	return m.over(t, next.bare()), nil
}

// changeable refuses what the state of a document does not allow.
func (s *Service) changeable(ctx context.Context, t *compiled, m mask, cur Document, a alteration) error {
	switch {
	case cur.Deleting != "":
		return ErrDeleting.With("job", cur.Deleting)
	case t.State == Retired:
		return ErrTypeRetired
	}
	if cur.Rev != a.rev {
		if err := s.stale(ctx, m, cur, a); err != nil {
			return err
		}
	}
	if cur.Owner.Type != ref.System {
		if err := s.quota.Writable(ctx, cur.Owner, FeatureDocuments); err != nil {
			return err
		}
	}
	return m.writes(a.patch)
}

// stale refuses a change of another revision than the current one, unless it can be merged.
func (s *Service) stale(ctx context.Context, m mask, cur Document, a alteration) error {
	fields, all, err := s.changedSince(ctx, cur, a.rev)
	if err != nil {
		return err
	}
	both := []string{}
	for _, k := range slices.Sorted(maps.Keys(a.patch)) {
		if all || slices.Contains(fields, k) {
			both = append(both, k)
		}
	}
	if a.merge && a.patch != nil && len(both) == 0 {
		return nil
	}
	return ErrStale.With("rev", cur.Rev).With("fields", m.shown(both))
}

// change makes d its own next revision.
func (s *Service) change(ctx context.Context, t *compiled, d *draft, data map[string]any, op Op) error {
	d.Rev++
	d.UpdatedAt, d.By, d.Op, d.Lifted = s.now(), author(ctx), op, false
	return s.fill(t, d, data)
}

// relink brings the stored references of a document to what its new data holds, and checks the targets it did not point at
// before. It gives what it points at now and did not before, or the other way round.
func (s *Service) relink(ctx context.Context, d draft) ([]ref.Ref, error) {
	stored, err := s.store.referencesFrom(ctx, []string{d.ID})
	if err != nil {
		return nil, err
	}
	old := stored[d.ID]
	type hold struct { // another rule makes another reference: one that KEEPs may dangle, the others may not
		to       ref.Ref
		onDelete OnDelete
	}
	known := make(map[hold]bool, len(old))
	for _, r := range old {
		known[hold{r.To, r.OnDelete}] = true
	}
	var fresh []wanted
	for _, l := range d.links {
		if !known[hold{l.to, l.rule.OnDelete}] {
			fresh = append(fresh, wanted{l, -1})
		}
	}
	if err := s.checkTargets(ctx, fresh); err != nil {
		return nil, err
	}
	gone, added := difference(old, rows(d.Document, d.links))
	if err := s.store.deleteReferences(ctx, gone); err != nil {
		return nil, err
	}
	changed := targetsOf(added)
	for _, r := range old {
		if slices.Contains(gone, r.ID) {
			changed = append(changed, r.To)
		}
	}
	return sortedRefs(changed), s.store.insertReferences(ctx, added)
}

// BulkCreate makes many documents of one content type for one owner: imports and seeds. All data is checked before the
// first write. Then batches of up to 500 documents are committed one after the other, each with one event
// registry.document.imported that holds them all, on the content type; whoever follows the type sees them. The answer
// holds what was made, also beside an error: the batches before the one that failed.
// Cost: as [Service.Create] for each batch.
//
// Errors: those of Create, with the detail "item" (from 0); FORBIDDEN when the owner is neither the actor nor is the actor
// the system.
func (s *Service) BulkCreate(ctx context.Context, typeKey string, items []map[string]any, owner ref.Ref) ([]Document, error) {
	if err := s.authz.Require(ctx, PermCreate, ref.Ref{}); err != nil {
		return nil, err
	}
	if a := actor.From(ctx); !a.System && a.Ref() != owner {
		return nil, fault.ErrForbidden
	}
	t, err := s.types.key(ctx, typeKey)
	if err != nil {
		return nil, err
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	drafts := make([]draft, len(items))
	for i, data := range items {
		if err := m.writes(data); err != nil {
			return nil, fault.From(err).With("item", i)
		}
		if err := t.sealed(nil, data); err != nil {
			return nil, fault.From(err).With("item", i)
		}
		if drafts[i], err = s.draft(ctx, t, data, owner); err != nil {
			return nil, fault.From(err).With("item", i)
		}
	}
	if err := s.admits(ctx, PermCreate, t, drafts...); err != nil {
		return nil, err
	}
	made := make([]Document, 0, len(drafts))
	for len(made) < len(drafts) {
		batch := firstBatch(drafts[len(made):])
		fact := imported(batch)
		err := s.db.InTx(ctx, func(ctx context.Context) error {
			if err := s.insert(ctx, batch, len(made)); err != nil {
				return err
			}
			return s.events.Append(ctx, kindImported, t.Ref(), fact)
		})
		if err != nil {
			return made, fmt.Errorf("import from item %d: %w", len(made), err)
		}
		for _, d := range batch {
			made = append(made, d.bare())
		}
	}
	return made, nil
}

// imported is what the event of a batch tells.
func imported(batch []draft) importedFact {
	fact := importedFact{Documents: make([]Document, len(batch))}
	for i, d := range batch {
		fact.Documents[i] = d.Document
		fact.Links = append(fact.Links, linked(d.links)...)
	}
	fact.Links = sortedRefs(fact.Links)
	return fact
}

// firstBatch is as much of the front as one transaction should carry, at least one.
func firstBatch(ds []draft) []draft {
	bytes := 0
	for i, d := range ds {
		if bytes += d.bytes; i > 0 && (i == batchItems || bytes > batchBytes) {
			return ds[:i]
		}
	}
	return ds
}

// NewestOwned names the n newest documents of an owner. It asks nobody's leave: the owner's quota does. Cost: one find.
func (s *Service) NewestOwned(ctx context.Context, owner ref.Ref, n int) ([]ref.Ref, error) {
	docs, err := s.store.ownedBy(ctx, owner, n)
	all := make([]ref.Ref, len(docs))
	for i, d := range docs {
		all[i] = d.Ref()
	}
	return all, err
}
