package plan

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestPut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := func() (all []string) {
		t.Helper()
		plans, err := w.All(t.Context())
		w.must(err)
		for _, p := range plans {
			all = append(all, p.Key)
		}
		return all
	}
	if got := keys(); !slices.Equal(got, []string{"free", "tiny", "pro"}) {
		t.Fatalf("by rank: %v", got)
	}
	ids := w.plan
	events := storetest.Count(t, w.db, "events")
	w.must(w.Put(w.sys(), testPlans()))
	if n := storetest.Count(t, w.db, "events"); n != events {
		t.Errorf("nothing new, and %d events", n-events)
	}
	// The default moves, in whatever order the plans come.
	for _, def := range []string{"pro", "free", "tiny"} {
		edited := testPlans()
		for i := range edited {
			edited[i].Default = edited[i].Key == def
		}
		w.must(w.Put(w.sys(), edited))
		w.must(w.CheckCatalogue(t.Context()))
		all, err := w.ByIDs(t.Context(), []string{ids["free"].ID, ids["pro"].ID, ids["tiny"].ID, "nowhere"})
		w.must(err)
		if len(all) != 3 {
			t.Fatalf("%v", all)
		}
		for id, p := range all {
			if ids[p.Key].ID != id || p.Default != (p.Key == def) {
				t.Errorf("default %s: %+v", def, p)
			}
		}
	}
	more := Plan{Key: "more", Name: "More", Rank: 7, Price: Money{1, "EUR"}}
	w.must(w.Put(w.sys(), []Plan{more}))
	if got := keys(); !slices.Equal(got, []string{"free", "tiny", "more", "pro"}) {
		t.Errorf("plans not named stay: %v", got)
	}
	w.refetch()
	e, err := w.log.On(t.Context(), w.plan["free"].Ref(), page.Args{})
	w.must(err)
	if len(e.Items) != 4 || e.Items[0].Kind != "plan.catalogue.changed" || e.Items[0].Data.Lookup("before", "default").Boolean() != true {
		t.Errorf("%d events of free", len(e.Items))
	}
}

func TestPutRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	def := func(key string, is bool) Plan {
		return Plan{Key: key, Name: key, Default: is, Price: Money{0, "EUR"}}
	}
	events := storetest.Count(t, w.db, "events")
	for _, tc := range []struct {
		name  string
		ctx   context.Context
		plans []Plan
		err   error
	}{
		{"nobody", t.Context(), nil, fault.ErrUnauthenticated},
		{"anybody", w.as("u"), nil, fault.ErrForbidden},
		{"no default left", w.as(boss), []Plan{def("free", false)}, ErrNoDefault},
		{"a second default", w.as(boss), []Plan{def("xx", true)}, ErrNoDefault},
		{"two new defaults", w.as(boss), []Plan{def("free", false), def("xx", true), def("yy", true)}, ErrNoDefault},
		{"twice", w.as(boss), []Plan{def("xx", false), def("xx", false)}, fault.ErrInput},
		{"not a plan", w.as(boss), []Plan{def("xx", false), {Key: "yy"}}, fault.ErrInput},
	} {
		if err := w.Put(tc.ctx, tc.plans); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
	}
	if n := storetest.Count(t, w.db, "plans"); n != 3 || storetest.Count(t, w.db, "events") != events {
		t.Errorf("%d plans", n)
	}
}

// The index refuses a second default whoever writes it: golden scenario 30 of the domain study, 2.4.
func TestGolden30TwoDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.db.Collection("plans").InsertOne(t.Context(), Plan{ID: "x", Key: "xx", Default: true})
	if !store.DuplicateOf(err, "default") {
		t.Errorf("%v", err)
	}
	if err := w.store.putPlan(t.Context(), Plan{ID: "x", Key: "xx", Default: true}); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
}

// Golden scenario 29.
func TestGolden29NoDefaultAtStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.db.Collection("plans").DeleteOne(t.Context(), bson.D{{Key: "default", Value: true}}); err != nil {
		t.Fatal(err)
	}
	s := w.node()
	if err := s.CheckCatalogue(t.Context()); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
	if _, err := s.Enroll(t.Context(), ref.New(ref.User, "u"), ""); !errors.Is(err, ErrNoDefault) {
		t.Errorf("%v", err)
	}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := ref.New(ref.User, "u")
	boom := errors.New("boom")
	err := w.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := w.Enroll(ctx, u, ""); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || storetest.Count(t, w.db, "memberships")+storetest.Count(t, w.db, held) != 0 {
		t.Fatalf("%v: what the caller's transaction drops is not there", err)
	}
	m := w.enroll("u")
	if m.Plan != w.plan["free"].ID || m.Subject != u || m.Version != 1 || !m.Since.Equal(t0) || w.roleOf(m) != "role-free" {
		t.Errorf("%+v, role %q", m, w.roleOf(m))
	}
	if again := w.enroll("u"); again != m {
		t.Errorf("again: %+v", again)
	}
	if got := w.kinds(m.Ref()); !slices.Equal(got, []string{"plan.membership.started"}) {
		t.Errorf("events %v", got)
	}
	w.roles.broken.Store(true)
	if _, err := w.Enroll(t.Context(), ref.New(ref.User, "v"), ""); !errors.Is(err, errBroken) || storetest.Count(t, w.db, "memberships") != 1 {
		t.Errorf("without its role: %v", err)
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		as      actor.Actor
		plan    string
		version int64
		role    string // afterwards
		err     error
	}{
		{"moves up", actor.Actor{User: "u"}, "pro", 1, "role-pro", nil},
		{"moves to a plan without a role", actor.Actor{User: "u"}, "tiny", 1, "", nil},
		{"moved by another", actor.Actor{User: boss}, "pro", 1, "role-pro", nil},
		{"moved by the system", actor.System(), "pro", 1, "role-pro", nil},
		{"by somebody", actor.Actor{User: "v"}, "pro", 1, "role-free", fault.ErrForbidden},
		{"by nobody", actor.Actor{}, "pro", 1, "role-free", fault.ErrUnauthenticated},
		{"same plan", actor.Actor{User: "u"}, "free", 1, "role-free", ErrSame},
		{"stale version", actor.Actor{User: "u"}, "pro", 7, "role-free", ErrStale},
		{"version before the first", actor.Actor{User: "u"}, "pro", 0, "role-free", ErrStale},
		{"unknown plan", actor.Actor{User: "u"}, "nowhere", 1, "role-free", ErrUnknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.enroll("u")
			w.clock.Advance(time.Hour)
			synced := w.roles.synced.Load()
			got, err := w.Change(actor.With(t.Context(), tc.as), ChangeCmd{Plan: w.plan[tc.plan].ID, Version: tc.version, Subject: m.Subject})
			if !errors.Is(err, tc.err) {
				t.Fatalf("%v, want %v", err, tc.err)
			}
			want := m
			kinds := []string{"plan.membership.started"}
			if tc.err == nil {
				want.Plan, want.Since, want.Version = w.plan[tc.plan].ID, t0.Add(time.Hour), 2
				kinds = slices.Insert(kinds, 0, "plan.membership.changed")
				if got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
			stored, err := w.MembershipOf(w.sys(), m.Subject)
			w.must(err)
			if stored != want || w.roleOf(m) != tc.role || !slices.Equal(w.kinds(m.Ref()), kinds) {
				t.Errorf("stored %+v, role %q, events %v", stored, w.roleOf(m), w.kinds(m.Ref()))
			}
			if n := w.roles.synced.Load() - synced; (n == 1) != (tc.err == nil) {
				t.Errorf("%d Syncs", n)
			}
		})
	}
}

// The membership, its role and its event move together or not at all.
func TestChangeIsOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	w.roles.broken.Store(true)
	if _, err := w.move("u", "pro", 1); !errors.Is(err, errBroken) {
		t.Fatalf("%v", err)
	}
	w.roles.broken.Store(false)
	stored, err := w.MembershipOf(w.sys(), m.Subject)
	w.must(err)
	if stored != m || w.roleOf(m) != "role-free" || len(w.kinds(m.Ref())) != 1 {
		t.Errorf("%+v, role %q, events %v", stored, w.roleOf(m), w.kinds(m.Ref()))
	}
	// The grant is the first insert, the event the second.
	off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: 1}}, bson.D{{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2}})
	if _, err := w.move("u", "pro", 1); err == nil || !strings.Contains(err.Error(), "append event") {
		t.Errorf("the event failed: %v", err)
	}
	off()
	stored, err = w.MembershipOf(w.sys(), m.Subject)
	w.must(err)
	if stored != m || w.roleOf(m) != "role-free" || len(w.kinds(m.Ref())) != 1 {
		t.Errorf("%+v, role %q, events %v", stored, w.roleOf(m), w.kinds(m.Ref()))
	}
}

func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	plans := []string{"pro", "tiny", "pro", "tiny"}
	errs := make([]error, len(plans))
	var wg sync.WaitGroup
	for i, key := range plans {
		wg.Go(func() { _, errs[i] = w.move("u", key, 1) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrStale):
			t.Errorf("%v", err)
		}
	}
	if kinds := w.kinds(m.Ref()); won != 1 || len(kinds) != 2 {
		t.Errorf("%d changes, events %v", won, kinds)
	}
}

// A subject that was never enrolled is on the default plan, and keeps its id when it moves.
func TestWithoutMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := w.MembershipOf(w.as("u"), ref.New(ref.User, "u"))
	w.must(err)
	if m.Plan != w.plan["free"].ID || m.Version != 0 || m.Ref().IsZero() {
		t.Errorf("%+v", m)
	}
	e, err := w.Entitlements(w.as("u"), m.Subject)
	w.must(err)
	if len(e) != 1 || e[0].Feature != "docs" || *e[0].Limit != 3 {
		t.Errorf("%+v", e)
	}
	if _, err := w.move("u", "free", 0); !errors.Is(err, ErrSame) {
		t.Errorf("%v", err)
	}
	if _, err := w.Change(w.as(boss), ChangeCmd{Plan: w.plan["pro"].ID, Subject: m.Subject}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("moved by another, though perhaps nobody has this id: %v", err)
	}
	next, err := w.move("u", "pro", 0)
	w.must(err)
	if next.ID != m.ID || next.Version != 1 || w.roleOf(next) != "role-pro" {
		t.Errorf("%+v", next)
	}
	if _, err := w.move("u", "tiny", 0); !errors.Is(err, ErrStale) {
		t.Errorf("%v", err)
	}
}

func TestWhoMayLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
	}{
		{"oneself", w.as("u"), nil},
		{"another", w.as("v"), fault.ErrForbidden},
		{"nobody", t.Context(), fault.ErrUnauthenticated},
		{"boss", w.as(boss), nil},
		{"the system", w.sys(), nil},
	} {
		if _, err := w.MembershipOf(tc.ctx, m.Subject); !errors.Is(err, tc.err) {
			t.Errorf("%s: membership: %v", tc.name, err)
		}
		if _, err := w.Entitlements(tc.ctx, m.Subject); !errors.Is(err, tc.err) {
			t.Errorf("%s: entitlements: %v", tc.name, err)
		}
		all, err := w.MembershipsByIDs(tc.ctx, []string{m.ID, "nowhere"})
		w.must(err)
		if (len(all) == 1) != (tc.err == nil) {
			t.Errorf("%s: by id: %v", tc.name, all)
		}
	}
	if _, err := w.MembershipOf(t.Context(), ref.Ref{}); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("nobody is not the subject that is nobody: %v", err)
	}
}

func TestCatalogueCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reads := func(s *Service) int {
		t.Helper()
		ctx, n := store.WithCounter(t.Context())
		_, err := s.All(ctx)
		w.must(err)
		return n.Total()
	}
	other := w.node()
	if a, b := reads(other), reads(other); a != 1 || b != 0 {
		t.Errorf("%d reads, then %d", a, b)
	}
	w.must(w.Put(w.sys(), []Plan{{Key: "new", Name: "New", Price: Money{0, "EUR"}}}))
	w.refetch()
	fresh := w.plan["new"]
	// Not told yet, but a plan it does not know is looked for.
	if p, err := other.plan(t.Context(), fresh.ID); err != nil || p.Key != "new" {
		t.Errorf("%+v, %v", p, err)
	}
	f := other.Follower()
	f.OnEvent(t.Context(), event.Event{Kind: "plan.membership.changed"}, bson.Timestamp{})
	if all, _ := other.All(t.Context()); len(all) != 3 {
		t.Errorf("%d plans before it was told", len(all))
	}
	f.OnEvent(t.Context(), event.Event{Kind: "plan.catalogue.changed"}, bson.Timestamp{})
	if all, _ := other.All(t.Context()); len(all) != 4 || reads(other) != 0 {
		t.Errorf("%d plans after", len(all))
	}
	w.clock.Advance(time.Minute - time.Millisecond)
	if n := reads(other); n != 0 {
		t.Errorf("%d reads within the minute", n)
	}
	w.clock.Advance(time.Millisecond)
	if n := reads(other); n != 1 {
		t.Errorf("%d reads after a minute", n)
	}
	storetest.Insert(t, w.db, "plans", Plan{ID: "x", Key: "raw"})
	f.OnLost(t.Context())
	if all, _ := other.All(t.Context()); len(all) != 5 {
		t.Errorf("%d plans after the history was lost", len(all))
	}
	// What a transaction reads is not kept: it may never commit.
	other.forget()
	w.must(w.db.InTx(t.Context(), func(ctx context.Context) error { _, err := other.All(ctx); return err }))
	if n := reads(other); n != 1 {
		t.Errorf("%d reads: kept from a transaction", n)
	}
	all, err := other.All(t.Context())
	w.must(err)
	all[0].Name = "spoiled"
	if again, _ := other.All(t.Context()); again[0].Name == "spoiled" {
		t.Error("a caller can change the cache")
	}
}
