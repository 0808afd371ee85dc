package registry

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Authorizer is what this package needs of rbac.
type Authorizer interface {
	// Require fails unless the actor of ctx holds the permission.
	Require(ctx context.Context, permission string, on ref.Ref) error
	// RequireSome fails unless the actor of ctx holds some instance of the permission, on whatever object.
	RequireSome(ctx context.Context, permission string) error
	// Scope is the filter form of Require: which objects of the type the actor may see, by their attributes.
	Scope(ctx context.Context, permission, typ string) (predicate.Filter, error)
	// Fields is which fields of a content type the actor of ctx can neither read nor write, or only not write, sorted. The
	// zero Ref is all types together.
	Fields(ctx context.Context, contentType ref.Ref) (hidden, frozen []string, err error)
	// ForgetObject takes back the grants on objects that are deleted. It joins the transaction.
	ForgetObject(ctx context.Context, objects ...ref.Ref) error
}

// Quota is what this package needs of plan. All are called inside the transaction.
type Quota interface {
	// Writable refuses an owner who has too many to change those there are, if that is the policy of their plan.
	Writable(ctx context.Context, subject ref.Ref, feature string) error
	Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error
	Release(ctx context.Context, subject ref.Ref, feature string, n int64) error
}

// Config of the package. The zero value works.
type Config struct {
	// CascadeLimit is how many documents one deletion may delete, and how many it may change; 0 means 10,000.
	CascadeLimit int
	// TrashFor is how long deleted documents can be restored; 0 means 30 days.
	TrashFor time.Duration
	// HistoryFor is how long revisions are kept; 0 means for ever.
	HistoryFor time.Duration
	// Jobs starts a job of this package in the transaction of ctx and gives its id; nil for none, as in tests.
	Jobs func(ctx context.Context, kind string, on ref.Ref, args map[string]string) (id string, err error)
	// Files is where tables wait to be imported; nil for no imports.
	Files Files
	// Log gets what the follower cannot read; nil discards it.
	Log *slog.Logger
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	events  *event.Log
	now     clock.Clock
	authz   Authorizer
	quota   Quota
	cfg     Config
	store   *mongoStore
	types   *catalogue
	targets map[string]Finder // by type; frozen with the first use
	frozen  atomic.Bool
}

// New makes the service. Register targets, then Load it after the tail has started.
func New(db *store.DB, log *event.Log, now clock.Clock, authz Authorizer, quota Quota, cfg Config) *Service {
	if cfg.CascadeLimit == 0 {
		cfg.CascadeLimit = 10_000
	}
	if cfg.TrashFor == 0 {
		cfg.TrashFor = 30 * 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := newStore(db)
	return &Service{
		db: db, events: log, now: now, authz: authz, quota: quota, cfg: cfg,
		store: s, types: newCatalogue(s), targets: map[string]Finder{},
	}
}

// Load reads and compiles all content types, so that the first requests need not, and has MongoDB check documents by their
// schemas. Cost: one read and a command for each collection.
func (s *Service) Load(ctx context.Context) error {
	if err := s.types.load(ctx); err != nil {
		return err
	}
	return s.validators(ctx)
}

// DefineCmd asks for a new content type.
type DefineCmd struct {
	Key    string // 2 to 64 of a-z, 0-9, dot, dash and underscore; not the name of a built-in type
	Name   string // 1 to 100 characters
	Schema map[string]any
}

// Define makes a content type; the event registry.type.created commits with it. The schema has at most [MaxSchema] bytes,
// is of type object and names no remote schema; formats are asserted. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, SCHEMA_INVALID (with a JSON Pointer into the schema), CONTENT_TYPE_TAKEN,
// CONTENT_TYPE_LIMIT.
func (s *Service) Define(ctx context.Context, cmd DefineCmd) (ContentType, error) {
	if err := s.authz.Require(ctx, PermTypeWrite, ref.Ref{}); err != nil {
		return ContentType{}, err
	}
	if err := s.checkNames(cmd); err != nil {
		return ContentType{}, err
	}
	plain, err := plainSchema(cmd.Schema)
	if err != nil {
		return ContentType{}, err
	}
	stored, err := text(plain)
	if err != nil {
		return ContentType{}, err
	}
	t, err := compile(ContentType{ID: ref.NewID(), Key: cmd.Key, Name: cmd.Name, State: Active, Version: 1, CreatedAt: s.now()}, stored)
	if err != nil {
		return ContentType{}, err
	}
	row := typeRow{ContentType: t.ContentType, Names: []string{t.Key}, Schema: string(stored)}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.insertType(ctx, row); err != nil {
			return err
		}
		return s.events.Append(ctx, kindType+"created", t.Ref(), row)
	})
	if err != nil {
		return ContentType{}, err
	}
	return t.ContentType, s.validators(ctx)
}

// checkNames keeps the names in the keyword `reference` unambiguous: there a key stands beside the built-in types.
func (s *Service) checkNames(cmd DefineCmd) error {
	_, registered := s.targets[cmd.Key]
	switch n := utf8.RuneCountInString(cmd.Name); {
	case !ref.IsKey(cmd.Key):
		return fault.ErrInput.Saying("a key has 2 to 64 of a-z, 0-9, dot, dash and underscore").On("input.key")
	case registered || cmd.Key == ref.Document || cmd.Key == ref.ContentType || s.types.native(cmd.Key):
		return ErrTypeTaken.Saying("%s is the name of a built-in type", cmd.Key).On("input.key")
	case n < 1 || n > 100 || !utf8.ValidString(cmd.Name):
		return fault.ErrInput.Saying("a name has 1 to 100 characters").On("input.name")
	}
	return nil
}

// readable is the scope of what the actor may read, for lists: who may read nothing is refused with the reason.
func (s *Service) readable(ctx context.Context, typ string) (predicate.Filter, error) {
	sc, err := s.visible(ctx, typ)
	if err != nil || !sc.IsNone() {
		return sc, err
	}
	if err := s.authz.RequireSome(ctx, PermRead); err != nil {
		return sc, err
	}
	return sc, fault.ErrForbidden
}

// visible is the same for look-ups, where what may not be seen is left out.
func (s *Service) visible(ctx context.Context, typ string) (predicate.Filter, error) {
	sc, err := s.authz.Scope(ctx, PermRead, typ)
	return s.stored(ctx, sc), err
}

// Types lists all content types, at most [MaxTypes], by key. Cost: one read.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) Types(ctx context.Context) ([]ContentType, error) {
	if _, err := s.readable(ctx, ref.ContentType); err != nil {
		return nil, err
	}
	rows, err := s.store.allTypes(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]ContentType, len(rows), len(rows)+len(nativeTypes))
	for i, row := range rows {
		if all[i], err = row.contentType(); err != nil {
			return nil, err
		}
	}
	for _, t := range nativeTypes {
		all = append(all, t.ContentType)
	}
	slices.SortFunc(all, func(a, b ContentType) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// TypesByIDs gives content types by id; absent and hidden ones are left out. Cost: no read when warm, else one.
func (s *Service) TypesByIDs(ctx context.Context, ids []string) (map[string]ContentType, error) {
	sc, err := s.visible(ctx, ref.ContentType)
	if err != nil || sc.IsNone() {
		return map[string]ContentType{}, err
	}
	found, err := s.types.ids(ctx, ids)
	all := make(map[string]ContentType, len(found))
	for id, t := range found {
		all[id] = t.ContentType
	}
	return all, err
}

// outOfUse reports whether a content type is retired: its documents then look like those that never were. Cost: no read when
// warm, else one.
func (s *Service) outOfUse(ctx context.Context, typeID string) (bool, error) {
	t, err := s.types.id(ctx, typeID)
	return err == nil && t.State == Retired, err
}

// ByIDs gives the documents of one home by id; absent and hidden ones, and those of types out of use, are left out. Cost: one
// read for each 2,000.
func (s *Service) ByIDs(ctx context.Context, home string, ids []string) (map[string]Document, error) {
	docs, err := s.readByID(ctx, home, ids)
	found := make(map[string]Document, len(docs))
	for _, d := range docs {
		found[d.ID] = d
	}
	return found, err
}

func (s *Service) readByID(ctx context.Context, home string, ids []string) ([]Document, error) {
	sc, err := s.visible(ctx, home)
	if err != nil || sc.IsNone() {
		return nil, err
	}
	docs, err := s.store.documentList(ctx, home, sc, ids)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d Document) bool {
		retired, fail := s.outOfUse(ctx, d.Type)
		err = cmp.Or(err, fail)
		return retired
	})
	if err != nil {
		return nil, err
	}
	return docs, s.masked(ctx, docs)
}

// ByRefs gives documents of any homes, as [Service.ByIDs] does. Cost: one read for each home.
func (s *Service) ByRefs(ctx context.Context, refs []ref.Ref) (map[ref.Ref]Document, error) {
	all := make(map[ref.Ref]Document, len(refs))
	for home, ids := range byHome(refs) {
		docs, err := s.readByID(ctx, home, ids)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			all[d.Ref()] = d
		}
	}
	return all, nil
}

// shown are those of some documents that the actor may read and whose types are in use, in their order. Cost: one read for each home.
func (s *Service) shown(ctx context.Context, refs []ref.Ref) ([]ref.Ref, error) {
	seen := map[string]string{}
	for home, ids := range byHome(refs) {
		sc, err := s.visible(ctx, home)
		if err != nil {
			return nil, err
		}
		if sc.IsNone() {
			continue
		}
		found, err := s.store.typeOfDocuments(ctx, home, sc, ids)
		if err != nil {
			return nil, err
		}
		maps.Copy(seen, found)
	}
	var out []ref.Ref
	for _, r := range refs {
		typ, ok := seen[r.ID]
		if !ok {
			continue
		}
		retired, err := s.outOfUse(ctx, typ)
		if err != nil {
			return nil, err
		}
		if !retired {
			out = append(out, r)
		}
	}
	return out, nil
}

// listable is a content type whose documents are listed, and which of them the actor may read.
func (s *Service) listable(ctx context.Context, typeKey string) (*compiled, predicate.Filter, error) {
	t, err := s.types.key(ctx, typeKey)
	if err != nil { // whoever may read nothing learns no more than that
		if _, forbidden := s.readable(ctx, ref.Document); forbidden != nil {
			err = forbidden
		}
		return nil, predicate.None(), err
	}
	sc, err := s.readable(ctx, homeOf(t.ID))
	if err == nil && t.State == Retired {
		err = ErrTypeRetired
	}
	return t, sc, err
}

// References gives what these documents point at, by the id of the document, in the order of the paths. The references of a
// document are as visible as its data: for whom documents or fields are hidden there are none. Cost: one read, and one of the documents
// of each home for a caller from whom something is hidden.
func (s *Service) References(ctx context.Context, documents []ref.Ref) (map[string][]Reference, error) {
	m, err := s.mask(ctx, "")
	if err != nil {
		return nil, err
	}
	seen, open := map[string]string{}, len(m.hidden) == 0
	for home, ids := range byHome(documents) {
		sc, err := s.visible(ctx, home)
		if err != nil {
			return nil, err
		}
		if sc.IsAll() && open {
			for _, id := range ids {
				seen[id] = ""
			}
			continue
		}
		if sc.IsNone() {
			continue
		}
		found, err := s.store.typeOfDocuments(ctx, home, sc, ids)
		if err != nil {
			return nil, err
		}
		maps.Copy(seen, found)
	}
	if len(seen) == 0 {
		return map[string][]Reference{}, nil
	}
	all, err := s.store.referencesFrom(ctx, slices.Collect(maps.Keys(seen)))
	if err != nil || open {
		return all, err
	}
	for id, rows := range all {
		if all[id], err = s.shownReferences(ctx, rows); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// BacklinksCmd asks what leads to an object.
type BacklinksCmd struct {
	To    ref.Ref
	Types []string // keys of content types; nil for all
	Page  page.Args
}

// maxBacklinkReads bounds how long the search for backlinks that may be seen goes on.
const maxBacklinkReads = 20

// Backlinks reads one page of the references that lead to an object, newest first; those in documents and fields that are hidden
// and in documents of types out of use are left out. Cost: one read by the index {to, -_id}, and for a caller from whom something is hidden one of the documents of each home they are
// in, more when many are hidden; after 2,000 that are hidden in a row the page may be short.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, CONTENT_TYPE_UNKNOWN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Backlinks(ctx context.Context, cmd BacklinksCmd) (page.Page[Reference], error) {
	fail := func(err error) (page.Page[Reference], error) { return page.Page[Reference]{}, err }
	if err := s.authz.RequireSome(ctx, PermRead); err != nil {
		return fail(err)
	}
	w, err := cmd.Page.Check(1)
	if err != nil {
		return fail(err)
	}
	types, err := s.typeIDs(ctx, cmd.Types)
	if err != nil {
		return fail(err)
	}
	var seen []Reference
	at := w
	for range maxBacklinkReads {
		read, err := s.store.referencesTo(ctx, cmd.To, types, at)
		if err != nil {
			return fail(err)
		}
		shown, err := s.seen(ctx, read)
		if err != nil {
			return fail(err)
		}
		seen = append(seen, shown...)
		if len(seen) > w.Size || len(read) <= at.Size {
			break
		}
		if end := (page.Cursor{read[len(read)-1].ID}); w.Backward {
			at.Before = end
		} else {
			at.After = end
		}
	}
	return page.Fold(w, seen[:min(len(seen), w.Size+1)], placeOf), nil
}

// placeOf is where a reference lies in a list.
func placeOf(r Reference) page.Cursor { return page.Cursor{r.ID} }

// typeIDs are the ids of some content types by their keys.
//
// Errors: CONTENT_TYPE_UNKNOWN.
func (s *Service) typeIDs(ctx context.Context, keys []string) ([]string, error) {
	var ids []string
	for _, key := range keys {
		t, err := s.types.key(ctx, key)
		if err != nil {
			return nil, err
		}
		ids = append(ids, t.ID)
	}
	return ids, nil
}

// seen are those of some references that the actor may see.
func (s *Service) seen(ctx context.Context, read []Reference) ([]Reference, error) {
	from := make([]ref.Ref, 0, len(read))
	free := map[string]bool{}    // homes of which everything may be seen
	retired := map[string]bool{} // content types out of use
	for _, r := range read {
		var err error
		if retired[r.FromType], err = s.outOfUse(ctx, r.FromType); err != nil {
			return nil, err
		}
		all, known := free[r.From.Type]
		if !known {
			sc, err := s.visible(ctx, r.From.Type)
			if err != nil {
				return nil, err
			}
			all = sc.IsAll()
			free[r.From.Type] = all
		}
		if !all {
			from = append(from, r.From)
		}
	}
	shown, err := s.shown(ctx, sortedRefs(from))
	if err != nil {
		return nil, err
	}
	open := make(map[ref.Ref]bool, len(shown))
	for _, r := range shown {
		open[r] = true
	}
	read = slices.DeleteFunc(read, func(r Reference) bool { return retired[r.FromType] || !free[r.From.Type] && !open[r.From] })
	return s.shownReferences(ctx, read)
}
