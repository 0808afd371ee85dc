package reporting

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // a Friday

// rights allows everything to whoever is signed in, but what a user is denied; the system may all.
type rights struct {
	mu     sync.Mutex
	denied map[string]map[string]bool // by user, then permission
}

func (r *rights) deny(user, permission string, denied bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied[user] == nil {
		r.denied[user] = map[string]bool{}
	}
	r.denied[user][permission] = denied
}

func (r *rights) Require(ctx context.Context, permission string, _ ref.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a := actor.From(ctx); {
	case a.System:
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	case r.denied[a.User][permission]:
		return fault.ErrForbidden
	}
	return nil
}

func (r *rights) RequireSome(ctx context.Context, permission string) error {
	return r.Require(ctx, permission, ref.Ref{})
}

func (r *rights) Scope(ctx context.Context, permission, _ string) (predicate.Filter, error) {
	if r.Require(ctx, permission, ref.Ref{}) != nil {
		return predicate.None(), nil //nolint:nilerr // a refusal is a filter
	}
	return predicate.All(), nil
}

func (*rights) Fields(context.Context, ref.Ref) (hidden, frozen []string, err error) {
	return nil, nil, nil
}

func (*rights) ForgetObject(context.Context, ...ref.Ref) error { return nil }

// plenty is a quota without an end.
type plenty struct{}

func (plenty) Writable(context.Context, ref.Ref, string) error       { return nil }
func (plenty) Consume(context.Context, ref.Ref, string, int64) error { return nil }
func (plenty) Release(context.Context, ref.Ref, string, int64) error { return nil }

// people are the users there are.
type people struct {
	mu  sync.Mutex
	all map[string]account.User
}

// add makes a user with two addresses, or changes whether their account is closed.
func (p *people) add(id string, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := account.User{ID: id, Name: id}
	for _, domain := range []string{"@example.org", "@example.net"} {
		u.Emails = append(u.Emails, account.Address{Email: id + domain, Key: id + domain})
	}
	if closed {
		u.DisabledAt = new(t0)
	}
	p.all[id] = u
}

func (p *people) Occupied(_ context.Context, email string) (account.User, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.all {
		if slices.ContainsFunc(u.Emails, func(a account.Address) bool { return a.Key == email }) {
			return u, true, nil
		}
	}
	return account.User{}, false, nil
}

func (p *people) ByIDs(_ context.Context, ids []string) (map[string]account.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := maps.Clone(p.all)
	maps.DeleteFunc(found, func(id string, _ account.User) bool { return !slices.Contains(ids, id) })
	return found, nil
}

// numbers answers reports with what a test says, and checks the right as analytics does. Nothing follows a report here.
type numbers struct {
	Reports

	authz *rights
	now   clock.Clock
	enter chan struct{} // if there is one, each report tells that it has begun, and waits for leave
	leave chan struct{}

	mu     sync.Mutex
	values map[string]*float64 // of the newest bucket that has ended, by key
	fails  error
}

func (n *numbers) set(values map[string]*float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.values = values
}

func (n *numbers) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails = err
}

func (n *numbers) Report(ctx context.Context, q analytics.Query) (analytics.Report, error) {
	if err := n.authz.Require(ctx, analytics.PermView, ref.New(ref.Metric, q.Metric)); err != nil {
		return analytics.Report{}, err
	}
	if n.enter != nil {
		n.enter <- struct{}{}
		<-n.leave
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails != nil {
		return analytics.Report{}, n.fails
	}
	q.TimeZone = "UTC"
	to := n.now().Truncate(time.Hour).Add(time.Hour)
	r := analytics.Report{Query: q, From: to.Add(-2 * time.Hour), To: to, Exact: true, Source: analytics.Rollup1h}
	for _, key := range slices.Sorted(maps.Keys(n.values)) {
		v := n.values[key]
		events := int64(1)
		if v == nil || *v == 0 {
			events = 0
		}
		r.Points = append(r.Points,
			analytics.Point{At: r.From, Key: key, Value: v, Count: events},
			analytics.Point{At: r.From.Add(time.Hour), Key: key, Value: new(9999.0), Count: 1}) // the bucket that now is in
		r.Totals = append(r.Totals, analytics.Total{Key: key, Value: v, Count: events})
	}
	return r, nil
}

// world is the package with what it stands on. ada owns what is set up, bob and eve are others.
type world struct {
	*Service
	t       *testing.T
	clock   *clock.Manual
	authz   *rights
	people  *people
	numbers *numbers
	docs    *registry.Service
	mailbox *mail.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := storetest.DB(t)
	plan := store.Plan{Collections: slices.Concat(event.Collections(), mail.Collections(), registry.Collections(), Collections())}
	for i, c := range plan.Collections { // by the server's clock everything of t0 has expired long ago
		plan.Collections[i].Indexes = slices.DeleteFunc(slices.Clone(c.Indexes), func(ix store.Index) bool { return ix.Expires })
	}
	if _, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(t0)
	w := &world{t: t, clock: c, authz: &rights{denied: map[string]map[string]bool{}}, people: &people{all: map[string]account.User{}}}
	w.numbers = &numbers{authz: w.authz, now: c.Now, values: map[string]*float64{"": new(5.0)}}
	for _, id := range []string{"ada", "bob", "eve"} {
		w.people.add(id, false)
	}
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.mailbox, err = mail.New(db, c.Now, log, keyring.Random(), mail.Config{PublicURL: "https://book.example"}); err != nil {
		t.Fatal(err)
	}
	events := event.NewLog(db, c.Now)
	w.docs = registry.New(db, events, c.Now, w.authz, plenty{}, registry.Config{})
	w.Service = New(Deps{
		DB: db, Events: events, Authz: w.authz, Documents: w.docs, Reports: w.numbers, Users: w.people, Mail: w.mailbox, Now: c.Now, Log: log,
	}, Config{Poll: 5 * time.Millisecond, Evaluate: time.Minute})
	return w
}

// peer is another node on the same database.
func (w *world) peer() *world {
	other := *w
	other.Service = New(w.Deps, w.cfg)
	return &other
}

// person is ctx of somebody who is here themself.
func (w *world) person(user string) context.Context {
	return actor.With(w.t.Context(), actor.Actor{User: user, Session: "s-" + user})
}

// report makes a saved report of ada's.
func (w *world) report(kind string, query map[string]any) ref.Ref {
	w.t.Helper()
	d, err := w.docs.Create(w.person("ada"), registry.CreateCmd{Type: ReportKey, Data: map[string]any{"title": "Flights", "kind": kind, "query": query}})
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Ref()
}

func (w *world) flights() ref.Ref {
	return w.report("LINE", map[string]any{"metric": "flights.count", "step": "HOUR", "last": 24})
}

// board makes a dashboard of ada's.
func (w *world) board(reports ...ref.Ref) ref.Ref {
	w.t.Helper()
	var tiles []any
	for i, r := range reports {
		tiles = append(tiles, map[string]any{"report": r.String(), "x": 0, "y": i, "w": 12, "h": 1})
	}
	d, err := w.docs.Create(w.person("ada"), registry.CreateCmd{Type: DashboardKey, Data: map[string]any{"title": "Board", "tiles": tiles}})
	if err != nil {
		w.t.Fatal(err)
	}
	return d.Ref()
}

// schedule makes a schedule of ada's to bob.
func (w *world) schedule(on ref.Ref, cron string) Schedule {
	w.t.Helper()
	v, err := w.CreateSchedule(w.person("ada"), ScheduleCmd{On: on, Cron: &cron, Recipients: []string{"bob@example.org"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// turnAll does all that is due once.
func (w *world) turnAll() {
	w.t.Helper()
	held := func(context.Context) error { return nil }
	ctx := actor.With(w.t.Context(), actor.System())
	if err := w.sendTurn(ctx, held); err != nil {
		w.t.Fatal(err)
	}
	if err := w.watchTurn(ctx, held); err != nil {
		w.t.Fatal(err)
	}
}

// mails are those in the mailbox, the oldest first.
func (w *world) mails() []mail.Mail {
	w.t.Helper()
	p, err := w.mailbox.Mailbox(w.t.Context(), pageAll())
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(p.Items)
	return p.Items
}

func pageAll() page.Args {
	hundred := 100
	return page.Args{First: &hundred}
}

// facts counts the events of a kind.
func (w *world) facts(kind string) int {
	w.t.Helper()
	return storetest.Count(w.t, w.DB, "events", bson.D{{Key: "kind", Value: kind}})
}
