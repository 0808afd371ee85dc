package plan

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/ref"
)

// warmIn bounds the read after a change of the catalogue: the change stream waits for it.
const warmIn = time.Second

// Follower forgets what any node changes: memberships, and the catalogue, which it reads at once, as those who consume do so in
// transactions, and what is read there is not kept. It publishes what live channels listen to.
func (s *Service) Follower(publish func(topic string, change any)) event.Follower {
	return event.Follower{
		Name:       "plan",
		Collection: "usage",
		OnEvent: func(ctx context.Context, e event.Event, _ bson.Timestamp) {
			switch {
			case strings.HasPrefix(e.Kind, "plan.catalogue."):
				s.refresh(ctx)
				publish(topicCatalogue, changed{})
			case strings.HasPrefix(e.Kind, "plan."):
				if subject := subjectOf(e.Data); !subject.IsZero() {
					s.members.forget(subject)
					publish(topicOf(subject), changed{})
				}
			}
		},
		OnChange: func(_ context.Context, c event.Change) {
			id, _ := c.Key.StringValueOK()
			if subject, ok := parseUsageSubject(id); ok {
				publish(topicOf(subject), counted{id})
			}
		},
		OnLost: func(ctx context.Context) {
			s.members.forgetAll()
			s.refresh(ctx)
		},
	}
}

// subjectOf is whom an event of this package is about.
func subjectOf(data bson.Raw) ref.Ref {
	var d struct {
		Subject ref.Ref `bson:"subject"`
	}
	if err := bson.Unmarshal(data, &d); err != nil {
		return ref.Ref{}
	}
	return d.Subject
}

func (s *Service) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmIn)
	defer cancel()
	s.forget()
	_, _ = s.catalogue(ctx) // if it fails, whoever needs it next reads it
}
