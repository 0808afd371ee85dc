package registry

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// Trashed is a deleted document that can be restored.
type Trashed struct {
	Of         ref.Ref     `bson:"_id"`
	Document   Document    `bson:"document"`
	References []Reference `bson:"references,omitempty"`
	Deletion   string      `bson:"deletion"` // the same for all that was deleted at once
	Root       bool        `bson:"root,omitempty"`
	DeletedAt  time.Time   `bson:"deletedAt"`
	By         Author      `bson:"by"`
	ExpiresAt  time.Time   `bson:"expiresAt"` // after it the document is gone for good
}

// Trash reads one page of the deleted documents of a content type, the newest first. Needs registry.document.restore. Cost: one
// read.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, CONTENT_TYPE_RETIRED, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Trash(ctx context.Context, typeKey string, args page.Args) (page.Page[Trashed], error) {
	fail := func(err error) (page.Page[Trashed], error) { return page.Page[Trashed]{}, err }
	if err := s.authz.Require(ctx, PermRestore, ref.Ref{}); err != nil {
		return fail(err)
	}
	t, sc, err := s.listable(ctx, typeKey)
	if err != nil {
		return fail(err)
	}
	w, err := args.Check(1)
	if err != nil {
		return fail(err)
	}
	read, err := s.store.trashPage(ctx, sc, t.ID, w)
	if err != nil {
		return fail(err)
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return fail(err)
	}
	for i := range read {
		read[i].Document = m.over(t, t.lift(read[i].Document))
	}
	return page.Fold(w, read, func(x Trashed) page.Cursor { return page.Cursor{x.Document.ID} }), nil
}

// There tells which documents of a home are there, or in the trash. It asks nobody's leave: what it tells is for the code. Cost: 2
// reads.
func (s *Service) There(ctx context.Context, home string, ids []string) (map[string]bool, error) {
	return s.store.there(ctx, home, ids)
}

// Restore brings a document back from the trash, with all that was deleted along with it, as new revisions. What was deleted
// along must come back with what it hung on. Fields that were removed from other documents (SET_NULL) and grants on the documents stay
// away; references that led here (KEEP) lead here again. It uses the owners' quota. Needs registry.document.restore. The event
// registry.document.restored commits with it, for each. Cost: 5 reads and 5 writes.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, CONTENT_TYPE_RETIRED, RESTORE_BLOCKED with missing, DOCUMENT_INVALID, QUOTA_EXCEEDED.
func (s *Service) Restore(ctx context.Context, on ref.Ref) ([]Document, error) {
	if err := s.authz.Require(ctx, PermRestore, on); err != nil {
		return nil, err
	}
	var docs []Document
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		first, there, err := s.store.trashed(ctx, on)
		if err != nil {
			return err
		}
		if !there {
			return fault.ErrNotFound
		}
		all, err := s.store.deletedTogether(ctx, first.Deletion)
		if err != nil {
			return err
		}
		slices.SortFunc(all, func(a, b Trashed) int { return rank(b.Of == on) - rank(a.Of == on) })
		docs, err = s.bringBack(ctx, all)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.masked(ctx, docs); err != nil {
		return nil, err
	}
	return docs, nil
}

func rank(first bool) int {
	if first {
		return 1
	}
	return 0
}

// bringBack makes documents of what is in the trash.
func (s *Service) bringBack(ctx context.Context, all []Trashed) ([]Document, error) {
	refs, drafts := make([]ref.Ref, len(all)), make([]draft, len(all))
	owners := map[ref.Ref]int{}
	for i, x := range all {
		t, err := s.types.id(ctx, x.Document.Type)
		if err != nil {
			return nil, err
		}
		if t.State == Retired {
			return nil, ErrTypeRetired
		}
		refs[i] = x.Of
		drafts[i] = draft{Document: t.lift(x.Document), before: x.Document}
		d := &drafts[i]
		d.Rev++ // the deletion was one too
		if err := s.change(ctx, t, d, d.Data, OpRestore); err != nil {
			return nil, err
		}
		d.Deleting = ""
		owners[d.Owner]++
	}
	for owner, n := range owners {
		if err := s.consume(ctx, owner, n); err != nil {
			return nil, err
		}
	}
	if err := s.restorable(ctx, refs, drafts); err != nil {
		return nil, err
	}
	if err := s.store.emptyTrash(ctx, refs); err != nil {
		return nil, err
	}
	if err := s.store.deleteTombstones(ctx, refs); err != nil {
		return nil, err
	}
	docs := make([]Document, len(drafts))
	var held []Reference
	for i, d := range drafts {
		docs[i], held = d.Document, append(held, rows(d.Document, d.links)...)
	}
	if err := s.store.insertDocuments(ctx, docs); err != nil {
		return nil, err
	}
	if err := s.store.insertReferences(ctx, held); err != nil {
		return nil, err
	}
	for _, d := range drafts {
		if err := s.remember(ctx, d.before, d.Document); err != nil {
			return nil, err
		}
		if err := s.events.Append(ctx, kindRestored, d.Ref(), documentFact{Document: d.Document, Links: sortedRefs(linked(d.links))}); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// restorable refuses documents that would point at what is not there, unless they may (KEEP).
func (s *Service) restorable(ctx context.Context, back []ref.Ref, drafts []draft) error {
	var want []ref.Ref
	for _, d := range drafts {
		for _, l := range d.links {
			if l.rule.OnDelete != Keep && !slices.Contains(back, l.to) {
				want = append(want, l.to)
			}
		}
	}
	missing := []string{}
	for _, g := range byType(want) {
		if IsDocument(g.typ) {
			if err := s.store.touch(ctx, g.typ, g.ids); err != nil {
				return err
			}
		}
		keys, err := s.existing(ctx, g)
		if err != nil {
			return err
		}
		for _, id := range g.ids {
			if _, there := keys[id]; !there {
				missing = append(missing, ref.New(g.typ, id).String())
			}
		}
	}
	if len(missing) > 0 {
		return ErrRestore.With("missing", missing[:min(len(missing), maxBlockers)])
	}
	return nil
}

// Purge deletes a document in the trash for good, with its history and all that was deleted along with it. Needs
// registry.document.purge. The event registry.document.purged commits with it, for each. Cost: 2 reads, 2 writes.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
func (s *Service) Purge(ctx context.Context, on ref.Ref) ([]ref.Ref, error) {
	if err := s.authz.Require(ctx, PermPurge, on); err != nil {
		return nil, err
	}
	var refs []ref.Ref
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		first, there, err := s.store.trashed(ctx, on)
		if err != nil {
			return err
		}
		if !there {
			return fault.ErrNotFound
		}
		all, err := s.store.deletedTogether(ctx, first.Deletion)
		if err != nil {
			return err
		}
		refs = make([]ref.Ref, len(all))
		for i, x := range all {
			refs[i] = x.Of
			fact := deletedFact{Type: x.Document.Type, Rev: x.Document.Rev + 1, Label: x.Document.Label, Owner: x.Document.Owner, Purge: true}
			if err := s.events.Append(ctx, kindPurged, x.Of, fact); err != nil {
				return err
			}
		}
		if err := s.store.emptyTrash(ctx, refs); err != nil {
			return err
		}
		return s.store.deleteRevisions(ctx, idsOf(refs))
	})
	if err != nil {
		return nil, err
	}
	return refs, nil
}
