package analytics

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/token"
)

// KeyPrefix begins every ingest key.
const KeyPrefix = "bbi_"

// The bounds of event sources.
const (
	maxSources    = 500
	maxSourceName = 100 // characters
	maxAllowed    = 50  // names of events of one source
	maxOrigins    = 20
	hintLen       = 8 // characters of a key that are shown: the prefix and 24 of its 256 bits
	touchEvery    = time.Minute
)

// EventSource is an ingest key: something outside may store events of some names with it, and do nothing else. So a key
// may be public, as one in a web page is. Its secret is not part of it.
type EventSource struct {
	ID         string     `bson:"_id"`
	Name       string     `bson:"name"`            // for people
	Hint       string     `bson:"hint"`            // how its key begins
	Owner      string     `bson:"owner,omitempty"` // id of the user whose plan its events count for; empty for nobody
	Events     []string   `bson:"events"`          // names of the events it may store
	Origins    []string   `bson:"origins"`         // pages of these may use it, and nothing else; none for programs, and no page
	Disabled   bool       `bson:"disabled"`
	CreatedAt  time.Time  `bson:"createdAt"`
	LastUsedAt *time.Time `bson:"lastUsedAt,omitempty"` // to the minute; nil for never
}

// Ref is the source as a reference.
func (e EventSource) Ref() ref.Ref { return ref.New(ref.EventSource, e.ID) }

// SourceCmd makes or changes an event source. When it changes one, nil leaves a member as it is.
type SourceCmd struct {
	Name     *string  // 1 to 100 characters
	Events   []string // 1 to 50 names of events
	Origins  []string // at most 20 of the form https://host[:port]; empty for programs
	Disabled *bool
}

// apply gives the source as the command wants it.
//
// Errors: BAD_USER_INPUT, EVENT_SOURCE_INVALID.
func (c SourceCmd) apply(e EventSource) (EventSource, error) {
	var err error
	if c.Name != nil {
		if e.Name, err = label.Check(*c.Name, maxSourceName); err != nil {
			return e, err
		}
	}
	if c.Events != nil {
		e.Events = slices.Compact(slices.Sorted(slices.Values(c.Events)))
	}
	if c.Origins != nil {
		e.Origins = append([]string{}, slices.Compact(slices.Sorted(slices.Values(c.Origins)))...)
	}
	if c.Disabled != nil {
		e.Disabled = *c.Disabled
	}
	if len(e.Events) < 1 || len(e.Events) > maxAllowed || slices.ContainsFunc(e.Events, func(n string) bool {
		return !isName(n, ".-") || strings.HasPrefix(n, ownNames)
	}) {
		return e, ErrSource.On("input.events").Saying("a source has 1 to %d names of events, none of them one of the server's own", maxAllowed)
	}
	if len(e.Origins) > maxOrigins || slices.ContainsFunc(e.Origins, func(o string) bool { return !isOrigin(o) }) {
		return e, ErrSource.On("input.origins").Saying("a source has at most %d origins of the form https://host[:port]", maxOrigins)
	}
	return e, nil
}

// isOrigin reports whether text is an origin as browsers write one (RFC 6454, section 6.2).
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && text == u.Scheme+"://"+strings.ToLower(u.Host)
}

// admits refuses what the key is not for. origin is that of the page, as its browser says; a program sends none, or lies,
// which it could do with any key.
func (e EventSource) admits(origin string) error {
	switch {
	case e.Disabled:
		return ErrKey
	case len(e.Origins) == 0 && origin == "", slices.Contains(e.Origins, origin):
		return nil
	}
	return ErrOrigin
}

// The facts of sources.
const (
	sourcePrefix  = "analytics.source."
	sourceCreated = sourcePrefix + "created"
	sourceUpdated = sourcePrefix + "updated"
	sourceRotated = sourcePrefix + "rotated"
	sourceDeleted = sourcePrefix + "deleted"
)

// sourceChange is the data of these facts.
type sourceChange struct {
	Before *EventSource `bson:"before,omitempty"`
	After  *EventSource `bson:"after,omitempty"`
}

// CreateSource makes an event source and gives its key, which is kept nowhere else. Its events count for the plan of the
// caller. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, EVENT_SOURCE_INVALID.
func (s *Service) CreateSource(ctx context.Context, c SourceCmd) (EventSource, string, error) {
	if err := s.authz.Require(ctx, PermSource, ref.Ref{}); err != nil {
		return EventSource{}, "", err
	}
	made := EventSource{ID: ref.NewID(), Owner: actor.From(ctx).User, Origins: []string{}, CreatedAt: s.now()}
	made, err := c.apply(made)
	if err != nil {
		return EventSource{}, "", err
	}
	key, digest := token.New(KeyPrefix)
	made.Hint = key[:hintLen]
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		all, err := s.store.eventSources(ctx)
		if err != nil {
			return err
		}
		if len(all) >= maxSources {
			return ErrSource.Saying("there are at most %d event sources", maxSources)
		}
		if err := s.store.putSource(ctx, made, digest); err != nil {
			return err
		}
		return s.events.Append(ctx, sourceCreated, made.Ref(), sourceChange{After: &made})
	})
	s.sources.forget()
	return made, key, err
}

// UpdateSource changes an event source. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, EVENT_SOURCE_INVALID.
func (s *Service) UpdateSource(ctx context.Context, id string, c SourceCmd) (EventSource, error) {
	return s.changeSource(ctx, id, sourceUpdated, func(ctx context.Context, e EventSource) (EventSource, error) {
		e, err := c.apply(e)
		if err != nil {
			return e, err
		}
		return e, s.store.updateSource(ctx, e, nil)
	})
}

// RotateSource gives an event source another key. The key before is no longer good: on this node when it returns, on the
// others as soon as they hear of it. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, NOT_FOUND.
func (s *Service) RotateSource(ctx context.Context, id string) (EventSource, string, error) {
	key, digest := token.New(KeyPrefix)
	e, err := s.changeSource(ctx, id, sourceRotated, func(ctx context.Context, e EventSource) (EventSource, error) {
		e.Hint = key[:hintLen]
		return e, s.store.updateSource(ctx, e, &digest)
	})
	return e, key, err
}

// DeleteSource removes an event source. The events it has brought stay. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, NOT_FOUND.
func (s *Service) DeleteSource(ctx context.Context, id string) error {
	_, err := s.changeSource(ctx, id, sourceDeleted, func(ctx context.Context, e EventSource) (EventSource, error) {
		return e, s.store.deleteSource(ctx, e.ID)
	})
	return err
}

// changeSource does something with a source, and appends that it was done.
func (s *Service) changeSource(
	ctx context.Context, id, kind string, do func(ctx context.Context, e EventSource) (EventSource, error),
) (after EventSource, err error) {
	if err := s.authz.Require(ctx, PermSource, ref.New(ref.EventSource, id)); err != nil {
		return after, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.source(ctx, id)
		if err != nil {
			return err
		}
		if after, err = do(ctx, before); err != nil {
			return err
		}
		change := sourceChange{Before: &before}
		if kind != sourceDeleted {
			change.After = &after
		}
		return s.events.Append(ctx, kind, before.Ref(), change)
	})
	s.sources.forget()
	return after, err
}

// EventSources lists the event sources, by name. Cost: 1 read.
//
// Errors: FORBIDDEN.
func (s *Service) EventSources(ctx context.Context) ([]EventSource, error) {
	if err := s.authz.Require(ctx, PermSource, ref.Ref{}); err != nil {
		return nil, err
	}
	all, err := s.store.eventSources(ctx)
	slices.SortFunc(all, func(a, b EventSource) int { return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID) })
	return all, err
}

// source finds the source of a key. Cost: none while the sources are in memory, else 1 read.
//
// Errors: INGEST_KEY_INVALID.
func (s *Service) source(ctx context.Context, key string) (EventSource, error) {
	digest, ok := token.Parse(KeyPrefix, key)
	if !ok {
		return EventSource{}, ErrKey
	}
	all, err := s.sources.get(ctx)
	if err != nil {
		return EventSource{}, err
	}
	e, known := all[digest]
	if !known {
		return EventSource{}, ErrKey
	}
	return e, nil
}

// AdmitsOrigin reports whether pages of that origin may use the key; cost as that of using it.
func (s *Service) AdmitsOrigin(ctx context.Context, key, origin string) bool {
	e, err := s.source(ctx, key)
	return err == nil && origin != "" && e.admits(origin) == nil
}

// keyed is who sends with an ingest key.
//
// Errors: INGEST_KEY_INVALID, ORIGIN_REFUSED.
func (s *Service) keyed(ctx context.Context, key, origin string) (sender, EventSource, error) {
	e, err := s.source(ctx, key)
	if err == nil {
		err = e.admits(origin)
	}
	if err != nil {
		return sender{}, e, err
	}
	types, err := s.types.get(ctx)
	if err != nil {
		return sender{}, e, err
	}
	from := sender{source: e.ID, names: e.Events, types: types}
	if e.Owner != "" {
		from.owner = ref.New(ref.User, e.Owner)
	}
	if s.cfg.Network {
		from.network = network(actor.RequestFrom(ctx).IP)
	}
	s.touch(ctx, e.ID)
	return from, e, nil
}

// lastTouch remembers when it was last written that a source is used.
type lastTouch struct {
	mu sync.Mutex
	at map[string]time.Time
}

// due reports whether it is time to write it again, and counts that as done.
func (t *lastTouch) due(id string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.at[id]) < touchEvery {
		return false
	}
	t.at[id] = now
	return true
}

// touch notes that a source is used: to the minute, and without fail only if nothing fails.
func (s *Service) touch(ctx context.Context, id string) {
	now := s.now()
	if !s.touched.due(id, now) {
		return
	}
	if err := s.store.touchSource(ctx, id, now); err != nil {
		s.cfg.Log.WarnContext(ctx, "event_source_not_touched", "source", id, "code", fault.From(err).Code)
	}
}
