package registry

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

const (
	maxBlockers = 100    // named in a refusal
	maxCounted  = 10_000 // a refusal counts no further
)

// Delete deletes a document and does to every reference that leads to it what its rule says, all in one transaction:
// RESTRICT refuses, CASCADE deletes the document that points here too, SET_NULL removes the field from its data (or
// refuses, when the schema requires it), KEEP leaves a tombstone. References between documents that are all deleted do
// not count. It gives back the owners' quota and answers what was deleted, the document first.
//
// Events: registry.document.deleted for each deleted document, registry.document.updated for each that lost a field.
// Cost: 6 reads and 4 writes, one more read for each level of a cascade, one write for each event.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, REF_RESTRICTED (details: blockers, the global ids of up to 100 documents,
// if the actor may read documents; count of references, up to 10,000), REF_CASCADE_TOO_LARGE (details: limit), CONTENDED.
func (s *Service) Delete(ctx context.Context, id string) ([]ref.Ref, error) {
	on := ref.New(ref.Document, id)
	if err := s.authz.Require(ctx, PermDelete, on); err != nil {
		return nil, err
	}
	var deleted []ref.Ref
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		d := &deletion{s: s, root: on, at: s.now()}
		if err := d.collect(ctx); err != nil {
			return err
		}
		if err := d.nullify(ctx); err != nil {
			return err
		}
		deleted = d.refs()
		return d.carryOut(ctx)
	})
	if err != nil {
		return nil, err
	}
	return deleted, nil
}

// deletion is one run of Delete.
type deletion struct {
	s    *Service
	root ref.Ref
	at   time.Time
	ids  []string // of all that is deleted, the root first, then level by level
	docs map[string]Document

	loose     []loosened // documents that lose a field
	rowsGone  []string
	rowsAdded []Reference
}

// loosened is the next revision of a document that pointed at cause.
type loosened struct {
	draft
	cause ref.Ref
}

func (d *deletion) refs() []ref.Ref {
	out := make([]ref.Ref, len(d.ids))
	for i, id := range d.ids {
		out[i] = ref.New(ref.Document, id)
	}
	return out
}

func (d *deletion) tooLarge() error { return ErrCascade.With("limit", d.s.cfg.CascadeLimit) }

// collect follows CASCADE from the root. A document that is met again was counted already, so cycles end.
func (d *deletion) collect(ctx context.Context) error {
	seen := map[string]bool{d.root.ID: true}
	d.ids = []string{d.root.ID}
	for level := d.ids; len(level) > 0; {
		holders, err := d.s.store.holders(ctx, level, Cascade, d.s.cfg.CascadeLimit+1)
		if err != nil {
			return err
		}
		level = nil
		for _, id := range holders {
			if !seen[id] {
				seen[id] = true
				level = append(level, id)
			}
		}
		slices.Sort(level)
		if d.ids = append(d.ids, level...); len(d.ids) > d.s.cfg.CascadeLimit {
			return d.tooLarge()
		}
	}
	var err error
	if d.docs, err = d.s.store.documentsByID(ctx, predicate.All(), d.ids); err != nil {
		return err
	}
	if _, there := d.docs[d.root.ID]; !there {
		return fault.ErrNotFound
	}
	return d.admit(ctx)
}

// admit refuses to take along documents that the actor could not delete by themselves.
func (d *deletion) admit(ctx context.Context) error {
	if err := d.s.authz.Require(ctx, PermDelete, d.root); err != nil {
		return err
	}
	sc, err := d.s.authz.Scope(ctx, PermDelete, ref.Document)
	if err != nil || sc.IsAll() {
		return err
	}
	var stuck []string
	for _, id := range d.ids[1:] {
		t, err := d.s.types.id(ctx, d.docs[id].Type)
		if err != nil {
			return err
		}
		if !sc.Match(d.docs[id].attributes(t.Key)) {
			stuck = append(stuck, id)
		}
	}
	if len(stuck) > 0 {
		return d.refuse(ctx, stuck)
	}
	return nil
}

// nullify makes the next revision of each document that loses a field, and refuses what RESTRICT refuses.
func (d *deletion) nullify(ctx context.Context) error {
	blockers, err := d.s.store.someHolders(ctx, d.ids, Restrict, 10*maxBlockers)
	if err != nil {
		return err
	}
	holders, err := d.s.store.holders(ctx, d.ids, SetNull, d.s.cfg.CascadeLimit+1)
	switch {
	case err != nil:
		return err
	case len(holders) > d.s.cfg.CascadeLimit:
		return d.tooLarge()
	case len(holders) > 0:
		stuck, err := d.loosen(ctx, holders)
		if err != nil {
			return err
		}
		blockers = append(blockers, stuck...)
	}
	if len(blockers) > 0 {
		return d.refuse(ctx, blockers)
	}
	return nil
}

// loosen removes the fields of these documents that point at what is deleted. Documents that would not be valid without
// are given back.
func (d *deletion) loosen(ctx context.Context, holders []string) (stuck []string, err error) {
	slices.Sort(holders)
	docs, err := d.s.store.documentsByID(ctx, predicate.All(), holders)
	if err != nil {
		return nil, err
	}
	held, err := d.s.store.referencesFrom(ctx, holders)
	if err != nil {
		return nil, err
	}
	for _, id := range holders {
		doc := docs[id]
		t, err := d.s.types.id(ctx, doc.Type)
		if err != nil {
			return nil, err
		}
		gone := map[string]bool{}
		var cause ref.Ref
		for _, r := range held[id] {
			if _, deleted := d.docs[r.To.ID]; deleted && r.To.Type == ref.Document && r.OnDelete == SetNull {
				gone[r.Path], cause = true, r.To
			}
		}
		next := loosened{draft: draft{Document: doc}, cause: cause}
		data, _ := without(doc.Data, gone).(map[string]any)
		if d.s.change(t, &next.draft, data) != nil { // it was valid before: the schema wants the field
			stuck = append(stuck, id)
			continue
		}
		rowsGone, rowsAdded := difference(held[id], rows(doc.Ref(), next.links))
		d.rowsGone, d.rowsAdded = append(d.rowsGone, rowsGone...), append(d.rowsAdded, rowsAdded...)
		d.loose = append(d.loose, next)
	}
	return stuck, nil
}

// refuse names who is in the way, as far as the actor may know.
func (d *deletion) refuse(ctx context.Context, blockers []string) error {
	n, err := d.s.store.countInbound(ctx, d.ids, Restrict, maxCounted)
	if err != nil {
		return err
	}
	e := ErrRefRestricted.With("count", max(n, len(blockers)))
	sc, err := d.s.visible(ctx, ref.Document)
	if err != nil || !sc.IsAll() {
		return e
	}
	names := make([]string, 0, maxBlockers)
	for _, id := range blockers[:min(len(blockers), maxBlockers)] {
		names = append(names, ref.New(ref.Document, id).String())
	}
	return e.With("blockers", names)
}

// carryOut writes everything.
func (d *deletion) carryOut(ctx context.Context) error {
	st := d.s.store
	kept, err := st.inboundTargets(ctx, d.ids, Keep)
	if err != nil {
		return err
	}
	stones := make([]Tombstone, len(kept))
	for i, id := range kept {
		stones[i] = Tombstone{Of: ref.New(ref.Document, id), Label: d.docs[id].Label, DeletedAt: d.at}
	}
	if err := st.insertTombstones(ctx, stones); err != nil {
		return err
	}
	if err := st.deleteDocuments(ctx, d.ids); err != nil {
		return err
	}
	if err := d.s.authz.ForgetObject(ctx, d.refs()...); err != nil {
		return err
	}
	if err := d.writeLoose(ctx); err != nil {
		return err
	}
	if err := d.release(ctx); err != nil {
		return err
	}
	return d.tell(ctx)
}

func (d *deletion) writeLoose(ctx context.Context) error {
	if len(d.loose) == 0 {
		return nil
	}
	docs := make([]Document, len(d.loose))
	for i, l := range d.loose {
		docs[i] = l.Document
	}
	if err := d.s.store.updateDocuments(ctx, docs); err != nil {
		return err
	}
	if err := d.s.store.deleteReferences(ctx, d.rowsGone); err != nil {
		return err
	}
	return d.s.store.insertReferences(ctx, d.rowsAdded)
}

// release gives back the quota, owner by owner in one order, so that two deletions do not wait for each other.
func (d *deletion) release(ctx context.Context) error {
	owned := map[ref.Ref]int64{}
	for _, doc := range d.docs {
		owned[doc.Owner]++
	}
	delete(owned, ref.New(ref.System, ref.System))
	owners := slices.SortedFunc(maps.Keys(owned), func(a, b ref.Ref) int { return strings.Compare(a.String(), b.String()) })
	for _, o := range owners {
		if err := d.s.quota.Release(ctx, o, FeatureDocuments, owned[o]); err != nil {
			return err
		}
	}
	return nil
}

func (d *deletion) tell(ctx context.Context) error {
	for i, id := range d.ids {
		doc := d.docs[id]
		fact := deletedFact{Type: doc.Type, Rev: doc.Rev + 1, Label: doc.Label, Owner: doc.Owner}
		if i > 0 {
			fact.Cause = d.root
		}
		if err := d.s.events.Append(ctx, kindDeleted, doc.Ref(), fact); err != nil {
			return err
		}
	}
	for _, l := range d.loose {
		if err := d.s.events.Append(ctx, kindUpdated, l.Ref(), documentFact{Document: l.Document, Cause: l.cause}); err != nil {
			return err
		}
	}
	return nil
}
