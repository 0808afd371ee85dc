package session

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestStart(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ctx := actor.WithRequest(t.Context(), actor.Request{ID: "r1", IP: "192.0.2.7", UserAgent: "curl/8" + strings.Repeat("x", 300)})
	s, token, err := n.Start(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	want := Session{
		ID: s.ID, User: "ada", CreatedAt: t0, LastSeenAt: t0, IdleUntil: t0.Add(14 * 24 * time.Hour), ExpiresAt: t0.Add(30 * 24 * time.Hour),
		UserAgent: "curl/8" + strings.Repeat("x", 250), IP: "192.0.2.7",
	}
	if s != want || s.ID == "" {
		t.Errorf("Start() = %+v\nwant %+v", s, want)
	}
	if got := n.mustResolve(t, token); got != want {
		t.Errorf("Resolve() = %+v\nwant %+v", got, want)
	}
	r := n.stored(t, s.ID)
	if d, _ := parseToken(token); !bytes.Equal(r.TokenHash, d[:]) {
		t.Error("what is stored is not the digest")
	}
	log, err := store.Find[event.Event](t.Context(), n.db.Collection("events"), bson.D{})
	if err != nil || len(log) != 1 || log[0].Kind != "session.session.started" || log[0].On != s.Ref() || log[0].IP != "192.0.2.7" {
		t.Errorf("events: %+v, %v", log, err)
	}
	for _, coll := range []string{collection, "events"} { // requirement 58
		docs, err := store.Find[bson.Raw](t.Context(), n.db.Collection(coll), bson.D{})
		if err != nil || len(docs) == 0 {
			t.Fatal(err)
		}
		for _, d := range docs {
			if strings.Contains(string(d), token[4:]) {
				t.Errorf("%s holds the token", coll)
			}
		}
	}
}

func TestStartJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	wrong := errors.New("the flow goes wrong later")
	var token string
	err := n.db.InTx(t.Context(), func(ctx context.Context) (err error) {
		if _, token, err = n.Start(ctx, "ada"); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || storetest.Count(t, n.db, collection) != 0 || storetest.Count(t, n.db, "events") != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() = %v", err)
	}
}

func TestResolveRefusesAlike(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Idle: time.Hour, Absolute: 2 * time.Hour})
	s, ended := n.warm(t, "ada")
	if err := n.End(as(t, "ada"), s.ID); err != nil {
		t.Fatal(err)
	}
	_, expired := n.warm(t, "ada")
	n.clock.Advance(time.Hour)
	unknown, _ := newToken()
	for name, token := range map[string]string{"ended": ended, "expired": expired, "unknown": unknown, "malformed": "bbs_x", "empty": "", "operator": `{"$ne":""}`} {
		got, err := n.Resolve(t.Context(), token)
		if !errors.Is(err, ErrEnded) || err.Error() != ErrEnded.Error() || got != (Session{}) {
			t.Errorf("%s: Resolve() = %v, %v", name, got, err)
		}
	}
}

func TestWarmResolveReadsNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, token := n.start(t, "ada")
	ctx, count := store.WithCounter(t.Context())
	for range 100 {
		if _, err := n.Resolve(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	if count.Count("find") != 1 || count.Total() != 1 {
		t.Errorf("100 answers took %d commands", count.Total())
	}
	n.clock.Advance(5 * time.Second)
	for range 100 {
		if _, err := n.Resolve(ctx, token); err != nil {
			t.Fatal(err)
		}
	}
	if count.Total() != 2 {
		t.Errorf("100 answers 5 s later took %d more commands", count.Total()-1)
	}
}

// A reconnect storm on a cold node: one read for each session.
func TestColdResolveReadsOnce(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	var tokens []string
	for range 5 {
		_, token := n.start(t, "ada")
		tokens = append(tokens, token)
	}
	ctx, count := store.WithCounter(t.Context())
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			if _, err := n.Resolve(ctx, tokens[i%len(tokens)]); err != nil {
				t.Errorf("Resolve() = %v", err)
			}
		})
	}
	wg.Wait()
	if count.Total() != len(tokens) {
		t.Errorf("%d reads for %d sessions", count.Total(), len(tokens))
	}
}

// Requirement 62: the clock decides, whatever is in memory.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	cfg := Config{Idle: time.Hour, Absolute: 3 * time.Hour}
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		_, token := n.warm(t, "ada")
		n.clock.Advance(59 * time.Minute)
		n.mustResolve(t, token) // a use: another hour
		n.clock.Advance(59 * time.Minute)
		n.mustResolve(t, token)
		n.clock.Advance(time.Hour)
		if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
			t.Errorf("idle for an hour: %v", err)
		}
	})
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		_, token := n.warm(t, "ada")
		for range 17 {
			n.clock.Advance(10 * time.Minute)
			n.mustResolve(t, token)
		}
		n.clock.Advance(10*time.Minute - time.Millisecond)
		n.mustResolve(t, token)
		n.clock.Advance(time.Millisecond)
		if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
			t.Errorf("after three hours of use: %v", err)
		}
	})
	t.Run("within the freshness of memory", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, Config{Idle: 2 * time.Second, TouchEvery: time.Hour})
		_, token := n.warm(t, "ada")
		n.clock.Advance(2 * time.Second)
		ctx, count := store.WithCounter(t.Context())
		if _, err := n.Resolve(ctx, token); !errors.Is(err, ErrEnded) || count.Total() != 0 {
			t.Errorf("Resolve() = %v, %d reads", err, count.Total())
		}
	})
}

func TestEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ctx  func(testing.TB) context.Context
		id   string
		err  error
	}{
		{"own", func(t testing.TB) context.Context { return as(t, "ada") }, "", nil},
		{"by the system", system, "", nil},
		{"somebody else's", func(t testing.TB) context.Context { return as(t, "eve") }, "", fault.ErrNotFound},
		{"unknown", func(t testing.TB) context.Context { return as(t, "ada") }, "nothing", fault.ErrNotFound},
		{"by nobody", func(t testing.TB) context.Context { return t.Context() }, "", fault.ErrUnauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, token := n.warm(t, "ada")
			_, other := n.warm(t, "ada")
			gone, stop := n.Watch(s.ID)
			defer stop()
			id := s.ID
			if tc.id != "" {
				id = tc.id
			}
			for range 2 { // the second time is no error and no second fact
				if err := n.End(tc.ctx(t), id); !errors.Is(err, tc.err) {
					t.Fatalf("End() = %v, want %v", err, tc.err)
				}
			}
			_, err := n.Resolve(t.Context(), token)
			want := tc.err == nil
			if errors.Is(err, ErrEnded) != want || isClosed(gone) != want || (n.ended(t) == 1) != want {
				t.Errorf("Resolve() = %v, watch closed %v, %d events; want ended: %v", err, isClosed(gone), n.ended(t), want)
			}
			n.mustResolve(t, other)
		})
	}
}

func TestEndInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	gone, stop := n.Watch(s.ID)
	defer stop()
	wrong := errors.New("the flow goes wrong later")
	flow := func(result error) error {
		return n.db.InTx(as(t, "ada"), func(ctx context.Context) error {
			if err := n.End(ctx, s.ID); err != nil {
				return err
			}
			if isClosed(gone) {
				t.Error("told before the commit")
			}
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || isClosed(gone) || n.ended(t) != 0 {
		t.Errorf("rolled back: %v, and %d events", err, n.ended(t))
	}
	n.mustResolve(t, token)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Forget(s.ID)
	if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone) || n.ended(t) != 1 {
		t.Errorf("committed: %v, and %d events", err, n.ended(t))
	}
}

func TestEndAllOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Absolute: time.Hour})
	n.start(t, "ada")
	n.clock.Advance(time.Hour) // that one is over by itself
	var tokens []string
	var gone []<-chan struct{}
	for range 3 {
		s, token := n.warm(t, "ada")
		c, stop := n.Watch(s.ID)
		defer stop()
		tokens, gone = append(tokens, token), append(gone, c)
	}
	already, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), already.ID); err != nil {
		t.Fatal(err)
	}
	_, others := n.warm(t, "eve")

	if _, err := n.EndAllOf(t.Context(), "ada"); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := n.EndAllOf(as(t, "eve"), "ada"); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("somebody else: %v", err)
	}
	ids, err := n.EndAllOf(as(t, "ada"), "ada")
	if err != nil || len(ids) != 3 || n.ended(t) != 4 {
		t.Fatalf("EndAllOf() = %v, %v, and %d events", ids, err, n.ended(t))
	}
	for i, token := range tokens {
		if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || !isClosed(gone[i]) {
			t.Errorf("session %d goes on: %v", i, err)
		}
	}
	n.mustResolve(t, others)
	if ids, err := n.EndAllOf(system(t), "ada"); err != nil || len(ids) != 0 || n.ended(t) != 4 {
		t.Errorf("a second time: %v, %v", ids, err)
	}
}

// Of twenty who end one session at once one does it: one fact.
func TestEndRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := n.End(as(t, "ada"), s.ID); err != nil {
				t.Errorf("End() = %v", err)
			}
			if _, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
		wg.Go(func() { _, _ = n.Resolve(t.Context(), token) })
	}
	wg.Wait()
	if n.ended(t) != 1 {
		t.Errorf("%d events", n.ended(t))
	}
}

func TestByIDsGivesOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	mine, _ := n.start(t, "ada")
	ended, _ := n.start(t, "ada")
	theirs, _ := n.start(t, "eve")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	ids := []string{mine.ID, ended.ID, theirs.ID, "nothing"}
	for _, tc := range []struct {
		name string
		ctx  context.Context
		want int
	}{{"ada", as(t, "ada"), 2}, {"eve", as(t, "eve"), 1}, {"system", system(t), 3}, {"nobody", t.Context(), 0}} {
		found, err := n.ByIDs(tc.ctx, ids)
		if err != nil || len(found) != tc.want {
			t.Errorf("%s: ByIDs() = %v, %v; want %d", tc.name, found, err, tc.want)
		}
	}
}

func TestCurrent(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, _ := n.warm(t, "ada")
	ctx, count := store.WithCounter(actor.With(t.Context(), actor.Actor{User: "ada", Session: s.ID}))
	if got, err := n.Current(ctx); err != nil || got != s || count.Total() != 0 {
		t.Errorf("Current() = %+v, %v, %d reads", got, err, count.Total())
	}
	if got, err := n.peer().Current(ctx); err != nil || got != s || count.Total() != 1 {
		t.Errorf("Current() on a cold node = %+v, %v, %d reads", got, err, count.Total())
	}
	if _, err := n.Current(as(t, "ada")); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("Current() without a session = %v", err)
	}
	if err := n.End(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Current(ctx); !errors.Is(err, ErrEnded) {
		t.Errorf("Current() after the end = %v", err)
	}
}
