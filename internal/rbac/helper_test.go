package rbac

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testCatalogue is this package's permissions and p, q, r.
func testCatalogue() map[string]string {
	all := Permissions()
	for _, k := range []string{"p", "q", "r"} {
		all["test."+k] = "to test " + k
	}
	all["report.view(region)"] = "to test a parameter"
	return all
}

const (
	permP = "test.p"
	permQ = "test.q"
	permR = "test.r"
)

func fresh() time.Duration { return 0 }

// world is one node without a change stream, on a database of its own.
type world struct {
	*Service
	t     *testing.T
	db    *store.DB
	clock *clock.Manual
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.DB(t)
	plan := store.Plan{Collections: append(Collections(), event.Collections()...)}
	if _, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, clock: clock.NewManual(t0)}
	w.Service = w.node(db, fresh)
	return w
}

// node is another service on the same data, loaded.
func (w *world) node(db *store.DB, lag func() time.Duration) *Service {
	w.t.Helper()
	s := New(db, event.NewLog(db, w.clock.Now), w.clock.Now, testCatalogue(), lag, slog.New(slog.DiscardHandler), Config{})
	w.must(s.Load(w.t.Context()))
	return s
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

func (w *world) role(key string, permissions ...Instance) Role {
	w.t.Helper()
	r, err := w.CreateRole(w.sys(), CreateRoleCmd{Key: key, Name: key, Permissions: permissions})
	w.must(err)
	return r
}

// include lets role a hold role b: a < b.
func (w *world) include(a, b Role) Grant {
	w.t.Helper()
	g, err := w.Grant(w.sys(), GrantCmd{Role: b.ID, Member: a.Ref()})
	w.must(err)
	return g
}

func (w *world) give(user string, r Role) Grant {
	w.t.Helper()
	g, err := w.Grant(w.sys(), GrantCmd{Role: r.ID, Member: ref.New(ref.User, user)})
	w.must(err)
	return g
}

func (w *world) take(g Grant) (stillHeld bool) {
	w.t.Helper()
	gone, err := w.Revoke(w.sys(), g.ID, Restrict)
	w.must(err)
	return len(gone.StillHeld) > 0
}

// want checks one decision of a node.
func want(t *testing.T, s *Service, user, permission string, reason Reason) {
	t.Helper()
	if d := s.Allows(user, permission); d.Allowed != (reason == Allowed) || d.Reason != reason {
		t.Errorf("may %s %s? got %+v, want %s", user, permission, d, reason)
	}
}

// events counts the events of a kind.
func (w *world) events(kind string) int {
	w.t.Helper()
	return storetest.Count(w.t, w.db, "events", bson.D{store.Eq("kind", kind)})
}

// diamond is roles d < b < a and d < c < a, where a has p, and u holds d.
type diamond struct {
	a, b, c, d     Role
	ba, ca, db, dc Grant
	ud             Grant
}

func (w *world) diamond() diamond {
	w.t.Helper()
	x := diamond{a: w.role("aa", permP), b: w.role("bb"), c: w.role("cc"), d: w.role("dd")}
	x.db, x.dc = w.include(x.d, x.b), w.include(x.d, x.c)
	x.ba, x.ca = w.include(x.b, x.a), w.include(x.c, x.a)
	x.ud = w.give("u", x.d)
	return x
}
