package registry

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// DeleteReport tells what deleting a document would do.
type DeleteReport struct {
	Deleted      int       // documents that would go, the document among them
	Documents    []ref.Ref // the first 100 of them that the caller may read
	Detached     int       // documents that would lose a field
	Changed      []ref.Ref // the first 100 of them that the caller may read
	Kept         int       // documents among those that go that would leave a tombstone
	Blockers     []ref.Ref // the first 100 that the caller may read of those that forbid it
	BlockerCount int       // references that forbid it, up to 10,000
	InBackground bool      // there is too much for one transaction: a job would do it
}

// Report tells what [Service.Delete] would do, and does nothing. Cost: 6 reads, one more for each level of a cascade.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND.
func (s *Service) Report(ctx context.Context, on ref.Ref) (DeleteReport, error) {
	if err := s.authz.Require(ctx, PermDelete, on); err != nil {
		return DeleteReport{}, err
	}
	if !IsDocument(on.Type) {
		return DeleteReport{}, fault.ErrNotFound
	}
	var r DeleteReport
	err := s.db.InTx(ctx, func(ctx context.Context) error { // for one state of everything; it writes nothing
		d := &deletion{s: s, root: on, at: s.now(), limit: s.cfg.CascadeLimit}
		r = DeleteReport{}
		switch err := d.collect(ctx); {
		case errors.Is(err, ErrCascade):
			r.InBackground, r.Deleted = true, len(d.refs)
			return nil
		case errors.Is(err, ErrRefRestricted): // somebody may not delete what hangs on it
			n, _ := fault.From(err).Details["count"].(int)
			r.BlockerCount = n
			return nil
		case err != nil:
			return err
		}
		blockers, err := d.nullify(ctx)
		if errors.Is(err, ErrCascade) {
			r.InBackground, err = true, nil
		}
		if err != nil {
			return err
		}
		return r.fill(ctx, d, blockers)
	})
	return r, err
}

func (r *DeleteReport) fill(ctx context.Context, d *deletion, blockers []ref.Ref) error {
	kept, err := d.s.store.inboundTargets(ctx, d.documents(), Keep)
	if err != nil {
		return err
	}
	restricting, err := d.s.store.countInbound(ctx, d.refs, Restrict, maxCounted)
	if err != nil {
		return err
	}
	r.Deleted, r.Detached, r.Kept, r.BlockerCount = len(d.refs), len(d.loose), len(kept), max(restricting, len(blockers))
	changed := make([]ref.Ref, len(d.loose))
	for i, l := range d.loose {
		changed[i] = l.Ref()
	}
	for _, part := range []struct {
		from []ref.Ref
		to   *[]ref.Ref
	}{{d.refs, &r.Documents}, {changed, &r.Changed}, {blockers, &r.Blockers}} {
		if *part.to, err = d.s.shown(ctx, part.from[:min(len(part.from), maxBlockers)]); err != nil {
			return err
		}
	}
	return nil
}

// deleteLater locks a document and starts the job that deletes it with all that hangs on it, in the transaction of ctx.
func (s *Service) deleteLater(ctx context.Context, cmd DeleteCmd) (job string, err error) {
	args := map[string]string{}
	if cmd.Purge {
		args["purge"] = "true"
	}
	if job, err = s.cfg.Jobs(ctx, JobDelete, cmd.On, args); err != nil {
		return "", err
	}
	return job, s.store.lock(ctx, cmd.On, job)
}

// deleteAtOnce is how many documents one step of the job deletes at the most.
const deleteAtOnce = 1000

// DeleteStep deletes a part of what hangs on a document, from the leaves on, and at the end the document; it is one step of the job
// [JobDelete], in the transaction of ctx. When something forbids to delete a part, the job ends with the code in Refused, and the document can be changed again: what was deleted before is in the trash.
func (s *Service) DeleteStep(ctx context.Context, on ref.Ref, args map[string]string, p *Progress) (finished bool, err error) {
	finished, err = s.deletePart(ctx, on, args, p)
	for _, refusal := range []*fault.Error{ErrRefRestricted, ErrCascade, fault.ErrForbidden} {
		if errors.Is(err, refusal) { // nothing was written yet
			p.Refused = refusal.Code
			return true, s.store.lock(ctx, on, "")
		}
	}
	return finished, err
}

func (s *Service) deletePart(ctx context.Context, on ref.Ref, args map[string]string, p *Progress) (finished bool, err error) {
	remove := func(root ref.Ref, also []ref.Ref) error {
		d := &deletion{s: s, root: root, also: also, at: s.now(), purge: args["purge"] == "true", limit: deleteAtOnce}
		err := d.run(ctx)
		if err == nil {
			p.Done += int64(len(d.refs))
			p.Total = max(p.Total, p.Done)
		}
		return err
	}
	root, path := on, []ref.Ref{}
	for {
		err := remove(root, nil)
		if !errors.Is(err, ErrCascade) {
			gone := root == on && errors.Is(err, fault.ErrNotFound)
			if gone {
				err = nil
			}
			return err == nil && root == on, err
		}
		holders, err := s.store.holders(ctx, []ref.Ref{root}, Cascade, deleteAtOnce)
		if err != nil {
			return false, err
		}
		path = append(path, root)
		batch := slices.DeleteFunc(sortedRefs(holders), func(r ref.Ref) bool { return slices.Contains(path, r) })
		for batch = batch[:min(len(batch), deleteAtOnce/2)]; len(batch) > 1; batch = batch[:len(batch)/2] {
			if err := remove(batch[0], batch[1:]); !errors.Is(err, ErrCascade) {
				return false, err
			}
		}
		if len(batch) == 0 {
			return false, ErrCascade.With("limit", deleteAtOnce) // a circle of more than fits into one transaction
		}
		root = batch[0]
	}
}

// TargetDeleted does to every reference that leads to an object of another domain what its rule says, in the transaction in which
// that domain deletes the object. It asks nobody's leave.
//
// Errors: REF_RESTRICTED, REF_CASCADE_TOO_LARGE, CONTENDED.
func (s *Service) TargetDeleted(ctx context.Context, on ref.Ref, label string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		d := &deletion{s: s, root: on, at: s.now(), limit: s.cfg.CascadeLimit}
		if err := d.run(ctx); err != nil {
			return err
		}
		kept, err := s.store.inboundTargets(ctx, []ref.Ref{on}, Keep)
		if err != nil || len(kept) == 0 {
			return err
		}
		return s.store.insertTombstones(ctx, []Tombstone{{Of: on, Label: label, DeletedAt: d.at, By: author(ctx)}})
	})
}

// StartVerify starts the job [JobVerify]. Needs registry.reference.repair.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) StartVerify(ctx context.Context, repair bool) (job string, err error) {
	if err := s.authz.Require(ctx, PermRepair, ref.Ref{}); err != nil {
		return "", err
	}
	args := map[string]string{}
	if repair {
		args["repair"] = "true"
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		job, err = s.cfg.Jobs(ctx, JobVerify, ref.Ref{}, args)
		return err
	})
	return job, err
}

// Integrity is what a check of references has found.
type Integrity struct {
	Documents int64 // looked at
	Missing   int64 // references in documents that had no row
	Extra     int64 // rows that are in no document
	Dangling  int64 // rows that lead to a document that is not there, and that may not: KEEP leaves a tombstone
	Repaired  int64 // rows written or removed
}

const verifyAtOnce = 500

// VerifyStep compares up to 500 documents with the rows of their references; it is one step of the job [JobVerify], in the
// transaction of ctx. With the argument repair it makes the rows what the documents hold. Dangling references are told of only:
// what they should be nobody knows. Needs registry.reference.repair.
func (s *Service) VerifyStep(ctx context.Context, args map[string]string, p *Progress) (finished bool, err error) {
	if err := s.authz.Require(ctx, PermRepair, ref.Ref{}); err != nil {
		return false, err
	}
	found := Integrity{}
	homes := Homes()
	home, after := cutCursor(p.Cursor)
	i := max(0, slices.Index(homes, home))
	docs, err := s.store.homeAfter(ctx, homes[i], after, verifyAtOnce)
	if err != nil {
		return false, err
	}
	if err := s.verify(ctx, docs, args["repair"] == "true", &found); err != nil {
		return false, err
	}
	p.add(found)
	p.Done += int64(len(docs))
	switch {
	case len(docs) == verifyAtOnce:
		p.Cursor = homes[i] + ":" + docs[len(docs)-1].ID
		return false, nil
	case i+1 < len(homes):
		p.Cursor = homes[i+1] + ":"
		return false, nil
	}
	n, err := s.store.orphanRows(ctx, args["repair"] == "true")
	if err != nil {
		return false, err
	}
	found = Integrity{Extra: n}
	if args["repair"] == "true" {
		found.Repaired = n
	}
	p.add(found)
	return true, nil
}

func (p *Progress) add(f Integrity) {
	for what, n := range map[string]int64{"documents": f.Documents, "missing": f.Missing, "extra": f.Extra, "dangling": f.Dangling, "repaired": f.Repaired} {
		p.count(what, n)
	}
}

// Verify is all steps of [Service.VerifyStep] one after the other, each in a transaction of its own: for the command line.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) Verify(ctx context.Context, repair bool) (Integrity, error) {
	args := map[string]string{}
	if repair {
		args["repair"] = "true"
	}
	var p Progress
	for {
		var finished bool
		next := p
		err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
			next = p
			next.Counts = maps.Clone(p.Counts)
			finished, err = s.VerifyStep(ctx, args, &next)
			return err
		})
		if err != nil {
			return Integrity{}, err
		}
		if p = next; finished {
			n := p.Counts
			return Integrity{n["documents"], n["missing"], n["extra"], n["dangling"], n["repaired"]}, nil
		}
	}
}

func (s *Service) verify(ctx context.Context, docs []Document, repair bool, found *Integrity) error {
	found.Documents += int64(len(docs))
	held, err := s.store.referencesFrom(ctx, documentIDs(docs))
	if err != nil {
		return err
	}
	want, targets := make([][]Reference, len(docs)), []ref.Ref{}
	for i, d := range docs {
		t, err := s.types.id(ctx, d.Type)
		if err != nil {
			return err
		}
		links, err := t.links(t.lift(d).Data)
		if err != nil {
			return err
		}
		want[i] = rows(d, links)
		targets = append(targets, targetsOf(want[i])...)
	}
	there, err := s.store.documentsOf(ctx, sortedRefs(targets))
	if err != nil {
		return err
	}
	var gone []string
	var added []Reference
	for i, d := range docs {
		rowsGone, rowsAdded := difference(held[d.ID], want[i])
		gone, added = append(gone, rowsGone...), append(added, rowsAdded...)
		for _, r := range want[i] {
			if _, ok := there[r.To.ID]; !ok && IsDocument(r.To.Type) && r.OnDelete != Keep {
				found.Dangling++
			}
		}
	}
	found.Missing += int64(len(added))
	found.Extra += int64(len(gone))
	if !repair {
		return nil
	}
	found.Repaired += int64(len(added) + len(gone))
	if err := s.store.deleteReferences(ctx, gone); err != nil {
		return err
	}
	return s.store.insertReferences(ctx, added)
}
