package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const day = 24 * time.Hour

// boss is the only user with permissions.
const boss = "boss"

type authz struct{}

func (authz) Require(ctx context.Context, permission string, _ ref.Ref) error {
	switch a := actor.From(ctx); {
	case a.System, a.User == boss && a.Scope.Has(permission):
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	default:
		return fault.ErrForbidden.With("permission", permission)
	}
}

// held are the grants of the fake: documents {_id, source, member, role, from, until}, written in the caller's transaction.
const heldRoles = "fake_grants"

var errBroken = errors.New("the grant fails")

// roles stands in for rbac: it writes to the same database, so a test sees what commits with what. The id of a role is "role-" and
// its key, and there is every role but "nowhere".
type roles struct {
	db     *store.DB
	broken atomic.Bool
	synced atomic.Int64
}

func (r *roles) SetSource(ctx context.Context, member ref.Ref, source string, all []RoleTime) error {
	if r.broken.Load() {
		return errBroken
	}
	c := r.db.Collection(heldRoles)
	if _, err := c.DeleteMany(ctx, bson.D{{Key: "source", Value: source}}); err != nil {
		return store.Translate(err)
	}
	for i, one := range all {
		_, err := c.InsertOne(ctx, bson.D{
			{Key: "_id", Value: fmt.Sprint(source, "/", i)},
			{Key: "source", Value: source},
			{Key: "member", Value: member},
			{Key: "role", Value: one.Role},
			{Key: "from", Value: one.From},
			{Key: "until", Value: one.Until},
		})
		if err != nil {
			return store.Translate(err)
		}
	}
	return nil
}

func (r *roles) Sync(ctx context.Context) error {
	if store.InTransaction(ctx) {
		return errors.New("Sync before the commit")
	}
	r.synced.Add(1)
	return nil
}

func (r *roles) RoleID(_ context.Context, key string) (string, error) {
	if key == "nowhere" {
		return "", fault.ErrNotFound
	}
	return "role-" + key, nil
}

func (r *roles) RoleKey(_ context.Context, id string) (string, error) { return id[len("role-"):], nil }

func (r *roles) MayGrant(_ context.Context, role string) error {
	if role == "role-admin" {
		return fault.ErrForbidden.Saying("escalation")
	}
	return nil
}

type world struct {
	*Service
	t     *testing.T
	db    *store.DB
	clock *clock.Manual
	roles *roles
	log   *event.Log
	test  *payment.Test
	plan  map[string]Plan // current versions, by key
}

// num is a limit.
func num(n int64) *int64 { return &n }

// eur is a price in euro.
func eur(amount int64, unit Unit, over ...Overage) Price {
	return Price{Currency: "EUR", AmountMinor: amount, Every: Every{1, unit}, Overages: over}
}

// testBook: free allows 3 documents; basic 10 and 1,000 calls for 10.00 a month; pro any number of documents and 5,000 calls for 25.00
// a month or 250.00 a year, after a trial of 14 days; with soft calls.
func testBook() Book {
	return Book{
		Features: []Feature{
			{Key: "docs", Kind: Counted, Name: "Documents"},
			{Key: "calls", Kind: Metered, Name: "Calls"},
			{Key: "export", Kind: Boolean, Name: "Export"},
			{Key: "file.size", Kind: Static, Name: "Size of a file", Unit: "bytes"},
			{Key: "support", Kind: Static, Name: "Support"},
		},
		Plans: []BookPlan{
			{Key: "free", Name: "Free", Default: true, Role: "free", Features: []Rule{{Feature: "docs", Limit: num(3)}, {Feature: "file.size", Limit: num(5 << 20)}, {Feature: "support", Value: "forum"}}},
			{Key: "basic", Name: "Basic", Rank: 10, Role: "basic", GraceDays: 7, Prices: []Price{eur(1000, Month)}, Features: []Rule{{Feature: "docs", Limit: num(10)}, {Feature: "calls", Limit: num(1000)}}},
			{
				Key: "pro", Name: "Pro", Rank: 20, Role: "pro", GraceDays: 7, TrialDays: 14, Prices: []Price{eur(2500, Month, Overage{"calls", 2}), eur(25000, Year)},
				Features: []Rule{{Feature: "docs"}, {Feature: "calls", Limit: num(5000), OnOver: Bill}, {Feature: "export", On: true}, {Feature: "file.size", Limit: num(100 << 20)}, {Feature: "support", Value: "mail"}},
			},
		},
	}
}

func newWorld(t *testing.T) *world { return newWorldAt(t, t0) }

func newWorldAt(t *testing.T, at time.Time) *world {
	t.Helper()
	db := storetest.DB(t)
	cols := slices.Concat(Collections(), event.Collections(), payment.Collections())
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, clock: clock.NewManual(at), roles: &roles{db: db}, plan: map[string]Plan{}}
	w.log = event.NewLog(db, w.clock.Now)
	w.test = payment.NewTest(db, w.clock.Now, "https://book.example/pay/")
	w.Service = w.node(Config{})
	w.apply(testBook())
	return w
}

// node is another service on the same data.
func (w *world) node(cfg Config) *Service {
	if cfg.Payments == nil {
		cfg.Payments = w.test
	}
	cfg.Clocks = true
	return New(w.db, w.log, w.clock.Now, authz{}, w.roles, cfg)
}

func (w *world) apply(b Book) []string {
	w.t.Helper()
	lines, err := w.Apply(w.sys(), ApplyCmd{Book: b})
	w.must(err)
	all, err := w.All(w.sys())
	w.must(err)
	for _, p := range all {
		if p.Current {
			w.plan[p.Key] = p
		}
	}
	return lines
}

// edit applies the test book after a change of one of its plans.
func (w *world) edit(key string, change func(*BookPlan)) {
	w.t.Helper()
	b, err := w.Export(w.sys())
	w.must(err)
	i := slices.IndexFunc(b.Plans, func(p BookPlan) bool { return p.Key == key })
	change(&b.Plans[i])
	w.apply(Book{Plans: b.Plans[i : i+1]})
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

func user(id string) ref.Ref { return ref.New(ref.User, id) }

func (w *world) enroll(id string) Membership {
	w.t.Helper()
	m, err := w.Enroll(w.t.Context(), user(id), "")
	w.must(err)
	return m
}

// preview previews a change of plan as the user; the price is the first one.
func (w *world) preview(id, key string, more ...func(*PreviewCmd)) Preview {
	w.t.Helper()
	p, err := w.tryPreview(id, key, more...)
	w.must(err)
	return p
}

func (w *world) tryPreview(id, key string, more ...func(*PreviewCmd)) (Preview, error) {
	cmd := PreviewCmd{Subject: user(id), Plan: w.plan[key].ID}
	if prices := w.plan[key].Prices; len(prices) > 0 {
		cmd.Price = prices[0].Key()
	}
	for _, f := range more {
		f(&cmd)
	}
	return w.Preview(w.as(id), cmd)
}

func atOnce(c *PreviewCmd)                 { c.Mode = Now }
func priced(key string) func(*PreviewCmd)  { return func(c *PreviewCmd) { c.Price = key } }
func zoned(name string) func(*PreviewCmd)  { return func(c *PreviewCmd) { c.Zone = name } }
func coupon(code string) func(*PreviewCmd) { return func(c *PreviewCmd) { c.Coupon = code } }

// to changes the plan of a user as that user.
func (w *world) to(id, key string, more ...func(*PreviewCmd)) Place {
	w.t.Helper()
	out, err := w.Change(w.as(id), w.preview(id, key, more...).Token)
	w.must(err)
	return out.Place
}

func (w *world) place(id string) Place {
	w.t.Helper()
	p, err := w.MembershipOf(w.sys(), user(id))
	w.must(err)
	return p
}

func (w *world) entitlement(feature string) Entitlement {
	w.t.Helper()
	e, err := w.Entitlement(w.as("u"), user("u"), feature)
	w.must(err)
	return e
}

// rolesOf is what the fake holds for a membership now, by the real clock.
func (w *world) rolesOf(m Membership) []string {
	w.t.Helper()
	type grant struct {
		Role        string     `bson:"role"`
		From, Until *time.Time `bson:",omitempty"`
	}
	all, err := store.Find[grant](w.t.Context(), w.db.Collection(heldRoles), bson.D{{Key: "source", Value: m.source()}})
	w.must(err)
	now, held := w.clock.Now(), []string{}
	for _, g := range all {
		if (g.From == nil || !now.Before(*g.From)) && (g.Until == nil || now.Before(*g.Until)) {
			held = append(held, g.Role)
		}
	}
	return held
}

// tend lets the job run until nothing is due.
func (w *world) tend() {
	w.t.Helper()
	for range 20 {
		n, err := w.Tend(w.sys())
		w.must(err)
		if n == 0 {
			return
		}
	}
	w.t.Fatal("there is always something due")
}

// kinds are the kinds of the events about a membership, oldest first, without "plan.".
func (w *world) kinds(m Membership) []string {
	w.t.Helper()
	most := 100
	p, err := w.log.On(w.t.Context(), m.Ref(), page.Args{First: &most})
	w.must(err)
	all := []string{}
	for _, e := range slices.Backward(p.Items) {
		all = append(all, e.Kind[len("plan."):])
	}
	return all
}

// ledger is the entries of a user, oldest first, in words.
func (w *world) ledger(id string) []string {
	w.t.Helper()
	most := 100
	p, err := w.Ledger(w.as(id), user(id), page.Args{First: &most})
	w.must(err)
	all := []string{}
	sum := int64(0)
	for _, e := range slices.Backward(p.Items) {
		all = append(all, fmt.Sprintf("%s %d", e.Kind, e.AmountMinor))
		if sum += e.AmountMinor; sum != e.BalanceMinor {
			w.t.Errorf("%s: the balance says %d, the sum is %d", e.Kind, e.BalanceMinor, sum)
		}
	}
	if b := w.place(id).Balance; b.AmountMinor != sum {
		w.t.Errorf("the membership says %d, the ledger %d", b.AmountMinor, sum)
	}
	return all
}

// amounts are the lines of a deal in words.
func amounts(d Deal) []string {
	all := []string{}
	for _, l := range d.Lines {
		all = append(all, fmt.Sprintf("%s %d", l.Kind, l.AmountMinor))
	}
	return all
}

func (w *world) behave(id string, b payment.Behavior) {
	w.t.Helper()
	w.must(w.test.Behave(w.t.Context(), user(id), b))
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
