package loader

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// Sources are the services' own reads of many objects. Each leaves out what is absent and what the actor may not see.
type Sources struct {
	Users        func(ctx context.Context, ids []string) (map[string]account.User, error)
	Roles        func(ctx context.Context, ids []string) (map[string]rbac.Role, error)
	Plans        func(ctx context.Context, ids []string) (map[string]plan.Plan, error)
	ContentTypes func(ctx context.Context, ids []string) (map[string]registry.ContentType, error)
	Documents    func(ctx context.Context, refs []ref.Ref) (map[ref.Ref]registry.Document, error)
	References   func(ctx context.Context, documents []ref.Ref) (map[string][]registry.Reference, error) // by the id of the document
	Targets      func(ctx context.Context, refs []ref.Ref) ([]registry.Target, error)
	Backlinks    func(ctx context.Context, to []ref.Ref, types []string, first int) (map[ref.Ref]page.Page[registry.Reference], error)
	Standings    func(ctx context.Context, subjects []ref.Ref) (map[ref.Ref]plan.Standing, error)
}

// set are the loaders of one operation.
type set struct {
	users      batcher[string, account.User]
	roles      batcher[string, rbac.Role]
	plans      batcher[string, plan.Plan]
	types      batcher[string, registry.ContentType]
	documents  batcher[ref.Ref, registry.Document]
	references batcher[ref.Ref, []registry.Reference]
	targets    batcher[ref.Ref, registry.Target]
	standings  batcher[ref.Ref, plan.Standing]

	mu        sync.Mutex
	backlinks map[string]*batcher[ref.Ref, page.Page[registry.Reference]] // by what is asked of all
	lists     [][]ref.Ref                                                 // of documents that were announced together
	from      Sources
}

type key struct{}

// errNone is a mistake of the programmer: the context comes from no operation.
var errNone = errors.New("loader: no loaders in the context")

// With gives ctx new loaders.
func With(ctx context.Context, from Sources) context.Context {
	s := &set{from: from}
	s.users.fetch = from.Users
	s.roles.fetch = from.Roles
	s.plans.fetch = from.Plans
	s.standings.fetch = from.Standings
	s.types.fetch = from.ContentTypes
	s.documents.fetch = func(ctx context.Context, refs []ref.Ref) (map[ref.Ref]registry.Document, error) {
		docs, err := from.Documents(ctx, refs)
		all := make([]registry.Document, 0, len(docs))
		for _, d := range docs {
			all = append(all, d)
		}
		s.saw(all)
		return docs, err
	}
	s.references.fetch = func(ctx context.Context, docs []ref.Ref) (map[ref.Ref][]registry.Reference, error) {
		found, err := from.References(ctx, docs)
		var to []ref.Ref
		of := make(map[ref.Ref][]registry.Reference, len(found))
		for _, d := range docs {
			if rows, any := found[d.ID]; any {
				of[d] = rows
			}
			for _, r := range found[d.ID] {
				to = append(to, r.To)
			}
		}
		s.targets.expect(to)
		return of, err
	}
	s.targets.limit = registry.MaxResolve
	s.targets.fetch = func(ctx context.Context, refs []ref.Ref) (map[ref.Ref]registry.Target, error) {
		list, err := from.Targets(ctx, refs)
		targets := make(map[ref.Ref]registry.Target, len(list))
		var docs []registry.Document
		for _, t := range list {
			targets[t.Of] = t
			if d, ok := t.Object.(registry.Document); ok {
				docs = append(docs, d)
			}
		}
		s.saw(docs)
		return targets, err
	}
	return context.WithValue(ctx, key{}, s)
}

// saw announces what the fields of documents will ask for.
func (s *set) saw(docs []registry.Document) {
	if len(docs) < 2 {
		return
	}
	refs, types := make([]ref.Ref, len(docs)), make([]string, len(docs))
	users := make([]string, 0, len(docs))
	for i, d := range docs {
		refs[i], types[i] = d.Ref(), d.Type
		for _, u := range []ref.Ref{d.Owner, d.By.User, d.By.Impersonator} {
			if u.Type == ref.User {
				users = append(users, u.ID)
			}
		}
	}
	s.references.expect(refs)
	s.expectBacklinks(refs)
	s.types.expect(types)
	s.users.expect(users)
}

// Saw tells the loaders that these documents are about to be resolved. Whoever resolves a list of documents calls it.
func Saw(ctx context.Context, docs []registry.Document) {
	if s, ok := ctx.Value(key{}).(*set); ok {
		s.saw(docs)
	}
}

// SawSubjects tells the loaders that the standings of these are about to be resolved. Whoever resolves a list of memberships calls it.
func SawSubjects(ctx context.Context, subjects []ref.Ref) {
	if s, ok := ctx.Value(key{}).(*set); ok && len(subjects) > 1 {
		s.standings.expect(subjects)
	}
}

// SawReferences tells the loaders that both ends of these references are about to be resolved. Whoever resolves a list of
// references that did not come from [References] calls it.
func SawReferences(ctx context.Context, refs []registry.Reference) {
	if s, ok := ctx.Value(key{}).(*set); ok {
		s.sawReferences(refs)
	}
}

func (s *set) sawReferences(refs []registry.Reference) {
	from, to := make([]ref.Ref, len(refs)), make([]ref.Ref, len(refs))
	for i, r := range refs {
		from[i], to[i] = r.From, r.To
	}
	s.documents.expect(from)
	s.targets.expect(to)
}

// load gives the value of one key, nil when it is absent or hidden.
func load[K comparable, V any](ctx context.Context, of func(*set) *batcher[K, V], id K) (*V, error) {
	s, ok := ctx.Value(key{}).(*set)
	if !ok {
		return nil, errNone
	}
	v, found, err := of(s).load(ctx, id)
	if err != nil || !found {
		return nil, err
	}
	return &v, nil
}

// User gives a user, nil when absent.
func User(ctx context.Context, id string) (*account.User, error) {
	return load(ctx, func(s *set) *batcher[string, account.User] { return &s.users }, id)
}

// Role gives a role, nil when absent or hidden.
func Role(ctx context.Context, id string) (*rbac.Role, error) {
	return load(ctx, func(s *set) *batcher[string, rbac.Role] { return &s.roles }, id)
}

// Plan gives a plan, nil when absent.
func Plan(ctx context.Context, id string) (*plan.Plan, error) {
	return load(ctx, func(s *set) *batcher[string, plan.Plan] { return &s.plans }, id)
}

// Standing gives the standing of a subject, nil when hidden.
func Standing(ctx context.Context, subject ref.Ref) (*plan.Standing, error) {
	return load(ctx, func(s *set) *batcher[ref.Ref, plan.Standing] { return &s.standings }, subject)
}

// ContentType gives a content type, nil when absent or hidden.
func ContentType(ctx context.Context, id string) (*registry.ContentType, error) {
	return load(ctx, func(s *set) *batcher[string, registry.ContentType] { return &s.types }, id)
}

// Document gives a document, nil when absent or hidden.
func Document(ctx context.Context, on ref.Ref) (*registry.Document, error) {
	return load(ctx, func(s *set) *batcher[ref.Ref, registry.Document] { return &s.documents }, on)
}

// Backlinks gives the first page of what leads to an object, from documents of some types or of all.
func Backlinks(ctx context.Context, to ref.Ref, types []string, first int) (page.Page[registry.Reference], error) {
	p, err := load(ctx, func(s *set) *batcher[ref.Ref, page.Page[registry.Reference]] { return s.backlinksOf(types, first) }, to)
	if err != nil || p == nil {
		return page.Page[registry.Reference]{}, err
	}
	return *p, nil
}

// expectBacklinks announces documents of which the backlinks may be asked for, in whatever words.
func (s *set) expectBacklinks(list []ref.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists = append(s.lists, list)
	for _, b := range s.backlinks {
		b.expect(list)
	}
}

// backlinksOf is the loader of backlinks that are asked for in the same words.
func (s *set) backlinksOf(types []string, first int) *batcher[ref.Ref, page.Page[registry.Reference]] {
	words := strconv.Itoa(first) + " " + strings.Join(types, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.backlinks[words]
	if b == nil {
		b = &batcher[ref.Ref, page.Page[registry.Reference]]{fetch: func(ctx context.Context, to []ref.Ref) (map[ref.Ref]page.Page[registry.Reference], error) {
			pages, err := s.from.Backlinks(ctx, to, types, first)
			var rows []registry.Reference
			for _, p := range pages {
				rows = append(rows, p.Items...)
			}
			s.sawReferences(rows)
			return pages, err
		}}
		for _, list := range s.lists {
			b.expect(list)
		}
		if s.backlinks == nil {
			s.backlinks = map[string]*batcher[ref.Ref, page.Page[registry.Reference]]{}
		}
		s.backlinks[words] = b
	}
	return b
}

// References gives what a document points at, in the order of the paths.
func References(ctx context.Context, document ref.Ref) ([]registry.Reference, error) {
	refs, err := load(ctx, func(s *set) *batcher[ref.Ref, []registry.Reference] { return &s.references }, document)
	if err != nil || refs == nil {
		return []registry.Reference{}, err
	}
	return *refs, nil
}

// Target tells what a reference leads to. A reference the service said nothing about is Hidden.
func Target(ctx context.Context, to ref.Ref) (registry.Target, error) {
	t, err := load(ctx, func(s *set) *batcher[ref.Ref, registry.Target] { return &s.targets }, to)
	if err != nil || t == nil {
		return registry.Target{Of: to}, err
	}
	return *t, nil
}
