package bag

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type world struct {
	*Service
	t     *testing.T
	db    *store.DB
	clock *clock.Manual
}

func newWorld(t *testing.T) world {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	c := clock.NewManual(t0)
	return world{New(db, c.Now), t, db, c}
}

func (w world) as(a actor.Actor) context.Context { return actor.With(w.t.Context(), a) }

func (w world) ada() context.Context     { return w.as(actor.Actor{User: "ada", Session: "s1"}) }
func (w world) visitor() context.Context { return w.as(actor.Actor{Visitor: "v1"}) }

func (w world) set(ctx context.Context, key, value string, rule Rule) Datum {
	w.t.Helper()
	d, err := w.Set(ctx, SetCmd{Key: key, Value: parse(w.t, value), OnSignIn: rule})
	if err != nil {
		w.t.Fatalf("Set(%s) = %v", key, err)
	}
	return d
}

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := object(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// all is what is kept, as JSON.
func (w world) all(ctx context.Context) string {
	w.t.Helper()
	data, err := w.Get(ctx, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]any{}
	for _, d := range data {
		out[d.Key] = d.Value
	}
	text, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func TestSetAndGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.set(w.ada(), "cart", `{"apples":12345678901234567890,"note":"ü"}`, "")
	if first.Revision != 1 || first.OnSignIn != Replace || !first.ExpiresAt.Equal(t0.Add(DefaultTTL)) {
		t.Errorf("Set() = %+v", first)
	}
	w.set(w.ada(), "a.b", `{}`, Keep)
	if got := w.all(w.ada()); got != `{"a.b":{},"cart":{"apples":12345678901234567890,"note":"ü"}}` {
		t.Errorf("kept: %s", got)
	}
	if got, err := w.Get(w.ada(), []string{"a.b", "nothing"}); err != nil || len(got) != 1 || got[0].Key != "a.b" || got[0].OnSignIn != Keep {
		t.Errorf("Get() = %+v, %v", got, err)
	}
	if d := w.set(w.ada(), "a.b", `{"x":1}`, ""); d.OnSignIn != Keep || d.Revision != 3 {
		t.Errorf("a change without a rule: %+v", d)
	}
	for who, ctx := range map[string]context.Context{"a visitor": w.visitor(), "bob": w.as(actor.Actor{User: "bob"}), "nobody": t.Context()} {
		if got := w.all(ctx); got != `{}` {
			t.Errorf("%s sees %s", who, got)
		}
	}
	if got := w.all(w.as(actor.Actor{User: "ada", Session: "s2"})); !strings.Contains(got, "cart") {
		t.Errorf("on another device: %s", got)
	}
	if err := w.Remove(w.ada(), "cart"); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(w.ada(), "cart"); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if got := w.all(w.ada()); got != `{"a.b":{"x":1}}` {
		t.Errorf("left: %s", got)
	}
	if err := w.Remove(w.ada(), "a.b"); err != nil || storetest.Count(t, w.db, collection) != 0 {
		t.Errorf("an empty bag stays: %v", err)
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	based := func(rev int64) error {
		_, err := w.Set(w.ada(), SetCmd{Key: "k", Value: map[string]any{}, Revision: &rev})
		return err
	}
	for i, tc := range []struct {
		rev int64
		err error
	}{{1, ErrStale}, {0, nil}, {0, ErrStale}, {1, nil}, {1, ErrStale}, {2, nil}} {
		if err := based(tc.rev); !errors.Is(err, tc.err) {
			t.Errorf("step %d, based on %d: %v", i, tc.rev, err)
		}
	}
	var stale *fault.Error
	if err := based(1); !errors.As(err, &stale) || stale.Details["revision"] != int64(3) {
		t.Errorf("what is told of a stale change: %+v", stale)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deep := map[string]any{}
	for range MaxDepth {
		deep = map[string]any{"d": deep}
	}
	ok := map[string]any{"a": json.Number("1")}
	for name, tc := range map[string]struct {
		ctx context.Context
		cmd SetCmd
		err error
	}{
		"nobody":            {t.Context(), SetCmd{Key: "k", Value: ok}, fault.ErrUnauthenticated},
		"who may only look": {w.as(actor.Actor{User: "ada", Impersonator: "bob", ReadOnly: true}), SetCmd{Key: "k", Value: ok}, fault.ErrForbidden},
		"no key":            {w.ada(), SetCmd{Value: ok}, fault.ErrInput},
		"a long key":        {w.ada(), SetCmd{Key: strings.Repeat("k", MaxKey+1), Value: ok}, fault.ErrInput},
		"an operator":       {w.ada(), SetCmd{Key: "$set", Value: ok}, fault.ErrInput},
		"a key of services": {w.ada(), SetCmd{Key: "sys.cart", Value: ok}, fault.ErrInput},
		"no value":          {w.ada(), SetCmd{Key: "k"}, fault.ErrInput},
		"an unknown rule":   {w.ada(), SetCmd{Key: "k", Value: ok, OnSignIn: "LAST"}, fault.ErrInput},
		"for ever":          {w.ada(), SetCmd{Key: "k", Value: ok, TTL: MaxTTL + 1}, fault.ErrInput},
		"lapsed already":    {w.ada(), SetCmd{Key: "k", Value: ok, TTL: -1}, fault.ErrInput},
		"too deep":          {w.ada(), SetCmd{Key: "k", Value: deep}, fault.ErrInput},
		"too large":         {w.ada(), SetCmd{Key: "k", Value: map[string]any{"a": strings.Repeat("x", MaxValue)}}, ErrTooLarge},
		"no number":         {w.ada(), SetCmd{Key: "k", Value: map[string]any{"a": func() {}}}, fault.ErrInput},
	} {
		if _, err := w.Set(tc.ctx, tc.cmd); !errors.Is(err, tc.err) {
			t.Errorf("%s: Set() = %v, want %v", name, err, tc.err)
		}
	}
	if _, err := w.Get(w.ada(), make([]string, MaxKeys+1)); !errors.Is(err, fault.ErrInput) {
		t.Errorf("101 keys at once: %v", err)
	}
	if err := w.Remove(w.ada(), "sys.cart"); !errors.Is(err, fault.ErrInput) {
		t.Errorf("a client removes what a service keeps: %v", err)
	}
	if n := storetest.Count(t, w.db, collection); n != 0 {
		t.Errorf("refusals left %d bags", n)
	}
}

// The caps hold however many write at once.
func TestCapsUnderContention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	value := map[string]any{"a": strings.Repeat("x", 6<<10)}
	var mu sync.Mutex
	in := 0
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := w.Set(w.ada(), SetCmd{Key: fmt.Sprintf("k%d", i), Value: value})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in++
			case !errors.Is(err, ErrTooLarge):
				t.Errorf("Set() = %v", err)
			}
		})
	}
	all.Wait()
	if in != 10 {
		t.Errorf("%d values of 6 KiB in 64 KiB", in)
	}
	keys := newWorld(t)
	for i := range MaxKeys {
		keys.set(keys.visitor(), fmt.Sprintf("k%d", i), `{}`, "")
	}
	if _, err := keys.Set(keys.visitor(), SetCmd{Key: "more", Value: map[string]any{}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("key 101: %v", err)
	}
	keys.set(keys.visitor(), "k7", `{"changed":true}`, "")
}

// A value lapses by the clock, whatever has been deleted.
func TestLapses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Set(w.ada(), SetCmd{Key: "short", Value: map[string]any{}, TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	w.set(w.ada(), "long", `{}`, "")
	w.clock.Advance(time.Minute - time.Millisecond)
	if got := w.all(w.ada()); got != `{"long":{},"short":{}}` {
		t.Errorf("before: %s", got)
	}
	w.clock.Advance(time.Millisecond)
	if got := w.all(w.ada()); got != `{"long":{}}` {
		t.Errorf("after: %s", got)
	}
	none := int64(0)
	if _, err := w.Set(w.ada(), SetCmd{Key: "short", Value: map[string]any{}, Revision: &none}); err != nil {
		t.Errorf("anew: %v", err)
	}
}

type cart struct {
	Apples int      `json:"apples"`
	Seen   []string `json:"seen,omitempty"`
}

var cartKey = Define[cart]("cart", time.Hour, Sum)

// Twenty at once change one value, and no change is lost; no client sees or writes it.
func TestTypedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if v, rev, err := Load(w.ada(), w, cartKey); err != nil || rev != 0 || !reflect.DeepEqual(v, cart{}) {
		t.Errorf("Load() of nothing = %+v, %d, %v", v, rev, err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := Update(w.ada(), w, cartKey, func(c cart) (cart, error) { c.Apples++; return c, nil }); err != nil {
				t.Errorf("Update() = %v", err)
			}
		})
	}
	all.Wait()
	v, rev, err := Load(w.ada(), w, cartKey)
	if err != nil || v.Apples != 20 {
		t.Errorf("Load() = %+v, %v", v, err)
	}
	if err := Save(w.ada(), w, cartKey, cart{}, rev-1); !errors.Is(err, ErrStale) {
		t.Errorf("Save() of a stale one = %v", err)
	}
	wrong := errors.New("sold out")
	if _, err := Update(w.ada(), w, cartKey, func(c cart) (cart, error) { return c, wrong }); !errors.Is(err, wrong) {
		t.Errorf("Update() = %v", err)
	}
	if got := w.all(w.ada()); got != `{}` {
		t.Errorf("a client sees %s", got)
	}
	w.clock.Advance(time.Hour)
	if _, rev, err := Load(w.ada(), w, cartKey); err != nil || rev != 0 {
		t.Errorf("after its time: revision %d, %v", rev, err)
	}
	for name, define := range map[string]func(){
		"name": func() { Define[cart]("a b", 0, Keep) },
		"rule": func() { Define[cart]("ok", 0, "LAST") },
		"ttl":  func() { Define[cart]("ok", -1, Keep) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a wrong %s is a key", name)
				}
			}()
			define()
		}()
	}
}

func TestFlash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range MaxMessages + 5 {
		if err := w.Flash(w.ada(), Message{Level: "info", Code: "n", Text: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.FlashTo(t.Context(), "s1", Message{Level: "success", Code: "last", Text: "last"}); err != nil {
		t.Fatal(err)
	}
	if other, err := w.Take(w.as(actor.Actor{User: "ada", Session: "s2"})); err != nil || len(other) != 0 {
		t.Errorf("another session takes %v, %v", other, err)
	}
	var mu sync.Mutex
	var taken []Message
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			got, err := w.Take(w.ada())
			mu.Lock()
			defer mu.Unlock()
			if taken = append(taken, got...); err != nil {
				t.Errorf("Take() = %v", err)
			}
		})
	}
	all.Wait()
	if len(taken) != MaxMessages || taken[0].Text != "6" || taken[MaxMessages-1].Code != "last" || !taken[0].At.Equal(t0) {
		t.Errorf("taken: %d messages, %+v", len(taken), taken)
	}
	if err := w.Flash(t.Context(), Message{Text: "for nobody"}); err != nil {
		t.Error(err)
	}
	if got, err := w.Take(w.as(actor.Actor{User: "ada", Key: "k1"})); err != nil || got != nil {
		t.Errorf("a program takes %v, %v", got, err)
	}
}

func TestMergeRules(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule                Rule
		ours, theirs, after string
	}{
		{Keep, `{"a":1}`, `{"a":2,"b":3}`, `{"a":1}`},
		{Replace, `{"a":1}`, `{"b":3}`, `{"b":3}`},
		{Sum, `{"a":1,"s":"x","l":[1]}`, `{"a":2,"b":3,"s":"y","l":[2]}`, `{"a":3,"b":3,"l":[2],"s":"y"}`},
		{Sum, `{"a":9007199254740993}`, `{"a":1}`, `{"a":9007199254740994}`},
		{Sum, `{"a":0.5}`, `{"a":1}`, `{"a":1.5}`},
		{Sum, `{"a":1}`, `{"a":"one"}`, `{"a":"one"}`},
		{Sum, `{"a":1e308}`, `{"a":1e308}`, `{"a":1e308}`},
		{Union, `{"ids":["a","b"],"n":1}`, `{"ids":["b","c",{"x":1}],"n":2,"m":3}`, `{"ids":["a","b","c",{"x":1}],"m":3,"n":2}`},
		{Union, `{"ids":["a"]}`, `{"ids":"a"}`, `{"ids":"a"}`},
	} {
		w := newWorld(t)
		w.set(w.ada(), "k", tc.ours, tc.rule)
		w.set(w.visitor(), "k", tc.theirs, Keep) // the account's rule counts
		w.set(w.visitor(), "new", `{"n":1}`, Union)
		if err := w.Flash(w.visitor(), Message{Code: "hello"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Merge(t.Context(), MergeCmd{Visitor: "v1", User: "ada", Session: "s1"}); err != nil {
			t.Fatal(err)
		}
		if got, want := w.all(w.ada()), `{"k":`+tc.after+`,"new":{"n":1}}`; got != want {
			t.Errorf("%s of %s and %s = %s, want %s", tc.rule, tc.ours, tc.theirs, got, want)
		}
		if got := w.all(w.visitor()); got != `{}` {
			t.Errorf("the visitor still has %s", got)
		}
		if told, err := w.Take(w.ada()); err != nil || len(told) != 1 || told[0].Code != "hello" {
			t.Errorf("the visitor's messages: %+v, %v", told, err)
		}
	}
}

// Two sign-ins at once merge once; a guest's bag comes along as well.
func TestMergeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.ada(), "cart", `{"apples":1}`, Sum)
	w.set(w.visitor(), "cart", `{"apples":10}`, Sum)
	w.set(w.as(actor.Actor{User: "guest"}), "cart", `{"apples":100}`, Sum)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := w.Merge(t.Context(), MergeCmd{Visitor: "v1", FromUser: "guest", User: "ada", Session: "s1"}); err != nil {
				t.Errorf("Merge() = %v", err)
			}
		})
	}
	both.Wait()
	if got := w.all(w.ada()); got != `{"cart":{"apples":111}}` {
		t.Errorf("merged: %s", got)
	}
	if err := w.Merge(t.Context(), MergeCmd{FromUser: "ada", User: "ada"}); err != nil || w.all(w.ada()) == `{}` {
		t.Errorf("a user is no guest of their own: %v", err)
	}
	if err := w.DeleteAllOf(t.Context(), "ada"); err != nil || storetest.Count(t, w.db, collection) != 0 {
		t.Errorf("DeleteAllOf() = %v", err)
	}
}

// What does not fit is the visitor's oldest, and a merge never fails.
func TestMergeKeepsToTheCaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	big := `{"a":"` + strings.Repeat("x", 6<<10) + `"}`
	for i := range 8 {
		w.set(w.ada(), fmt.Sprintf("ours%d", i), big, "")
		w.set(w.visitor(), fmt.Sprintf("theirs%d", i), big, "")
		w.clock.Advance(time.Second)
	}
	if err := w.Merge(t.Context(), MergeCmd{Visitor: "v1", User: "ada"}); err != nil {
		t.Fatal(err)
	}
	got := parse(t, w.all(w.ada()))
	if len(got) != 10 || got["theirs7"] == nil || got["theirs6"] == nil {
		t.Errorf("%d values, the newest there: %t %t", len(got), got["theirs7"] != nil, got["theirs6"] != nil)
	}
}

// FuzzMerge: whatever two bags hold, a merge neither panics nor passes the caps, keeps every key of the account, and a value it
// changes is JSON of an object.
func FuzzMerge(f *testing.F) {
	f.Add(`{"a":1}`, `{"a":2,"b":[1,{}]}`, "SUM")
	f.Add(`{"a":[1,2]}`, `{"a":[2,1e999]}`, "UNION")
	f.Add(`{"a":1e400}`, `{"a":-1e400}`, "SUM")
	f.Fuzz(func(t *testing.T, ours, theirs, rule string) {
		if !Rule(rule).valid() || len(ours) > MaxValue || len(theirs) > MaxValue {
			return
		}
		for _, text := range []string{ours, theirs} {
			if _, err := object(text); err != nil {
				return
			}
		}
		b := box{ID: "user:ada", Data: []datum{{Key: "k", Value: ours, Rule: Rule(rule), Rev: 1}, {Key: "mine", Value: `{}`, Rule: Keep, Rev: 2}}}
		b.merge(box{Data: []datum{{Key: "k", Value: theirs, Rule: Keep}, {Key: "theirs", Value: theirs, Rule: Keep}}}, t0)
		if !b.fits() || b.find("k") != 0 || b.find("mine") != 1 {
			t.Fatalf("the bag after the merge: %+v", b)
		}
		for _, d := range b.Data {
			if v, err := object(d.Value); err != nil || v == nil && d.Value != ours && d.Value != theirs {
				t.Errorf("%s is %q", d.Key, d.Value)
			}
		}
	})
}
