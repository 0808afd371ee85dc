package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// question is what a channel answers.
type question struct {
	key     string
	topics  []string
	source  func() *Source
	allowed func(context.Context) error
}

// follow asks to follow a subject: the usage of the features, or without any its entitlements.
func (w *world) follow(ctx context.Context, of ref.Ref, features ...string) (q question, err error) {
	if features == nil {
		q.key, q.topics, q.source, q.allowed, err = w.EntitlementsChannel(ctx, of)
	} else {
		q.key, q.topics, q.source, q.allowed, err = w.UsageChannel(ctx, of, features)
	}
	return q, err
}

func (w *world) followed(of ref.Ref, features ...string) *Source {
	w.t.Helper()
	q, err := w.follow(w.sys(), of, features...)
	w.must(err)
	s := q.source()
	w.must(s.Load(w.t.Context()))
	return s
}

func TestEqualQuestionsShareAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(ctx context.Context, of ref.Ref, features ...string) question {
		t.Helper()
		q, err := w.follow(ctx, of, features...)
		w.must(err)
		return q
	}
	u, v := user("u"), user("v")
	equal := map[string][]question{
		"entitlements": {ask(w.as("u"), u), ask(w.as(boss), u), ask(w.sys(), u)},
		"usage":        {ask(w.as("u"), u, "docs", "calls"), ask(w.as(boss), u, "calls", "docs"), ask(w.sys(), u, "docs", "calls", "docs", "docs")},
		"one":          {ask(w.as("u"), u, "docs"), ask(w.as("u"), u, "docs", "docs")},
		"of another":   {ask(w.as("v"), v), ask(w.as(boss), v)},
		"of a type":    {ask(w.sys(), ref.New(ref.Document, "u"))},
		"of no type":   {ask(w.sys(), u, "document")},
	}
	seen := map[string]string{}
	for name, all := range equal {
		for _, q := range all {
			if q.key != all[0].key {
				t.Errorf("%s: %q and %q", name, q.key, all[0].key)
			}
		}
		if other, taken := seen[all[0].key]; taken {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[all[0].key] = name
	}
	q := ask(w.as("u"), u)
	same(t, "topics", q.topics, []string{"plan.subject:user:u", "plan.catalogue", "tick"})
	if a, b := q.source(), q.source(); a == b {
		t.Error("two sources are one")
	}
}

func TestWhoMayFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := actor.With(t.Context(), actor.Actor{User: "u", Key: "k", Scope: actor.NewScope("nothing")})
	bossKey := actor.With(t.Context(), actor.Actor{User: boss, Key: "k", Scope: actor.NewScope("nothing")})
	q, err := w.follow(w.as("u"), user("u"))
	w.must(err)
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
	}{
		{"oneself", w.as("u"), nil},
		{"oneself by a key", key, nil}, // it reads
		{"another", w.as("v"), fault.ErrForbidden},
		{"who holds the permission", w.as(boss), nil},
		{"a key of theirs without it", bossKey, fault.ErrForbidden},
		{"the system", w.sys(), nil},
		{"nobody", t.Context(), fault.ErrUnauthenticated},
	} {
		for _, features := range [][]string{nil, {"docs"}} {
			got, err := w.follow(tc.ctx, user("u"), features...)
			if !errors.Is(err, tc.err) || err != nil && (got.key != "" || got.source != nil || got.allowed != nil) {
				t.Errorf("%s: %+v, %v", tc.name, got, err)
			}
		}
		if err := q.allowed(tc.ctx); !errors.Is(err, tc.err) { // asked again for as long as it is followed
			t.Errorf("%s, later: %v", tc.name, err)
		}
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("f", i)
	}
	for _, features := range [][]string{{}, many} {
		if _, _, _, _, err := w.UsageChannel(w.as("u"), user("u"), features); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%d features: %v", len(features), err)
		}
	}
	if _, _, _, _, err := w.UsageChannel(w.as("u"), user("u"), many[:100]); err != nil {
		t.Errorf("%v", err)
	}
}

func TestSourceLoads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "pro")
	w.docs(2)
	s := w.followed(user("u"))
	list, ok := s.Snapshot().(EntitlementList)
	want, err := w.Entitlements(w.as("u"), user("u"))
	w.must(err)
	if !ok || list.Place.Plan.Key != "pro" || list.Place.Status != Trialing || len(list.Entitlements) != len(want) || s.Stale() {
		t.Errorf("%+v", list)
	}
	use := w.followed(user("u"), "docs", "calls")
	got, ok := use.Snapshot().(UsageList)
	if !ok || len(got.Usage) != 2 || got.Usage[0].Feature != "calls" || got.Usage[1].Feature != "docs" || got.Usage[1].Used != 2 {
		t.Errorf("%+v", got)
	}
	for name, features := range map[string][]string{"unknown": {"nothing"}, "one of two": {"docs", "nothing"}} {
		q, err := w.follow(w.as("u"), user("u"), features...)
		w.must(err)
		if err := q.source().Load(t.Context()); !errors.Is(err, ErrUnlimited) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What a snapshot says stays so.
	w.docs(1)
	use.Apply(changed{})
	w.must(use.Load(t.Context()))
	if now := use.Snapshot().(UsageList); got.Usage[1].Used != 2 || now.Usage[1].Used != 3 {
		t.Errorf("%d, then %d", got.Usage[1].Used, now.Usage[1].Used)
	}
}

func TestSourceGoesStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"free", "canceled", "overridden", "metered"} {
		w.enroll(id)
	}
	w.to("canceled", "basic")
	_, err := w.CancelMembership(w.as("canceled"), CancelCmd{Subject: user("canceled")})
	w.must(err)
	w.to("overridden", "basic")
	_, err = w.Override(w.as(boss), OverrideCmd{Subject: user("overridden"), Rule: Rule{Feature: "docs", Limit: num(20)}, ExpiresAt: new(t0.Add(5 * day)), Reason: "a friend"})
	w.must(err)
	w.to("metered", "basic")
	_, err = w.Override(w.as(boss), OverrideCmd{Subject: user("metered"), Rule: Rule{Feature: "calls", Limit: num(20), Reset: EachMonth}, Reason: "a friend"})
	w.must(err)
	month := t0.AddDate(0, 1, 0)
	first := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name     string
		of       string
		features []string
		change   any
		stale    bool
	}{
		{"the membership", "free", nil, changed{}, true},
		{"the membership, of usage", "free", []string{"docs"}, changed{}, true},
		{"a use, which is not followed", "free", nil, counted{"user:free:docs"}, false},
		{"a use", "free", []string{"docs"}, counted{"user:free:docs"}, true},
		{"a use in a period", "free", []string{"calls", "docs"}, counted{"user:free:calls:1767323045000"}, true},
		{"of another feature", "free", []string{"docs"}, counted{"user:free:calls:1767323045000"}, false},
		{"of a feature that begins alike", "free", []string{"docs"}, counted{"user:free:docs2"}, false},
		{"of one that it begins like", "free", []string{"docs"}, counted{"user:free:doc"}, false},
		{"of another subject", "free", []string{"docs"}, counted{"user:canceled:docs"}, false},
		{"something else", "free", []string{"docs"}, "a text", false},
		{"nothing", "free", nil, nil, false},
		{"the time", "canceled", nil, t0, false},
		{"a moment before the end", "canceled", nil, month.Add(-time.Millisecond), false},
		{"the end", "canceled", nil, month, true},
		{"long after the end", "canceled", nil, month.Add(ages), true},
		{"the end, of usage", "canceled", []string{"docs"}, month, true},
		{"a moment before the end of an override", "overridden", nil, t0.Add(5*day - time.Millisecond), false},
		{"the end of an override", "overridden", nil, t0.Add(5 * day), true},
		{"a moment before the first of a month", "metered", []string{"calls"}, first.Add(-time.Millisecond), false},
		{"the first of a month", "metered", []string{"calls"}, first, true},
		{"the first of a month, of what does not end with it", "metered", []string{"docs"}, first, false},
		{"the period of who pays nothing", "free", []string{"calls"}, month, true},
		{"the time of what never changes by itself", "free", []string{"docs"}, t0.Add(ages), false},
	} {
		s := w.followed(user(tc.of), tc.features...)
		if delta := s.Apply(tc.change); delta != nil || s.Stale() != tc.stale {
			t.Errorf("%s: stale %v, %v", tc.name, s.Stale(), delta)
		}
		if s.Apply("a text"); s.Stale() != tc.stale {
			t.Errorf("%s: forgotten", tc.name)
		}
		if w.must(s.Load(t.Context())); s.Stale() {
			t.Errorf("%s: stale after it is loaded", tc.name)
		}
	}
}

// What comes by the membership's own clock comes by that, whatever the real one says.
func TestSourceByTheClockOfTheMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.to("u", "basic")
	_, err := w.CancelMembership(w.as("u"), CancelCmd{Subject: user("u")})
	w.must(err)
	_, err = w.AdvanceClock(w.as(boss), user("u"), t0.Add(20*day))
	w.must(err)
	s := w.followed(user("u"))
	if list := s.Snapshot().(EntitlementList); !list.Place.Now.Equal(t0.Add(20*day)) || list.Place.Status != Canceled {
		t.Errorf("%v, %s", list.Place.Now, list.Place.Status)
	}
	if s.Apply(t0.Add(11*day - time.Millisecond)); s.Stale() {
		t.Error("a moment before the end")
	}
	if s.Apply(t0.Add(11 * day)); !s.Stale() {
		t.Error("the end")
	}
	w.clock.Advance(11 * day)
	w.must(s.Load(t.Context()))
	if list := s.Snapshot().(EntitlementList); list.Place.Status != Expired || list.Place.Plan.Key != "free" || s.Stale() {
		t.Errorf("%s of %s", list.Place.Status, list.Place.Plan.Key)
	}
}

// The place of who pays nothing tells the period it is in, also when that began while the answer was in memory.
func TestSourceTellsThePresentPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	end := t0.AddDate(0, 1, 0)
	w.clock.Advance(end.Sub(t0) - time.Second)
	s := w.followed(user("u"))
	w.clock.Advance(time.Second)
	if s.Apply(w.clock.Now()); !s.Stale() {
		t.Fatal("a period has ended")
	}
	w.must(s.Load(t.Context()))
	list := s.Snapshot().(EntitlementList)
	if p := list.Place; !p.Now.Equal(end) || !p.From.Equal(end) || !p.To.Equal(t0.AddDate(0, 2, 0)) {
		t.Errorf("%v is not in %v to %v", p.Now, p.From, p.To)
	}
}

// paper is what was published.
type paper struct {
	mu  sync.Mutex
	all []string
}

func (p *paper) publish(topic string, change any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, strings.TrimSuffix(fmt.Sprintf("%s %T%v", topic, change, change), "{}"))
}

func (p *paper) has(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.all, line)
}

func (p *paper) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

func TestFollowerPublishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	var p paper
	f := w.Follower(p.publish)
	if f.Name != "plan" || f.Collection != "usage" {
		t.Errorf("%s of %s", f.Name, f.Collection)
	}
	data := func(v any) bson.Raw {
		t.Helper()
		raw, err := bson.Marshal(v)
		w.must(err)
		return raw
	}
	about := data(memberFact{Subject: user("u")})
	for _, tc := range []struct {
		name   string
		e      event.Event
		want   []string
		forget bool
	}{
		{"a membership", event.Event{Kind: kindChanged, Data: about}, []string{"plan.subject:user:u plan.changed"}, true},
		{"an override", event.Event{Kind: "plan.entitlement.overridden", Data: data(overrideFact{Subject: user("u")})}, []string{"plan.subject:user:u plan.changed"}, true},
		{"a quota", event.Event{Kind: kindNear, Data: data(quotaFact{Subject: user("u")})}, []string{"plan.subject:user:u plan.changed"}, true},
		{"a feature", event.Event{Kind: kindOff, Data: data(featureFact{Subject: user("u")})}, []string{"plan.subject:user:u plan.changed"}, true},
		{"a clock", event.Event{Kind: "plan.clock.advanced", Data: data(clockFact{Subject: user("u")})}, []string{"plan.subject:user:u plan.changed"}, true},
		{"of another", event.Event{Kind: kindChanged, Data: data(memberFact{Subject: user("v")})}, []string{"plan.subject:user:v plan.changed"}, false},
		{"the catalogue", event.Event{Kind: "plan.catalogue.changed", Data: data(catalogueFact{Change: "+ plan x"})}, []string{"plan.catalogue plan.changed"}, false},
		{"about nobody", event.Event{Kind: "plan.something", Data: data(bson.D{})}, nil, false},
		{"without data", event.Event{Kind: "plan.something"}, nil, false},
		{"with broken data", event.Event{Kind: "plan.something", Data: bson.Raw{1, 2}}, nil, false},
		{"of another domain", event.Event{Kind: "planet.moved", Data: about}, nil, false},
		{"of another domain yet", event.Event{Kind: "rbac.grant.created", Data: about}, nil, false},
	} {
		w.must(orNil(w.Entitled(t.Context(), user("u"), "export")))
		f.OnEvent(t.Context(), tc.e, bson.Timestamp{})
		same(t, tc.name, p.take(), tc.want)
		if _, known := w.members.get(user("u")); known == tc.forget {
			t.Errorf("%s: still known %v", tc.name, known)
		}
	}
	for id, want := range map[string][]string{
		"user:u:docs":               {"plan.subject:user:u plan.counted{user:u:docs}"},
		"user:u:calls:176732304500": {"plan.subject:user:u plan.counted{user:u:calls:176732304500}"},
		"nothing":                   nil,
	} {
		f.OnChange(t.Context(), event.Change{Op: "update", Key: bson.RawValue{Type: bson.TypeString, Value: text(t, id)}})
		same(t, id, p.take(), want)
	}
	f.OnChange(t.Context(), event.Change{Op: "delete", Key: bson.RawValue{Type: bson.TypeInt32, Value: []byte{1, 0, 0, 0}}})
	same(t, "an id of another type", p.take(), nil)
}

// text is a string as BSON holds it.
func text(t *testing.T, s string) []byte {
	t.Helper()
	_, b, err := bson.MarshalValue(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// orNil lets a subject be without the feature.
func orNil(err error) error {
	if errors.Is(err, ErrFeature) {
		return nil
	}
	return err
}

func TestFollowerLosesItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	w.enroll("v")
	s := w.node(Config{CacheFor: ages})
	w.answers(s, "u", false, whole+1, "u")
	w.answers(s, "v", false, 1, "v")
	w.to("u", "pro")
	w.edit("free", func(p *BookPlan) { p.Features = append(p.Features, Rule{Feature: "export", On: true}) })
	w.answers(s, "u", false, 0, "it has missed that")
	s.Follower(func(string, any) { t.Error("published, though the hub starts all anew by itself") }).OnLost(t.Context())
	w.answers(s, "u", true, 1, "now it knows")
	w.answers(s, "v", true, 1, "who is on the old version, which says nothing of it")
	w.answers(s, "new", true, 1, "who is new")
	// A catalogue that can't be read now is read by who needs it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Follower(nil).OnLost(ctx)
	w.answers(s, "u", true, whole+1, "after a loss at a bad time")
}

// Two nodes and a change stream between them.
func TestNodesFollowOneAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enroll("u")
	var p paper
	there := w.node(Config{CacheFor: ages})
	tail := event.NewTail(storetest.Open(t, w.db.Database().Name()), clock.System(), slog.New(slog.DiscardHandler))
	tail.Follow(there.Follower(p.publish))
	ctx, stop := context.WithCancel(t.Context())
	done, err := tail.Start(ctx)
	w.must(err)
	defer func() { stop(); <-done }()
	eventually := func(cond func() bool, what string) {
		t.Helper()
		storetest.Eventually(t, 20*time.Second, cond, what)
	}
	use := func() int64 {
		t.Helper()
		e, err := there.Entitlement(w.as("u"), user("u"), "docs")
		w.must(err)
		return e.Used
	}
	w.answers(there, "u", false, whole+1, "before")
	w.answers(there, "u", false, 0, "before")
	w.to("u", "pro")
	eventually(func() bool { has, _ := w.exports(t.Context(), there, "u"); return has }, "the other node knows of the plan")
	if !p.has("plan.subject:user:u plan.changed") {
		t.Errorf("published: %v", p.take())
	}
	w.docs(2)
	eventually(func() bool { return p.has("plan.subject:user:u plan.counted{user:u:docs}") }, "a use is published")
	if n := use(); n != 2 {
		t.Errorf("%d documents", n)
	}
	p.take()
	w.edit("pro", func(b *BookPlan) { b.Name = "Professional" })
	eventually(func() bool { return p.has("plan.catalogue plan.changed") }, "the catalogue is published")
	all, err := there.OnOffer(w.as("u"), user("u"))
	w.must(err)
	if !slices.ContainsFunc(all, func(x Plan) bool { return x.Name == "Professional" }) {
		t.Errorf("%+v", all)
	}
	eventually(func() bool { _, n := w.exports(t.Context(), there, "u"); return n == 0 }, "it is quiet again")
	w.to("u", "free", atOnce)
	eventually(func() bool { has, _ := w.exports(t.Context(), there, "u"); return !has }, "the other node knows that it is gone")
}
