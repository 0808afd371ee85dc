package plan

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
)

// warmIn bounds the read after a change of the catalogue: the change stream waits for it.
const warmIn = time.Second

// Follower forgets the catalogue when any node changes it, and reads it at once: those who consume do so in transactions,
// and what is read there is not kept.
func (s *Service) Follower() event.Follower {
	return event.Follower{
		Name: "plan",
		OnEvent: func(ctx context.Context, e event.Event, _ bson.Timestamp) {
			if strings.HasPrefix(e.Kind, "plan.catalogue.") {
				s.refresh(ctx)
			}
		},
		OnLost: s.refresh,
	}
}

func (s *Service) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmIn)
	defer cancel()
	s.forget()
	_, _ = s.catalogue(ctx) // if it fails, whoever needs it next reads it
}
