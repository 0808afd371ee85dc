package registry

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

const (
	maxBlockers = 100    // named in a refusal
	maxCounted  = 10_000 // a refusal counts no further
)

// Delete deletes a document and does to every reference that leads to it what its rule says, all in one transaction:
// RESTRICT refuses, CASCADE deletes the document that points here too, SET_NULL removes the field from its data (or
// refuses, when the schema requires it), KEEP leaves a tombstone. References between documents that are all deleted do
// not count. It gives back the owners' quota. What is deleted goes to the trash, from which [Service.Restore] brings it back.
// When more hangs on it than one transaction may carry, a job deletes it, and until then nobody can change the document.
//
// Events: registry.document.deleted for each deleted document, registry.document.updated for each that lost a field.
// Cost: 6 reads and 4 writes, one more read for each level of a cascade, one write for each event.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, REF_RESTRICTED (details: blockers, the global ids of up to 100 documents,
// if the actor may read documents; count of references, up to 10,000), REF_CASCADE_TOO_LARGE (details: limit), CONTENDED.
func (s *Service) Delete(ctx context.Context, cmd DeleteCmd) (Deleted, error) {
	if err := s.authz.Require(ctx, PermDelete, cmd.On); err != nil {
		return Deleted{}, err
	}
	if !IsDocument(cmd.On.Type) {
		return Deleted{}, fault.ErrNotFound
	}
	if cmd.Purge {
		if err := s.authz.Require(ctx, PermPurge, cmd.On); err != nil {
			return Deleted{}, err
		}
	}
	var out Deleted
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		d := &deletion{s: s, root: cmd.On, at: s.now(), purge: cmd.Purge, limit: s.cfg.CascadeLimit}
		err := d.run(ctx)
		if errors.Is(err, ErrCascade) && s.cfg.Jobs != nil {
			out.Job, err = s.deleteLater(ctx, cmd)
		}
		out.Refs = d.refs
		return err
	})
	if err != nil {
		return Deleted{}, err
	}
	return out, nil
}

// DeleteCmd asks to delete a document.
type DeleteCmd struct {
	On    ref.Ref
	Purge bool // for good, with its history; else it goes to the trash. Needs registry.document.purge
}

// Deleted is what Delete has done.
type Deleted struct {
	Refs []ref.Ref // all that was deleted, the document first
	Job  string    // id of the job that does it, when there is too much for one transaction; nothing is deleted yet then
}

// deletion is one run of Delete.
type deletion struct {
	s     *Service
	root  ref.Ref   // a document, or an object of another type that is deleted by its own domain
	also  []ref.Ref // more documents, each with all that hangs on it
	at    time.Time
	purge bool
	limit int
	refs  []ref.Ref // of all that is deleted, the root first, then level by level
	docs  map[string]Document

	loose     []loosened // documents that lose a field
	rowsGone  []string
	rowsAdded []Reference
}

func (d *deletion) run(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.carryOut(ctx)
}

// prepare finds out what has to happen, and refuses what must not.
func (d *deletion) prepare(ctx context.Context) error {
	if err := d.collect(ctx); err != nil {
		return err
	}
	blockers, err := d.nullify(ctx)
	if err == nil && len(blockers) > 0 {
		err = d.refuse(ctx, blockers)
	}
	return err
}

// loosened is the next revision of a document that pointed at cause.
type loosened struct {
	draft
	cause ref.Ref
}

func (d *deletion) tooLarge() error { return ErrCascade.With("limit", d.limit) }

// documents are the references among what is deleted that lead to documents: all but a root of another type.
func (d *deletion) documents() []ref.Ref {
	if !IsDocument(d.root.Type) {
		return d.refs[1:]
	}
	return d.refs
}

// collect follows CASCADE from the root. A document that is met again was counted already, so cycles end.
func (d *deletion) collect(ctx context.Context) error {
	d.refs = append([]ref.Ref{d.root}, d.also...)
	seen := make(map[ref.Ref]bool, len(d.refs))
	for _, r := range d.refs {
		seen[r] = true
	}
	for level := d.refs; len(level) > 0; {
		holders, err := d.s.store.holders(ctx, level, Cascade, d.limit+1)
		if err != nil {
			return err
		}
		level = nil
		for _, r := range holders {
			if !seen[r] {
				seen[r] = true
				level = append(level, r)
			}
		}
		level = sortedRefs(level)
		if d.refs = append(d.refs, level...); len(d.refs) > d.limit {
			return d.tooLarge()
		}
	}
	var err error
	if d.docs, err = d.s.store.documentsOf(ctx, d.refs); err != nil {
		return err
	}
	if !IsDocument(d.root.Type) {
		return nil // who deletes it has been asked for their leave
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
	scopes := map[string]predicate.Filter{}
	var stuck []ref.Ref
	for _, r := range d.refs[1:] {
		sc, known := scopes[r.Type]
		if !known {
			var err error
			if sc, err = d.s.authz.Scope(ctx, PermDelete, r.Type); err != nil {
				return err
			}
			scopes[r.Type] = sc
		}
		if sc.IsAll() {
			continue
		}
		t, err := d.s.types.id(ctx, d.docs[r.ID].Type)
		if err != nil {
			return err
		}
		if !sc.Match(d.docs[r.ID].attributes(t.Key)) {
			stuck = append(stuck, r)
		}
	}
	if len(stuck) > 0 {
		return d.refuse(ctx, stuck)
	}
	return nil
}

// nullify makes the next revision of each document that loses a field, and gives those that are in the way.
func (d *deletion) nullify(ctx context.Context) (blockers []ref.Ref, err error) {
	if blockers, err = d.s.store.someHolders(ctx, d.refs, Restrict, 10*maxBlockers); err != nil {
		return nil, err
	}
	holders, err := d.s.store.holders(ctx, d.refs, SetNull, d.limit+1)
	switch {
	case err != nil:
		return nil, err
	case len(holders) > d.limit:
		return nil, d.tooLarge()
	case len(holders) > 0:
		stuck, err := d.loosen(ctx, holders)
		if err != nil {
			return nil, err
		}
		blockers = append(blockers, stuck...)
	}
	return blockers, nil
}

// loosen removes the fields of these documents that point at what is deleted. Documents that would not be valid without
// are given back.
func (d *deletion) loosen(ctx context.Context, holders []ref.Ref) (stuck []ref.Ref, err error) {
	holders = sortedRefs(holders)
	docs, err := d.s.store.documentsOf(ctx, holders)
	if err != nil {
		return nil, err
	}
	held, err := d.s.store.referencesFrom(ctx, idsOf(holders))
	if err != nil {
		return nil, err
	}
	deleted := make(map[ref.Ref]bool, len(d.refs))
	for _, r := range d.refs {
		deleted[r] = true
	}
	for _, holder := range holders {
		doc := docs[holder.ID]
		t, err := d.s.types.id(ctx, doc.Type)
		if err != nil {
			return nil, err
		}
		gone := map[string]bool{}
		var cause ref.Ref
		for _, r := range held[doc.ID] {
			if deleted[r.To] && r.OnDelete == SetNull {
				gone[r.Path], cause = true, r.To
			}
		}
		next := loosened{draft: draft{Document: t.lift(doc), before: doc}, cause: cause}
		data, _ := without(next.Data, gone).(map[string]any)
		if d.s.change(ctx, t, &next.draft, data, OpDetach) != nil { // it was valid before: the schema wants the field
			stuck = append(stuck, holder)
			continue
		}
		rowsGone, rowsAdded := difference(held[doc.ID], rows(doc, next.links))
		d.rowsGone, d.rowsAdded = append(d.rowsGone, rowsGone...), append(d.rowsAdded, rowsAdded...)
		d.loose = append(d.loose, next)
	}
	return stuck, nil
}

// refuse names who is in the way, as far as the actor may know.
func (d *deletion) refuse(ctx context.Context, blockers []ref.Ref) error {
	n, err := d.s.store.countInbound(ctx, d.refs, Restrict, maxCounted)
	if err != nil {
		return err
	}
	e := ErrRefRestricted.With("count", max(n, len(blockers)))
	shown, err := d.s.shown(ctx, blockers[:min(len(blockers), maxBlockers)])
	if err != nil || len(shown) == 0 {
		return e
	}
	names := make([]string, len(shown))
	for i, r := range shown {
		names[i] = r.String()
	}
	return e.With("blockers", names)
}

// carryOut writes everything.
func (d *deletion) carryOut(ctx context.Context) error {
	st, documents := d.s.store, d.documents()
	kept, err := st.inboundTargets(ctx, documents, Keep)
	if err != nil {
		return err
	}
	by := author(ctx)
	stones := make([]Tombstone, len(kept))
	for i, r := range kept {
		stones[i] = Tombstone{Of: r, Label: d.docs[r.ID].Label, DeletedAt: d.at, Rev: d.docs[r.ID].Rev, By: by}
	}
	if err := st.insertTombstones(ctx, stones); err != nil {
		return err
	}
	links, err := d.discard(ctx, by)
	if err != nil {
		return err
	}
	if err := st.deleteDocuments(ctx, documents); err != nil {
		return err
	}
	if err := d.s.authz.ForgetObject(ctx, documents...); err != nil {
		return err
	}
	if err := d.writeLoose(ctx); err != nil {
		return err
	}
	if err := d.release(ctx); err != nil {
		return err
	}
	return d.tell(ctx, links)
}

// discard puts the documents into the trash, or their histories away for good, and gives what they point at.
func (d *deletion) discard(ctx context.Context, by Author) (links map[string][]Reference, err error) {
	documents := d.documents()
	if links, err = d.s.store.referencesFrom(ctx, idsOf(documents)); err != nil {
		return nil, err
	}
	if d.purge {
		return links, d.s.store.deleteRevisions(ctx, idsOf(documents))
	}
	deletion := ref.NewID()
	all := make([]Trashed, len(documents))
	for i, r := range documents {
		all[i] = Trashed{
			Of: r, Document: d.docs[r.ID], References: links[r.ID], Deletion: deletion, Root: i == 0, DeletedAt: d.at, By: by,
			ExpiresAt: d.at.Add(d.s.cfg.TrashFor),
		}
	}
	return links, d.s.store.insertTrash(ctx, all)
}

func (d *deletion) writeLoose(ctx context.Context) error {
	if len(d.loose) == 0 {
		return nil
	}
	docs := make([]Document, len(d.loose))
	for i, l := range d.loose {
		docs[i] = l.Document
		if err := d.s.remember(ctx, l.before, l.Document); err != nil {
			return err
		}
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

func (d *deletion) tell(ctx context.Context, links map[string][]Reference) error {
	for _, r := range d.documents() {
		doc := d.docs[r.ID]
		fact := deletedFact{Type: doc.Type, Rev: doc.Rev + 1, Label: doc.Label, Owner: doc.Owner, Purge: d.purge, Links: targetsOf(links[r.ID])}
		if r != d.root {
			fact.Cause = d.root
		}
		if err := d.s.events.Append(ctx, kindDeleted, doc.Ref(), fact); err != nil {
			return err
		}
	}
	for _, l := range d.loose {
		if err := d.s.events.Append(ctx, kindUpdated, l.Ref(), documentFact{Document: l.Document, Cause: l.cause, Links: []ref.Ref{l.cause}}); err != nil {
			return err
		}
	}
	return nil
}
