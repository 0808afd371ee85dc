package analytics

import (
	"context"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
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
	RecountFor time.Duration // how long a recount reads the events as of one moment, default 5 s; see recounting.run
	BehindMax  time.Duration // how far the folder may be behind before who stores events has to wait, default 3 s

	JourneyRows int           // events one funnel, retention or paths may read, default 2,000,000
	JourneyIn   time.Duration // and how long that may take, default 20 s
	Journeys    int           // how many of them are read at a time, default 2: the others wait

	Log *slog.Logger // what the folder does; nil discards it

	Quota   Quota // counts stored events for plans; nil counts nothing
	Pace    Pace  // bounds how fast ingest keys are used; nil does not
	Network bool  // events with consent get the dimension network: the /24 or /48 of the sender's address
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
	if c.RecountFor == 0 {
		c.RecountFor = 5 * time.Second
	}
	if c.BehindMax == 0 {
		c.BehindMax = 3 * time.Second
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
	metrics cached[map[string]Metric]
	unused  func(ctx context.Context, metric string) error            // see OnDelete
	deleted func(ctx context.Context, on ref.Ref, label string) error // see OnDelete
	keep    func(ctx context.Context) (map[string]int, error)         // for how many days the events of a name are kept; for ever if it is not there

	journeys chan struct{} // one for each that is being read
	tail     *eventTail
	backlog  backlog
	recent   recent
	types    cached[map[string]EventType]
	sources  cached[map[token.Digest]EventSource]
	touched  lastTouch
}

// New makes the service. Run [Service.Fold] on every node that may fold events, register [Service.Follower] and
// [Service.FolderFollower] with the tail of every node that answers reports, and run [Service.Tail] on it.
func New(db *store.DB, log *event.Log, now clock.Clock, authz Authorizer, cfg Config) *Service {
	st := newStore(db)
	cfg = cfg.filled()
	s := &Service{
		db: db, events: log, now: now, authz: authz, cfg: cfg,
		store: st, metrics: cached[map[string]Metric]{read: st.metricsByKey},
		journeys: make(chan struct{}, cfg.Journeys), tail: newEventTail(),
		types: cached[map[string]EventType]{read: st.eventTypes}, sources: cached[map[token.Digest]EventSource]{read: st.sourcesByKey},
		touched: lastTouch{at: map[string]time.Time{}},
	}
	s.keep = s.retentions
	s.recent.read = st.checkpoint
	return s
}

// Tracked tells what became of a batch.
type Tracked struct {
	Accepted   int // events stored by this call
	Duplicates int // events whose id was known already, or came twice in the batch
}

// Track stores 1 to 1,000 events: on the disks of a majority when it returns. All of the batch is checked before any of
// it is stored. After any other error part of the batch may be stored: sending it again is safe, what is there counts as
// duplicate. An id that somebody else used counts as duplicate too, and nothing more is told about it.
// Cost: 1 write, and where plans count events 1 or 2 more. It must not be called in a transaction, which a duplicate would
// end.
//
// Errors: FORBIDDEN, EVENT_INVALID and EVENT_TOO_OLD with the field and the detail index, QUOTA_EXCEEDED.
func (s *Service) Track(ctx context.Context, cmds []EventCmd) (Tracked, error) {
	from, err := s.sender(ctx)
	if err != nil {
		return Tracked{}, err
	}
	batch, err := from.batch(cmds, s.now())
	if err != nil {
		return Tracked{}, err
	}
	return s.put(ctx, from, batch)
}

// Record stores up to 1,000 events, and leaves out those that are refused: what the server says of itself must not be held up
// by what somebody has defined of it. Cost: as [Service.Track].
//
// Errors: FORBIDDEN, QUOTA_EXCEEDED.
func (s *Service) Record(ctx context.Context, cmds []EventCmd) (Tracked, error) {
	from, err := s.sender(ctx)
	if err != nil {
		return Tracked{}, err
	}
	batch := make([]Event, 0, len(cmds))
	for _, c := range cmds {
		if e, bad := from.event(c, s.now()); bad == nil {
			batch = append(batch, e)
		}
	}
	if len(batch) == 0 {
		return Tracked{}, nil
	}
	return s.put(ctx, from, batch)
}

// NewestAt is when the newest stored event of some names happened; the zero time when there is none. One find.
//
// Errors: FORBIDDEN.
func (s *Service) NewestAt(ctx context.Context, names ...string) (time.Time, error) {
	if err := s.authz.Require(ctx, PermTrack, ref.Ref{}); err != nil {
		return time.Time{}, err
	}
	return s.store.newestAt(ctx, names)
}
