package rbac

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

// Follower keeps the snapshot up with the writes of all nodes. Register it with the node's [event.Tail] before that
// starts, and [Service.Load] after.
func (s *Service) Follower() event.Follower {
	s.follow.Store(true)
	return event.Follower{Name: "rbac", OnEvent: s.hear, OnLost: s.forget}
}

// hear puts the changes of a revision in force, once the event of its last part is here: from memory, unless a change before
// it is missing.
func (s *Service) hear(ctx context.Context, e event.Event, _ bson.Timestamp) {
	if !strings.HasPrefix(e.Kind, "rbac.") {
		return
	}
	c, err := store.Decode[change](e.Data)
	if e.Kind == kindExpired {
		if err == nil {
			s.tell(users([]change{c})) // what follows their rights looks again
		}
		return
	}
	c.kind = e.Kind
	if c.Part == 0 {
		s.partial = nil
	}
	s.partial = append(s.partial, c)
	switch whole := len(s.partial) == max(c.Parts, 1); {
	case err == nil && c.Part == len(s.partial)-1 && s.partial[0].Rev == c.Rev && !whole:
		return // the others follow
	case err == nil && whole && s.step(s.partial):
		s.partial = nil
		return
	}
	s.partial = nil
	s.broken.Store(true)
	_ = s.reload(ctx, 0) // it logs; until somebody's check has it read, the node refuses
}

func (s *Service) forget(ctx context.Context) {
	if s.snap.Load() == nil {
		return
	}
	s.broken.Store(true)
	_ = s.reload(ctx, 0)
}
