package rbac

import (
	"context"
	"errors"
	"time"
)

// sweepEvery is how often it is looked for grants that are over.
const sweepEvery = 10 * time.Second

// Run tells the log of grants that are over, each once whatever the number of nodes, until ctx ends. It decides nothing: what
// is over has not counted since its end.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "grants_not_swept", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep tells the log of grants that are over and not told of, at most 1,000: the event rbac.grant.expired for each. The
// answer is how many it told of. Cost: one find, and one transaction for each.
func (s *Service) Sweep(ctx context.Context) (told int, err error) {
	over, err := s.store.grantsOver(ctx, s.now())
	if err != nil {
		return 0, err
	}
	for _, g := range over {
		err := s.db.InTx(ctx, func(ctx context.Context) error {
			mine, err := s.store.claimEnd(ctx, g, s.now())
			if err != nil {
				return err
			}
			if !mine {
				return errTold
			}
			return s.events.Append(ctx, kindExpired, g.Ref(), change{Grant: &g})
		})
		switch {
		case err == nil:
			told++
		case !errors.Is(err, errTold):
			return told, err
		}
	}
	return told, nil
}

// errTold ends a transaction in which nothing is to be told.
var errTold = errors.New("told already")
