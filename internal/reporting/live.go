package reporting

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// AlertList is the alerts of a user, as a live channel tells them: all of them, each time one changes.
type AlertList struct{ Alerts []Alert }

// alertsChanged says that alerts of somebody are others.
type alertsChanged struct{}

// topicAlerts is where it is told that alerts of a user have changed; of nobody in particular, that one was deleted.
func topicAlerts(owner string) string { return "reporting.alerts:" + owner }

// AlertsChannel tells how to follow the caller's own alerts.
//
// Errors: UNAUTHENTICATED.
func (s *Service) AlertsChannel(ctx context.Context) (
	key string, topics []string, newSource func() *AlertSource, allowed func(ctx context.Context) error, err error,
) {
	user := actor.From(ctx).User
	if user == "" {
		return "", nil, nil, nil, fault.ErrUnauthenticated
	}
	newSource = func() *AlertSource {
		return &AlertSource{read: func(ctx context.Context) ([]Alert, error) { return s.store.alerts.newest(ctx, user, maxOwned) }}
	}
	return "alerts:" + user, []string{topicAlerts(user), topicAlerts("")}, newSource, func(context.Context) error { return nil }, nil
}

// AlertSource computes a live list of alerts. It satisfies live.Source and live.Staler, and is used by one goroutine.
type AlertSource struct {
	read  func(ctx context.Context) ([]Alert, error)
	now   AlertList
	stale bool
}

// Load reads the alerts as they are now. Cost: one find.
func (l *AlertSource) Load(ctx context.Context) error {
	found, err := l.read(ctx)
	l.now, l.stale = AlertList{found}, err != nil
	return err
}

// Snapshot is the [AlertList] as of now.
func (l *AlertSource) Snapshot() any { return l.now }

// Apply notes that alerts are others.
func (l *AlertSource) Apply(change any) any {
	if _, ok := change.(alertsChanged); ok {
		l.stale = true
	}
	return nil
}

// Stale reports that the alerts are to be read anew.
func (l *AlertSource) Stale() bool { return l.stale }
