package session

import (
	"bytes"
	"context"
	"encoding/base64"
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
	"github.com/backendbook/backendbook/internal/token"
)

func TestStart(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ctx := actor.WithRequest(t.Context(), actor.Request{ID: "r1", IP: "192.0.2.7", UserAgent: "curl/8" + strings.Repeat("x", 300)})
	s, secrets, err := n.Start(ctx, StartCmd{User: "ada", Methods: "pwd otp", Level: TwoFactors, Device: "d1"})
	if err != nil {
		t.Fatal(err)
	}
	token := secrets.Token
	want := Session{
		ID: s.ID, User: "ada", CreatedAt: t0, LastSeenAt: t0, IdleUntil: t0.Add(14 * 24 * time.Hour), ExpiresAt: t0.Add(30 * 24 * time.Hour),
		AuthAt: t0, Methods: "pwd otp", Level: TwoFactors, Device: "d1", UserAgent: "curl/8" + strings.Repeat("x", 250), IP: "192.0.2.7",
	}
	if s != want || s.ID == "" {
		t.Errorf("Start() = %+v\nwant %+v", s, want)
	}
	if got := n.mustResolve(t, token); got != want {
		t.Errorf("Resolve() = %+v\nwant %+v", got, want)
	}
	r := n.stored(t, s.ID)
	if d, _, _ := parse(token); !bytes.Equal(r.Tokens.Hash, d[:]) {
		t.Error("what is stored is not the digest")
	}
	log, err := store.Find[event.Event](t.Context(), n.db.Collection("events"), bson.D{})
	if err != nil || len(log) != 1 || log[0].Kind != "session.session.started" || log[0].On != s.Ref() || log[0].IP != "192.0.2.7" {
		t.Errorf("events: %+v, %v", log, err)
	}
	if got := data[about](t, log[0]); got != (about{User: "ada", Methods: "pwd otp", Device: "d1"}) {
		t.Errorf("the event says %+v", got)
	}
}

// Of the three secrets the database holds the hash alone, and they are 256 random bits.
func TestReq15Req58OnlyHashesAreStored(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, session := n.warm(t, "ada")
	_, key := n.mint(t, "ada", "plan.read")
	_, device, _, err := n.Remember(t.Context(), "ada", "")
	if err != nil {
		t.Fatal(err)
	}
	_, pair, err := n.Start(t.Context(), StartCmd{User: "ada", Refresh: true})
	if err != nil {
		t.Fatal(err)
	}
	next := n.mustRefresh(t, pair.Refresh)
	for _, coll := range []string{collection, refreshCollection, ownerCollection, deviceCollection, "events"} {
		docs, err := store.Find[bson.Raw](t.Context(), n.db.Collection(coll), bson.D{})
		if err != nil || len(docs) == 0 {
			t.Fatalf("%s: %d documents, %v", coll, len(docs), err)
		}
		for _, doc := range docs {
			for _, secret := range []string{session, key, device, pair.Token, pair.Refresh, next.Token, next.Refresh} {
				raw, err := base64.RawURLEncoding.DecodeString(secret[4:])
				if err != nil || len(raw) != 36 {
					t.Fatalf("%q is not 256 bits and a checksum", secret)
				}
				if bytes.Contains(doc, raw[:32]) || bytes.Contains(doc, []byte(secret[8:])) {
					t.Errorf("%s holds the secret %s…", coll, secret[:4])
				}
			}
		}
	}
}

func TestStartJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	wrong := errors.New("the flow goes wrong later")
	var made Secrets
	err := n.db.InTx(t.Context(), func(ctx context.Context) (err error) {
		if _, made, err = n.Start(ctx, StartCmd{User: "ada", Methods: "pwd otp", Device: "d1"}); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || storetest.Count(t, n.db, collection) != 0 || storetest.Count(t, n.db, "events") != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
	if _, err := n.Resolve(t.Context(), made.Token); !errors.Is(err, ErrEnded) {
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
	unknown, _ := token.New(sessionPrefix)
	for name, secret := range map[string]string{"ended": ended, "expired": expired, "unknown": unknown, "malformed": "bbs_x", "empty": "", "operator": `{"$ne":""}`} {
		got, err := n.Resolve(t.Context(), secret)
		told := fault.From(err)
		if !errors.Is(err, ErrEnded) || told.Msg != ErrEnded.Msg || len(told.Details) != 0 || got != (Session{}) {
			t.Errorf("%s: Resolve() = %v, %v", name, got, err)
		}
		// The cause, which no client sees, tells who guesses from who comes back too late.
		if was := name == "ended" || name == "expired"; errors.Is(err, ErrKnown) != was {
			t.Errorf("%s: known %t, want %t", name, !was, was)
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

// Not parallel: testing.AllocsPerRun counts the whole process.
func TestWarmResolveAllocatesNothing(t *testing.T) {
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	_, key := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, key)
	_, before := n.pair(t, "ada")
	access := n.mustRefresh(t, before.Refresh)
	n.mustResolve(t, access.Token)
	ctx, asUser := t.Context(), in(t, s)
	for name, ask := range map[string]func() error{
		"a session":       func() error { _, err := n.Resolve(ctx, token); return err },
		"an access token": func() error { _, err := n.Resolve(ctx, access.Token); return err },
		"the one before":  func() error { _, err := n.Resolve(ctx, before.Token); return err },
		"a key":           func() error { _, err := n.Resolve(ctx, key); return err },
		"freshness":       func() error { _, err := n.RequireFresh(asUser, Need{}); return err },
	} {
		if allocs := testing.AllocsPerRun(100, func() {
			if err := ask(); err != nil {
				t.Error(err)
			}
		}); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
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

// The clock decides, whatever is in memory.
func TestReq62Lifetimes(t *testing.T) {
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

func TestByIDsGivesOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	mine, _ := n.start(t, "ada")
	ended, _ := n.start(t, "ada")
	theirs, _ := n.start(t, "eve")
	key, _ := n.mint(t, "ada", "plan.read")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	ids := []string{mine.ID, ended.ID, theirs.ID, key.ID, "nothing"}
	for _, tc := range []struct {
		name string
		ctx  context.Context
		want int
	}{{"ada", as(t, "ada"), 2}, {"eve", as(t, "eve"), 1}, {"system", system(t), 3}, {"nobody", t.Context(), 0}, {"a key", with(t, key), 0}} {
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
	ctx, count := store.WithCounter(in(t, s))
	if got, err := n.Current(ctx); err != nil || got != s || count.Total() != 0 {
		t.Errorf("Current() = %+v, %v, %d reads", got, err, count.Total())
	}
	if got, err := n.peer().Current(ctx); err != nil || got != s || count.Total() != 1 {
		t.Errorf("Current() on a cold node = %+v, %v, %d reads", got, err, count.Total())
	}
	if _, err := n.Current(as(t, "ada")); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("Current() without a session = %v", err)
	}
	key, secret := n.mint(t, "ada", "plan.read")
	if _, err := n.Current(with(t, key)); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("Current() with a key = %v", err)
	}
	for range 2 { // cold and warm: a key is no session, whoever takes it for one
		if _, err := n.Current(in(t, Session{ID: key.ID, User: "ada"})); !errors.Is(err, ErrEnded) {
			t.Errorf("Current() of a key = %v", err)
		}
		n.mustResolve(t, secret)
	}
	if err := n.End(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Current(ctx); !errors.Is(err, ErrEnded) {
		t.Errorf("Current() after the end = %v", err)
	}
}
