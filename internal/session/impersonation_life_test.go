package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestReq71OneHour: it ends after an hour, and before that with the session it was begun from, by whatever policy that has.
func TestReq71OneHour(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		own        Policy // at the start of the own session
		limit      Policy // later
		after      time.Duration
		idle, last time.Duration // from the beginning of the impersonation
	}{
		{"a long session", Policy{}, Policy{}, 0, 15 * time.Minute, time.Hour},
		{"a session that ends soon", Policy{Absolute: 2 * time.Hour}, Policy{}, 90 * time.Minute, 15 * time.Minute, 30 * time.Minute},
		{"a session that ends at once", Policy{Absolute: 2 * time.Hour}, Policy{}, 119 * time.Minute, time.Minute, time.Minute},
		{"a session that may not be idle for long", Policy{Idle: 5 * time.Minute}, Policy{}, time.Minute, 5 * time.Minute, time.Hour},
		{"by a policy that is new", Policy{}, Policy{Idle: 4 * time.Minute, Absolute: 50 * time.Minute}, 3 * time.Minute, 4 * time.Minute, 47 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var policy laws
			n := setUp(t, Config{Limit: policy.limit})
			own, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: tc.own})
			if err != nil {
				t.Fatal(err)
			}
			policy.set("ada", tc.limit)
			policy.set("uma", Policy{Idle: time.Second, Absolute: time.Second, Max: 1}) // the user's is not that of who acts
			n.clock.Advance(tc.after)
			one, secret := n.impersonate(t, own, false)
			if got := n.mustResolve(t, secret); got != one {
				t.Errorf("Resolve() = %+v\nwant %+v", got, one)
			}
			if idle, last := one.IdleUntil.Sub(n.now()), one.ExpiresAt.Sub(n.now()); idle != tc.idle || last != tc.last {
				t.Errorf("it ends after %v, unused %v; want %v, %v", last, idle, tc.last, tc.idle)
			}
			n.clock.Advance(tc.idle - time.Millisecond)
			n.mustResolve(t, secret)
			n.clock.Advance(time.Millisecond)
			n.peer().refused(t, "unused", secret)
		})
	}
}

// Who acts as another uses the own session by it, so that it is still there when they come back; and when they do nothing for
// as long as it may be unused, neither is.
func TestUseInTheirPlaceIsOnesOwn(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]Policy{"its own limit": {Idle: 10 * time.Minute}, "no limit of its own": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{Idle: 20 * time.Minute, Absolute: 50 * time.Minute})
			own, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: policy})
			if err != nil {
				t.Fatal(err)
			}
			may := least(policy.Idle, 20*time.Minute)
			one, secret := n.impersonate(t, own, true)
			for range 4 {
				n.clock.Advance(9 * time.Minute)
				n.mustResolve(t, secret)
				n.flush(t.Context())
				got := n.stored(t, own.ID).Session
				if !got.LastSeenAt.Equal(n.now()) || !got.IdleUntil.Equal(earlier(n.now().Add(may), own.ExpiresAt)) {
					t.Fatalf("used %v, the own session was %v, until %v", n.now(), got.LastSeenAt, got.IdleUntil)
				}
			}
			if _, _, err := n.Renew(system(t), own.ID); err != nil {
				t.Errorf("to be oneself again: %v", err)
			}
			before := n.stored(t, own.ID).Session
			n.store.mustTouch(t, one.used(n.now().Add(-time.Minute), n.cfg.Idle), n.cfg.Idle)
			if n.stored(t, own.ID).Session != before {
				t.Error("an older use changed something")
			}
			if err := n.End(in(t, own), own.ID); err != nil {
				t.Fatal(err)
			}
			before = n.stored(t, own.ID).Session
			n.store.mustTouch(t, one.used(n.now().Add(time.Minute), n.cfg.Idle), n.cfg.Idle)
			if got := n.stored(t, own.ID).Session; got.LastSeenAt != before.LastSeenAt {
				t.Error("a use revives a session that has ended")
			}
		})
	}
}

// No use of an impersonation brings back a session that was idle for too long.
func TestUseInTheirPlaceRevivesNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: Policy{Idle: 10 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	one, _ := n.impersonate(t, own, false)
	n.store.mustTouch(t, one.used(own.IdleUntil, n.cfg.Idle), n.cfg.Idle)
	if got := n.stored(t, own.ID).Session; got.LastSeenAt != own.LastSeenAt || got.IdleUntil != own.IdleUntil {
		t.Errorf("afterwards %+v", got)
	}
}

func (m *mongoStore) mustTouch(t testing.TB, s Session, idle time.Duration) {
	t.Helper()
	if err := m.touch(t.Context(), map[string]Session{s.ID: s}, idle); err != nil {
		t.Fatal(err)
	}
}

// TestReq72EndsOnOtherNodes: the end of the own session, for whatever reason, cuts what was begun from it on other nodes, in
// the same transaction and with the same reason.
func TestReq72EndsOnOtherNodes(t *testing.T) {
	t.Parallel()
	for reason, end := range map[string]func(n node, own Session, pair Secrets, t testing.TB) error{
		"": func(n node, own Session, _ Secrets, t testing.TB) error { return n.End(in(t, own), own.ID) },
		"reuse": func(n node, _ Session, pair Secrets, t testing.TB) error {
			n.mustRefresh(t, pair.Refresh)
			n.clock.Advance(time.Minute)
			if _, reused, err := n.refresh(t, pair.Refresh); !reused {
				return err
			}
			return nil
		},
		"limit": func(n node, _ Session, _ Secrets, t testing.TB) error {
			_, _, err := n.Start(t.Context(), StartCmd{User: "ada", Policy: Policy{Max: 1}})
			return err
		},
	} {
		t.Run("for "+reason, func(t *testing.T) {
			t.Parallel()
			a := setUp(t, Config{Recheck: time.Hour})
			b := a.peer()
			b.follow(t)
			own, pair := a.pair(t, "ada")
			one, secret := a.impersonate(t, own, false)
			a.mustResolve(t, secret)
			b.mustResolve(t, secret)
			here, stop := a.Watch(one.ID)
			defer stop()
			there, stopToo := b.Watch(one.ID)
			defer stopToo()
			if err := end(a, own, pair, t); err != nil {
				t.Fatal(err)
			}
			if !isClosed(here) {
				t.Error("on this node it goes on")
			}
			a.refused(t, "on this node", secret)
			storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(there) }, "the sockets on the other node are cut")
			b.refused(t, "on the other node", secret)
			var told []string
			for _, e := range a.facts(t, kindEnded) {
				if data[about](t, e).Reason != reason {
					t.Errorf("the event says %+v", data[about](t, e))
				}
				told = append(told, e.On.ID)
			}
			if !slices.Equal(told, []string{own.ID, one.ID}) {
				t.Errorf("told of %v, want %s and %s", told, own.ID, one.ID)
			}
		})
	}
}

// TestReq71TheUserSeesIt: it is in the list of the user's sessions, and they can end it, alone or with the others.
func TestReq71TheUserSeesIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n node, theirs, one Session, t testing.TB) error{
		"that one": func(n node, theirs, one Session, t testing.TB) error { return n.End(in(t, theirs), one.ID) },
		"others": func(n node, theirs, _ Session, t testing.TB) error {
			_, err := n.EndOthersOf(in(t, theirs), "uma", theirs.ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			theirs, _ := n.warm(t, "uma")
			own, ownSecret := n.warm(t, "ada")
			one, secret := n.impersonate(t, own, false)
			p, err := n.ListOf(t.Context(), "uma", page.Args{})
			if err != nil || !slices.Equal(idsOf(p.Items), []string{one.ID, theirs.ID}) || p.Items[0].Impersonator != "ada" || p.Items[0].Reason != "a ticket" {
				t.Errorf("listed: %+v, %v", p.Items, err)
			}
			if got := n.list(t, "ada"); !slices.Equal(got, []string{own.ID}) {
				t.Errorf("listed for who acts: %v", got)
			}
			if err := n.End(in(t, theirs), own.ID); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("to end the session of who acts: %v", err)
			}
			if err := end(n, theirs, one, t); err != nil {
				t.Fatal(err)
			}
			n.refused(t, "afterwards", secret)
			n.mustResolve(t, ownSecret)
		})
	}
}

// Sessions in which others act take no place of the user's, and make none.
func TestReq71TakesNoPlace(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{MaxSessions: 2})
	own, _ := n.warm(t, "ada")
	_, secret := n.impersonate(t, own, false)
	n.clock.Advance(time.Minute)
	var ids []string
	for range 3 {
		s, _ := n.start(t, "uma")
		ids = append(ids, s.ID)
		n.clock.Advance(time.Minute)
	}
	n.mustResolve(t, secret)
	left := n.list(t, "uma")
	if len(left) != 3 || !slices.Contains(left, ids[1]) || !slices.Contains(left, ids[2]) {
		t.Errorf("live: %v of %v, and the one in which ada acts", left, ids)
	}
	if _, _, err := n.Start(t.Context(), StartCmd{User: "bob", Policy: Policy{Max: 1, Refuse: true}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.Impersonate(in(t, own), ImpersonateCmd{User: "bob"}); err != nil {
		t.Errorf("Impersonate() = %v", err)
	}
}

// TestReq71NoNesting holds by what is stored, whatever the actor says.
func TestReq71NoNesting(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, _ := n.warm(t, "ada")
	one, _ := n.impersonate(t, own, false)
	if _, _, err := n.Impersonate(in(t, one), ImpersonateCmd{User: "bob"}); !errors.Is(err, ErrImpersonated) {
		t.Errorf("Impersonate() = %v", err)
	}
	if _, err := n.RequireFresh(in(t, one), Need{Age: time.Hour}); !errors.Is(err, ErrReauth) {
		t.Errorf("RequireFresh() = %v", err)
	}
	if len(n.facts(t, kindImpersonated)) != 1 {
		t.Error("there is a fact of what did not happen")
	}
}

// A session in which somebody acts as themself, should a flow allow it, ends once.
func TestActAsOneself(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, _ := n.warm(t, "uma")
	one, secret := n.impersonate(t, own, false)
	ids, err := n.EndAllOf(system(t), "uma")
	if err != nil || len(ids) != 2 || !slices.Contains(ids, one.ID) || n.ended(t) != 2 {
		t.Errorf("EndAllOf() = %v, %v, %d facts", ids, err, n.ended(t))
	}
	n.refused(t, "afterwards", secret)
}

// With a refresh token the parent's two secrets are put away, and both are new when it is given others.
func TestParkWithARefreshToken(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, first := n.pair(t, "ada")
	next := n.mustRefresh(t, first.Refresh)
	n.impersonate(t, own, true)
	for name, one := range map[string]Secrets{"now": next, "before": first} {
		n.refused(t, "the access token "+name, one.Token)
		if _, reused, err := n.refresh(t, one.Refresh); !errors.Is(err, ErrEnded) || reused {
			t.Errorf("the refresh token %s: %v, reused %t", name, err, reused)
		}
	}
	if open := n.links(t, bson.E{Key: "spentAt", Value: nil}); open != 0 {
		t.Errorf("%d refresh tokens are good", open)
	}
	_, again, err := n.Renew(system(t), own.ID)
	if err != nil {
		t.Fatal(err)
	}
	n.mustResolve(t, again.Token)
	n.mustRefresh(t, again.Refresh)
}

// In a transaction of the flow nothing happens before its commit, and nothing after a rollback.
func TestImpersonateJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, secret := n.warm(t, "ada")
	wrong := errors.New("the flow goes wrong later")
	var made Secrets
	flow := func(result error) error {
		return n.db.InTx(in(t, own), func(ctx context.Context) (err error) {
			if _, made, err = n.Impersonate(ctx, ImpersonateCmd{User: "uma", Park: true}); err != nil {
				return err
			}
			n.mustResolve(t, secret)
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || storetest.Count(t, n.db, collection) != 1 || len(n.facts(t, kindImpersonated)) != 0 {
		t.Errorf("rolled back: %v", err)
	}
	n.refused(t, "what was rolled back", made.Token)
	n.mustResolve(t, secret)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Refreshed(own.ID)
	n.refused(t, "the token that was put away", secret)
	n.mustResolve(t, made.Token)
}

// TestReq72NoOrphan: of many that begin while everything of who acts, or all of it but another session, ends, none is left.
func TestReq72NoOrphan(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(n node, t testing.TB) error{
		"all":    func(n node, t testing.TB) error { _, err := n.EndAllOf(system(t), "ada"); return err },
		"others": func(n node, t testing.TB) error { _, err := n.EndOthersOf(system(t), "ada", "another"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			own, _ := n.warm(t, "ada")
			secrets := make([]Secrets, 20)
			var all sync.WaitGroup
			for i := range secrets {
				all.Go(func() {
					if i == 10 {
						if err := end(n, t); err != nil {
							t.Errorf("to end them: %v", err)
						}
						return
					}
					var err error
					_, secrets[i], err = n.Impersonate(in(t, own), ImpersonateCmd{User: "uma"})
					if err != nil && !errors.Is(err, ErrEnded) {
						t.Errorf("Impersonate() = %v", err)
					}
				})
			}
			all.Wait()
			for _, one := range secrets {
				n.refused(t, "an orphan", one.Token)
			}
			if left, err := n.Impersonations(system(t)); err != nil || len(left) != 0 {
				t.Errorf("Impersonations() = %d, %v", len(left), err)
			}
		})
	}
}
