package webauth

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// What a hub may expect of the two sources.
var (
	_ live.Source = (*SecurityEventsSource)(nil)
	_ live.Source = (*SessionsSource)(nil)
	_ live.Staler = (*SessionsSource)(nil)
)

// published gives what the follower makes of facts, by topic.
func (w *world) published(facts []event.Event) map[string][]any {
	w.t.Helper()
	told := map[string][]any{}
	f := w.Follower(func(topic string, change any) { told[topic] = append(told[topic], change) })
	for _, e := range facts {
		f.OnEvent(w.t.Context(), e, bson.Timestamp{})
	}
	return told
}

// during gives what is published because of fn.
func (w *world) during(fn func()) map[string][]any {
	w.t.Helper()
	before := len(w.events())
	fn()
	return w.published(w.events()[before:])
}

func (w *world) followSessions(secret string, first int) (*SessionsSource, []string) {
	w.t.Helper()
	_, topics, source, _, err := w.MySessionsChannel(w.as(secret), first)
	w.must(err)
	s := source()
	w.must(s.Load(w.t.Context()))
	return s, topics
}

func (w *world) followEvents(secret string, first int) (*SecurityEventsSource, []string) {
	w.t.Helper()
	_, topics, source, _, err := w.MySecurityEventsChannel(w.as(secret), first)
	w.must(err)
	s := source()
	w.must(s.Load(w.t.Context()))
	return s, topics
}

func shownSessions(s *SessionsSource) []session.Session { return s.Snapshot().(SessionList).Sessions }

func shownEvents(s *SecurityEventsSource) []SecurityEvent {
	return s.Snapshot().(SecurityEventList).Events
}

// Who may follow: people themselves and who acts as them; nobody else, whatever the key of the source they get hold of.
func TestOwnChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, me, other := w.boss(), w.person(ada), w.person(bob)
	w.grant(me.User, "host")
	acting, err := w.Impersonate(w.as(boss.Token), actAs(me.User.ID))
	w.must(err)
	key := w.key(me.Token, account.PermInvite)
	type open func(ctx context.Context, first int) (string, []string, func(context.Context) error, error)
	for name, tc := range map[string]struct {
		open   open
		key    string
		topics []string
	}{
		"mySessions": {func(ctx context.Context, first int) (string, []string, func(context.Context) error, error) {
			key, topics, _, allowed, err := w.MySessionsChannel(ctx, first)
			return key, topics, allowed, err
		}, "mySessions:20:" + me.User.ID, []string{"webauth.sessions:" + me.User.ID, live.TopicTick}},
		"mySecurityEvents": {func(ctx context.Context, first int) (string, []string, func(context.Context) error, error) {
			key, topics, _, allowed, err := w.MySecurityEventsChannel(ctx, first)
			return key, topics, allowed, err
		}, "mySecurityEvents:20:" + me.User.ID, []string{"webauth.security:" + me.User.ID}},
	} {
		key0, topics, allowed, err := tc.open(w.as(me.Token), 20)
		if err != nil || key0 != tc.key || !slices.Equal(topics, tc.topics) {
			t.Errorf("%s = %q, %q, %v", name, key0, topics, err)
			continue
		}
		if again, _, _, err := tc.open(w.as(acting.Token), 20); err != nil || again != key0 {
			t.Errorf("%s for who acts as the user = %q, %v", name, again, err)
		}
		if narrow, _, _, err := tc.open(w.as(me.Token), 19); err != nil || narrow == key0 {
			t.Errorf("%s: another length has the key %q, %v", name, narrow, err)
		}
		for who, err := range map[string]error{me.Token: nil, acting.Token: nil, other.Token: fault.ErrForbidden, boss.Token: fault.ErrForbidden} {
			w.is(name+": allowed", allowed(w.as(who)), err)
		}
		w.is(name+": allowed for a visitor", allowed(w.ctx()), fault.ErrUnauthenticated)
		for what, refused := range map[string]struct {
			ctx   context.Context
			first int
			err   error
		}{
			"a visitor":  {w.ctx(), 20, fault.ErrUnauthenticated},
			"the system": {w.sys(), 20, fault.ErrUnauthenticated},
			"a program":  {w.as(key), 20, session.ErrKeyForbidden},
			"none":       {w.as(me.Token), 0, page.ErrSize},
			"too many":   {w.as(me.Token), page.MaxSize + 1, page.ErrSize},
		} {
			_, _, _, err := tc.open(refused.ctx, refused.first) //nolint:dogsled // only the refusal matters
			w.is(name+" for "+what, err, refused.err)
		}
	}
}

// What happens to the sessions of a user is told to whoever follows theirs, and to nobody else; the list is then that of
// MySessions.
func TestReq63FollowedSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	me, other := w.person(ada), w.person(bob)
	w.grant(me.User, "host")
	source, topics := w.followSessions(me.Token, page.MaxSize)
	var second SignedIn
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"a sign-in", func() { second = w.signIn(ada) }},
		{"a name", func() {
			_, err := w.Sessions.Rename(w.as(second.Token), second.Session.ID, "Phone")
			w.must(err)
		}},
		{"an elevation", func() {
			w.clock.Advance(time.Minute)
			need, err := w.Elevate(w.as(second.Token))
			w.must(err)
			done, err := w.CompleteElevation(w.as(second.Token), need.Flow, Proof{Password: goodPassword})
			w.must(err)
			second.Token = done.Token
		}},
		{"an end", func() { w.must(w.EndSession(w.as(me.Token), second.Session.ID)) }},
		{"an impersonation", func() {
			_, err := w.Impersonate(w.as(w.boss().Token), actAs(me.User.ID))
			w.must(err)
		}},
		{"the end of all others", func() {
			_, err := w.EndOtherSessions(w.as(me.Token))
			w.must(err)
		}},
	} {
		told := w.during(step.do)
		if len(told[topics[0]]) == 0 || len(told["webauth.sessions:"+other.User.ID]) > 0 {
			t.Errorf("%s is told as %v", step.what, told)
			continue
		}
		for _, c := range told[topics[0]] {
			if d := source.Apply(c); d != nil {
				t.Errorf("%s gives the delta %v", step.what, d)
			}
		}
		if !source.Stale() {
			t.Fatalf("%s is no reason to read anew", step.what)
		}
		before := slices.Clone(shownSessions(source))
		w.must(source.Load(t.Context()))
		all, err := w.MySessions(w.as(me.Token), page.Args{First: new(page.MaxSize)})
		if got := shownSessions(source); err != nil || source.Stale() || !reflect.DeepEqual(got, all.Items) || reflect.DeepEqual(got, before) {
			t.Errorf("after %s there are %+v, MySessions has %+v, %v", step.what, got, all.Items, err)
		}
	}
	if got := shownSessions(source); len(got) != 1 || got[0].ID != me.Session.ID {
		t.Errorf("in the end there are %+v", got)
	}
	told := w.during(func() {
		w.fails(ada)
		w.key(me.Token, account.PermInvite)
	})
	if len(told[topics[0]]) > 0 {
		t.Errorf("what is about no session is told as %v", told[topics[0]])
	}
	for _, c := range []any{SecurityEvent{}, "something else", nil} {
		if source.Apply(c) != nil || source.Stale() {
			t.Errorf("%v is news", c)
		}
	}
}

// fails shows a wrong password for somebody.
func (w *world) fails(identifier string) {
	w.t.Helper()
	o, err := w.SignIn(w.ctx(), w.password(identifier, "not the password"))
	w.nobody("a wrong password", o, err, account.ErrCredentials)
}

// A session that ends by the clock leaves the list soon after; one that was used in time stays, though nobody tells of uses.
func TestFollowedSessionsEndByTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	brief := w.person(ada)
	long := w.password(ada, goodPassword)
	long.Remember = true
	used, unused := w.in(w.SignIn(w.ctx(), long)), w.in(w.SignIn(w.ctx(), long))
	source, _ := w.followSessions(brief.Token, 20)
	until := func(at time.Time, stale bool, what string) {
		t.Helper()
		if w.clock.Advance(at.Sub(w.clock.Now())); source.Apply(w.clock.Now()) != nil {
			t.Error("a tick gives a delta")
		}
		if source.Stale() != stale {
			t.Errorf("%s: stale = %t", what, !stale)
		}
	}
	shows := func(what string, want ...SignedIn) {
		t.Helper()
		w.must(source.Load(t.Context()))
		same := slices.EqualFunc(shownSessions(source), want, func(s session.Session, in SignedIn) bool { return s.ID == in.Session.ID })
		if !same || source.Stale() {
			t.Errorf("%s there are %+v, stale %t", what, shownSessions(source), source.Stale())
		}
	}
	shows("at first", unused, used, brief)
	until(brief.Session.ExpiresAt, false, "before a last use can have been written")
	until(brief.Session.ExpiresAt.Add(flushed), true, "the day is over")
	shows("after the day", unused, used)

	until(unused.Session.IdleUntil.Add(-time.Hour), false, "before the end of both")
	w.as(used.Token) // a use, which is written down by the next tick of the sessions
	running, stop := context.WithCancel(w.sys())
	stop()
	w.Sessions.Run(running) // whose end writes what is left to write
	until(used.Session.IdleUntil.Add(flushed), true, "the end of both, as far as was known")
	shows("after the end of one", used)
	until(used.Session.IdleUntil.Add(24*time.Hour), false, "the other goes on")
	until(used.Session.ExpiresAt.Add(flushed), true, "the end of the other")
	shows("in the end")
	until(w.clock.Now().Add(24*time.Hour), false, "a list without sessions has none that end")
}

// Whoever follows their security events has at every moment what MySecurityEvents lists, fact by fact, with the addresses
// that are theirs to know; of what happens to others they hear nothing.
func TestFollowedSecurityEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, me, other := w.boss(), w.person(ada), w.person(bob)
	w.grant(me.User, "host")
	source, topics := w.followEvents(me.Token, page.MaxSize)
	facts := len(w.events())
	var second SignedIn
	for _, do := range []func(){
		func() { w.fails(ada) },
		func() { second = w.signIn(ada) },
		func() { w.key(me.Token, account.PermInvite) },
		func() { w.must(w.EndSession(w.as(boss.Token), second.Session.ID)) },
		func() { w.fails(bob) },
		func() {
			acting, err := w.Impersonate(w.as(boss.Token), actAs(me.User.ID))
			w.must(err)
			_, err = w.StopImpersonating(w.as(acting.Token))
			w.must(err)
		},
	} {
		do()
	}
	told := w.published(w.events()[facts:])
	client := slices.Clone(shownEvents(source))
	for range 2 { // a resumed stream repeats its end
		for _, c := range told[topics[0]] {
			if d, ok := source.Apply(c).(SecurityEventList); ok {
				client = append(slices.Clone(d.Events), client...)
			}
		}
	}
	all, err := w.MySecurityEvents(w.as(me.Token), page.Args{First: new(page.MaxSize)})
	if w.must(err); !reflect.DeepEqual(shownEvents(source), all.Items) || !reflect.DeepEqual(client, all.Items) {
		t.Errorf("followed %+v; a client has %+v; MySecurityEvents has %+v", shownEvents(source), client, all.Items)
	}
	seen := map[string]SecurityEvent{}
	for _, e := range client {
		seen[e.Kind] = e
	}
	for kind, want := range map[string]struct{ own, ip bool }{
		kindFailed: {false, true}, "session.key.created": {true, true}, kindSessionEnded: {false, false},
		kindImpersonated: {false, false}, kindOneself: {false, false},
	} {
		if e, ok := seen[kind]; !ok || e.Own != want.own || (e.IP != "") != want.ip {
			t.Errorf("%s is shown as %+v", kind, e)
		}
	}
	theirs, err := w.MySecurityEvents(w.as(boss.Token), page.Args{First: new(page.MaxSize)})
	w.must(err)
	for _, c := range told["webauth.security:"+boss.User.ID] {
		if !slices.Contains(theirs.Items, c.(SecurityEvent)) {
			t.Errorf("the administrator is told %+v, which is not theirs", c)
		}
	}
	if n := len(told["webauth.security:"+other.User.ID]); n != 1 {
		t.Errorf("another user is told of %d facts; one was theirs", n)
	}
}

// What the follower cannot read is told to the operator; what is not about the security of an account is told to nobody.
func TestOwnFollowerUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	var told bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&told, nil))
	f := w.Follower(func(topic string, change any) { t.Errorf("published %v to %s", change, topic) })
	user, one := ref.New(ref.User, ref.NewID()), ref.New(ref.Session, ref.NewID())
	f.OnEvent(t.Context(), event.Event{Kind: "session.session.ended", On: one, Data: []byte("no BSON")}, bson.Timestamp{})
	for _, kind := range []string{"registry.document.created", "accounting.books.closed", ""} {
		f.OnEvent(t.Context(), event.Event{Kind: kind, On: user, Actor: event.Actor{User: user.ID}}, bson.Timestamp{})
	}
	f.OnEvent(t.Context(), event.Event{Kind: "webauth.invitation.created", Actor: event.Actor{System: true}}, bson.Timestamp{})
	if n := strings.Count(told.String(), "event_data_unreadable"); n != 1 {
		t.Errorf("told of %d facts; want 1: %s", n, told.String())
	}
}
