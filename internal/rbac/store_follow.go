package rbac

import (
	"context"

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

// hear puts the change of an event in force: from memory, unless a change before it is missing.
func (s *Service) hear(ctx context.Context, e event.Event, _ bson.Timestamp) {
	switch e.Kind {
	case kindRoleCreated, kindRoleUpdated, kindGrantCreated, kindGrantExtended, kindGrantRevoked:
	default:
		return
	}
	c, err := store.Decode[change](e.Data)
	c.kind = e.Kind
	if err == nil && s.step(c) {
		return
	}
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
