package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/token"
)

const day = 24 * time.Hour

// The last use is written at most each minute, the first one at the next tick.
func TestReq54LastUse(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	k, secret := n.mint(t, "ada", "plan.read")
	lastUse := func() *time.Time {
		n.flush(t.Context())
		found, err := n.KeysByIDs(as(t, "ada"), []string{k.ID})
		if err != nil {
			t.Fatal(err)
		}
		return found[k.ID].LastUsedAt
	}
	if at := lastUse(); at != nil {
		t.Errorf("never used, and last used %v", at)
	}
	n.clock.Advance(time.Second)
	n.mustResolve(t, secret)
	first := n.now()
	if at := lastUse(); at == nil || !at.Equal(first) {
		t.Fatalf("last used %v, want %v", at, first)
	}
	for range 59 {
		n.clock.Advance(time.Second)
		n.mustResolve(t, secret)
	}
	if at := lastUse(); !at.Equal(first) {
		t.Errorf("written again within a minute: %v", at)
	}
	n.clock.Advance(time.Second)
	n.mustResolve(t, secret)
	if at := lastUse(); !at.Equal(n.now()) {
		t.Errorf("last used %v, want %v", at, n.now())
	}
}

// What a key can do to the ways into an account: nothing. And it ends, by itself or when it is revoked.
func TestReq56AKeyIsNotAPerson(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	k, secret := n.mint(t, "ada", "plan.read")
	other, _ := n.mint(t, "ada", "plan.read")
	ctx := with(t, k)
	for name, do := range map[string]func() error{
		"elevate itself":    func() error { _, _, err := n.Elevate(ctx, k.ID, "pwd", FullProof); return err },
		"elevate a session": func() error { _, _, err := n.Elevate(ctx, s.ID, "pwd", FullProof); return err },
		"be fresh":          func() error { _, err := n.RequireFresh(ctx, Need{}); return err },
		"mint a key": func() error {
			_, _, err := n.MintKey(ctx, MintCmd{User: "ada", Name: "x", Scopes: []string{"a.b"}})
			return err
		},
		"revoke itself":        func() error { _, err := n.RevokeKey(ctx, "ada", k.ID); return err },
		"revoke another":       func() error { _, err := n.RevokeKey(ctx, "ada", other.ID); return err },
		"end a session":        func() error { return n.End(ctx, s.ID) },
		"end all":              func() error { _, err := n.EndAllOf(ctx, "ada"); return err },
		"end the others":       func() error { _, err := n.EndOthersOf(ctx, "ada", s.ID); return err },
		"delete all of a user": func() error { _, err := n.DeleteAllOf(ctx, "ada"); return err },
	} {
		if err := do(); !errors.Is(err, ErrKeyForbidden) {
			t.Errorf("a key can %s: %v", name, err)
		}
	}
	if found, err := n.ByIDs(ctx, []string{s.ID, k.ID}); err != nil || len(found) != 0 {
		t.Errorf("a key sees sessions: %v, %v", found, err)
	}
	if found, err := n.KeysByIDs(ctx, []string{k.ID, other.ID}); err != nil || len(found) != 0 {
		t.Errorf("a key sees keys: %v, %v", found, err)
	}
	n.mustResolve(t, token)
	n.mustResolve(t, secret)
}

func TestReq56KeysExpire(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ ttl, life time.Duration }{{0, 90 * day}, {time.Hour, time.Hour}, {366 * day, 366 * day}} {
		n := setUp(t, Config{Recheck: 1000 * day}) // whatever is in memory
		k, secret, err := n.MintKey(as(t, "ada"), MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}, TTL: tc.ttl})
		if err != nil || !k.ExpiresAt.Equal(t0.Add(tc.life)) {
			t.Fatalf("MintKey() = %+v, %v", k, err)
		}
		n.mustResolve(t, secret)
		n.clock.Advance(tc.life - time.Millisecond) // unused for longer than any session may be
		n.mustResolve(t, secret)
		if !k.Live(n.now()) {
			t.Error("Live() is false before the end")
		}
		n.clock.Advance(time.Millisecond)
		if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) || k.Live(n.now()) {
			t.Errorf("after %v: %v", tc.life, err)
		}
	}
}

// Revocation cuts the sockets of a key, here and on other nodes.
func TestReq56RevocationCutsSockets(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{Recheck: time.Hour})
	b := a.peer()
	b.follow(t)
	k, secret := a.mint(t, "ada", "plan.read")
	a.mustResolve(t, secret)
	b.mustResolve(t, secret)
	here, stop := a.Watch(k.ID)
	defer stop()
	there, stopToo := b.Watch(k.ID)
	defer stopToo()
	if _, err := a.RevokeKey(as(t, "ada"), "ada", k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) || !isClosed(here) {
		t.Errorf("on this node: %v, told %v", err, isClosed(here))
	}
	storetest.Eventually(t, 5*time.Second, func() bool { return isClosed(there) }, "the other node is told")
	if _, err := b.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) {
		t.Errorf("on the other node: %v", err)
	}
}

// A watched key that goes on is left alone by the look at the database, and one that has expired is not.
func TestWatchOfAKey(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	k, secret := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, secret)
	gone, stop := n.Watch(k.ID)
	defer stop()
	n.clock.Advance(90*day - time.Millisecond)
	if n.sweep(t.Context()); isClosed(gone) {
		t.Fatal("a live key was cut off")
	}
	n.clock.Advance(time.Millisecond)
	if n.sweep(t.Context()); !isClosed(gone) {
		t.Error("an expired key goes on")
	}
}

// One kind of secret is never taken for another, whatever the database holds.
func TestKeysAndSessionsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	secret, d := token.New(sessionPrefix)
	s := session1("s1")
	s.Kind = KindKey
	storetest.Insert(t, n.db, collection, record{Session: s, Tokens: tokens{Hash: d[:]}, Scopes: []string{"plan.read"}})
	keySecret, d := token.New(keyPrefix)
	storetest.Insert(t, n.db, collection, record{Session: session1("s2"), Tokens: tokens{Hash: d[:]}})
	for range 2 { // cold and warm
		for _, token := range []string{secret, keySecret} {
			if got, err := n.Resolve(t.Context(), token); !errors.Is(err, ErrEnded) || got != (Session{}) {
				t.Errorf("Resolve(%.4s…) = %+v, %v", token, got, err)
			}
		}
	}
	k, _ := n.mint(t, "ada", "plan.read")
	one, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), k.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("End() of a key = %v", err)
	}
	if _, err := n.RevokeKey(as(t, "ada"), "ada", one.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("RevokeKey() of a session = %v", err)
	}
	if found, err := n.KeysByIDs(system(t), []string{k.ID, one.ID}); err != nil || len(found) != 1 {
		t.Errorf("KeysByIDs() = %v, %v", found, err)
	}
	if p, err := n.KeysOf(system(t), "ada", page.Args{}); err != nil || len(p.Items) != 2 { // s1 is one
		t.Errorf("KeysOf() = %v, %v", p.Items, err)
	}
}

// A key whose scopes are lost, and a kind of a later version, may do nothing rather than everything.
func TestScopeFailsClosed(t *testing.T) {
	t.Parallel()
	for _, r := range []record{{Session: Session{Kind: KindKey}}, {Session: Session{Kind: "robot"}}} {
		if s := r.scoped(); s.Scope == nil || s.Scope.Has("plan.read") {
			t.Errorf("%s: %v", r.Kind, s.Scope)
		}
	}
	if s := (record{Scopes: []string{"plan.read"}}).scoped(); s.Scope != nil {
		t.Error("a person's session is limited")
	}
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	k, secret := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, secret)
	for _, tc := range []struct {
		name, owner, id string
		ctx             context.Context
		err             error
	}{
		{"somebody else's", "eve", k.ID, as(t, "eve"), fault.ErrNotFound},
		{"unknown", "ada", "nothing", as(t, "ada"), fault.ErrNotFound},
		{"by nobody", "ada", k.ID, t.Context(), fault.ErrUnauthenticated},
	} {
		if got, err := n.RevokeKey(tc.ctx, tc.owner, tc.id); !errors.Is(err, tc.err) || got.ID != "" {
			t.Errorf("%s: RevokeKey() = %+v, %v; want %v", tc.name, got, err, tc.err)
		}
	}
	n.mustResolve(t, secret)
	for range 2 { // the second time is no error, no second fact and no later end
		got, err := n.RevokeKey(as(t, "ada"), "ada", k.ID)
		if err != nil || got.ID != k.ID || got.Name != "deploy" || got.EndedAt == nil || !got.EndedAt.Equal(t0) || got.Live(t0) {
			t.Errorf("RevokeKey() = %+v, %v", got, err)
		}
		n.clock.Advance(time.Minute)
	}
	if facts := n.facts(t, "session.key.revoked"); len(facts) != 1 || facts[0].On != k.Ref() || data[about](t, facts[0]).User != "ada" {
		t.Errorf("events: %+v", facts)
	}
	if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() = %v", err)
	}
}

func TestRevokeRaced(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	k, secret := n.mint(t, "ada", "plan.read")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := n.RevokeKey(as(t, "ada"), "ada", k.ID); err != nil {
				t.Errorf("RevokeKey() = %v", err)
			}
			if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
	wg.Wait()
	if facts := n.facts(t, "session.key.revoked"); len(facts) != 1 {
		t.Errorf("%d events", len(facts))
	}
}

func TestRevokeInsideATransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	k, secret := n.mint(t, "ada", "plan.read")
	n.mustResolve(t, secret)
	gone, stop := n.Watch(k.ID)
	defer stop()
	wrong := errors.New("the flow goes wrong later")
	flow := func(result error) error {
		return n.db.InTx(as(t, "ada"), func(ctx context.Context) error {
			if _, err := n.RevokeKey(ctx, "ada", k.ID); err != nil {
				return err
			}
			return result
		})
	}
	if err := flow(wrong); !errors.Is(err, wrong) || isClosed(gone) {
		t.Errorf("rolled back: %v, told %v", err, isClosed(gone))
	}
	n.mustResolve(t, secret)
	if err := flow(nil); err != nil {
		t.Fatal(err)
	}
	n.Forget(k.ID)
	if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) || !isClosed(gone) {
		t.Errorf("committed: %v, told %v", err, isClosed(gone))
	}
}

func TestKeysOf(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	var newest []string
	for range 5 {
		n.start(t, "ada")
		n.mint(t, "eve", "plan.read")
		k, _ := n.mint(t, "ada", "plan.read")
		newest = append([]string{k.ID}, newest...)
	}
	if _, err := n.RevokeKey(as(t, "ada"), "ada", newest[0]); err != nil {
		t.Fatal(err)
	}
	var got []string
	two := 2
	for args := (page.Args{First: &two}); ; {
		p, err := n.KeysOf(as(t, "ada"), "ada", args)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range p.Items {
			if (k.EndedAt != nil) != (k.ID == newest[0]) || k.User != "ada" || k.Name != "deploy" || len(k.Scopes) != 1 {
				t.Errorf("listed %+v", k)
			}
			got = append(got, k.ID)
		}
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	if !slices.Equal(got, newest) {
		t.Errorf("KeysOf() = %v, want %v", got, newest)
	}
	none := 0
	if _, err := n.KeysOf(as(t, "ada"), "ada", page.Args{First: &none}); !errors.Is(err, page.ErrSize) {
		t.Errorf("a page of none: %v", err)
	}
	if found, err := n.KeysByIDs(as(t, "eve"), newest); err != nil || len(found) != 0 {
		t.Errorf("KeysByIDs() of somebody else's = %v, %v", found, err)
	}
	if found, err := n.KeysByIDs(t.Context(), newest); err != nil || len(found) != 0 {
		t.Errorf("KeysByIDs() for nobody = %v, %v", found, err)
	}
	if found, err := n.KeysByIDs(as(t, "ada"), newest); err != nil || len(found) != 5 || found[newest[1]].Hint[:4] != "bbk_" {
		t.Errorf("KeysByIDs() = %v, %v", found, err)
	}
}

// The list and the count of keys go by their own index, past whatever number of sessions.
func TestKeysHaveAnIndex(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for range 20 {
		n.start(t, "ada")
	}
	n.mint(t, "ada", "plan.read")
	var plan bson.M
	err := n.db.Database().RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: keysOf("ada")}, {Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}}}},
		{Key: "verbosity", Value: "executionStats"},
	}).Decode(&plan)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bson.MarshalExtJSON(plan, false, false)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"totalDocsExamined":1,`) || strings.Contains(string(text), `"stage":"SORT"`) {
		t.Errorf("the plan: %s", text)
	}
	ctx, count := store.WithCounter(t.Context())
	if keys, err := n.store.countKeys(ctx, "ada", t0); err != nil || keys != 1 || count.Total() != 1 {
		t.Errorf("countKeys() = %d, %v, %d commands", keys, err, count.Total())
	}
}
