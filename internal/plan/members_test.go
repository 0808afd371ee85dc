package plan

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

// ages is a cache that only events and the clock of a membership make old.
const ages = 10_000 * day

// exports reports whether a subject has the feature export, and how many commands it took to know.
func (w *world) exports(ctx context.Context, s *Service, id string) (has bool, commands int) {
	w.t.Helper()
	ctx, n := store.WithCounter(ctx)
	err := s.Entitled(ctx, user(id), "export")
	if err != nil && !errors.Is(err, ErrFeature) {
		w.t.Fatal(err)
	}
	return err == nil, n.Total()
}

// answers checks an answer about export and its cost.
func (w *world) answers(s *Service, id string, has bool, commands int, when string) {
	w.t.Helper()
	if got, n := w.exports(w.t.Context(), s, id); got != has || n != commands {
		w.t.Errorf("%s: %v for %d commands, want %v for %d", when, got, n, has, commands)
	}
}

// hears lets a node hear the log from its first event on.
func (w *world) hears(s *Service, publish func(topic string, change any)) {
	w.t.Helper()
	if publish == nil {
		publish = func(string, any) {}
	}
	f := s.Follower(publish)
	all, err := store.Find[event.Event](w.t.Context(), w.db.Collection("events"), bson.D{})
	w.must(err)
	for _, e := range all {
		f.OnEvent(w.t.Context(), e, bson.Timestamp{})
	}
}

const whole = 4 // finds that read the catalogue

func TestHitsCostNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "pro")
	s := w.node(Config{})
	w.answers(s, "u", true, whole+1, "first")
	w.answers(s, "u", true, 0, "second")
	w.answers(s, "nobody", false, 1, "who has no membership")
	w.answers(s, "nobody", false, 0, "and again")
	ctx, n := store.WithCounter(t.Context())
	w.must(s.Within(ctx, user("u"), "file.size", 1<<20, nil))
	if most, set := s.Number(ctx, user("u"), "file.size"); !set || *most != 100<<20 {
		t.Errorf("%v, %v", most, set)
	}
	w.must(s.Writable(ctx, user("u"), "docs"))
	if n.Total() != 0 {
		t.Errorf("%d commands", n.Total())
	}
}

func TestAnotherNodeChangesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.enroll("v")
	s := w.node(Config{CacheFor: ages})
	w.answers(s, "u", false, whole+1, "before")
	w.answers(s, "v", false, 1, "before")
	w.to("u", "pro")
	w.answers(s, "u", false, 0, "until it hears of it")
	w.hears(s, nil)
	w.answers(s, "u", true, 1, "when it has") // the catalogue is read when its event comes, not when somebody asks
	w.answers(s, "u", true, 0, "and again")
	// Its own changes it knows at once.
	_, err := s.Put(w.as(boss), user("v"), "pro")
	w.must(err)
	w.answers(s, "v", true, 1, "its own change")
	// A change of the catalogue of its own costs the catalogue, but no membership.
	p := fullBook().Plans[2]
	p.Name = "Other"
	_, err = s.Apply(w.as(boss), ApplyCmd{Book: Book{Plans: []BookPlan{p}}})
	w.must(err)
	w.answers(s, "v", true, whole, "the catalogue")
	w.answers(s, "v", true, 0, "and again")
}

func TestAReadThatIsOvertakenIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	s := w.node(Config{})
	w.answers(s, "u", false, whole+1, "first")
	h, _ := s.members.get(user("u"))
	for name, change := range map[string]func(){
		"it":           func() { s.members.forget(user("u")) },
		"another":      func() { s.members.forget(user("v")) },
		"all":          s.members.forgetAll,
		"an event":     func() { s.Follower(func(string, any) {}).OnEvent(t.Context(), w.about("u"), bson.Timestamp{}) },
		"lost history": func() { s.Follower(func(string, any) {}).OnLost(t.Context()) },
	} {
		mark := s.members.mark()
		change()
		s.members.forget(user("u"))
		s.members.put(t.Context(), user("u"), h, mark)
		if _, known := s.members.get(user("u")); known {
			t.Errorf("%s has changed, and what was read before is kept", name)
		}
	}
	s.members.put(t.Context(), user("u"), h, s.members.mark())
	if got, known := s.members.get(user("u")); !known || got != h {
		t.Error("nothing has changed, and it is not kept")
	}
	// What follows by the clock from something that was forgotten meanwhile is not put back.
	next := new(*h)
	s.members.replace(user("u"), next, h)
	if got, _ := s.members.get(user("u")); got != h {
		t.Error("replaced what was another by then")
	}
	s.members.replace(user("u"), h, next)
	if got, _ := s.members.get(user("u")); got != next {
		t.Error("not replaced")
	}
	s.members.forget(user("u"))
	s.members.replace(user("u"), next, h)
	if _, known := s.members.get(user("u")); known {
		t.Error("what was forgotten is back")
	}
	// The same for the catalogue.
	s.forget()
	before := s.forgot
	s.forget()
	if s.forgot == before || s.cached != nil {
		t.Error("the catalogue is not forgotten")
	}
}

// about is an event about a user.
func (w *world) about(id string) event.Event {
	w.t.Helper()
	data, err := bson.Marshal(memberFact{Subject: user(id)})
	w.must(err)
	return event.Event{Kind: kindChanged, Data: data}
}

// Whatever is read while it changes: once the last change is heard of, the answer is the last one.
func TestTheCacheSettles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	s := w.node(Config{CacheFor: ages})
	f := s.Follower(func(string, any) {})
	for round := range 6 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 10 {
					if err := s.Entitled(t.Context(), user("u"), "export"); err != nil && !errors.Is(err, ErrFeature) {
						t.Error(err)
					}
				}
			})
		}
		key := []string{"pro", "free"}[round%2]
		wg.Go(func() {
			if _, err := w.Put(w.as(boss), user("u"), key); err != nil {
				t.Error(err)
			}
			f.OnEvent(t.Context(), w.about("u"), bson.Timestamp{})
		})
		wg.Wait()
		if has, _ := w.exports(t.Context(), s, "u"); has != (key == "pro") {
			t.Fatalf("round %d on %s: %v", round, key, has)
		}
	}
}

func TestWhatATransactionReadsIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	s := w.node(Config{})
	broken := errors.New("the caller changes its mind")
	err := w.db.InTx(w.as(boss), func(ctx context.Context) error {
		if _, err := s.Put(ctx, user("u"), "pro"); err != nil {
			return err
		}
		if err := s.Entitled(ctx, user("u"), "export"); err != nil { // it sees its own change
			t.Errorf("in the transaction: %v", err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
	w.answers(s, "u", false, whole+1, "after it did not commit")
	w.must(w.db.InTx(w.as(boss), func(ctx context.Context) error {
		_, err := s.Put(ctx, user("u"), "pro")
		return err
	}))
	w.answers(s, "u", true, 1, "after it did")
	for range 2 {
		s.members.forgetAll()
		w.must(w.db.InTx(t.Context(), func(ctx context.Context) error {
			if has, n := w.exports(ctx, s, "u"); !has || n != 1 {
				t.Errorf("in a transaction: %v for %d commands", has, n)
			}
			if has, n := w.exports(ctx, s, "u"); !has || n != 1 {
				t.Errorf("again: %v for %d commands", has, n)
			}
			return nil
		}))
	}
	if n := s.members.cache.Len(); n != 0 {
		t.Errorf("%d are kept", n)
	}
}

func TestALaggingNodeReadsEachTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	lag := time.Duration(0)
	s := w.node(Config{Lag: func() time.Duration { return lag }})
	w.answers(s, "u", false, whole+1, "first")
	for _, step := range []struct {
		lag      time.Duration
		commands int
	}{{maxLag - time.Millisecond, 0}, {maxLag, 1}, {maxLag, 1}, {time.Hour, 1}, {0, 0}} {
		lag = step.lag
		w.answers(s, "u", false, step.commands, lag.String())
	}
	lag = time.Hour
	w.to("u", "pro")
	w.answers(s, "u", true, 1, "it hears nothing, and knows")
}

func TestTheCacheExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	for name, tc := range map[string]struct {
		cfg  time.Duration
		want time.Duration
	}{"as by default": {0, time.Minute}, "as set": {5 * time.Second, 5 * time.Second}} {
		s := w.node(Config{CacheFor: tc.cfg})
		w.answers(s, "u", false, whole+1, name)
		w.clock.Advance(tc.want - time.Millisecond)
		w.answers(s, "u", false, 0, name+", a moment before")
		w.clock.Advance(time.Millisecond)
		w.answers(s, "u", false, whole+1, name+", then")
		w.answers(s, "u", false, 0, name+", after it")
	}
	small := w.node(Config{CacheSize: 1})
	w.answers(small, "u", false, whole+1, "u")
	w.answers(small, "v", false, 1, "v")
	w.answers(small, "v", false, 0, "v again")
	w.answers(small, "u", false, 1, "u, which v has pushed out")
}

// What comes by the clock alone needs nobody to read, or to tell.
func TestTheClockNeedsNoRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"trial", "override", "addon"} {
		w.enroll(id)
	}
	w.apply(Book{Addons: []Addon{{Key: "boost", Name: "Boost", Days: 7, Gives: []Give{{"docs", 4}}, Prices: []Price{eur(50, Month)}}}})
	w.to("trial", "pro")
	_, err := w.CancelMembership(w.as("trial"), CancelCmd{Subject: user("trial")})
	w.must(err)
	_, err = w.Override(w.as(boss), OverrideCmd{Subject: user("override"), Rule: Rule{Feature: "export", On: true}, ExpiresAt: new(t0.Add(3 * day)), Reason: "a friend"})
	w.must(err)
	p, err := w.Preview(w.as("addon"), PreviewCmd{Subject: user("addon"), Addon: "boost", Quantity: 1})
	w.must(err)
	_, err = w.Change(w.as("addon"), p.Token)
	w.must(err)

	s := w.node(Config{CacheFor: ages})
	docs := func() int64 {
		t.Helper()
		h, err := s.of(t.Context(), user("addon"))
		w.must(err)
		return *h.all["docs"].Limit
	}
	w.answers(s, "trial", true, whole+1, "on trial")
	w.answers(s, "override", true, 1, "overridden")
	if n := docs(); n != 7 {
		t.Errorf("%d documents", n)
	}
	for _, step := range []struct {
		at              time.Duration
		trial, override bool
		docs            int64
	}{
		{3*day - time.Millisecond, true, true, 7},
		{3 * day, true, false, 7},
		{7*day - time.Millisecond, true, false, 7},
		{7 * day, true, false, 3},
		{14*day - time.Millisecond, true, false, 3},
		{14 * day, false, false, 3},
		{500 * day, false, false, 3},
	} {
		w.clock.Advance(t0.Add(step.at).Sub(w.clock.Now()))
		w.answers(s, "trial", step.trial, 0, "trial, "+step.at.String())
		w.answers(s, "override", step.override, 0, "override, "+step.at.String())
		ctx, n := store.WithCounter(t.Context())
		h, err := s.of(ctx, user("addon"))
		w.must(err)
		if got := *h.all["docs"].Limit; got != step.docs || n.Total() != 0 {
			t.Errorf("after %v: %d documents for %d commands", step.at, got, n.Total())
		}
	}
}

// A clock that goes back, as one of another machine may seem to, is answered by what holds then.
func TestAClockBeforeTheOneThatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "pro")
	_, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")})
	w.must(err)
	s := w.node(Config{CacheFor: ages})
	w.clock.Advance(14 * day)
	w.answers(s, "u", false, whole+1, "after the trial")
	w.clock.Advance(-time.Second)
	w.answers(s, "u", true, 0, "a second before its end")
	w.clock.Advance(-30 * day)
	w.answers(s, "u", true, 0, "before it began")
}

func TestAPlanThisNodeHasNotHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.node(Config{CacheFor: ages})
	w.answers(s, "u", false, whole+1, "before")
	w.enroll("u")
	w.apply(Book{Plans: []BookPlan{{Key: "xl", Name: "XL", Rank: 50, Features: []Rule{{Feature: "export", On: true}}}}})
	w.to("u", "xl")
	s.members.forget(user("u")) // one event comes before the other
	if has, _ := w.exports(t.Context(), s, "u"); !has {
		t.Error("the plan is there")
	}
	if p, err := s.MembershipOf(w.as("u"), user("u")); err != nil || p.Plan.Key != "xl" {
		t.Errorf("%s, %v", p.Plan.Key, err)
	}
	w.hears(s, nil)
	w.answers(s, "u", true, 1, "after it has heard of it")
	if all, err := s.ByIDs(t.Context(), []string{w.plan["xl"].ID, "nothing"}); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestEnrollIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answers(w.Service, "u", false, 1, "before")
	if _, err := w.Enroll(w.sys(), user("u"), "pro"); err != nil {
		t.Fatal(err)
	}
	w.answers(w.Service, "u", true, 1, "after")
}
