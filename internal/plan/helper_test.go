package plan

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// boss is the only user with permissions.
const boss = "boss"

type authz struct{}

func (authz) Require(ctx context.Context, _ string, _ ref.Ref) error {
	switch a := actor.From(ctx); {
	case a.System, a.User == boss:
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	default:
		return fault.ErrForbidden
	}
}

// held are the grants of the fake: documents {_id: source, member, role}, written in the caller's transaction.
const held = "fake_grants"

var errBroken = errors.New("the grant fails")

// roles stands in for rbac: it writes to the same database, so a test sees what commits with what.
type roles struct {
	db     *store.DB
	broken atomic.Bool
	synced atomic.Int64
}

func (r *roles) GrantSource(ctx context.Context, member ref.Ref, role, source string) error {
	if r.broken.Load() {
		return errBroken
	}
	_, err := r.db.Collection(held).InsertOne(ctx, bson.D{{Key: "_id", Value: source}, {Key: "member", Value: member}, {Key: "role", Value: role}})
	return store.Translate(err)
}

func (r *roles) RevokeSource(ctx context.Context, source string) error {
	_, err := r.db.Collection(held).DeleteOne(ctx, bson.D{{Key: "_id", Value: source}})
	return store.Translate(err)
}

func (r *roles) Sync(ctx context.Context) error {
	if store.InTransaction(ctx) {
		return errors.New("Sync before the commit")
	}
	r.synced.Add(1)
	return nil
}

type world struct {
	*Service
	t     *testing.T
	db    *store.DB
	clock *clock.Manual
	roles *roles
	log   *event.Log
	plan  map[string]Plan // by key
}

// free allows 3 documents, pro 10 documents and any number of calls, tiny 1 document.
func testPlans() []Plan {
	docs := func(n int64) Limit { return Limit{Feature: "docs", Limit: &n} }
	return []Plan{
		{Key: "pro", Name: "Pro", Rank: 10, Price: Money{900, "EUR"}, Role: "role-pro", Limits: []Limit{docs(10), {Feature: "calls"}}},
		{Key: "free", Name: "Free", Rank: 0, Default: true, Price: Money{0, "EUR"}, Role: "role-free", Limits: []Limit{docs(3)}},
		{Key: "tiny", Name: "Tiny", Rank: 5, Price: Money{1, "EUR"}, Limits: []Limit{docs(1)}},
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: append(Collections(), event.Collections()...)}, false); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, clock: clock.NewManual(t0), roles: &roles{db: db}, plan: map[string]Plan{}}
	w.log = event.NewLog(db, w.clock.Now)
	w.Service = w.node()
	w.must(w.Put(w.sys(), testPlans()))
	w.refetch()
	return w
}

// node is another service on the same data.
func (w *world) node() *Service {
	return New(w.db, w.log, w.clock.Now, authz{}, w.roles, Config{})
}

func (w *world) refetch() {
	w.t.Helper()
	all, err := w.All(w.t.Context())
	w.must(err)
	for _, p := range all {
		w.plan[p.Key] = p
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sys() context.Context { return actor.With(w.t.Context(), actor.System()) }

func (w *world) as(user string) context.Context {
	return actor.With(w.t.Context(), actor.Actor{User: user})
}

func (w *world) enroll(user string) Membership {
	w.t.Helper()
	m, err := w.Enroll(w.t.Context(), ref.New(ref.User, user), "")
	w.must(err)
	return m
}

// move changes the plan of a user as that user.
func (w *world) move(user, plan string, version int64) (Membership, error) {
	return w.Change(w.as(user), ChangeCmd{Plan: w.plan[plan].ID, Version: version, Subject: ref.New(ref.User, user)})
}

// roleOf is the role the fake holds for a membership.
func (w *world) roleOf(m Membership) string {
	w.t.Helper()
	var d struct {
		Member ref.Ref `bson:"member"`
		Role   string  `bson:"role"`
	}
	err := w.db.Collection(held).FindOne(w.t.Context(), bson.D{{Key: "_id", Value: "plan:" + m.ID}}).Decode(&d)
	if err == nil && d.Member != m.Subject {
		w.t.Errorf("held by %v", d.Member)
	}
	return d.Role
}

// kinds are the kinds of the events about something, newest first.
func (w *world) kinds(on ref.Ref) []string {
	w.t.Helper()
	p, err := w.log.On(w.t.Context(), on, page.Args{})
	w.must(err)
	all := []string{}
	for _, e := range p.Items {
		all = append(all, e.Kind)
	}
	return all
}
