package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestElevate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ctx  func(testing.TB, Session) context.Context
		err  error
	}{
		{"the session itself", in, nil},
		{"the system", func(t testing.TB, _ Session) context.Context { return system(t) }, nil},
		{"another session of the user", func(t testing.TB, s Session) context.Context { return in(t, Session{ID: "s2", User: s.User}) }, fault.ErrNotFound},
		{"the user without a session", func(t testing.TB, s Session) context.Context { return as(t, s.User) }, fault.ErrNotFound},
		{"a key of the user", func(t testing.TB, s Session) context.Context { return with(t, Key{ID: s.ID, User: s.User}) }, ErrKeyForbidden},
		{"nobody", func(t testing.TB, _ Session) context.Context { return t.Context() }, fault.ErrUnauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, token := n.warm(t, "ada")
			goesOn, stop := n.Watch(s.ID)
			defer stop()
			n.clock.Advance(3 * time.Second) // the answer in memory is still good
			want := s
			if tc.err == nil {
				want.AuthAt, want.Methods, want.Level = t0.Add(3*time.Second), "pwd otp", TwoFactors
			}
			got, secrets, err := n.Elevate(tc.ctx(t, s), s.ID, "otp", TwoFactors)
			if !errors.Is(err, tc.err) || err == nil && got != want {
				t.Fatalf("Elevate() = %+v, %v; want %+v, %v", got, err, want, tc.err)
			}
			if err == nil {
				if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
					t.Errorf("the secret of before: %v", err)
				}
				token = secrets.Token
			}
			if now := n.mustResolve(t, token); now != want || n.stored(t, s.ID).Session != want {
				t.Errorf("afterwards %+v\nstored %+v\nwant %+v", now, n.stored(t, s.ID).Session, want)
			}
			facts := n.facts(t, "session.session.elevated")
			if (len(facts) == 1) != (tc.err == nil) || isClosed(goesOn) {
				t.Errorf("%d events, watch closed %v", len(facts), isClosed(goesOn))
			}
			if tc.err == nil && (facts[0].On != s.Ref() || data[about](t, facts[0]) != (about{User: "ada", Methods: "otp"})) {
				t.Errorf("the event says %+v", facts[0])
			}
		})
	}
}

func TestElevateWhatIsNotThere(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Idle: time.Hour})
	ended, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	expired, _ := n.start(t, "ada")
	n.clock.Advance(time.Hour)
	key, _ := n.mint(t, "ada", "plan.read")
	for _, tc := range []struct {
		name, id string
		err      error
	}{{"ended", ended.ID, ErrEnded}, {"expired", expired.ID, ErrEnded}, {"a key", key.ID, fault.ErrNotFound}, {"unknown", "nothing", fault.ErrNotFound}} {
		if _, _, err := n.Elevate(system(t), tc.id, "pwd", FullProof); !errors.Is(err, tc.err) {
			t.Errorf("%s: Elevate() = %v, want %v", tc.name, err, tc.err)
		}
	}
	if len(n.facts(t, "session.session.elevated")) != 0 {
		t.Error("there is an event of what did not happen")
	}
}

func TestRequireFresh(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		after  time.Duration // the sign-in
		raised time.Duration // after the sign-in, if not 0
		reads  int
		err    error
	}{
		{"just signed in", 0, 0, 0, nil},
		{"as old as allowed", 5 * time.Minute, 0, 0, nil},
		{"too old", 5*time.Minute + time.Millisecond, 0, 1, ErrReauth},
		{"proved again", 9 * time.Minute, 4 * time.Minute, 0, nil},
		{"proved again, and too old again", 10 * time.Minute, 4 * time.Minute, 1, ErrReauth},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, token := n.warm(t, "ada")
			if tc.raised > 0 {
				n.clock.Advance(tc.raised)
				_, renewed, err := n.Elevate(in(t, s), s.ID, "pwd", FullProof)
				if err != nil {
					t.Fatal(err)
				}
				token = renewed.Token
			}
			n.clock.Advance(tc.after - tc.raised)
			n.mustResolve(t, token)
			ctx, count := store.WithCounter(in(t, s))
			got, err := n.RequireFresh(ctx, Need{})
			if !errors.Is(err, tc.err) || (err == nil) != (got.ID == s.ID) || count.Total() != tc.reads {
				t.Errorf("RequireFresh() = %+v, %v, %d reads; want %v, %d", got, err, count.Total(), tc.err, tc.reads)
			}
			cold, count := store.WithCounter(in(t, s))
			if _, err := n.peer().RequireFresh(cold, Need{}); !errors.Is(err, tc.err) || count.Total() != 1 {
				t.Errorf("on a cold node: %v, %d reads", err, count.Total())
			}
		})
	}
}

func TestRequireFreshRefuses(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, _ := n.warm(t, "ada")
	ended, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	key, secret := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, secret)
	// A session that an older version of the server has stored.
	older, _ := n.start(t, "ada")
	if _, err := n.db.Collection(collection).UpdateByID(t.Context(), older.ID, bson.D{{Key: "$unset", Value: bson.D{{Key: "authAt", Value: ""}}}}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
	}{
		{"nobody", t.Context(), fault.ErrUnauthenticated},
		{"a user without a session", as(t, "ada"), fault.ErrUnauthenticated},
		{"the system", system(t), fault.ErrUnauthenticated},
		{"a key", with(t, key), ErrKeyForbidden},
		{"a key with a session beside it", actor.With(t.Context(), actor.Actor{User: "ada", Session: s.ID, Key: key.ID}), ErrKeyForbidden},
		{"a key taken for a session", in(t, Session{ID: key.ID, User: "ada"}), ErrEnded},
		{"an ended session", in(t, ended), ErrEnded},
		{"a session that does not know when", in(t, older), ErrReauth},
	} {
		if got, err := n.RequireFresh(tc.ctx, Need{}); !errors.Is(err, tc.err) || got != (Session{}) {
			t.Errorf("%s: RequireFresh() = %+v, %v; want %v", tc.name, got, err, tc.err)
		}
	}
}

// A node that has not heard of an elevation asks before it refuses, and of an end before it allows what it refused.
func TestElevatedOnAnotherNode(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{Recheck: time.Hour})
	b := a.peer() // hears nothing
	s, token := a.warm(t, "ada")
	a.clock.Advance(10 * time.Minute)
	b.mustResolve(t, token)
	if _, err := b.RequireFresh(in(t, s), Need{}); !errors.Is(err, ErrReauth) {
		t.Fatalf("RequireFresh() = %v", err)
	}
	if _, _, err := a.Elevate(in(t, s), s.ID, "pwd", FullProof); err != nil {
		t.Fatal(err)
	}
	if got, err := b.RequireFresh(in(t, s), Need{}); err != nil || !got.AuthAt.Equal(b.now()) {
		t.Errorf("RequireFresh() = %+v, %v", got, err)
	}
	a.clock.Advance(10 * time.Minute)
	if err := a.End(in(t, s), s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RequireFresh(in(t, s), Need{}); !errors.Is(err, ErrEnded) {
		t.Errorf("RequireFresh() after the end = %v", err)
	}
}

// The change stream tells the others, and cuts nobody off.
func TestElevationIsTold(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{Recheck: time.Hour})
	b := a.peer()
	b.follow(t)
	s, token := a.warm(t, "ada")
	b.mustResolve(t, token)
	goesOn, stop := b.Watch(s.ID)
	defer stop()
	a.clock.Advance(time.Minute)
	raised, secrets, err := a.Elevate(in(t, s), s.ID, "otp", FullProof)
	if err != nil {
		t.Fatal(err)
	}
	heard := func() bool { _, err := b.Resolve(t.Context(), token); return errors.Is(err, ErrEnded) }
	storetest.Eventually(t, 5*time.Second, heard, "the other node refuses the secret of before")
	if got := b.mustResolve(t, secrets.Token); !got.AuthAt.Equal(raised.AuthAt) {
		t.Errorf("the other node knows %+v", got)
	}
	if isClosed(goesOn) {
		t.Error("the session goes on, and its watch is closed")
	}
}

func TestElevateInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	n.clock.Advance(time.Hour)
	wrong := errors.New("the flow goes wrong later")
	flow := func(result error) error {
		return n.db.InTx(in(t, s), func(ctx context.Context) error {
			if _, _, err := n.Elevate(ctx, s.ID, "otp", FullProof); err != nil {
				return err
			}
			if _, err := n.RequireFresh(ctx, Need{}); err != nil {
				t.Errorf("in the transaction: %v", err)
			}
			n.mustResolve(t, token) // another request meanwhile: it reads, and keeps, what is committed
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || len(n.facts(t, "session.session.elevated")) != 0 {
		t.Errorf("rolled back: %v", err)
	}
	if _, err := n.RequireFresh(in(t, s), Need{}); !errors.Is(err, ErrReauth) {
		t.Errorf("RequireFresh() after the rollback = %v", err)
	}
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := n.RequireFresh(in(t, s), Need{}); err != nil {
		t.Errorf("RequireFresh() after the commit = %v", err)
	}
}

// Whatever the order, the end wins: no elevation brings a session back.
func TestElevateRacesTheEnd(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i == 10 {
				if err := n.End(in(t, s), s.ID); err != nil {
					t.Errorf("End() = %v", err)
				}
				return
			}
			if _, _, err := n.Elevate(in(t, s), s.ID, "otp", FullProof); err != nil && !errors.Is(err, ErrEnded) {
				t.Errorf("Elevate() = %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || n.stored(t, s.ID).EndedAt == nil {
		t.Errorf("Resolve() = %v", err)
	}
}
