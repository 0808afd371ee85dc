package plan

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/store"
)

// catalogue is all plans: those in memory, or else one find. What is read in a transaction is not kept, as it may be
// older than what was forgotten, or never commit.
func (s *Service) catalogue(ctx context.Context) (*catalogue, error) {
	s.mu.Lock()
	c, forgot := s.cached, s.forgot
	s.mu.Unlock()
	now := s.now()
	if c != nil && now.Sub(c.read) < s.cfg.CacheFor {
		return c, nil
	}
	plans, err := s.store.plans(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(plans, byRank)
	c = &catalogue{plans: plans, read: now}
	if !store.InTransaction(ctx) {
		s.mu.Lock()
		if s.forgot == forgot {
			s.cached = c
		}
		s.mu.Unlock()
	}
	return c, nil
}

// plan is a plan by id. One that is not in memory may have been made on another node a moment ago: then it is looked for
// in the database.
//
// Errors: PLAN_UNKNOWN.
func (s *Service) plan(ctx context.Context, id string) (Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return Plan{}, err
	}
	if p, ok := c.byID(id); ok {
		return p, nil
	}
	return s.store.plan(ctx, id)
}

func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached = nil
	s.forgot++
}
