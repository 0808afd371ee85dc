package webauth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store"
)

// SessionList is the state of a live list of sessions: the newest live ones of a user, newest first.
type SessionList struct{ Sessions []session.Session }

// SecurityEventList is the state of a live list of security events, newest first, or those that are new in one.
type SecurityEventList struct{ Events []SecurityEvent }

// sessionsChanged tells that a session of the user began, changed or ended.
type sessionsChanged struct{}

func topicSessions(user string) string { return "webauth.sessions:" + user }

func topicSecurity(user string) string { return "webauth.security:" + user }

// Follower publishes what concerns the account of a user to topics of that user alone: that something about their sessions
// is new to "webauth.sessions:" + id, and each fact of [Service.MySecurityEvents], as its [SecurityEvent], to
// "webauth.security:" + id. It reads nothing.
func (s *Service) Follower(publish func(topic string, change any)) event.Follower {
	return event.FollowEvents("webauth", func(ctx context.Context, e event.Event) {
		if domain, _, _ := strings.Cut(e.Kind, "."); !slices.Contains(securityDomains, domain) {
			return
		}
		if e.On.Type == ref.User {
			publish(topicSecurity(e.On.ID), shownTo(e.On.ID, e))
		}
		if by := e.Actor.User; by != "" && e.On != ref.New(ref.User, by) {
			publish(topicSecurity(by), shownTo(by, e))
		}
		if e.On.Type != ref.Session {
			return
		}
		fact, err := store.Decode[struct {
			User string `bson:"user"`
		}](e.Data)
		if err != nil {
			s.Log.ErrorContext(ctx, "event_data_unreadable", "event", e.ID, "kind", e.Kind, "error", err.Error())
			return
		}
		publish(topicSessions(fact.User), sessionsChanged{})
	})
}

// MySessionsChannel tells how to follow where the caller is signed in, the newest first of them (1 to 100): what names it,
// what its source listens to, how the source is made, and whether the caller may go on following. Who acts as the user sees
// it too. The user is the class of visibility, and a part of the key. Cost: none; the source's Load: 1 find.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, PAGE_SIZE.
func (s *Service) MySessionsChannel(ctx context.Context, first int) (
	key string, topics []string, newSource func() *SessionsSource, allowed func(ctx context.Context) error, err error,
) {
	user, key, allowed, err := ownChannel(ctx, "mySessions", first)
	if err != nil {
		return "", nil, nil, nil, err
	}
	newSource = func() *SessionsSource {
		return &SessionsSource{read: func(ctx context.Context) ([]session.Session, error) {
			p, err := s.ownSessions(ctx, user, page.Args{First: &first})
			return p.Items, err
		}}
	}
	return key, []string{topicSessions(user), live.TopicTick}, newSource, allowed, nil
}

// MySecurityEventsChannel tells how to follow what happens to the caller's account and what its owner does to it, the newest
// first of it (1 to 100), as [Service.MySessionsChannel] does for sessions.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, PAGE_SIZE.
func (s *Service) MySecurityEventsChannel(ctx context.Context, first int) (
	key string, topics []string, newSource func() *SecurityEventsSource, allowed func(ctx context.Context) error, err error,
) {
	user, key, allowed, err := ownChannel(ctx, "mySecurityEvents", first)
	if err != nil {
		return "", nil, nil, nil, err
	}
	newSource = func() *SecurityEventsSource {
		return &SecurityEventsSource{first: first, read: func(ctx context.Context) ([]SecurityEvent, error) {
			p, err := s.securityEvents(ctx, user, page.Args{First: &first})
			return p.Items, err
		}}
	}
	return key, []string{topicSecurity(user)}, newSource, allowed, nil
}

// ownChannel is what the channels of one's own have in common: nobody else may follow, and memory alone decides it.
func ownChannel(ctx context.Context, family string, first int) (user, key string, allowed func(ctx context.Context) error, err error) {
	if user, err = whose(ctx); err != nil {
		return "", "", nil, err
	}
	if first < 1 || first > page.MaxSize {
		return "", "", nil, page.ErrSize
	}
	allowed = func(ctx context.Context) error {
		who, err := whose(ctx)
		if err == nil && who != user {
			err = fault.ErrForbidden
		}
		return err
	}
	return user, fmt.Sprintf("%s:%d:%s", family, first, user), allowed, nil
}

// flushed is how long after the end that is known of a session the list is read anew. A last use in time is written down
// within a second or two, and the session goes on.
const flushed = 2 * time.Second

// SessionsSource computes a live list of sessions. It satisfies live.Source and live.Staler, and is used by one goroutine.
//
// It has no deltas: when something changed it is stale, and the owner is expected to Load and send the whole list. So it is
// when the end of a session that is shown has come by the clock: within about 3 s of it.
type SessionsSource struct {
	read func(ctx context.Context) ([]session.Session, error)

	sessions []session.Session
	ends     time.Time // the first of the known ends; zero for none
	stale    bool
}

// Load reads the list as it is now. Cost: one find.
func (l *SessionsSource) Load(ctx context.Context) error {
	all, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.sessions, l.ends, l.stale = all, time.Time{}, false
	for _, one := range all {
		for _, end := range []time.Time{one.IdleUntil, one.ExpiresAt} {
			if l.ends.IsZero() || end.Before(l.ends) {
				l.ends = end
			}
		}
	}
	return nil
}

// Apply takes the news that something changed, and the time of a tick. It gives no delta: see [SessionsSource.Stale].
func (l *SessionsSource) Apply(change any) any {
	switch c := change.(type) {
	case sessionsChanged:
		l.stale = true
	case time.Time:
		if !l.ends.IsZero() && !c.Before(l.ends.Add(flushed)) {
			l.stale = true
		}
	}
	return nil
}

// Stale reports that the list is to be read anew.
func (l *SessionsSource) Stale() bool { return l.stale }

// Snapshot is the [SessionList] as of the last Load.
func (l *SessionsSource) Snapshot() any { return SessionList{Sessions: l.sessions} }

// SecurityEventsSource computes a live list of security events: never more than it shows. It satisfies live.Source and is
// used by one goroutine.
//
// Facts are told in the order of their commits, while the list is in that of their ids, so one may enter below the top. A
// fact is never changed or taken back: what is in the list, or older than a full one, is no news.
type SecurityEventsSource struct {
	first int
	read  func(ctx context.Context) ([]SecurityEvent, error)

	events []SecurityEvent // newest first
}

// Load reads the newest events. Cost: one find.
func (l *SecurityEventsSource) Load(ctx context.Context) error {
	all, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.events = all
	return nil
}

// Apply takes a [SecurityEvent] and gives it as a [SecurityEventList], or nil when it is no news.
func (l *SecurityEventsSource) Apply(change any) any {
	e, ok := change.(SecurityEvent)
	if !ok {
		return nil
	}
	i, known := slices.BinarySearchFunc(l.events, e.ID, func(e SecurityEvent, id string) int { return strings.Compare(id, e.ID) })
	if known || i == l.first {
		return nil
	}
	next := slices.Insert(slices.Clone(l.events), i, e) // the list before may have been sent
	l.events = next[:min(len(next), l.first)]
	return SecurityEventList{Events: []SecurityEvent{e}}
}

// Snapshot is the [SecurityEventList] as of now.
func (l *SecurityEventsSource) Snapshot() any { return SecurityEventList{Events: l.events} }
