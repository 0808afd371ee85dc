package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// Errors of the history.
var (
	// ErrRevision says that a document has no such revision, or has it no more.
	ErrRevision = fault.Define(fault.Invalid, "REVISION_UNKNOWN", "the document has no such revision, or it is kept no longer")
)

// Revision is a state a document was in. The newest is the document itself; the others are rows, each written when the
// document left that state: so creating documents writes nothing here.
type Revision struct {
	ID      string    `bson:"_id"`
	Of      ref.Ref   `bson:"of"`
	Type    string    `bson:"type"` // id of the content type
	Rev     int       `bson:"rev"`
	Version int       `bson:"v"` // of the schema its data was written by
	At      time.Time `bson:"at"`
	By      Author    `bson:"by"`
	Op      Op        `bson:"op"`
	Label   string    `bson:"label"`

	Full map[string]any `bson:"full,omitempty"` // the data; nil: it is that of the revision before with its Set and Unset
	// Set and Unset are the members of the data that the next revision has differently, and those it has no more.
	Set   map[string]any `bson:"set,omitempty"`
	Unset []string       `bson:"unset,omitempty"`
	Hash  string         `bson:"hash"` // SHA-256 of the data as JSON with sorted keys, in hex

	ExpiresAt *time.Time `bson:"expiresAt,omitempty"`
}

// Ref is the revision as a reference.
func (r Revision) Ref() ref.Ref { return ref.New(ref.Revision, r.Of.ID+"."+itoa(r.Rev)) }

// fullEvery is how many revisions apart the whole data is kept; what is between follows from them.
const fullEvery = 20

// author is who is asking.
func author(ctx context.Context) Author {
	a := actor.From(ctx)
	by := Author{User: a.Ref()}
	if a.Impersonator != "" {
		by.Impersonator = ref.New(ref.User, a.Impersonator)
	}
	return by
}

// remember writes the revision that a document leaves for the next, in the transaction of ctx. Cost: one write.
func (s *Service) remember(ctx context.Context, before, next Document) error {
	set, unset := change(before.Data, next.Data)
	r := Revision{
		ID: ref.NewID(), Of: before.Ref(), Type: before.Type, Rev: before.Rev, Version: before.Version, At: before.UpdatedAt, By: before.By, Op: before.Op,
		Label: before.Label, Set: set, Unset: unset, Hash: hashOf(before.Data),
	}
	if before.Rev%fullEvery == 1 || before.Lifted || before.Op == OpRestore {
		r.Full = before.Data
		if r.Full == nil {
			r.Full = map[string]any{}
		}
	}
	if s.cfg.HistoryFor > 0 {
		r.ExpiresAt = new(s.now().Add(s.cfg.HistoryFor))
	}
	return s.store.insertRevision(ctx, r)
}

// change is how one state of data becomes the next, member by member at the top.
func change(before, next map[string]any) (set map[string]any, unset []string) {
	set = map[string]any{}
	for k, v := range next {
		if old, had := before[k]; !had || !reflect.DeepEqual(old, v) {
			set[k] = v
		}
	}
	for k := range before {
		if _, has := next[k]; !has {
			unset = append(unset, k)
		}
	}
	slices.Sort(unset)
	return set, unset
}

// fields are the members of the data that the next revision has differently.
func (r Revision) fields() []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(r.Set)), r.Unset...)))
}

// hashOf is the hash of data. The keys of maps are sorted in JSON.
func hashOf(data map[string]any) string {
	text, err := json.Marshal(data)
	if err != nil {
		panic("registry: data that is no JSON: " + err.Error()) // it was plain
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// changedSince gives which members of its data a document has changed since a revision; all is true when nobody knows any more.
func (s *Service) changedSince(ctx context.Context, d Document, rev int) (fields []string, all bool, err error) {
	if rev < 1 || rev > d.Rev {
		return nil, true, nil
	}
	rows, err := s.store.revisionsBetween(ctx, d.ID, rev, d.Rev-1)
	if err != nil || len(rows) < d.Rev-rev {
		return nil, true, err
	}
	for _, r := range rows {
		fields = append(fields, r.fields()...)
	}
	slices.Sort(fields)
	return slices.Compact(fields), false, nil
}

// Past is a document as it was, with who made it so.
type Past struct {
	Document // its data by the schema of today, unless it cannot be; less what is hidden from the caller

	Hash string // of the data as it was stored
}

// readablePast reads a document for its history: whoever may read the document may read that.
func (s *Service) readablePast(ctx context.Context, on ref.Ref) (Document, *compiled, mask, error) {
	none := func(err error) (Document, *compiled, mask, error) { return Document{}, nil, mask{}, err }
	if !IsDocument(on.Type) {
		return none(fault.ErrNotFound)
	}
	sc, err := s.visible(ctx, on.Type)
	if err != nil {
		return none(err)
	}
	if sc.IsNone() {
		return none(fault.ErrNotFound)
	}
	found, err := s.store.documentsByID(ctx, on.Type, sc, []string{on.ID})
	if err != nil {
		return none(err)
	}
	d, there := found[on.ID]
	if !there {
		return none(fault.ErrNotFound)
	}
	t, err := s.types.id(ctx, d.Type)
	if err != nil {
		return none(err)
	}
	if t.State == Retired {
		return none(fault.ErrNotFound)
	}
	m, err := s.mask(ctx, d.Type)
	return d, t, m, err
}

// History reads one page of the revisions of a document, newest first; the newest is the document. Fields that are hidden are
// not told of. Cost: 3 reads.
//
// Errors: UNAUTHENTICATED, NOT_FOUND, PAGE_SIZE, BAD_CURSOR.
func (s *Service) History(ctx context.Context, on ref.Ref, args page.Args) (page.Page[Change], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Change]{}, err
	}
	d, t, m, err := s.readablePast(ctx, on)
	if err != nil {
		return page.Page[Change]{}, err
	}
	rows, err := s.store.revisionsPage(ctx, d, w)
	if err != nil {
		return page.Page[Change]{}, err
	}
	all := make([]Change, len(rows))
	for i, r := range rows {
		all[i] = Change{Of: on, Rev: r.Rev, Version: r.Version, At: r.At, By: r.By, Op: r.Op, Fields: m.shown(r.fields())}
		if all[i].Label = r.Label; len(m.hidden) > 0 {
			all[i].Label = t.labelOf(d.ID, nil)
		}
	}
	return page.Fold(w, all, func(c Change) page.Cursor { return page.Cursor{cursorOf(c.Rev)} }), nil
}

// Change is one entry of a history: a revision, and what it has changed.
type Change struct {
	Of      ref.Ref
	Rev     int
	Version int
	At      time.Time
	By      Author
	Op      Op
	Label   string
	Fields  []string // of the data, that it has differently from the revision before; all of the first; none when that is not kept any more
}

// Ref is the revision as a reference.
func (c Change) Ref() ref.Ref { return ref.New(ref.Revision, c.Of.ID+"."+itoa(c.Rev)) }

// At gives a document as it was at a revision. Cost: 2 reads, and up to 2 more for one that is past.
//
// Errors: UNAUTHENTICATED, NOT_FOUND, REVISION_UNKNOWN.
func (s *Service) At(ctx context.Context, on ref.Ref, rev int) (Past, error) {
	d, t, m, err := s.readablePast(ctx, on)
	if err != nil {
		return Past{}, err
	}
	past, hash, err := s.rebuilt(ctx, d, rev)
	if err != nil {
		return Past{}, err
	}
	return Past{m.over(t, t.lift(past)), hash}, nil
}

// AsOf gives a document as it was at a time. Cost: as [Service.At], and 1 read.
//
// Errors: UNAUTHENTICATED, NOT_FOUND, REVISION_UNKNOWN before it was made, or when that is not kept.
func (s *Service) AsOf(ctx context.Context, on ref.Ref, at time.Time) (Past, error) {
	d, _, _, err := s.readablePast(ctx, on)
	if err != nil {
		return Past{}, err
	}
	rev := d.Rev
	if at.Before(d.UpdatedAt) {
		var found bool
		if rev, found, err = s.store.revisionAt(ctx, d.ID, at); err != nil {
			return Past{}, err
		}
		if !found {
			return Past{}, ErrRevision
		}
	}
	return s.At(ctx, on, rev)
}

// rebuilt is a document at a revision, as it was stored, and the hash that was stored beside it.
func (s *Service) rebuilt(ctx context.Context, d Document, rev int) (Document, string, error) {
	if rev == d.Rev {
		return d, hashOf(d.Data), nil
	}
	if rev < 1 || rev > d.Rev {
		return d, "", ErrRevision
	}
	rows, err := s.store.revisionsBetween(ctx, d.ID, max(1, rev-fullEvery), rev)
	if err != nil {
		return d, "", err
	}
	var data map[string]any
	for i, r := range rows {
		switch {
		case r.Full != nil:
			data = maps.Clone(r.Full)
		case data != nil && rows[i-1].Rev == r.Rev-1:
			data = rows[i-1].applied(data)
		default:
			data = nil
		}
	}
	if len(rows) == 0 || rows[len(rows)-1].Rev != rev || data == nil {
		return d, "", ErrRevision
	}
	r := rows[len(rows)-1]
	d.Rev, d.Version, d.UpdatedAt, d.By, d.Op, d.Label, d.Data = r.Rev, r.Version, r.At, r.By, r.Op, r.Label, data
	return d, r.Hash, nil
}

// applied is the data of the revision after r, given its own.
func (r Revision) applied(data map[string]any) map[string]any {
	next := maps.Clone(data)
	maps.Copy(next, r.Set)
	for _, k := range r.Unset {
		delete(next, k)
	}
	return next
}

// Difference is one value of the data that two revisions have differently.
type Difference struct {
	Pointer string // JSON Pointer (RFC 6901)
	Op      string // "add", "remove" or "replace", as JSON Patch (RFC 6902) has them
	Before  any    // nil for add
	After   any    // nil for remove
}

// maxDifferences bounds a [Service.Diff].
const maxDifferences = 1000

// Diff tells how a document differs between two revisions, value by value, both by the schema of today; fields that are hidden
// are left out. At most 1,000 are told. Cost: as twice [Service.At].
//
// Errors: UNAUTHENTICATED, NOT_FOUND, REVISION_UNKNOWN.
func (s *Service) Diff(ctx context.Context, on ref.Ref, from, to int) ([]Difference, error) {
	a, err := s.At(ctx, on, from)
	if err != nil {
		return nil, err
	}
	b, err := s.At(ctx, on, to)
	if err != nil {
		return nil, err
	}
	return differ(nil, nil, a.Data, b.Data), nil
}

// DiffBefore tells how a revision differs from the one before. It tells nothing of the first, of one that was restored (the
// deletion was the one before), nor of one that cannot be compared because that is not kept any more ([Config.HistoryFor]). Cost: as [Service.Diff].
//
// Errors: UNAUTHENTICATED, NOT_FOUND.
func (s *Service) DiffBefore(ctx context.Context, on ref.Ref, rev int) ([]Difference, error) {
	if rev == 1 {
		return nil, nil
	}
	all, err := s.Diff(ctx, on, rev-1, rev)
	return all, ignore(err, ErrRevision)
}

func differ(all []Difference, path []string, a, b any) []Difference {
	if len(all) >= maxDifferences || reflect.DeepEqual(a, b) {
		return all
	}
	x, xObject := a.(map[string]any)
	y, yObject := b.(map[string]any)
	if !xObject || !yObject {
		return append(all, Difference{Pointer: pointer(path), Op: "replace", Before: a, After: b})
	}
	for _, k := range slices.Sorted(maps.Keys(union(x, y))) {
		at := append(slices.Clone(path), k)
		before, had := x[k]
		after, has := y[k]
		switch {
		case !had:
			all = append(all, Difference{Pointer: pointer(at), Op: "add", After: after})
		case !has:
			all = append(all, Difference{Pointer: pointer(at), Op: "remove", Before: before})
		default:
			all = differ(all, at, before, after)
		}
	}
	return all[:min(len(all), maxDifferences)]
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

// RevertCmd asks to bring a document back to how it was.
type RevertCmd struct {
	On  ref.Ref
	Rev int // the revision the caller saw
	To  int // the one it is to be as
}

// Revert makes a document as it was at a revision, as a new revision: data of an older schema becomes that of today first, and
// what it points at must be there. The event registry.document.reverted commits with it. Cost: as [Service.Update], and 1 read.
//
// Errors: those of Update, REVISION_UNKNOWN.
func (s *Service) Revert(ctx context.Context, cmd RevertCmd) (Document, error) {
	return s.alter(ctx, alteration{
		on: cmd.On, rev: cmd.Rev, op: OpRevert, kind: kindReverted,
		data: func(ctx context.Context, t *compiled, cur Document) (map[string]any, error) {
			past, _, err := s.rebuilt(ctx, cur, cmd.To)
			if err != nil {
				return nil, err
			}
			return t.lift(past).Data, nil
		},
	})
}

// cursorOf is a revision as a text that sorts as numbers do.
func cursorOf(rev int) string { return fmt.Sprintf("%010d", rev) }

func itoa(n int) string { return strconv.Itoa(n) }
