package presence

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// PermHealth lets operators see the nodes.
const PermHealth = "system.health.read"

// Permissions are the rights this package asks for.
func Permissions() map[string]string {
	return map[string]string{PermHealth: "See the health of the nodes, also live."}
}

// How a node shows that it lives.
const (
	beatEvery  = 2 * time.Second
	silentFor  = 15 * time.Second // then it is taken for dead
	farewell   = 2 * time.Second  // for deleting its own traces at the end
	watchPause = 50 * time.Millisecond
)

// Authorizer says what the actor of a context may do.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Node is one process that serves.
type Node struct {
	ID        string    `bson:"_id"`
	StartedAt time.Time `bson:"startedAt"`
	At        time.Time `bson:"at"`    // when it said so
	Until     time.Time `bson:"until"` // taken for dead from then on
	Stats     Stats     `bson:"stats"`

	Checks []health.Result `bson:"checks"` // as it looked last
}

// Stats is what a node does. What is counted is counted since its start.
type Stats struct {
	Version       string `bson:"version"`
	Goroutines    int    `bson:"goroutines"`
	HeapBytes     int64  `bson:"heapBytes"`
	StreamLagMs   int64  `bson:"streamLagMs"` // since the change stream last answered
	Sockets       int    `bson:"sockets"`
	Streams       int    `bson:"streams"` // live operations
	Sources       int    `bson:"sources"` // computations that they share
	Frames        int64  `bson:"frames"`  // messages made by the sources
	Delivered     int64  `bson:"delivered"`
	Refused       int64  `bson:"refused"` // messages a full queue did not take: told later as one, or by a RESYNC
	Merged        int64  `bson:"merged"`  // messages that told several changes as one
	Resumed       int64  `bson:"resumed"` // channels that went on where they had been
	Resyncs       int64  `bson:"resyncs"` // times a channel began again
	SlowClosed    int64  `bson:"slowClosed"`
	ChangesMissed int64  `bson:"changesMissed"` // times the history of the change stream was lost
}

// Watcher is somebody who watches an object.
type Watcher struct {
	User     string    `bson:"user"`
	Since    time.Time `bson:"since"`
	Channels int       `bson:"channels"` // how many of theirs show it
}

// Ref is the global id of the user.
func (w Watcher) Ref() ref.Ref { return ref.New(ref.User, w.User) }

// Service knows who is there. It is safe for concurrent use.
type Service struct {
	now   clock.Clock
	log   *slog.Logger
	authz Authorizer
	stats func() Stats
	look  func() []health.Result
	store *mongoStore
	self  Node

	mu       sync.Mutex
	watching map[string]map[string]Watcher // by object and user: through this node
	dirty    map[string]struct{}           // objects of which that is not written yet
	wake     chan struct{}
}

// New makes the service of this node; stats and checks are asked for each sign of life.
func New(db *store.DB, now clock.Clock, log *slog.Logger, authz Authorizer, stats func() Stats, checks func() []health.Result) *Service {
	return &Service{
		now: now, log: log, authz: authz, stats: stats, look: checks, store: newStore(db), self: Node{ID: ref.NewID(), StartedAt: now()},
		watching: map[string]map[string]Watcher{}, dirty: map[string]struct{}{}, wake: make(chan struct{}, 1),
	}
}

// enter notes that somebody watches an object, until leave is called.
func (s *Service) enter(object, user string) (leave func()) {
	s.count(object, user, 1)
	return sync.OnceFunc(func() { s.count(object, user, -1) })
}

func (s *Service) count(object, user string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := s.watching[object]
	if users == nil {
		users = map[string]Watcher{}
		s.watching[object] = users
	}
	w, here := users[user]
	if !here {
		w = Watcher{User: user, Since: s.now()}
	}
	if w.Channels += by; w.Channels > 0 {
		users[user] = w
	} else if delete(users, user); len(users) == 0 {
		delete(s.watching, object)
	}
	s.dirty[object] = struct{}{}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run shows that this node lives and who watches what through it, and buries those that are silent, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		if err := s.store.bury(end, s.self.ID); err != nil {
			s.log.WarnContext(end, "node_farewell_failed", "error", err.Error())
		}
	}()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	s.beat(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			s.beat(ctx)
		case <-s.wake:
			clock.Sleep(ctx, watchPause) // who opens a page opens several channels
		}
		s.write(ctx)
	}
}

func (s *Service) beat(ctx context.Context) {
	n := s.self
	n.At, n.Stats, n.Checks = s.now(), s.stats(), s.look()
	n.Until = n.At.Add(silentFor)
	silent, err := s.store.beat(ctx, n)
	for _, id := range silent {
		s.log.WarnContext(ctx, "node_silent", "silent", id)
		err = s.store.bury(ctx, id)
	}
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "node_beat_failed", "error", err.Error())
	}
}

// write stores who watches the objects of which that has changed. What cannot be stored is stored with the next beat.
func (s *Service) write(ctx context.Context) {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = map[string]struct{}{}
	lists := make(map[string][]Watcher, len(dirty))
	for object := range dirty {
		lists[object] = slices.SortedFunc(maps.Values(s.watching[object]), byUser)
	}
	s.mu.Unlock()
	for object, list := range lists {
		if err := s.store.watch(ctx, s.self.ID, object, list); err != nil {
			s.mu.Lock()
			s.dirty[object] = struct{}{}
			s.mu.Unlock()
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "watchers_not_written", "error", err.Error())
			}
		}
	}
}

func byUser(a, b Watcher) int { return strings.Compare(a.User, b.User) }

// Living gives the ids of the nodes that live on a database, for who is none. Cost: one find.
func Living(ctx context.Context, db *store.DB, now time.Time) (ids []string, err error) {
	all, err := newStore(db).nodes(ctx, now)
	for _, n := range all {
		ids = append(ids, n.ID)
	}
	return ids, err
}

// Restored forgets all nodes, in a database that was copied: they live on another one.
func Restored(ctx context.Context, db *store.DB) error { return newStore(db).forget(ctx) }

// Nodes are those that live. Cost: one find.
//
// Errors: FORBIDDEN.
func (s *Service) Nodes(ctx context.Context) ([]Node, error) {
	if err := s.authz.Require(ctx, PermHealth, ref.Ref{}); err != nil {
		return nil, err
	}
	return s.store.nodes(ctx, s.now())
}
