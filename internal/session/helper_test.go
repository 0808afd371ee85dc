package session

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/token"
)

// digest is short for tests of the memory, which has nothing to do with tokens.
type digest = token.Digest

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// node is one process: a service with its memory, on a database that others may share, and a clock to be moved.
type node struct {
	*Service
	db    *store.DB
	clock *clock.Manual
}

func setUp(t testing.TB, cfg Config) node {
	t.Helper()
	db := storetest.DB(t)
	cols := append(Collections(), event.Collections()...)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	return newNode(db, clock.NewManual(t0), cfg)
}

func newNode(db *store.DB, c *clock.Manual, cfg Config) node {
	log := slog.New(slog.DiscardHandler)
	return node{New(db, event.NewLog(db, c.Now), c.Now, log, cfg), db, c}
}

// peer is another process on the same database, at the same time of day.
func (n node) peer() node { return newNode(n.db, n.clock, n.cfg) }

// run lets the node's Run go on until the end of the test, at short ticks of real time.
func (n node) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// follow feeds the node from the database's change stream until the end of the test.
func (n node) follow(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tail := event.NewTail(n.db, clock.System(), slog.New(slog.DiscardHandler))
	tail.Follow(n.Follower())
	done, err := tail.Start(ctx)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (n node) start(t testing.TB, user string) (Session, string) {
	t.Helper()
	s, secrets, err := n.Start(t.Context(), StartCmd{User: user, Methods: "pwd", Level: FullProof})
	if err != nil {
		t.Fatal(err)
	}
	return s, secrets.Token
}

// warm starts a session and resolves it, so that it is in memory.
func (n node) warm(t testing.TB, user string) (Session, string) {
	t.Helper()
	s, token := n.start(t, user)
	n.mustResolve(t, token)
	return s, token
}

func (n node) mustResolve(t testing.TB, token string) Session {
	t.Helper()
	s, err := n.Resolve(t.Context(), token)
	if err != nil {
		t.Fatalf("Resolve() = %v", err)
	}
	return s
}

func (n node) stored(t testing.TB, id string) record {
	t.Helper()
	r, err := store.FindByID[record](t.Context(), n.db.Collection(collection), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// endUnheard ends a session in the database alone: as if another node did it and the event was lost.
func (n node) endUnheard(t testing.TB, id string) {
	t.Helper()
	if err := n.store.end(t.Context(), id, n.now()); err != nil {
		t.Fatal(err)
	}
}

func (n node) ended(t testing.TB) int {
	t.Helper()
	return storetest.Count(t, n.db, "events", bson.D{{Key: "kind", Value: "session.session.ended"}})
}

// facts are the events of one kind, oldest first.
func (n node) facts(t testing.TB, kind string) []event.Event {
	t.Helper()
	all, err := store.Find[event.Event](t.Context(), n.db.Collection("events"), bson.D{{Key: "kind", Value: kind}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// data is what is recorded with a fact.
func data[T any](t testing.TB, e event.Event) T {
	t.Helper()
	v, err := store.Decode[T](e.Data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mint makes a key as a flow would.
func (n node) mint(t testing.TB, user string, scopes ...string) (Key, string) {
	t.Helper()
	k, secret, err := n.MintKey(as(t, user), MintCmd{User: user, Name: "deploy", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

func as(t testing.TB, user string) context.Context {
	return actor.With(t.Context(), actor.Actor{User: user})
}

// in is a request that came with the session.
func in(t testing.TB, s Session) context.Context {
	return actor.With(t.Context(), actor.Actor{User: s.User, Session: s.ID})
}

// with is a request that came with the key.
func with(t testing.TB, k Key) context.Context {
	return actor.With(t.Context(), actor.Actor{User: k.User, Key: k.ID, Scope: actor.NewScope(k.Scopes...)})
}

func system(t testing.TB) context.Context { return actor.With(t.Context(), actor.System()) }

// unreachable is a context in which no call of the database comes through. (A fail point would do, but is one for all the
// tests of the machine.)
func unreachable(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

const fast = 5 * time.Millisecond // a tick for tests that wait on Run

// pair starts a session with a refresh token.
func (n node) pair(t testing.TB, user string) (Session, Secrets) {
	t.Helper()
	s, secrets, err := n.Start(t.Context(), StartCmd{User: user, Methods: "pwd", Level: FullProof, Refresh: true})
	if err != nil {
		t.Fatal(err)
	}
	return s, secrets
}

// refresh shows a refresh token; reused tells whether the family ended by it.
func (n node) refresh(t testing.TB, secret string) (next Secrets, reused bool, err error) {
	t.Helper()
	_, next, err = n.Refresh(t.Context(), secret, func(context.Context, Session) error {
		reused = true
		return nil
	})
	return next, reused, err
}

func (n node) mustRefresh(t testing.TB, secret string) Secrets {
	t.Helper()
	next, reused, err := n.refresh(t, secret)
	if err != nil || reused {
		t.Fatalf("Refresh() = %v, reused %t", err, reused)
	}
	return next
}

// examined is how many documents a find of sessions looks at, in that order if one is given.
func (n node) examined(t testing.TB, filter bson.D, sort ...bson.E) int {
	t.Helper()
	var plan struct {
		Stats struct {
			Examined int `bson:"totalDocsExamined"`
		} `bson:"executionStats"`
	}
	err := n.db.Database().RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: filter}, {Key: "sort", Value: append(bson.D{}, sort...)}}},
		{Key: "verbosity", Value: "executionStats"},
	}).Decode(&plan)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Stats.Examined
}

// digestOf is what is stored of a refresh token.
func digestOf(t testing.TB, secret string) digest {
	t.Helper()
	d, ok := token.Parse(refreshPrefix, secret)
	if !ok {
		t.Fatalf("%.4s… is no refresh token", secret)
	}
	return d
}
