package analytics

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
)

// topicFolded tells that the folder has come further: events were stored.
const topicFolded = "analytics.folded"

// What is read from the events is read anew at most once in rereadEvery, and in rereadShare times as long as it takes: a node
// spends a tenth of its time on each at most.
const (
	rereadEvery = time.Second
	rereadShare = 10
)

// reread says when a live answer is to be read from the events again.
type reread struct {
	behind bool          // it may be another by now
	at     time.Time     // when it was read last, or that failed
	cost   time.Duration // how long that took
}

// begin notes that it is being read.
func (p *reread) begin(now time.Time) { p.behind, p.at = false, now }

// end notes that it was read, or that this failed.
func (p *reread) end(now time.Time, err error) {
	p.cost, p.at, p.behind = now.Sub(p.at), now, p.behind || err != nil
}

func (p *reread) due(now time.Time) bool {
	return p.behind && now.Sub(p.at) >= max(rereadEvery, rereadShare*p.cost)
}

// folderMoved is the change of topicFolded.
type folderMoved struct{}

// JourneySource is a funnel, a retention or paths that are followed live. Each message brings the whole result, and
// nothing is sent while it stays the same. It satisfies live.Source and live.Refresher, and belongs to the goroutine
// that calls it.
type JourneySource[T any] struct {
	now     clock.Clock
	compute func(ctx context.Context) (T, error)
	asOf    func(now time.Time) [2]time.Time
	same    func(a, b T) bool

	result  T
	of      [2]time.Time // asOf of the result
	reread  reread       // behind: events were stored since, or the range has moved
	current time.Time    // the last tick
}

// Load computes the journey.
func (j *JourneySource[T]) Load(ctx context.Context) error {
	result, err := j.run(ctx)
	if err == nil {
		j.result = result
	}
	return err
}

func (j *JourneySource[T]) run(ctx context.Context) (T, error) {
	now := j.now()
	j.reread.begin(now)
	j.current, j.of = now, j.asOf(now)
	result, err := j.compute(ctx)
	j.reread.end(j.now(), err)
	return result, err
}

// Apply notes that the folder has moved, or what time it is. It has nothing to tell: see Refresh.
func (j *JourneySource[T]) Apply(change any) any {
	switch c := change.(type) {
	case folderMoved:
		j.reread.behind = true
	case time.Time:
		if c.After(j.current) {
			j.current = c
			j.reread.behind = j.reread.behind || j.asOf(c) != j.of
		}
	}
	return nil
}

// Merge gives the newer of two results.
func (j *JourneySource[T]) Merge(_, newer any) any { return newer }

// Due reports whether the journey is to be computed anew.
func (j *JourneySource[T]) Due() bool { return j.reread.due(j.current) }

// Refresh computes the journey anew and gives it, or nil if it is what it was.
func (j *JourneySource[T]) Refresh(ctx context.Context) (any, error) {
	result, err := j.run(ctx)
	if err != nil {
		return nil, err
	}
	known := j.same(j.result, result)
	if j.result = result; known {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	return new(result), nil
}

// Snapshot is the result.
func (j *JourneySource[T]) Snapshot() any { return new(j.result) }

// journeyQuery is what a live journey asks.
type journeyQuery[Q any] interface {
	check() (Q, error)
	asOf(now time.Time) [2]time.Time // changes when the answer does without an event: the range moved on
}

// journeyChannel opens a journey to be followed live: what names it, what its source listens to, how the source is made,
// and whether the caller may go on following. All who ask the same on a node share one source.
func journeyChannel[Q journeyQuery[Q], T any](
	ctx context.Context, s *Service, kind string, q Q, compute func(ctx context.Context, q Q) (T, error), same func(a, b T) bool,
) (key string, topics []string, newSource func() *JourneySource[T], allowed func(ctx context.Context) error, err error) {
	if err := s.mayRead(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	if q, err = q.check(); err != nil {
		return "", nil, nil, nil, err
	}
	form, err := json.Marshal(q)
	if err != nil {
		return "", nil, nil, nil, err
	}
	newSource = func() *JourneySource[T] {
		return &JourneySource[T]{
			now: s.now, asOf: q.asOf, same: same,
			compute: func(ctx context.Context) (T, error) { return compute(ctx, q) },
		}
	}
	return kind + ":" + string(form), []string{topicFolded, topicTick}, newSource, s.mayRead, nil
}

// FunnelChannel opens a funnel to be followed live. The data is a *[Funnel].
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE. The source's Load: REPORT_TOO_LARGE.
func (s *Service) FunnelChannel(ctx context.Context, q FunnelQuery) (
	key string, topics []string, newSource func() *JourneySource[Funnel], allowed func(ctx context.Context) error, err error,
) {
	return journeyChannel(ctx, s, "funnel", q, s.funnel, func(a, b Funnel) bool {
		a.Read = b.Read
		return reflect.DeepEqual(a, b)
	})
}

// RetentionChannel opens a retention to be followed live. The data is a *[Retention].
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE. The source's Load: REPORT_TOO_LARGE.
func (s *Service) RetentionChannel(ctx context.Context, q RetentionQuery) (
	key string, topics []string, newSource func() *JourneySource[Retention], allowed func(ctx context.Context) error, err error,
) {
	return journeyChannel(ctx, s, "retention", q, s.retention, func(a, b Retention) bool {
		a.Read = b.Read
		return reflect.DeepEqual(a, b)
	})
}

// PathsChannel opens paths to be followed live. The data is a *[Paths].
//
// Errors: FORBIDDEN, BAD_USER_INPUT, REPORT_RANGE. The source's Load: REPORT_TOO_LARGE.
func (s *Service) PathsChannel(ctx context.Context, q PathsQuery) (
	key string, topics []string, newSource func() *JourneySource[Paths], allowed func(ctx context.Context) error, err error,
) {
	return journeyChannel(ctx, s, "paths", q, s.paths, func(a, b Paths) bool {
		a.Read = b.Read
		return reflect.DeepEqual(a, b)
	})
}

// FolderFollower hears of the folder: journeys that are followed live are computed anew when it has met new events. It
// notes them within Config.FlushEvery when a metric counts them, else within Config.IdleEvery.
func (s *Service) FolderFollower(publish func(topic string, change any)) event.Follower {
	var through int64
	return event.Follower{
		Name:       "analytics folder",
		Collection: checkpointsCollection,
		OnChange: func(_ context.Context, c event.Change) {
			if id, _ := c.Key.StringValueOK(); id != foldID || c.Doc == nil {
				return
			}
			if at, ok := c.Doc.Lookup("through").DateTimeOK(); ok && at != through {
				through = at
				publish(topicFolded, folderMoved{})
			}
		},
	}
}
