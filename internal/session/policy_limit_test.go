package session

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// laws are the policies of users, to be changed while a node runs.
type laws struct {
	mu sync.Mutex
	of map[string]Policy
}

func (l *laws) set(user string, p Policy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]Policy{}
	}
	l.of[user] = p
}

func (l *laws) limit(user string) Policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[user]
}

func TestUnder(t *testing.T) {
	t.Parallel()
	// Begun at t0, used after an hour, may be idle for four and last for ten.
	s := Session{CreatedAt: t0, LastSeenAt: t0.Add(time.Hour), IdleUntil: t0.Add(5 * time.Hour), ExpiresAt: t0.Add(10 * time.Hour)}
	brief, own, key, acting := s, s, s, s
	brief.Brief = true
	own.IdleFor = 4 * time.Hour
	key.Kind = KindKey
	acting.Brief, acting.Impersonator = true, "ada"
	for _, tc := range []struct {
		name          string
		s             Session
		p             Policy
		idle, last    time.Duration // after t0
		idleFor       time.Duration
		afterFourMore time.Duration // the idle end after a use at 4 h
	}{
		{"no policy", s, Policy{}, 5 * time.Hour, 10 * time.Hour, 0, 10 * time.Hour},
		{"idle", s, Policy{Idle: 2 * time.Hour}, 3 * time.Hour, 10 * time.Hour, 2 * time.Hour, 6 * time.Hour},
		{"idle, looser than its own", own, Policy{Idle: 9 * time.Hour}, 5 * time.Hour, 10 * time.Hour, 4 * time.Hour, 8 * time.Hour},
		{"idle, stricter than its own", own, Policy{Idle: time.Hour}, 2 * time.Hour, 10 * time.Hour, time.Hour, 5 * time.Hour},
		{"absolute", s, Policy{Absolute: 6 * time.Hour}, 5 * time.Hour, 6 * time.Hour, 0, 6 * time.Hour},
		{"absolute, looser", s, Policy{Absolute: 20 * time.Hour}, 5 * time.Hour, 10 * time.Hour, 0, 10 * time.Hour},
		{"for the day, and it is not", s, Policy{Brief: time.Hour}, 5 * time.Hour, 10 * time.Hour, 0, 10 * time.Hour},
		{"for the day", brief, Policy{Brief: 6 * time.Hour, Absolute: 8 * time.Hour}, 5 * time.Hour, 6 * time.Hour, 0, 6 * time.Hour},
		{"for the day, absolute", brief, Policy{Brief: 8 * time.Hour, Absolute: 6 * time.Hour}, 5 * time.Hour, 6 * time.Hour, 0, 6 * time.Hour},
		{"a key", key, Policy{Idle: 1, Absolute: 1, Brief: 1}, 5 * time.Hour, 10 * time.Hour, 0, 10 * time.Hour},
		{"in place of another", acting, Policy{Idle: 2 * time.Hour, Absolute: 1, Brief: 1}, 3 * time.Hour, 10 * time.Hour, 2 * time.Hour, 6 * time.Hour},
		{"how many", s, Policy{Max: 1, Refuse: true}, 5 * time.Hour, 10 * time.Hour, 0, 10 * time.Hour},
	} {
		got := tc.s.under(tc.p)
		want := tc.s
		want.IdleUntil, want.ExpiresAt, want.IdleFor = t0.Add(tc.idle), t0.Add(tc.last), tc.idleFor
		if got != want {
			t.Errorf("%s: under() = %+v\nwant %+v", tc.name, got, want)
		}
		if again := got.under(tc.p); again != got {
			t.Errorf("%s: the second time %+v", tc.name, again)
		}
		if got := got.used(t0.Add(4*time.Hour), 14*24*time.Hour); !got.IdleUntil.Equal(t0.Add(tc.afterFourMore)) {
			t.Errorf("%s: after a use the idle end is %v", tc.name, got.IdleUntil.Sub(t0))
		}
	}
}

// TestReq62StricterIdle: a policy that allows less idleness counts for a session that began under another: for requests, from
// memory or not, for refreshes, in the list, and for what asks for a fresh proof.
func TestReq62StricterIdle(t *testing.T) {
	t.Parallel()
	var policy laws
	n := setUp(t, Config{Limit: policy.limit, Access: time.Hour})
	s, secrets := n.pair(t, "ada")
	policy.set("ada", Policy{Idle: 10 * time.Minute})
	cold := n.peer()
	n.mustResolve(t, secrets.Token)
	for range 3 {
		n.clock.Advance(9 * time.Minute)
		got := n.mustResolve(t, secrets.Token)
		if !got.IdleUntil.Equal(n.now().Add(10*time.Minute)) || !got.LastSeenAt.Equal(n.now()) {
			t.Errorf("in use, the session ends %v, it is %v", got.IdleUntil, n.now())
		}
		n.flush(t.Context())
	}
	n.clock.Advance(10*time.Minute - time.Second)
	cold.mustResolve(t, secrets.Token)
	n.clock.Advance(time.Second)
	n.refused(t, "idle for as long as may be", secrets.Token)
	n.peer().refused(t, "where nothing is known", secrets.Token)
	cold.mustResolve(t, secrets.Token) // used there a second ago, which is not written down yet
	if _, reused, err := n.refresh(t, secrets.Refresh); err == nil || reused {
		t.Errorf("Refresh() = %v, reused %t", err, reused)
	}
	if got := n.list(t, "ada"); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
	for name, do := range map[string]func() error{
		"freshness": func() error { _, err := n.peer().RequireFresh(in(t, s), Need{Age: time.Hour}); return err },
		"elevation": func() error { _, _, err := n.Elevate(in(t, s), s.ID, "otp", TwoFactors); return err },
		"renewal":   func() error { _, _, err := n.Renew(system(t), s.ID); return err },
		"current":   func() error { _, err := n.peer().Current(in(t, s)); return err },
		"name":      func() error { _, err := n.Rename(in(t, s), s.ID, "x"); return err },
		"acting":    func() error { _, _, err := n.Impersonate(in(t, s), ImpersonateCmd{User: "uma"}); return err },
	} {
		if do() == nil {
			t.Errorf("%s of a session that is over", name)
		}
	}
}

// A policy that becomes looser gives back what nobody has ended, its refresh tokens too, and no session lasts longer than it
// was to at its start.
func TestALooserPolicy(t *testing.T) {
	t.Parallel()
	var policy laws
	n := setUp(t, Config{Limit: policy.limit})
	s, secrets := n.pair(t, "ada")
	policy.set("ada", Policy{Absolute: 30 * time.Minute})
	n.clock.Advance(20 * time.Minute)
	next := n.mustRefresh(t, secrets.Refresh)
	if !next.ExpiresAt.Equal(t0.Add(30 * time.Minute)) {
		t.Errorf("an access token ends %v", next.ExpiresAt)
	}
	renewed, again, err := n.Renew(in(t, s), s.ID)
	if err != nil || !again.ExpiresAt.Equal(t0.Add(30*time.Minute)) || !renewed.ExpiresAt.Equal(again.ExpiresAt) {
		t.Errorf("Renew() = a token until %v, a session until %v, %v", again.ExpiresAt, renewed.ExpiresAt, err)
	}
	if kept := n.links(t, bson.E{Key: "expiresAt", Value: s.ExpiresAt}); kept != 2 || n.links(t) != kept {
		t.Errorf("%d of %d links last as long as the session was to", kept, n.links(t))
	}
	n.clock.Advance(10 * time.Minute)
	n.refused(t, "at the end by the policy", again.Token)
	policy.set("ada", Policy{})
	n.mustRefresh(t, again.Refresh)
}

// A policy says how long sessions are from their start on, and the tokens with them.
func TestStartUnderAPolicy(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, secrets, err := n.Start(t.Context(), StartCmd{User: "ada", Refresh: true, Policy: Policy{Absolute: 10 * time.Minute}})
	if err != nil || !secrets.ExpiresAt.Equal(s.ExpiresAt) || !s.ExpiresAt.Equal(t0.Add(10*time.Minute)) {
		t.Errorf("Start() = a token until %v, a session until %v, %v", secrets.ExpiresAt, s.ExpiresAt, err)
	}
	idle, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: Policy{Idle: time.Minute}})
	if err != nil || n.stored(t, idle.ID).IdleFor != time.Minute {
		t.Errorf("Start() = %+v, %v", idle, err)
	}
	if n.stored(t, s.ID).IdleFor != 0 {
		t.Error("a session with no limit of its own has one")
	}
}

// TestReq66UnderAPolicy: what a policy has ended takes no place; when it becomes looser no more are live than may be.
func TestReq66UnderAPolicy(t *testing.T) {
	t.Parallel()
	var policy laws
	n := setUp(t, Config{MaxSessions: 3, Limit: policy.limit})
	start := func() Session {
		t.Helper()
		s, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: policy.limit("ada")})
		if err != nil {
			t.Fatal(err)
		}
		n.clock.Advance(time.Minute)
		return s
	}
	for range 3 {
		start()
	}
	n.clock.Advance(time.Hour)
	policy.set("ada", Policy{Absolute: time.Hour, Refuse: true})
	var ids []string
	for range 3 {
		ids = append(ids, start().ID)
	}
	slices.Reverse(ids)
	if got := n.list(t, "ada"); !slices.Equal(got, ids) || n.ended(t) != 0 {
		t.Errorf("live: %v, want %v; %d ended", got, ids, n.ended(t))
	}
	policy.set("ada", Policy{})
	last := start()
	if got := n.list(t, "ada"); len(got) != 3 || got[0] != last.ID || n.ended(t) != 4 {
		t.Errorf("live: %v, %d ended", got, n.ended(t))
	}
}

// TestReq66RefusalInsideATransaction: a sign-in that is refused leaves nothing, whatever the flow around it does next.
func TestReq66RefusalInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	cmd := StartCmd{User: "ada", Policy: Policy{Max: 1, Refuse: true}}
	first, secrets, err := n.Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_ = n.db.InTx(t.Context(), func(ctx context.Context) error {
			_, _, err := n.Start(ctx, cmd)
			if err == nil {
				t.Error("a second one")
			}
			return err
		})
	}
	n.mustResolve(t, secrets.Token)
	if got := n.list(t, "ada"); !slices.Equal(got, []string{first.ID}) || n.ended(t) != 0 {
		t.Errorf("live: %v, %d ended", got, n.ended(t))
	}
	n.clock.Advance(30 * 24 * time.Hour) // over by the clock, and its document is still there
	if _, _, err := n.Start(t.Context(), cmd); err != nil {
		t.Errorf("Start() = %v", err)
	}
}
