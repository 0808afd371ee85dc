package registry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
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
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := newStore(db)
	return &Service{
		db: db, events: log, now: now, authz: authz, quota: quota, cfg: cfg,
		store: s, types: newCatalogue(s), targets: map[string]Finder{},
	}
}

// Load reads and compiles all content types, so that the first requests need not. Cost: one read.
func (s *Service) Load(ctx context.Context) error { return s.types.load(ctx) }

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
	t, err := compile(ContentType{ID: ref.NewID(), Key: cmd.Key, Name: cmd.Name, Version: 1, CreatedAt: s.now()}, stored)
	if err != nil {
		return ContentType{}, err
	}
	row := typeRow{ContentType: t.ContentType, Schema: string(stored)}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.insertType(ctx, row); err != nil {
			return err
		}
		return s.events.Append(ctx, kindType+"created", t.Ref(), row)
	})
	if err != nil {
		return ContentType{}, err
	}
	return t.ContentType, nil
}

// checkNames keeps the names in the keyword `reference` unambiguous: there a key stands beside the built-in types.
func (s *Service) checkNames(cmd DefineCmd) error {
	_, registered := s.targets[cmd.Key]
	switch n := utf8.RuneCountInString(cmd.Name); {
	case !ref.IsKey(cmd.Key):
		return fault.ErrInput.Saying("a key has 2 to 64 of a-z, 0-9, dot, dash and underscore").On("input.key")
	case registered || cmd.Key == ref.Document || cmd.Key == ref.ContentType:
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
	all := make([]ContentType, len(rows))
	for i, row := range rows {
		if all[i], err = row.contentType(); err != nil {
			return nil, err
		}
	}
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

// ByIDs gives documents by id; absent and hidden ones are left out. Cost: one read for each 2,000.
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Document, error) {
	sc, err := s.visible(ctx, ref.Document)
	if err != nil || sc.IsNone() {
		return map[string]Document{}, err
	}
	found, err := s.store.documentsByID(ctx, sc, ids)
	if err != nil {
		return nil, err
	}
	docs := slices.Collect(maps.Values(found))
	if err := s.masked(ctx, docs); err != nil {
		return nil, err
	}
	for _, d := range docs {
		found[d.ID] = d
	}
	return found, nil
}

// References gives what these documents point at, by document, in the order of the paths. The references of a document
// are as visible as its data: for whom documents or fields are hidden there are none. Cost: one read, and one of the documents
// for a caller from whom something is hidden.
func (s *Service) References(ctx context.Context, docIDs []string) (map[string][]Reference, error) {
	sc, err := s.visible(ctx, ref.Document)
	if err != nil || sc.IsNone() {
		return map[string][]Reference{}, err
	}
	m, err := s.mask(ctx, "")
	if err != nil {
		return nil, err
	}
	if sc.IsAll() && len(m.hidden) == 0 {
		return s.store.referencesFrom(ctx, docIDs)
	}
	seen, err := s.store.typeOfDocuments(ctx, sc, docIDs)
	if err != nil {
		return nil, err
	}
	all, err := s.store.referencesFrom(ctx, slices.Collect(maps.Keys(seen)))
	if err != nil {
		return nil, err
	}
	for id, rows := range all {
		if all[id], err = s.shownReferences(ctx, rows, map[string]string{id: seen[id]}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Backlinks reads one page of the references that lead to an object, newest first; those in fields that are hidden are left
// out. Cost: one read by the index {to, -_id}, and one of the documents they are in for a caller from whom something is hidden.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Backlinks(ctx context.Context, to ref.Ref, args page.Args) (page.Page[Reference], error) {
	sc, err := s.readable(ctx, ref.Document)
	switch {
	case err != nil:
		return page.Page[Reference]{}, err
	case !sc.IsAll(): // a row knows nothing of the document it is in: a filter on documents needs a join
		return page.Page[Reference]{}, fault.ErrForbidden
	}
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Reference]{}, err
	}
	read, err := s.store.referencesTo(ctx, to, w)
	if err != nil {
		return page.Page[Reference]{}, err
	}
	p := page.Fold(w, read, func(r Reference) page.Cursor { return page.Cursor{r.ID} })
	if m, err := s.mask(ctx, ""); err != nil || len(m.hidden) == 0 {
		return p, err
	}
	from := make([]string, len(read))
	for i, r := range read {
		from[i] = r.From.ID
	}
	types, err := s.store.typeOfDocuments(ctx, sc, from)
	if err != nil {
		return page.Page[Reference]{}, err
	}
	p.Items, err = s.shownReferences(ctx, p.Items, types)
	return p, err
}
