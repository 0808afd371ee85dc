package registry

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// topicOf is where the changes of one document are published, and topicOfLinks those of what leads to an object.
func topicOf(on ref.Ref) string      { return "registry.document:" + on.String() }
func topicOfLinks(to ref.Ref) string { return "registry.backlinks:" + to.String() }

// linkChange tells that something leads to an object that did not, or the other way round.
type linkChange struct{}

// DocumentState is a document as a live channel tells it: all of it, each time it changes; nil when it is gone.
type DocumentState struct{ Document *Document }

// DocumentChannel tells how to follow one document. See [Service.ListChannel]. Cost: 1 read.
//
// Errors: UNAUTHENTICATED, NOT_FOUND.
func (s *Service) DocumentChannel(ctx context.Context, on ref.Ref) (
	key string, topics []string, newSource func() *DocumentSource, allowed func(ctx context.Context) error, err error,
) {
	d, t, m, err := s.readablePast(ctx, on)
	if err != nil {
		return "", nil, nil, nil, err
	}
	sc, err := s.visible(ctx, on.Type)
	if err != nil {
		return "", nil, nil, nil, err
	}
	class := classOf(sc, m) + "." + itoa(t.Version)
	allowed = func(ctx context.Context) error {
		sc, err := s.visible(ctx, on.Type)
		if err != nil || sc.IsNone() {
			return cmp.Or(err, error(fault.ErrForbidden))
		}
		m, err := s.mask(ctx, d.Type)
		if err != nil {
			return err
		}
		now, err := s.types.id(ctx, d.Type)
		switch {
		case err != nil:
			return err
		case now.State == Retired:
			return fault.ErrNotFound
		case classOf(sc, m)+"."+itoa(now.Version) != class:
			return ErrScope
		}
		return nil
	}
	newSource = func() *DocumentSource {
		return &DocumentSource{
			read: func(ctx context.Context) (map[string]Document, error) {
				return s.store.documentsByID(ctx, on.Type, sc, []string{on.ID})
			},
			shows: func(d Document) (Document, bool) {
				d = t.lift(d)
				return m.over(t, d), sc.Match(d.attributes(t.ID))
			},
			id: on.ID,
		}
	}
	return "document:" + on.String() + ":" + class, []string{topicOf(on)}, newSource, allowed, nil
}

// DocumentSource computes a live document. It satisfies live.Source and is used by one goroutine.
type DocumentSource struct {
	read  func(ctx context.Context) (map[string]Document, error)
	shows func(Document) (Document, bool)
	id    string
	state DocumentState
	rev   int
}

// Load reads the document as it is now. Cost: one read.
func (l *DocumentSource) Load(ctx context.Context) error {
	found, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.state = DocumentState{}
	if d, there := found[l.id]; there {
		shown, _ := l.shows(d)
		l.state.Document, l.rev = &shown, d.Rev
	}
	return nil
}

// Snapshot is the [DocumentState] as of now.
func (l *DocumentSource) Snapshot() any { return l.state }

// Merge gives the newer of two states.
func (l *DocumentSource) Merge(_, newer any) any { return newer }

// Apply folds a [DocumentChange] and gives the new [DocumentState], or nil for what was known.
func (l *DocumentSource) Apply(change any) any {
	c, ok := change.(DocumentChange)
	if !ok || c.Rev <= l.rev {
		return nil
	}
	l.state, l.rev = DocumentState{}, c.Rev
	if c.Document != nil {
		if shown, seen := l.shows(*c.Document); seen {
			l.state.Document = &shown
		}
	}
	return l.state
}

// BacklinkList is what leads to an object, as a live channel tells it: all of it, each time it changes.
type BacklinkList struct{ References []Reference }

// BacklinksChannel tells how to follow the newest references to an object, first of them (1 to 100). See [Service.ListChannel].
// Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE.
func (s *Service) BacklinksChannel(ctx context.Context, to ref.Ref, first int) (
	key string, topics []string, newSource func() *BacklinkSource, allowed func(ctx context.Context) error, err error,
) {
	class, err := s.classOfAll(ctx)
	if err == nil && (first < 1 || first > page.MaxSize) {
		err = page.ErrSize
	}
	if err != nil {
		return "", nil, nil, nil, err
	}
	allowed = func(ctx context.Context) error {
		if now, err := s.classOfAll(ctx); err != nil || now != class {
			return cmp.Or(err, error(ErrScope))
		}
		return nil
	}
	who := actor.From(ctx) // anybody of the class sees the same
	newSource = func() *BacklinkSource {
		return &BacklinkSource{read: func(ctx context.Context) (page.Page[Reference], error) {
			return s.Backlinks(actor.With(ctx, who), BacklinksCmd{To: to, Page: page.Args{First: &first}})
		}}
	}
	key = strings.Join([]string{"backlinks", to.String(), strconv.Itoa(first), class}, ":")
	return key, []string{topicOfLinks(to)}, newSource, allowed, nil
}

// classOfAll names what somebody sees of all documents: the same for all who see the same.
func (s *Service) classOfAll(ctx context.Context) (string, error) {
	if err := s.authz.RequireSome(ctx, PermRead); err != nil {
		return "", err
	}
	m, err := s.mask(ctx, "")
	if err != nil {
		return "", err
	}
	var all []string
	for _, home := range Homes() {
		sc, err := s.visible(ctx, home)
		if err != nil {
			return "", err
		}
		all = append(all, classOf(sc, m))
	}
	return strings.Join(all, "."), nil
}

// BacklinkSource computes the newest references to an object. It satisfies live.Source and live.Staler, and is used by one
// goroutine.
type BacklinkSource struct {
	read  func(ctx context.Context) (page.Page[Reference], error)
	list  BacklinkList
	stale bool
}

// Load reads the list as it is now. Cost: as [Service.Backlinks].
func (l *BacklinkSource) Load(ctx context.Context) error {
	p, err := l.read(ctx)
	l.list, l.stale = BacklinkList{p.Items}, err != nil
	return err
}

// Snapshot is the [BacklinkList] as of now.
func (l *BacklinkSource) Snapshot() any { return l.list }

// Apply notes that the list is another.
func (l *BacklinkSource) Apply(change any) any {
	if _, ok := change.(linkChange); ok {
		l.stale = true
	}
	return nil
}

// Stale reports that the list is to be read anew.
func (l *BacklinkSource) Stale() bool { return l.stale }
