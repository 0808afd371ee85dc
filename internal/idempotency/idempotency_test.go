package idempotency

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

type rig struct {
	*Service
	t    *testing.T
	db   *store.DB
	ctx  context.Context
	late *atomic.Int64 // how much later it is, in nanoseconds
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: append(Collections(), store.Collection{Name: "things"})}, false); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: db, late: &atomic.Int64{}, ctx: actor.With(t.Context(), actor.Actor{User: "u"})}
	system := clock.System()
	r.Service = New(db, keyring.Random(), func() time.Time { return system().Add(time.Duration(r.late.Load())) }, slog.New(slog.DiscardHandler))
	return r
}

// change adds a thing in a transaction.
func (r *rig) change(ctx context.Context) error {
	return r.db.InTx(ctx, func(ctx context.Context) error {
		_, err := r.db.Collection("things").InsertOne(ctx, bson.D{})
		return store.Wrap("insert", err)
	})
}

func (r *rig) things() int64 {
	r.t.Helper()
	n, err := r.db.Collection("things").CountDocuments(r.ctx, bson.D{})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) do(key, request string, outcome Outcome, change bool) (string, bool, error) {
	r.t.Helper()
	answer, replayed, err := r.Do(r.ctx, key, []byte(request), func(ctx context.Context) ([]byte, Outcome) {
		if change {
			if err := r.change(ctx); err != nil {
				return []byte(err.Error()), Failed
			}
		}
		return []byte("answer of " + request), outcome
	})
	return string(answer), replayed, err
}

func (r *rig) want(what string, things int64, wantAnswer string, wantReplay bool, want error, answer string, replayed bool, err error) {
	r.t.Helper()
	if answer != wantAnswer || replayed != wantReplay || !errors.Is(err, want) || r.things() != things {
		r.t.Errorf("%s: %q %v %v with %d things", what, answer, replayed, err, r.things())
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	check := func(what string, things int64, answer string, replayed bool, want error) func(string, bool, error) {
		return func(a string, b bool, err error) {
			t.Helper()
			r.want(what, things, answer, replayed, want, a, b, err)
		}
	}
	check("the first time", 1, "answer of a", false, nil)(r.do("k", "a", Done, true))
	check("again", 1, "answer of a", true, nil)(r.do("k", "a", Done, true))
	check("another request", 1, "", false, ErrReused)(r.do("k", "b", Done, true))
	check("another key", 2, "answer of b", false, nil)(r.do("k2", "b", Done, true))
	check("what failed and changed nothing", 2, "answer of c", false, nil)(r.do("k3", "c", Failed, false))
	check("is tried anew", 3, "answer of c", false, nil)(r.do("k3", "c", Done, true))
	check("what failed in part", 4, "answer of d", false, nil)(r.do("k4", "d", Failed, true))
	check("is not", 4, "answer of d", true, nil)(r.do("k4", "d", Done, true))
	check("a commit without an answer, which was made", 5, "answer of e", false, nil)(r.do("k5", "e", Unknown, true))
	check("is told of", 5, "", false, ErrApplied)(r.do("k5", "e", Done, true))
	check("one that was not made", 5, "answer of f", false, nil)(r.do("k6", "f", Unknown, false))
	check("is tried anew", 6, "answer of f", false, nil)(r.do("k6", "f", Done, true))
	check("no key", 6, "", false, ErrKey)(r.do("", "a", Done, true))
	check("a key of control characters", 6, "", false, ErrKey)(r.do("a\nb", "a", Done, true))
	other := *r
	other.ctx = actor.With(t.Context(), actor.Actor{User: "v"})
	a, replayed, err := other.do("k", "z", Done, true)
	r.want("somebody else's key", 7, "answer of z", false, nil, a, replayed, err)
	other.ctx = actor.With(t.Context(), actor.Actor{})
	a, replayed, err = other.do("k", "a", Done, true)
	r.want("nobody's key", 7, "", false, ErrKey, a, replayed, err)

	raw, err := r.store.keys.Distinct(r.ctx, "answer", bson.D{}).Raw()
	if err != nil || len(raw) < 50 || bytes.Contains(raw, []byte("answer of")) {
		t.Errorf("answers are kept as %q, %v", raw, err)
	}
}

// TestOnceAtOnce: of many with one key, one changes something; the others wait for its answer or are told to.
func TestOnceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	var fresh, told atomic.Int64
	for range 20 {
		wg.Go(func() {
			for {
				_, replayed, err := r.do("k", "a", Done, true)
				switch {
				case errors.Is(err, ErrProgress):
					continue
				case err != nil:
					t.Error(err)
				case replayed:
					told.Add(1)
				default:
					fresh.Add(1)
				}
				return
			}
		})
	}
	wg.Wait()
	if fresh.Load() != 1 || told.Load() != 19 || r.things() != 1 {
		t.Errorf("%d ran, %d were told, %d things", fresh.Load(), told.Load(), r.things())
	}
}

// TestLateRun: a request that is still at work after its time changes nothing once its key is taken over.
func TestLateRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	_, _, err := r.Do(ctx, "k", []byte("a"), func(ctx context.Context) ([]byte, Outcome) {
		if _, _, err := r.do("k", "a", Done, true); !errors.Is(err, ErrProgress) {
			t.Errorf("while one is at work: %v", err)
		}
		r.late.Store(int64(time.Hour))
		if a, replayed, err := r.do("k", "a", Done, true); a != "answer of a" || replayed || err != nil {
			t.Errorf("taking over: %q %v %v", a, replayed, err)
		}
		if err := r.change(ctx); !errors.Is(err, ErrProgress) {
			t.Errorf("the late one may still: %v", err)
		}
		if err := r.change(store.Outside(ctx)); err != nil { // of which the claim knows nothing
			t.Error(err)
		}
		return []byte("late"), Failed
	})
	if err != nil || r.things() != 2 {
		t.Errorf("%d things, %v", r.things(), err)
	}
	if a, replayed, err := r.do("k", "a", Done, true); a != "answer of a" || !replayed || err != nil {
		t.Errorf("at last: %q %v %v", a, replayed, err)
	}
}
