package session

import (
	"context"
	"time"
)

// reasonLimit is why a session ended that had to make room.
const reasonLimit = "limit"

// makeRoom ends the least recently used sessions of a user, so that there is a place for the one that the transaction of ctx
// is about to start, and gives their ids. The live ones are counted only when the cap may be passed: the bound grows with
// each start and falls with no end, so it is never less than the truth.
func (s *Service) makeRoom(ctx context.Context, user string, now time.Time) ([]string, error) {
	bound, err := s.store.countStart(ctx, user)
	// A bound of 1 is that of a user whose sessions nobody has counted yet.
	if err != nil || bound > 1 && bound <= s.cfg.MaxSessions {
		return nil, err
	}
	live, err := s.store.liveOf(ctx, user, now)
	if err != nil {
		return nil, err
	}
	over := live[:max(len(live)-(s.cfg.MaxSessions-1), 0)]
	var ended []string
	for _, one := range over {
		if _, err := s.end(ctx, one, reasonLimit); err != nil {
			return nil, err
		}
		ended = append(ended, one.ID)
	}
	if kept := len(live) - len(over) + 1; kept != bound {
		err = s.store.setBound(ctx, user, kept)
	}
	return ended, err
}
