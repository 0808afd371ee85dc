package analytics

import (
	"context"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Authorizer is what this package needs of rbac.
type Authorizer interface {
	// Require fails unless the actor of ctx holds the permission.
	Require(ctx context.Context, permission string, on ref.Ref) error
	// Scope is the filter form of Require: which objects of the type the actor may see, by their attributes.
	Scope(ctx context.Context, permission, typ string) (predicate.Filter, error)
}

// Config of the package. Zero values mean the defaults written beside them.
type Config struct {
	FlushEvery time.Duration // least time between two commits of the folder, default 100 ms
	FlushRows  int           // rollups one commit changes at most, give or take one event, default 5,000
	LeaseTTL   time.Duration // a folder that died is replaced after this time, default 5 s
	IdleEvery  time.Duration // how often a folder without work notes its place in the stream, default 10 s
	PruneEvery time.Duration // how often the folder lets go what is too old, default 10 minutes

	JourneyRows int           // events one funnel, retention or paths may read, default 2,000,000
	JourneyIn   time.Duration // and how long that may take, default 20 s
	Journeys    int           // how many of them are read at a time, default 2: the others wait

	Log *slog.Logger // what the folder does; nil discards it
}

func (c Config) filled() Config {
	if c.FlushEvery == 0 {
		c.FlushEvery = 100 * time.Millisecond
	}
	if c.FlushRows == 0 {
		c.FlushRows = 5000
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = 5 * time.Second
	}
	if c.IdleEvery == 0 {
		c.IdleEvery = 10 * time.Second
	}
	if c.PruneEvery == 0 {
		c.PruneEvery = 10 * time.Minute
	}
	if c.JourneyRows == 0 {
		c.JourneyRows = 2_000_000
	}
	if c.JourneyIn == 0 {
		c.JourneyIn = 20 * time.Second
	}
	if c.Journeys == 0 {
		c.Journeys = 2
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	events  *event.Log
	now     clock.Clock
	authz   Authorizer
	cfg     Config
	store   *mongoStore
	metrics *metricCache
	keep    func(ctx context.Context) (map[string]int, error) // for how many days the events of a name are kept; for ever if it is not there

	journeys chan struct{} // one for each that is being read
	tail     *eventTail
}

// New makes the service. Run [Service.Fold] on every node that may fold events, register [Service.Follower] and
// [Service.FolderFollower] with the tail of every node that answers reports, and run [Service.Tail] on it.
func New(db *store.DB, log *event.Log, now clock.Clock, authz Authorizer, cfg Config) *Service {
	st := newStore(db)
	cfg = cfg.filled()
	return &Service{
		db: db, events: log, now: now, authz: authz, cfg: cfg,
		store: st, metrics: &metricCache{read: st.allMetrics},
		keep:     func(context.Context) (map[string]int, error) { return nil, nil },
		journeys: make(chan struct{}, cfg.Journeys), tail: newEventTail(),
	}
}

// Tracked tells what became of a batch.
type Tracked struct {
	Accepted   int // events stored by this call
	Duplicates int // events whose id was known already, or came twice in the batch
}

// Track stores 1 to 1,000 events: on the disks of a majority when it returns. All of the batch is checked before any of
// it is stored. After any other error part of the batch may be stored: sending it again is safe, what is there counts as
// duplicate. An id that somebody else used counts as duplicate too, and nothing more is told about it.
// Cost: 1 write. It must not be called in a transaction, which a duplicate would end.
//
// Errors: FORBIDDEN, EVENT_INVALID with the field and the detail index.
func (s *Service) Track(ctx context.Context, cmds []EventCmd) (Tracked, error) {
	if err := s.authz.Require(ctx, PermTrack, ref.Ref{}); err != nil {
		return Tracked{}, err
	}
	batch, err := checkBatch(cmds, s.now(), actor.From(ctx).User)
	if err != nil {
		return Tracked{}, err
	}
	return s.store.insertEvents(ctx, batch)
}
