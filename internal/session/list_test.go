package session

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

// list gives the ids of a user's live sessions, as one page.
func (n node) list(t testing.TB, user string) []string {
	t.Helper()
	p, err := n.ListOf(t.Context(), user, page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(p.Items)
}

func idsOf(sessions []Session) []string {
	ids := []string{}
	for _, s := range sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// Requirement 62: what the clock has ended is out of the list at once, while its document is still there.
func TestReq62ListOfGoesByTheClock(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Idle: time.Hour, Absolute: 3 * time.Hour})
	ended, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	idle, _ := n.start(t, "ada")
	used, secret := n.start(t, "ada")
	n.start(t, "eve")
	n.mint(t, "ada", "plan.read")
	want := func(when string, ids ...string) {
		t.Helper()
		if got := n.list(t, "ada"); !slices.Equal(got, ids) {
			t.Errorf("%s: ListOf() = %v, want %v", when, got, ids)
		}
	}
	use := func() {
		t.Helper()
		n.mustResolve(t, secret)
		n.flush(t.Context())
	}
	want("new", used.ID, idle.ID)
	n.clock.Advance(time.Hour - time.Millisecond)
	want("just before the idle end", used.ID, idle.ID)
	use()
	n.clock.Advance(time.Millisecond)
	want("at the idle end", used.ID)
	for range 3 {
		n.clock.Advance(30 * time.Minute)
		use()
	}
	n.clock.Advance(30*time.Minute - time.Millisecond)
	want("just before the absolute end", used.ID)
	n.clock.Advance(time.Millisecond)
	want("at the absolute end")
	if left := storetest.Count(t, n.db, collection, bson.D{{Key: "user", Value: "ada"}}); left != 4 {
		t.Errorf("%d documents left of 4: something deletes them", left)
	}
	for _, c := range Collections() {
		if c.Name == refreshCollection {
			continue // a link whose session is too old by the clock: nobody asks the link
		}
		if slices.ContainsFunc(c.Indexes, func(ix store.Index) bool { return ix.Expires }) {
			t.Errorf("%s has a TTL index", c.Name)
		}
	}
}

func TestReq63ListOfInPages(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	var newest []string
	for range 5 {
		s, _ := n.start(t, "ada")
		newest = append([]string{s.ID}, newest...)
		n.start(t, "eve")
	}
	var got []string
	two := 2
	for args := (page.Args{First: &two}); ; {
		ctx, count := store.WithCounter(t.Context())
		p, err := n.ListOf(ctx, "ada", args)
		if err != nil || count.Total() != 1 {
			t.Fatalf("ListOf() = %v, %d commands", err, count.Total())
		}
		got = append(got, idsOf(p.Items)...)
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	if !slices.Equal(got, newest) {
		t.Errorf("ListOf() = %v, want %v", got, newest)
	}
	if p, err := n.ListOf(t.Context(), "ada", page.Args{Last: &two}); err != nil || !slices.Equal(idsOf(p.Items), newest[3:]) || !p.HasPrevious {
		t.Errorf("the last two: %v, %v", idsOf(p.Items), err)
	}
	if p, err := n.ListOf(t.Context(), "bob", page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("somebody who never was here: %v, %v", p.Items, err)
	}
	none, bad := 0, "?"
	if _, err := n.ListOf(t.Context(), "ada", page.Args{First: &none}); !errors.Is(err, page.ErrSize) {
		t.Errorf("a page of none: %v", err)
	}
	if _, err := n.ListOf(t.Context(), "ada", page.Args{After: &bad}); !errors.Is(err, page.ErrCursor) {
		t.Errorf("no cursor: %v", err)
	}
}

// What is live is found past whatever number of sessions that somebody has ended.
func TestOpenSessionsHaveAnIndex(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for range 20 {
		s, _ := n.start(t, "ada")
		if err := n.End(as(t, "ada"), s.ID); err != nil {
			t.Fatal(err)
		}
	}
	n.start(t, "ada")
	if got := n.examined(t, liveAt("ada", t0), bson.E{Key: "_id", Value: -1}); got != 1 {
		t.Errorf("%d documents examined, want 1", got)
	}
}

func TestReq63Rename(t *testing.T) {
	t.Parallel()
	key := Key{ID: "k1", User: "ada"}
	for _, tc := range []struct {
		name  string
		ctx   func(testing.TB) context.Context
		given string
		want  string
		err   error
	}{
		{"one's own", func(t testing.TB) context.Context { return as(t, "ada") }, " Küche ", "Küche", nil},
		{"by the system", system, "Küche", "Küche", nil},
		{"as long as may be", system, strings.Repeat("é", MaxLabel), strings.Repeat("é", MaxLabel), nil},
		{"too long", system, strings.Repeat("é", MaxLabel+1), "", fault.ErrInput},
		{"a line end", system, "a\nb", "", fault.ErrInput},
		{"text turned round", system, "a\u202eb", "", fault.ErrInput},
		{"somebody else's", func(t testing.TB) context.Context { return as(t, "eve") }, "mine", "", fault.ErrNotFound},
		{"by a key of the user", func(t testing.TB) context.Context { return with(t, key) }, "mine", "", ErrKeyForbidden},
		{"by nobody", func(t testing.TB) context.Context { return t.Context() }, "mine", "", fault.ErrUnauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, secret := n.warm(t, "ada")
			goesOn, stop := n.Watch(s.ID)
			defer stop()
			want := s
			want.Label = tc.want
			got, err := n.Rename(tc.ctx(t), s.ID, tc.given)
			if !errors.Is(err, tc.err) || err == nil && got != want {
				t.Fatalf("Rename() = %+v, %v; want %+v, %v", got, err, want, tc.err)
			}
			if now := n.mustResolve(t, secret); now != want || n.stored(t, s.ID).Session != want || isClosed(goesOn) {
				t.Errorf("afterwards %+v\nwant %+v, watch closed %v", now, want, isClosed(goesOn))
			}
			facts := n.facts(t, "session.session.renamed")
			if (len(facts) == 1) != (tc.err == nil) {
				t.Fatalf("%d events", len(facts))
			}
			if tc.err == nil && (facts[0].On != s.Ref() || data[about](t, facts[0]) != (about{User: "ada"})) {
				t.Errorf("the event says %+v", facts[0])
			}
		})
	}
}

func TestRenameTakesTheNameAway(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, secret := n.warm(t, "ada")
	for i, name := range []string{"", "desk", "desk", "  "} {
		if _, err := n.Rename(in(t, s), s.ID, name); err != nil {
			t.Fatalf("%d: Rename() = %v", i, err)
		}
	}
	if now := n.mustResolve(t, secret); now != s || len(n.facts(t, "session.session.renamed")) != 2 {
		t.Errorf("afterwards %+v, %d events", now, len(n.facts(t, "session.session.renamed")))
	}
	if storetest.Count(t, n.db, collection, bson.D{{Key: "label", Value: bson.D{{Key: "$exists", Value: true}}}}) != 0 {
		t.Error("there is still a label")
	}
}

func TestRenameWhatIsNotThere(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{Idle: time.Hour})
	ended, _ := n.start(t, "ada")
	if err := n.End(as(t, "ada"), ended.ID); err != nil {
		t.Fatal(err)
	}
	expired, _ := n.start(t, "ada")
	n.clock.Advance(time.Hour)
	key, _ := n.mint(t, "ada", "plan.read")
	for name, id := range map[string]string{"ended": ended.ID, "expired": expired.ID, "a key": key.ID, "unknown": "nothing"} {
		for who, ctx := range map[string]context.Context{"ada": as(t, "ada"), "the system": system(t)} {
			if _, err := n.Rename(ctx, id, "x"); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("%s, by %s: Rename() = %v", name, who, err)
			}
		}
	}
	if len(n.facts(t, "session.session.renamed")) != 0 {
		t.Error("there is an event of what did not happen")
	}
}

// The name reaches other nodes by the change stream, and without it no later than Recheck.
func TestRenameReachesOtherNodes(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	hears, deaf := a.peer(), a.peer()
	hears.follow(t)
	s, secret := a.warm(t, "ada")
	hears.mustResolve(t, secret)
	deaf.mustResolve(t, secret)
	if _, err := a.Rename(in(t, s), s.ID, "desk"); err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, 5*time.Second, func() bool { return hears.mustResolve(t, secret).Label == "desk" }, "the other node knows the name")
	if deaf.mustResolve(t, secret).Label != "" {
		t.Error("the node that hears nothing read the database too early: the test proves nothing")
	}
	a.clock.Advance(5 * time.Second)
	if got := deaf.mustResolve(t, secret).Label; got != "desk" {
		t.Errorf("after Recheck the name is %q", got)
	}
}

func TestRenameJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, secret := n.warm(t, "ada")
	wrong := errors.New("the flow goes wrong later")
	err := n.db.InTx(in(t, s), func(ctx context.Context) error {
		if _, err := n.Rename(ctx, s.ID, "desk"); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || n.mustResolve(t, secret) != s || n.stored(t, s.ID).Session != s || len(n.facts(t, "session.session.renamed")) != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
}
