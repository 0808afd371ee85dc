package rbac

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const planOne = "plan:1"

// source gives u exactly these roles on behalf of plan:1, and tells how many writes that took.
func (w *world) source(roles ...SourceRole) (writes int) {
	w.t.Helper()
	ctx, n := store.WithCounter(w.t.Context())
	w.must(w.SetSource(ctx, user("u"), planOne, roles))
	return n.Count("insert") + n.Count("update") + n.Count("delete") + n.Count("findAndModify")
}

// held is what u holds directly, as "key source", with the times as hours from t0, sorted.
func (w *world) held() []string {
	w.t.Helper()
	all, err := w.store.grantsOf(w.t.Context(), user("u"))
	w.must(err)
	words := []string{}
	hour := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return t.Sub(t0).String()
	}
	for _, g := range all {
		r, err := w.store.role(w.t.Context(), g.Role)
		w.must(err)
		words = append(words, strings.Join([]string{r.Key, g.Source, hour(g.NotBefore), hour(g.ExpiresAt)}, " "))
	}
	slices.Sort(words)
	return words
}

func (w *world) holds(want ...string) {
	w.t.Helper()
	if got := w.held(); !slices.Equal(got, want) {
		w.t.Errorf("u holds %q, want %q", got, want)
	}
}

func at(d time.Duration) *time.Time { return new(t0.Add(d)) }

func TestSetSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.role("pp", permP), w.role("qq", permQ)
	w.give("u", q) // by hand: no source's business
	for _, step := range []struct {
		name  string
		roles []SourceRole
		want  []string
		event string // the one kind that is told, once; empty for nothing, and then nothing is written
	}{
		{"one role", []SourceRole{{Role: p.ID}}, []string{"pp plan:1 - -", "qq manual - -"}, kindGrantCreated},
		{"the same again", []SourceRole{{Role: p.ID}}, []string{"pp plan:1 - -", "qq manual - -"}, ""},
		{"an end", []SourceRole{{Role: p.ID, Until: at(2 * time.Hour)}}, []string{"pp plan:1 - 2h0m0s", "qq manual - -"}, kindGrantChanged},
		{"the same end", []SourceRole{{Role: p.ID, Until: at(2 * time.Hour)}}, []string{"pp plan:1 - 2h0m0s", "qq manual - -"}, ""},
		{"sooner", []SourceRole{{Role: p.ID, Until: at(time.Hour)}}, []string{"pp plan:1 - 1h0m0s", "qq manual - -"}, kindGrantChanged},
		{"begin and end", []SourceRole{{p.ID, at(time.Hour), at(3 * time.Hour)}}, []string{"pp plan:1 1h0m0s 3h0m0s", "qq manual - -"}, kindGrantChanged},
		{"no end", []SourceRole{{Role: p.ID, From: at(time.Hour)}}, []string{"pp plan:1 1h0m0s -", "qq manual - -"}, kindGrantChanged},
		{"for ever", []SourceRole{{Role: p.ID}}, []string{"pp plan:1 - -", "qq manual - -"}, kindGrantChanged},
		{"nothing", nil, []string{"qq manual - -"}, kindGrantRevoked},
		{"nothing again", nil, []string{"qq manual - -"}, ""},
	} {
		kinds := []string{kindGrantCreated, kindGrantChanged, kindGrantRevoked, kindGrantExtended, kindGrantCascaded}
		before, rev := map[string]int{}, w.Rev()
		for _, k := range kinds {
			before[k] = w.events(k)
		}
		writes := w.source(step.roles...)
		w.holds(step.want...)
		for _, k := range kinds {
			n := 0
			if k == step.event {
				n = 1
			}
			if got := w.events(k) - before[k]; got != n {
				t.Errorf("%s: %d %s", step.name, got, k)
			}
		}
		if step.event == "" && (writes != 0 || w.Rev() != rev) {
			t.Errorf("%s: %d writes, revision %d after %d", step.name, writes, w.Rev(), rev)
		}
		if step.event != "" && (writes != 3 || w.Rev() != rev+1) {
			t.Errorf("%s: %d writes, revision %d after %d", step.name, writes, w.Rev(), rev)
		}
	}
}

// The grant whose times change stays the same one, and its event tells the new times.
func TestSetSourceRetimesInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.role("pp", permP)
	w.source(SourceRole{Role: p.ID, Until: at(time.Hour)})
	was, err := w.store.grantsOf(t.Context(), user("u"))
	w.must(err)
	w.clock.Advance(2 * time.Hour)
	if _, err := w.Sweep(w.sys()); err != nil { // its end is told
		t.Fatal(err)
	}
	want(t, w.Service, "u", permP, Expired)
	w.source(SourceRole{Role: p.ID, Until: at(3 * time.Hour)})
	want(t, w.Service, "u", permP, Allowed)
	is, err := w.store.grantsOf(t.Context(), user("u"))
	w.must(err)
	if len(was) != 1 || len(is) != 1 || is[0].ID != was[0].ID || !is[0].CreatedAt.Equal(was[0].CreatedAt) || is[0].Ended {
		t.Fatalf("%+v became %+v", was, is)
	}
	events, err := w.Service.events.On(t.Context(), is[0].Ref(), page.Args{})
	w.must(err)
	c, err := store.Decode[change](events.Items[0].Data)
	w.must(err)
	if events.Items[0].Kind != kindGrantChanged || c.Grant.NotBefore != nil || !c.Grant.ExpiresAt.Equal(t0.Add(3*time.Hour)) {
		t.Errorf("%s: %+v", events.Items[0].Kind, c.Grant)
	}
}

// A plan that is left and comes again gives its role twice, for two times that do not touch.
func TestSetSourceARoleTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.role("pp", permP), w.role("qq", permQ)
	other := w.node(w.db, fresh)
	w.source(SourceRole{p.ID, nil, at(time.Hour)}, SourceRole{q.ID, at(time.Hour), at(2 * time.Hour)}, SourceRole{p.ID, at(2 * time.Hour), nil})
	w.holds("pp plan:1 - 1h0m0s", "pp plan:1/2 2h0m0s -", "qq plan:1 1h0m0s 2h0m0s")
	w.must(other.Load(t.Context()))
	for _, step := range []struct {
		to   time.Duration
		p, q Reason
	}{
		{0, Allowed, NotYet},
		{time.Hour - time.Millisecond, Allowed, NotYet},
		{time.Hour, NotYet, Allowed}, // the second time is still to come
		{2*time.Hour - time.Millisecond, NotYet, Allowed},
		{2 * time.Hour, Allowed, Expired},
		{1000 * time.Hour, Allowed, Expired},
	} {
		w.clock.Advance(t0.Add(step.to).Sub(w.clock.Now()))
		for _, s := range []*Service{w.Service, other} {
			for perm, reason := range map[string]Reason{permP: step.p, permQ: step.q} {
				if d := s.Allows("u", perm); d.Allowed != (reason == Allowed) {
					t.Errorf("after %v: %s %+v, want %s", step.to, perm, d, reason)
				}
			}
		}
	}
	if n := w.source(SourceRole{p.ID, nil, at(time.Hour)}, SourceRole{q.ID, at(time.Hour), at(2 * time.Hour)}, SourceRole{p.ID, at(2 * time.Hour), nil}); n != 0 {
		t.Errorf("%d writes for what is so already", n)
	}
	w.source(SourceRole{Role: p.ID}) // once: the second goes, the first is for ever
	w.holds("pp plan:1 - -")
	w.source(SourceRole{p.ID, nil, at(time.Hour)}, SourceRole{p.ID, at(2 * time.Hour), at(3 * time.Hour)}, SourceRole{p.ID, at(4 * time.Hour), nil})
	w.holds("pp plan:1 - 1h0m0s", "pp plan:1/2 2h0m0s 3h0m0s", "pp plan:1/3 4h0m0s -")
	w.source()
	w.holds()
	want(t, w.Service, "u", permP, NoPath)
}

// Sources do not touch one another, not even those whose names begin alike.
func TestSetSourceIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.role("pp", permP)
	w.must(w.SetSource(t.Context(), user("u"), "plan:12", []SourceRole{{Role: p.ID}}))
	w.must(w.SetSource(t.Context(), user("u"), "other:1", []SourceRole{{Role: p.ID}}))
	w.source(SourceRole{Role: p.ID})
	w.holds("pp other:1 - -", "pp plan:1 - -", "pp plan:12 - -")
	w.source()
	w.holds("pp other:1 - -", "pp plan:12 - -")
	want(t, w.Service, "u", permP, Allowed)
}

// A role with parameters is held for all values.
func TestSetSourceBindsToAny(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.regional()
	w.source(SourceRole{Role: r.ID, Until: at(time.Hour)})
	for _, region := range []string{"EU", "US", "FR"} {
		w.may("u", region, Allowed)
	}
	if n := w.source(SourceRole{Role: r.ID, Until: at(time.Hour)}); n != 0 {
		t.Errorf("%d writes for what is so already", n)
	}
	w.clock.Advance(time.Hour)
	w.may("u", "EU", Expired)
}

// What is refused changes nothing, and it joins the caller's transaction.
func TestSetSourceIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, q := w.role("pp", permP), w.role("qq", permQ)
	w.source(SourceRole{Role: p.ID})
	rev := w.Rev()
	if err := w.SetSource(t.Context(), user("u"), planOne, []SourceRole{{Role: q.ID}, {Role: "nowhere"}}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("%v", err)
	}
	w.holds("pp plan:1 - -")
	broken := errors.New("the caller changes its mind")
	err := w.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.SetSource(ctx, user("u"), planOne, []SourceRole{{Role: q.ID}}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	w.holds("pp plan:1 - -")
	if w.Rev() != rev || storetest.Count(t, w.db, "grants") != 1 {
		t.Errorf("revision %d after %d", w.Rev(), rev)
	}
	for skip := range 3 { // the grant, the revision, the event
		off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: skip}}, bson.D{
			{Key: "failCommands", Value: bson.A{"insert", "update", "findAndModify"}}, {Key: "errorCode", Value: 8000},
		})
		err := w.SetSource(t.Context(), user("u"), planOne, []SourceRole{{Role: p.ID, Until: at(time.Hour)}})
		off()
		if err == nil {
			t.Errorf("write %d failed and the call did not", skip)
		}
		w.holds("pp plan:1 - -")
	}
	if w.Rev() != rev || w.events(kindGrantChanged) != 0 {
		t.Errorf("revision %d after %d, %d events", w.Rev(), rev, w.events(kindGrantChanged))
	}
}

// Somebody administers the server for ever: a plan can't take that back, nor give it an end.
func TestSetSourceKeepsTheLastAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	w.source(SourceRole{Role: admin.ID})
	for name, roles := range map[string][]SourceRole{
		"taken back":  nil,
		"an end":      {{Role: admin.ID, Until: at(time.Hour)}},
		"a past end":  {{Role: admin.ID, Until: at(-time.Hour)}},
		"not yet":     {{Role: admin.ID, From: at(time.Hour)}},
		"with a hole": {{Role: admin.ID, Until: at(time.Hour)}, {Role: admin.ID, From: at(2 * time.Hour)}},
	} {
		if err := w.SetSource(t.Context(), user("u"), planOne, roles); !errors.Is(err, ErrLastAdmin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.holds("admin plan:1 - -")
	// Another for a time does not help; another for ever does.
	w.must(w.SetSource(t.Context(), user("v"), "plan:2", []SourceRole{{Role: admin.ID, Until: at(time.Hour)}}))
	if err := w.SetSource(t.Context(), user("u"), planOne, nil); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("%v", err)
	}
	w.must(w.SetSource(t.Context(), user("v"), "plan:2", []SourceRole{{Role: admin.ID}}))
	w.source(SourceRole{Role: admin.ID, Until: at(time.Hour)})
	w.source(SourceRole{Role: admin.ID, Until: at(2 * time.Hour)}) // temporary already
	w.source()
	w.holds()
	if err := w.SetSource(t.Context(), user("v"), "plan:2", nil); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("%v", err)
	}
}
