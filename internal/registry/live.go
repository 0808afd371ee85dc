package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// List is the state of a live list: the newest documents of a content type, newest first.
type List struct{ Documents []Document }

// ListOp is what a change did to a list.
type ListOp string

// The operations.
const (
	Enter  ListOp = "ENTER"
	Leave  ListOp = "LEAVE"
	Update ListOp = "UPDATE"
)

// ListChange is one change of a live list.
type ListChange struct {
	Op       ListOp
	ID       ref.Ref
	Index    int       // after the change; -1 when it left
	Document *Document // nil when it left
}

// ListDelta are changes of a live list, to be applied in order.
type ListDelta struct{ Changes []ListChange }

// DocumentChange is a committed change of one document, as published to the topic of its content type.
type DocumentChange struct {
	Type     string
	ID       string
	Rev      int
	Document *Document // after the change; nil when it was deleted
	Created  bool
}

// DocumentChanges are the documents of one batch of an import, as published together.
type DocumentChanges []DocumentChange

// topic is where the changes of the documents of a content type are published.
func topic(typeID string) string { return "registry.documents:" + typeID }

// ListChannel tells how to follow the newest documents of a content type, first of them (1 to 100): the key under which one
// source serves all who see the same, what it listens to, how to make it, and who may follow. What somebody sees, the filter
// of their rights and the fields they can read, is the end of the key; when that changes the channel ends with SCOPE_CHANGED.
// Cost: no read when warm, else one.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, CONTENT_TYPE_UNKNOWN.
func (s *Service) ListChannel(ctx context.Context, typeKey string, first int) (
	key string, topics []string, newSource func() *ListSource, allowed func(ctx context.Context) error, err error,
) {
	fail := func(err error) (string, []string, func() *ListSource, func(context.Context) error, error) {
		return "", nil, nil, nil, err
	}
	t, sc, err := s.listable(ctx, typeKey)
	if err != nil {
		return fail(err)
	}
	if first < 1 || first > page.MaxSize {
		return fail(page.ErrSize)
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return fail(err)
	}
	class := classOf(sc, m) + "." + itoa(t.Version)
	allowed = func(ctx context.Context) error {
		now, sc, err := s.listable(ctx, typeKey)
		if err != nil {
			return err
		}
		if m, err := s.mask(ctx, t.ID); err != nil || classOf(sc, m)+"."+itoa(now.Version) != class {
			return cmp.Or(err, error(ErrScope))
		}
		return nil
	}
	newSource = func() *ListSource {
		l := newListSource(first, func(ctx context.Context, n int) ([]Document, error) { return s.store.newest(ctx, sc, t.ID, n) })
		l.shows = func(d Document) (Document, bool) {
			d = t.lift(d)
			stored := d.attributes(t.ID) // as the filter names the type
			return m.over(t, d), sc.Match(stored)
		}
		l.narrow = !sc.IsAll()
		return l
	}
	return "documents:" + t.ID + ":" + strconv.Itoa(first) + ":" + class, []string{topic(t.ID)}, newSource, allowed, nil
}

// classOf names what somebody sees of a list: the same for all who see the same.
func classOf(sc predicate.Filter, m mask) string {
	if sc.IsAll() && len(m.hidden) == 0 {
		return "all"
	}
	sum := sha256.Sum256([]byte(sc.String() + "\x00" + strings.Join(m.hidden, "\x00")))
	return hex.EncodeToString(sum[:])
}

const (
	minReserve = 20  // documents kept beside the visible ones
	maxDeleted = 256 // deletions remembered
)

// ListSource computes a live list: the newest documents of one content type. It satisfies live.Source and is used by one
// goroutine.
//
// It keeps more documents than it shows, as many again and at least 20, because Apply must not read: a deletion then
// refills the list from the reserve. When the reserve runs dry the list is short, Stale reports true, and the owner is
// expected to Load and send the state anew.
//
// A change that is older than the state is ignored by its rev. Deleted ids are remembered, and never reused.
type ListSource struct {
	first  int
	read   func(ctx context.Context, n int) ([]Document, error)
	shows  func(Document) (Document, bool) // a document as those who follow see it, and whether they do
	narrow bool                            // some documents are not seen: one may come into sight by a change

	docs    []Document // newest first, the visible ones and the reserve
	all     bool       // docs are all documents there are; else nothing is known of those older than the last
	gone    []string   // ids of deleted documents, the last maxDeleted of them
	visible []Document // what those who follow know
}

func newListSource(first int, read func(context.Context, int) ([]Document, error)) *ListSource {
	return &ListSource{first: first, read: read, shows: func(d Document) (Document, bool) { return d, true }}
}

func (l *ListSource) capacity() int { return l.first + max(l.first, minReserve) }

// Load reads the list as it is now. Cost: one read.
func (l *ListSource) Load(ctx context.Context) error {
	docs, err := l.read(ctx, l.capacity())
	if err != nil {
		return err
	}
	for i := range docs {
		docs[i], _ = l.shows(docs[i])
	}
	l.docs = docs
	l.all = len(docs) < l.capacity()
	l.visible = l.shown()
	return nil
}

// Snapshot is the List as of now.
func (l *ListSource) Snapshot() any { return List{Documents: slices.Clone(l.visible)} }

// Stale reports that the list is shorter than it should be, or may be.
func (l *ListSource) Stale() bool { return !l.all && len(l.docs) < l.first }

// Apply folds a DocumentChange or DocumentChanges and gives the ListDelta for those who follow, or nil.
func (l *ListSource) Apply(change any) any {
	switch c := change.(type) {
	case DocumentChange:
		l.fold(c)
	case DocumentChanges:
		for _, one := range c {
			l.fold(one)
		}
	default:
		return nil
	}
	before := l.visible
	l.visible = l.shown()
	delta := diff(before, l.visible)
	if len(delta.Changes) == 0 {
		return nil
	}
	return delta
}

func (l *ListSource) shown() []Document { return slices.Clone(l.docs[:min(len(l.docs), l.first)]) }

// find gives the place of an id in the list, newest first.
func (l *ListSource) find(id string) (int, bool) {
	return slices.BinarySearchFunc(l.docs, id, func(d Document, id string) int { return strings.Compare(id, d.ID) })
}

func (l *ListSource) fold(c DocumentChange) {
	i, here := l.find(c.ID)
	if c.Document != nil {
		shown, seen := l.shows(*c.Document)
		if !seen {
			if here && l.docs[i].Rev < c.Rev { // out of sight, but not gone
				l.docs = slices.Delete(l.docs, i, i+1)
			}
			return
		}
		c.Document = &shown
	}
	switch {
	case c.Document == nil:
		if here {
			l.docs = slices.Delete(l.docs, i, i+1)
		}
		if l.gone = append(l.gone, c.ID); len(l.gone) > maxDeleted {
			l.gone = slices.Delete(l.gone, 0, len(l.gone)-maxDeleted)
		}
	case here:
		if l.docs[i].Rev < c.Rev {
			l.docs[i] = *c.Document
		}
	case !c.Created && !l.narrow, slices.Contains(l.gone, c.ID), i == len(l.docs) && !l.all:
		// An unknown document that changes is older than the list, or was deleted before the list was loaded.
	default:
		if l.docs = slices.Insert(l.docs, i, *c.Document); len(l.docs) > l.capacity() {
			l.docs, l.all = l.docs[:l.capacity()], false
		}
	}
}

// diff tells how one list of documents, newest first, becomes another: what leaves, then what enters from the top down,
// then what changed in its place.
func diff(before, after []Document) ListDelta {
	was := make(map[string]int, len(before)) // id -> rev
	for _, d := range before {
		was[d.ID] = d.Rev
	}
	var enter, update []ListChange
	for i := range after {
		d := &after[i]
		rev, known := was[d.ID]
		delete(was, d.ID)
		switch {
		case !known:
			enter = append(enter, ListChange{Op: Enter, ID: d.Ref(), Index: i, Document: d})
		case rev != d.Rev:
			update = append(update, ListChange{Op: Update, ID: d.Ref(), Index: i, Document: d})
		}
	}
	var delta ListDelta
	for _, d := range before {
		if _, left := was[d.ID]; left {
			delta.Changes = append(delta.Changes, ListChange{Op: Leave, ID: d.Ref(), Index: -1})
		}
	}
	delta.Changes = append(append(delta.Changes, enter...), update...)
	return delta
}
