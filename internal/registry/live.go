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

// List is the state of a live list: the first documents of a content type in the order of the list.
type List struct{ Documents []Document }

// ListOp is what a change did to a list.
type ListOp string

// The operations.
const (
	Enter  ListOp = "ENTER"
	Leave  ListOp = "LEAVE"
	Update ListOp = "UPDATE"
	Move   ListOp = "MOVE" // changed, and stands elsewhere
)

// ListChange is one change of a live list.
type ListChange struct {
	Op       ListOp
	ID       ref.Ref
	Index    int       // after the change; -1 when it left
	From     *int      // before the change, when it moved
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

// FollowCmd asks to follow the first documents of a content type.
type FollowCmd struct {
	Type   string
	First  int            // 1 to 100
	Filter map[string]any // as in [ListCmd], but without targets
	Sort   []Sort         // as in ListCmd
}

// ListChannel tells how to follow the first documents of a list: the key under which one source serves all who see the
// same, what it listens to, how to make it, and who may follow. Lists whose filter and sort say the same share. What somebody
// sees, the filter of their rights and the fields they can read, is the end of the key; when that changes the channel ends with
// SCOPE_CHANGED. Cost: no read when warm, else one.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, CONTENT_TYPE_UNKNOWN, FILTER_INVALID, FIELD_FORBIDDEN, NOT_INDEXED.
func (s *Service) ListChannel(ctx context.Context, cmd FollowCmd) (
	key string, topics []string, newSource func() *ListSource, allowed func(ctx context.Context) error, err error,
) {
	fail := func(err error) (string, []string, func() *ListSource, func(context.Context) error, error) {
		return "", nil, nil, nil, err
	}
	t, sc, err := s.listable(ctx, cmd.Type)
	if err != nil {
		return fail(err)
	}
	if cmd.First < 1 || cmd.First > page.MaxSize {
		return fail(page.ErrSize)
	}
	m, err := s.mask(ctx, t.ID)
	if err != nil {
		return fail(err)
	}
	q := selection{t: t, scope: sc}
	if q.sort, err = sortKeys(t, m, cmd.Sort, false); err != nil {
		return fail(err)
	}
	r := &filterReader{s: s, t: t, m: m, live: true, bounds: newBounds(), pointers: []string{"filter"}}
	if q.filter, err = r.read(ctx, cmd.Filter, false); err != nil {
		return fail(err)
	}
	class := classOf(sc, m) + "." + itoa(t.Version)
	allowed = func(ctx context.Context) error {
		now, sc, err := s.listable(ctx, cmd.Type)
		if err != nil {
			return err
		}
		if m, err := s.mask(ctx, t.ID); err != nil || classOf(sc, m)+"."+itoa(now.Version) != class {
			return cmp.Or(err, error(ErrScope))
		}
		return nil
	}
	return "documents:" + t.ID + ":" + strconv.Itoa(cmd.First) + ":" + q.wish() + class, []string{topic(t.ID)},
		func() *ListSource { return s.listSource(q, m, cmd.First) }, allowed, nil
}

// wish names the filter and the sort of a live list; the newest of all have none.
func (q selection) wish() string {
	if q.filter.IsAll() && len(q.sort) == 1 && q.sort[0].desc {
		return ""
	}
	text := []string{q.filter.String()}
	for _, k := range q.sort {
		text = append(text, k.field+" "+strconv.FormatBool(k.desc))
	}
	sum := sha256.Sum256([]byte(strings.Join(text, "\x00")))
	return hex.EncodeToString(sum[:]) + ":"
}

func (s *Service) listSource(q selection, m mask, first int) *ListSource {
	l := newListSource(first, func(ctx context.Context, n int) ([]Document, error) { return s.store.first(ctx, q, n, false) })
	l.keys = q.sort
	l.shows = func(d Document) (Document, bool) {
		d = q.t.lift(d)
		stored := d.attributes(q.t.ID) // as the filter names the type
		stored["prefix"] = fold(d.Label)
		return m.over(q.t, d), q.scope.Match(stored) && q.filter.Match(stored)
	}
	l.narrow = !q.scope.IsAll() || q.wish() != ""
	return l
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

// ListSource computes a live list: the first documents of one content type. It satisfies live.Source and is used by one
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
	narrow bool                            // a change may bring a document into the list, not its making alone
	keys   []sortKey

	docs    []Document  // in the order of the keys, the visible ones and the reserve
	all     bool        // docs are all documents there are; else nothing is known of those beyond the last
	gone    []deletedAt // the last maxDeleted deletions
	visible []Document  // what those who follow know
}

// deletedAt is a deleted document, and the revision its deletion was: a restored one is newer.
type deletedAt struct {
	id  string
	rev int
}

func newListSource(first int, read func(context.Context, int) ([]Document, error)) *ListSource {
	return &ListSource{first: first, read: read, keys: []sortKey{byID(true)}, shows: func(d Document) (Document, bool) { return d, true }}
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

// Merge gives the changes of two ListDeltas as one.
func (l *ListSource) Merge(older, newer any) any {
	a, _ := older.(ListDelta)
	b, _ := newer.(ListDelta)
	return ListDelta{Changes: slices.Concat(a.Changes, b.Changes)}
}

func (l *ListSource) shown() []Document { return slices.Clone(l.docs[:min(len(l.docs), l.first)]) }

func (l *ListSource) fold(c DocumentChange) {
	i := slices.IndexFunc(l.docs, func(d Document) bool { return d.ID == c.ID })
	here := i >= 0
	switch {
	case c.Document == nil:
		if l.gone = append(l.gone, deletedAt{c.ID, c.Rev}); len(l.gone) > maxDeleted {
			l.gone = slices.Delete(l.gone, 0, len(l.gone)-maxDeleted)
		}
	case here && l.docs[i].Rev >= c.Rev, slices.ContainsFunc(l.gone, func(d deletedAt) bool { return d.id == c.ID && d.rev >= c.Rev }):
		return
	case !here && !c.Created && !l.narrow:
		// An unknown document that changes is older than the list, or was deleted before the list was loaded.
		return
	}
	var old *Document
	if here {
		was := l.docs[i]
		old, l.docs = &was, slices.Delete(l.docs, i, i+1)
	}
	if c.Document == nil {
		return
	}
	if shown, seen := l.shows(*c.Document); seen {
		l.place(shown, old)
	}
}

// place puts a document where the order wants it, if that is within what is known: up to the last one, as it was. old is the
// document before the change, if it was here.
func (l *ListSource) place(d Document, old *Document) {
	i, _ := slices.BinarySearchFunc(l.docs, d, func(a, b Document) int { return compareBy(l.keys, a, b) })
	if i == len(l.docs) && !l.all && (old == nil || compareBy(l.keys, d, *old) > 0) {
		return
	}
	if l.docs = slices.Insert(l.docs, i, d); len(l.docs) > l.capacity() {
		l.docs, l.all = l.docs[:l.capacity()], false
	}
}
