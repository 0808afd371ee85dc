package session

import (
	"context"
	"slices"
)

// reasonLimit is why a session ended that had to make room.
const reasonLimit = "limit"

// makeRoom ends the least recently used sessions of a user, so that there is a place for the one that the transaction of ctx
// is about to start, and gives their ids. The live ones are counted only when the cap may be passed: the bound grows with
// each start and falls with no end, so it is never less than the truth.
func (s *Service) makeRoom(ctx context.Context, user string, limits Policy) ([]string, error) {
	bound, err := s.store.countStart(ctx, user)
	// A bound of 1 is that of a user whose sessions nobody has counted yet.
	if err != nil || bound > 1 && bound <= limits.Max {
		return nil, err
	}
	live, err := s.store.liveOf(ctx, user, s.now())
	if err != nil {
		return nil, err
	}
	// What only the policy of this moment has ended takes no place, but counts for the bound: a looser one would revive it.
	open := len(live)
	live = slices.DeleteFunc(live, func(one Session) bool { return !s.limited(one).Live(s.now()) })
	over := live[:max(len(live)-(limits.Max-1), 0)]
	if len(over) > 0 && limits.Refuse {
		return nil, ErrLimit
	}
	var ended []string
	for _, one := range over {
		gone, err := s.endWith(ctx, one, reasonLimit)
		if err != nil {
			return nil, err
		}
		ended = append(ended, gone...)
	}
	if kept := open - len(over) + 1; kept != bound {
		err = s.store.setBound(ctx, user, kept)
	}
	return ended, err
}
