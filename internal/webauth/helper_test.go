package webauth

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const goodPassword = "a tune for nine harpsichords"

type neighbour struct {
	db                           *store.DB
	enrollErr, grantErr, syncErr error
	synced                       atomic.Int32
}

func (n *neighbour) Enroll(ctx context.Context, subject ref.Ref) (plan.Membership, error) {
	if n.enrollErr != nil {
		return plan.Membership{}, n.enrollErr
	}
	return plan.Membership{}, n.write(ctx, "enrolled", subject.ID)
}

func (n *neighbour) GrantDefault(ctx context.Context, user string) error {
	if n.grantErr != nil {
		return n.grantErr
	}
	return n.write(ctx, "granted", user)
}

func (n *neighbour) write(ctx context.Context, coll, user string) error {
	if !actor.From(ctx).System {
		return fault.ErrForbidden
	}
	_, err := n.db.Collection(coll).InsertOne(ctx, bson.D{{Key: "_id", Value: user}})
	return store.Translate(err)
}

func (n *neighbour) Sync(ctx context.Context) error {
	if store.InTransaction(ctx) {
		return errors.New("sync before the commit")
	}
	n.synced.Add(1)
	return n.syncErr
}

func (n *neighbour) Require(ctx context.Context, _ string, _ ref.Ref) error {
	if actor.From(ctx).System {
		return nil
	}
	return fault.ErrForbidden
}

type env struct {
	*Service
	db *store.DB
	*neighbour
}

func setUp(t testing.TB) env {
	t.Helper()
	db := storetest.DB(t)
	cols := append(append(account.Collections(), session.Collections()...), event.Collections()...)
	cols = append(cols, store.Collection{Name: "enrolled"}, store.Collection{Name: "granted"})
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(t0).Now
	log := event.NewLog(db, now)
	n := &neighbour{db: db}
	return env{New(db, Deps{
		Accounts: account.New(db, log, now, n, account.Config{
			Cost: account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}, HashWait: time.Minute,
		}),
		Sessions: session.New(db, log, now, slog.New(slog.DiscardHandler), session.Config{}),
		Plans:    n, Roles: n, Policy: n,
	}), db, n}
}

func (e env) counts(t testing.TB) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, c := range []string{"users", "sessions", "events", "enrolled", "granted"} {
		all[c] = storetest.Count(t, e.db, c)
	}
	return all
}

func (e env) register(t testing.TB) SignedIn {
	t.Helper()
	in, err := e.Register(t.Context(), registration())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func registration() RegisterCmd {
	return RegisterCmd{Email: "ada@example.org", Password: goodPassword, Name: "Ada", Transport: Bearer}
}

type jar []string

func (j *jar) in(ctx context.Context) context.Context {
	return WithTokenSink(ctx, func(token string) { *j = append(*j, token) })
}

func as(ctx context.Context, in SignedIn) context.Context {
	return actor.With(ctx, actor.Actor{User: in.User.ID, Session: in.Session.ID})
}
