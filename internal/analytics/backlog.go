package analytics

import (
	"context"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

const (
	backlogEvery = time.Second            // how often the folder's place is looked at while events are stored
	backlogWait  = 500 * time.Millisecond // most that one batch waits
	backlogDead  = 10 * time.Second       // a folder that has not committed for so long is none
)

// machine is the clock of this machine, also where a test has set another: what is measured is real work.
var machine = clock.System()

// backlog slows down who stores events faster than they are folded: a folder too far behind loses its place in the
// history of the database and has to count everything anew. It is safe for concurrent use.
type backlog struct {
	mu     sync.Mutex
	looked time.Time
	mark   timestamp // a moment that the folder has not passed
	since  time.Time // when that was
	rev    int64     // of the folder's checkpoint
	moved  time.Time // when that was seen to change
}

// slowDown returns at once while the folder keeps up or nobody folds, and else after a wait that grows with the distance:
// to [backlogWait] at twice [Config.BehindMax]. Nothing is ever refused. Cost: 2 reads a second while events are stored.
func (s *Service) slowDown(ctx context.Context) error {
	behind, err := s.behind(ctx)
	if err != nil || behind < s.cfg.BehindMax {
		return err
	}
	wait := time.Duration(float64(backlogWait) * float64(behind-s.cfg.BehindMax) / float64(s.cfg.BehindMax))
	if !clock.Sleep(ctx, min(wait, backlogWait)) {
		return ctxError(ctx)
	}
	return nil
}

// behind is for how long a folder at work has not come to a moment at which events were stored; 0 if none were for a while.
func (s *Service) behind(ctx context.Context) (time.Duration, error) {
	b := &s.backlog
	b.mu.Lock()
	defer b.mu.Unlock()
	now := machine()
	if now.Sub(b.looked) >= backlogEvery {
		if err := s.look(ctx, now); err != nil {
			return 0, err
		}
	}
	if now.Sub(b.moved) > backlogDead {
		return 0, nil
	}
	return now.Sub(b.since), nil
}

// look reads the folder's place. backlog.mu is held.
func (s *Service) look(ctx context.Context, now time.Time) error {
	b := &s.backlog
	cp, err := s.store.checkpoint(ctx)
	if err != nil {
		return err
	}
	if now.Sub(b.looked) > 3*backlogEvery || cp.Position.After(b.mark) { // the place of an idle folder tells nothing
		if b.mark, err = s.db.ClusterTime(ctx); err != nil {
			return err
		}
		b.since = now
	}
	if cp.Rev != b.rev {
		b.rev, b.moved = cp.Rev, now
	}
	b.looked = now
	return nil
}
