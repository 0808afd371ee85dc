package job

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const soon = 30 * time.Second

// nobody lets the system alone do what needs a permission.
type nobody struct{}

func (nobody) Require(ctx context.Context, _ string, _ ref.Ref) error {
	if actor.From(ctx).System {
		return nil
	}
	return fault.ErrForbidden
}

var quick = pace{
	claim: 5 * time.Second, step: 4 * time.Second, turn: 10 * time.Second, poll: 5 * time.Millisecond,
	retryMin: time.Millisecond, retryMax: 5 * time.Millisecond, saveWait: 5 * time.Second,
}

func setUp(t testing.TB) *Manager {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	return node(db)
}

func node(db *store.DB) *Manager {
	m := New(db, clock.System(), slog.New(slog.DiscardHandler), nobody{})
	m.pace = quick
	return m
}

// start runs the manager until stop is called or the test ends.
func start(t testing.TB, m *Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return stop
}

func as(t testing.TB, user string) context.Context {
	return actor.With(t.Context(), actor.Actor{User: user})
}

func begin(t testing.TB, m *Manager, total int64) Job {
	t.Helper()
	j, err := m.Start(as(t, "ada"), StartCmd{Kind: "count", On: ref.New("thing", "one"), Args: map[string]int{"from": 1}, Total: total})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func await(t testing.TB, m *Manager, id string, state State) Job {
	t.Helper()
	var j Job
	storetest.Eventually(t, soon, func() bool {
		var err error
		if j, err = m.store.get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return j.State == state
	}, "state "+string(state))
	return j
}

// counts is a handler that writes one mark in each step.
func counts(m *Manager, hook func(j *Job) error) Handler {
	return Handler{Step: func(ctx context.Context, j *Job) (bool, error) {
		if _, err := m.db.Collection("marks").InsertOne(ctx, bson.D{{Key: "n", Value: j.Done}, {Key: "by", Value: actor.From(ctx).User}}); err != nil {
			return false, store.Translate(err)
		}
		if err := hook(j); err != nil {
			return false, err
		}
		j.Done++
		j.Cursor, _ = json.Marshal(j.Done)
		j.Result = j.Cursor
		return j.Done == j.Total, nil
	}}
}

func never(*Job) error { return nil }

func TestAJobRunsAsWhoAsked(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	m.Register("count", counts(m, never))
	start(t, m)
	j := await(t, m, begin(t, m, 20).ID, Done)
	if j.Done != 20 || string(j.Result) != "20" || string(j.Args) != `{"from":1}` || j.FinishedAt == nil || j.StartedAt == nil {
		t.Errorf("job = %+v", j)
	}
	if n := storetest.Count(t, m.db, "marks", bson.D{{Key: "by", Value: "ada"}}); n != 20 {
		t.Errorf("%d marks of ada, want 20", n)
	}
	if n := storetest.Count(t, m.db, collection, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$type", Value: "date"}}}}); n != 1 {
		t.Error("a job that ended does not expire")
	}
}

func TestAnotherNodeTakesOverWhereOneStopped(t *testing.T) {
	t.Parallel()
	one := setUp(t)
	two := node(one.db)
	reached := make(chan struct{}, 100)
	one.Register("count", counts(one, func(j *Job) error {
		if j.Done >= 5 {
			reached <- struct{}{}
		}
		return nil
	}))
	two.Register("count", counts(two, never))
	stop := start(t, one)
	j := begin(t, one, 60)
	<-reached
	stop()
	if mid, err := two.Get(as(t, "ada"), j.ID); err != nil || mid.Done < 5 { // what another node sees
		t.Fatalf("progress = %d, %v", mid.Done, err)
	}
	start(t, two)
	await(t, two, j.ID, Done)
	if n := storetest.Count(t, one.db, "marks"); n != 60 {
		t.Errorf("%d marks, want 60: each step once", n)
	}
}

// A node that is killed lets nothing go: its claim runs out. One that only stalled can write nothing more.
func TestAStalledHolderCanNotWrite(t *testing.T) {
	t.Parallel()
	one := setUp(t)
	two := node(one.db)
	one.Register("count", counts(one, never))
	two.Register("count", counts(two, never))
	j := begin(t, one, 3)
	held, found, err := one.store.claim(t.Context(), []string{"count"}, one.now(), time.Millisecond)
	if err != nil || !found || held.ID != j.ID {
		t.Fatalf("claim = %v, %t, %v", held, found, err)
	}
	start(t, two)
	await(t, two, j.ID, Done)
	if _, err := one.step(t.Context(), held); !isLost(err) {
		t.Errorf("the step of a stalled holder = %v", err)
	}
	if n := storetest.Count(t, one.db, "marks"); n != 3 {
		t.Errorf("%d marks, want 3", n)
	}
}

func TestTwoManagersNeverRunOneJobAtOnce(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	var at [10]atomic.Int32
	h := func(n *Manager) Handler {
		return Handler{Step: func(ctx context.Context, j *Job) (bool, error) {
			var i int
			if err := json.Unmarshal(j.Args, &i); err != nil {
				return false, err
			}
			if at[i].Add(1) > 1 {
				t.Errorf("job %d runs twice at once", i)
			}
			defer at[i].Add(-1)
			return counts(n, never).Step(ctx, j)
		}}
	}
	other := node(m.db)
	m.Register("count", h(m))
	other.Register("count", h(other))
	var ids []string
	for i := range at {
		j, err := m.Start(as(t, "ada"), StartCmd{Kind: "count", Args: i, Total: 10})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	start(t, m)
	start(t, other)
	for _, id := range ids {
		await(t, m, id, Done)
	}
	if n := storetest.Count(t, m.db, "marks"); n != 100 {
		t.Errorf("%d marks, want 100", n)
	}
}

func TestCancelUndoesTheStepUnderWay(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	inStep, goOn := make(chan struct{}), make(chan struct{})
	m.Register("count", counts(m, func(j *Job) error {
		if j.Done == 2 {
			inStep <- struct{}{}
			<-goOn
		}
		return nil
	}))
	stop := start(t, m)
	j := begin(t, m, 10)
	<-inStep
	if _, err := m.Cancel(as(t, "eve"), j.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("a stranger cancels: %v", err)
	}
	got, err := m.Cancel(as(t, "ada"), j.ID)
	close(goOn)
	if err != nil || got.State != Canceled {
		t.Fatalf("Cancel() = %v, %v", got.State, err)
	}
	stop()
	if n := storetest.Count(t, m.db, "marks"); n != 2 {
		t.Errorf("%d marks, want 2", n)
	}
	if _, err := m.Cancel(as(t, "ada"), j.ID); !errors.Is(err, ErrEnded) {
		t.Errorf("cancel again = %v", err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err   error
		times int32
		state State
		tries int32
	}{
		"that pass":         {fault.ErrUnavailable, 3, Done, 5},
		"that never pass":   {errors.New("odd"), 100, Failed, maxTries},
		"that can not pass": {fault.ErrInput, 100, Failed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := setUp(t)
			var calls atomic.Int32
			m.Register("count", counts(m, func(*Job) error {
				if calls.Add(1) <= tc.times {
					return tc.err
				}
				return nil
			}))
			start(t, m)
			j := await(t, m, begin(t, m, 2).ID, tc.state)
			if calls.Load() != tc.tries || (tc.state == Failed) != (j.Code == fault.From(tc.err).Code) || j.FinishedAt == nil {
				t.Errorf("%d calls, job %+v", calls.Load(), j)
			}
			if n := storetest.Count(t, m.db, "marks"); int64(n) != j.Done {
				t.Errorf("%d marks of %d steps", n, j.Done)
			}
		})
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	m.Register("count", counts(m, func(*Job) error { panic("oh") }))
	start(t, m)
	if j := await(t, m, begin(t, m, 1).ID, Failed); j.Code != "INTERNAL" || j.Error == "oh" {
		t.Errorf("job = %+v", j)
	}
}

func TestWhoSees(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	m.Register("count", counts(m, never))
	j := begin(t, m, 1)
	key := actor.With(t.Context(), actor.Actor{User: "ada", Key: "k1", Scope: actor.NewScope()})
	if _, err := m.Get(key, j.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("a key sees what its user did: %v", err)
	}
	byKey, err := m.Start(key, StartCmd{Kind: "count"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Get(key, byKey.ID); err != nil || got.Actor.actor().Scope.Has("any") {
		t.Errorf("its own = %+v, %v; the scope must come along", got.Actor, err)
	}
	mine := Filter{By: ref.New(ref.User, "ada")}
	for who, want := range map[string]struct {
		ctx context.Context
		n   int
		err error
	}{
		"their own": {as(t, "ada"), 2, nil}, "a key": {key, 1, nil}, "a stranger": {as(t, "eve"), 0, fault.ErrForbidden},
		"the system": {actor.With(t.Context(), actor.System()), 2, nil},
	} {
		got, err := m.List(want.ctx, mine, page.Args{})
		if len(got.Items) != want.n || !errors.Is(err, want.err) {
			t.Errorf("%s lists %d, %v", who, len(got.Items), err)
		}
	}
	if _, err := m.Get(as(t, "ada"), ref.NewID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown = %v", err)
	}
	if _, err := m.Start(t.Context(), StartCmd{Kind: "count"}); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor starts: %v", err)
	}
}

// A page of jobs does not carry what came of them, which may be large; one job does. All else is the same.
func TestListsAreLight(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	m.Register("count", counts(m, never))
	start(t, m)
	whole := await(t, m, begin(t, m, 3).ID, Done)
	p, err := m.List(as(t, "ada"), Filter{By: ref.New(ref.User, "ada")}, page.Args{})
	light := whole
	light.Args, light.Cursor, light.Result = nil, nil, nil
	if err != nil || len(p.Items) != 1 || !reflect.DeepEqual(p.Items[0], light) {
		t.Errorf("List() = %+v, %v; want %+v", p.Items, err, light)
	}
	if got, err := m.Get(as(t, "ada"), whole.ID); err != nil || string(got.Result) != "3" || len(got.Args) == 0 || len(got.Cursor) == 0 {
		t.Errorf("Get() = %+v, %v", got, err)
	}
}

func TestStartJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	m := setUp(t)
	m.Register("count", counts(m, never))
	undone := errors.New("undone")
	err := m.db.InTx(as(t, "ada"), func(ctx context.Context) error {
		if _, err := m.Start(ctx, StartCmd{Kind: "count"}); err != nil {
			return err
		}
		return undone
	})
	if n := storetest.Count(t, m.db, collection); !errors.Is(err, undone) || n != 0 {
		t.Errorf("%d jobs after %v", n, err)
	}
}
