package reporting

import (
	"context"

	"github.com/backendbook/backendbook/internal/event"
)

// Follower tells publish of every committed change of an alert.
func (s *Service) Follower(publish func(topic string, change any)) event.Follower {
	return event.Follower{Name: "reporting", Collection: alertsCollection, OnChange: func(_ context.Context, c event.Change) {
		owner, _ := c.Doc.Lookup("owner").StringValueOK() // there, unless it was deleted: alerts are always written whole
		publish(topicAlerts(owner), alertsChanged{})
	}}
}
