package rbac

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// following is another node on the same data, with a connection and a change stream of its own.
func (w *world) following() *Service {
	w.t.Helper()
	db := storetest.Open(w.t, w.db.Database().Name())
	tail := event.NewTail(db, clock.System(), slog.New(slog.DiscardHandler))
	s := New(db, event.NewLog(db, w.clock.Now), w.clock.Now, testCatalogue(), tail.Lag, slog.New(slog.DiscardHandler), Config{TailWait: 20 * time.Second})
	tail.Follow(s.Follower())
	ctx, stop := context.WithCancel(w.t.Context())
	done, err := tail.Start(ctx)
	w.must(err)
	w.t.Cleanup(func() { stop(); <-done })
	w.must(s.Load(w.t.Context()))
	return s
}

func TestGolden33TwoNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.following(), w.following()
	w.Service = a
	var mu sync.Mutex
	var told [][]string
	b.OnChange(func(users []string) { mu.Lock(); told = append(told, users); mu.Unlock() })
	x := w.diamond()
	soon := func(user, permission string, reason Reason) {
		t.Helper()
		storetest.Eventually(t, 5*time.Second, func() bool { return b.Allows(user, permission).Reason == reason },
			fmt.Sprintf("the other node says %s for %s", reason, user))
	}
	soon("u", permP, Allowed)
	for _, g := range []Grant{x.db, x.dc} {
		w.take(g)
	}
	want(t, a, "u", permP, NoPath)
	soon("u", permP, NoPath)
	g := w.give("v", x.a)
	soon("v", permP, Allowed)
	w.take(g)
	soon("v", permP, NoPath)

	mu.Lock()
	users := slices.DeleteFunc(slices.Clone(told), func(u []string) bool { return u == nil })
	everybody := len(told) - len(users)
	mu.Unlock()
	if everybody != 4+4+2 || !slices.EqualFunc(users, [][]string{{"u"}, {"v"}, {"v"}}, slices.Equal) {
		t.Errorf("told %v", told)
	}
	// With the revision in hand, as read-your-writes has it: never the old answer.
	g = w.give("z", x.a)
	w.must(b.Sync(t.Context()))
	want(t, b, "z", permP, Allowed)
	w.take(g)
	w.must(b.Sync(t.Context()))
	want(t, b, "z", permP, NoPath)
}

func TestWritersOnTwoNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	nodes := []*Service{w.following(), w.following()}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			user, s := fmt.Sprintf("u%d", i), nodes[i%2]
			g, err := s.Grant(w.sys(), GrantCmd{Role: r.ID, Member: ref.New(ref.User, user)})
			if err != nil {
				t.Error(err)
				return
			}
			want(t, s, user, permP, Allowed) // in force with the reply, whatever the others do
			if i%4 < 2 {
				if _, err := s.Revoke(w.sys(), g.ID, Restrict); err != nil {
					t.Error(err)
				}
				want(t, s, user, permP, NoPath)
			}
		})
	}
	wg.Wait()
	w.must(w.Sync(t.Context())) // a node that hears nothing reads everything
	for _, s := range append(nodes, w.Service) {
		w.must(s.Sync(t.Context()))
		for i := range 16 {
			reason := Allowed
			if i%4 < 2 {
				reason = NoPath
			}
			want(t, s, fmt.Sprintf("u%d", i), permP, reason)
		}
		if s.Rev() != 1+16+8 {
			t.Errorf("rev %d", s.Rev())
		}
	}
}

func TestGolden34Stale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.give("u", w.role("rr", permP, PermRoleRead))
	var lag atomic.Int64
	s := w.node(w.db, func() time.Duration { return time.Duration(lag.Load()) })
	lag.Store(int64(5 * time.Second))
	want(t, s, "u", permP, Allowed)
	w.must(s.Ready(t.Context()))
	lag.Store(int64(5*time.Second + time.Millisecond))
	want(t, s, "u", permP, Stale)
	want(t, s, "u", "test.nothing", Unknown)
	if err := s.Require(w.as("u"), permP, ref.Ref{}); !errors.Is(err, ErrStale) {
		t.Errorf("Require: %v", err)
	}
	if sc, err := s.Scope(w.as("u"), permP, ref.Document); !errors.Is(err, ErrStale) || sc.Op != predicate.OpNone {
		t.Errorf("Scope: %+v, %v", sc, err)
	}
	if err := s.Ready(t.Context()); !errors.Is(err, ErrStale) {
		t.Errorf("Ready: %v", err)
	}
	if got := s.PermissionsOf(w.as("u")); len(got) != 0 {
		t.Errorf("PermissionsOf: %v", got)
	}
	w.must(s.Require(w.sys(), permP, ref.Ref{}))
	lag.Store(0)
	want(t, s, "u", permP, Allowed)

	unloaded := New(w.db, event.NewLog(w.db, w.clock.Now), w.clock.Now, testCatalogue(), fresh, slog.New(slog.DiscardHandler), Config{})
	want(t, unloaded, "u", permP, Stale)
}

// eventOf is the event of a change as the change stream brings it.
func eventOf(t *testing.T, c change) event.Event {
	t.Helper()
	data, err := bson.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return event.Event{Kind: c.kind, Data: data}
}

func TestHear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	behind := w.node(w.db, fresh)
	f := behind.Follower()
	g := w.give("u", r)
	made := change{kind: kindGrantCreated, Rev: 2, Grant: &g}

	f.OnEvent(t.Context(), event.Event{Kind: "plan.membership.started"}, bson.Timestamp{})
	if behind.Rev() != 1 {
		t.Error("a foreign event moved the policy")
	}
	ctx, reads := store.WithCounter(t.Context())
	f.OnEvent(ctx, eventOf(t, made), bson.Timestamp{})
	f.OnEvent(ctx, eventOf(t, made), bson.Timestamp{}) // twice is once
	want(t, behind, "u", permP, Allowed)
	if behind.Rev() != 2 || reads.Total() != 0 {
		t.Errorf("rev %d, %d commands: an event in order costs no read", behind.Rev(), reads.Total())
	}

	w.take(g)
	h := w.give("v", r)
	f.OnEvent(ctx, eventOf(t, change{kind: kindGrantCreated, Rev: 4, Grant: &h}), bson.Timestamp{}) // 3 is missing
	want(t, behind, "u", permP, NoPath)
	want(t, behind, "v", permP, Allowed)
	if behind.Rev() != 4 || reads.Count("find") != 6 {
		t.Errorf("rev %d, %d finds: a gap is read anew", behind.Rev(), reads.Count("find"))
	}

	w.take(h)
	f.OnEvent(ctx, event.Event{Kind: kindGrantRevoked, Data: bson.Raw{1, 2}}, bson.Timestamp{}) // unreadable
	want(t, behind, "v", permP, NoPath)
	stray := Grant{ID: "g", Member: ref.New(ref.User, "v"), Role: "nowhere"}
	f.OnEvent(ctx, eventOf(t, change{kind: kindGrantCreated, Rev: 6, Grant: &stray}), bson.Timestamp{})
	if behind.Rev() != 5 {
		t.Errorf("rev %d: a change that does not fit is not believed", behind.Rev())
	}
}

func TestLostHistoryIsReadAnewOrRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	g := w.give("u", r)
	db := storetest.Open(t, w.db.Database().Name())
	s := w.node(db, fresh)
	f := s.Follower()
	told := 0
	s.OnChange(func(users []string) {
		if users == nil {
			told++
		}
	})
	w.take(g)
	f.OnLost(t.Context())
	want(t, s, "u", permP, NoPath)
	if told != 1 {
		t.Errorf("told %d times", told)
	}

	w.give("u", r)
	off := storetest.FailPoint(t, db, "alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{"find"}}, {Key: "errorCode", Value: 2}})
	f.OnLost(t.Context())
	want(t, s, "u", permP, Stale)
	if err := s.Require(w.as("u"), permP, ref.Ref{}); !errors.Is(err, ErrStale) {
		t.Errorf("while it can't be read: %v", err)
	}
	off()
	if err := s.Require(w.as("u"), permP, ref.Ref{}); err != nil { // the first to ask has it read
		t.Errorf("when it can be read again: %v", err)
	}
	want(t, s, "u", permP, Allowed)
}

// A caller's transaction: what is granted in it counts after its commit and Sync, and never without the commit.
func TestJoinedTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Ensure(w.sys(), []RoleSpec{{Key: RoleMember, Name: "Member", Permissions: []Instance{permP}}, {Key: "pro", Name: "Pro", Permissions: []Instance{permQ}}}))
	pro, err := w.ByKey(w.sys(), "pro")
	w.must(err)
	for _, s := range []*Service{w.Service, w.following()} {
		user := ref.New(ref.User, ref.NewID())
		enroll := func(fail error) error {
			return s.db.InTx(t.Context(), func(ctx context.Context) error {
				if err := s.GrantDefault(ctx, user.ID); err != nil {
					return err
				}
				if err := s.SetSource(ctx, user, "plan:"+user.ID, []SourceRole{{Role: pro.ID}}); err != nil {
					return err
				}
				if err := s.Sync(ctx); err != nil { // not yet committed: nothing to wait for
					return err
				}
				return fail
			})
		}
		rev, boom := s.Rev(), errors.New("boom")
		if err := enroll(boom); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		w.must(s.Sync(t.Context()))
		want(t, s, user.ID, permP, NoPath)
		if s.Rev() != rev {
			t.Errorf("rev %d after an abort, was %d", s.Rev(), rev)
		}
		w.must(enroll(nil))

		w.must(s.Sync(t.Context()))
		want(t, s, user.ID, permP, Allowed)
		want(t, s, user.ID, permQ, Allowed)
		if s.Rev() != rev+2 {
			t.Errorf("rev %d, want %d", s.Rev(), rev+2)
		}
		w.must(enroll(nil)) // the grants are there: no policy write
		w.must(s.db.InTx(t.Context(), func(ctx context.Context) error { return s.SetSource(ctx, user, "plan:"+user.ID, nil) }))
		w.must(s.Sync(t.Context()))
		want(t, s, user.ID, permP, Allowed)
		want(t, s, user.ID, permQ, NoPath)
		if s.Rev() != rev+3 {
			t.Errorf("rev %d, want %d", s.Rev(), rev+3)
		}
	}
}

// A commit is final: if the node can't read what it must know then, it refuses instead of answering from before.
func TestSyncThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	db := storetest.Open(t, w.db.Database().Name())
	s := w.node(db, fresh)
	w.give("u", r)
	off := storetest.FailPoint(t, db, "alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{"find"}}, {Key: "errorCode", Value: 2}})
	if err := s.Sync(t.Context()); err == nil {
		t.Error("Sync had nothing to say")
	}
	want(t, s, "u", permP, Stale)
	off()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the client has left; what is committed must come into force all the same
	w.must(s.Sync(ctx))
	want(t, s, "u", permP, Allowed)
}

func TestManyGrantsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Ensure(w.sys(), []RoleSpec{{Key: RoleMember, Name: "Member", Permissions: []Instance{permP}}}))
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if err := w.GrantDefault(t.Context(), fmt.Sprintf("u%d", i/2)); err != nil { // two writers for each user
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 6 {
		want(t, w.Service, fmt.Sprintf("u%d", i), permP, Allowed)
	}
	if g, e := storetest.Count(t, w.db, "grants"), w.events(kindGrantCreated); g != 6 || e != 6 || w.Rev() != 7 {
		t.Errorf("%d grants, %d events, rev %d", g, e, w.Rev())
	}
}

// The first writes ever come at once, when the revision document is not there.
func TestFirstWritersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if err := w.Ensure(w.sys(), []RoleSpec{{Key: "same", Name: "Same"}, {Key: fmt.Sprintf("own%d", i), Name: "Own"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := storetest.Count(t, w.db, "roles"); n != 7 || w.Rev() != 6 || w.events(kindRoleCreated) != 7 {
		t.Errorf("%d roles, %d events, rev %d", n, w.events(kindRoleCreated), w.Rev())
	}
}

// Checks go on while grants come and go and an edge between roles expires: no lock, no torn answer. For the race detector.
func TestChecksWhileThePolicyChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	base, outer, inner := w.role("base", permP), w.role("outer"), w.role("inner", permQ)
	w.give("always", base)
	w.give("always", outer)
	w.must(w.Load(t.Context()))
	end := t0.Add(time.Minute)
	_, err := w.Grant(w.sys(), GrantCmd{Role: inner.ID, Member: outer.Ref(), ExpiresAt: &end})
	w.must(err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			ended := false
			for {
				select {
				case <-stop:
					return
				default:
				}
				if d := w.Allows("always", permP); !d.Allowed {
					t.Errorf("p: %+v", d)
					return
				}
				d := w.Allows("always", permQ)
				if ended && d.Allowed || !d.Allowed && d.Reason != Expired {
					t.Errorf("q, ended %v: %+v", ended, d)
					return
				}
				ended = ended || !d.Allowed
			}
		})
	}
	for i := range 10 {
		if i == 5 {
			w.clock.Advance(time.Minute)
		}
		w.take(w.give("sometimes", base))
	}
	close(stop)
	wg.Wait()
	want(t, w.Service, "always", permQ, Expired)
	want(t, w.Service, "sometimes", permP, NoPath)
}
