package plan

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// usedOf is what a subject has used of docs, by its entitlements.
func (w *world) usedOf(user, feature string) int64 {
	w.t.Helper()
	all, err := w.Entitlements(w.sys(), ref.New(ref.User, user))
	w.must(err)
	for _, e := range all {
		if e.Feature == feature {
			return e.Used
		}
	}
	return 0
}

func TestConsume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	u := m.Subject
	if _, err := w.move("u", "pro", 1); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		feature string
		n       int64 // below 0 is released
		err     error
		used    int64
	}{
		{"more than the limit at first", "docs", 11, ErrQuota, 0},
		{"the first", "docs", 4, nil, 4},
		{"up to the limit", "docs", 6, nil, 10},
		{"one too many", "docs", 1, ErrQuota, 10},
		{"overflow", "docs", math.MaxInt64, ErrQuota, 10},
		{"given back", "docs", -3, nil, 7},
		{"two too many takes none", "docs", 5, ErrQuota, 7},
		{"just fits", "docs", 3, nil, 10},
		{"more given back than used", "docs", -99, nil, 0},
		{"without a limit", "calls", 1_000_000, nil, 1_000_000},
		{"without a limit again", "calls", 1, nil, 1_000_001},
		{"not in the plan", "other", 1, ErrQuota, 0},
		{"nothing to give back", "other", -1, nil, 0},
		{"zero", "docs", 0, fault.ErrInput, 0},
	} {
		var err error
		if tc.n < 0 {
			err = w.Release(t.Context(), u, tc.feature, -tc.n)
		} else {
			err = w.Consume(t.Context(), u, tc.feature, tc.n)
		}
		if used := w.usedOf("u", tc.feature); !errors.Is(err, tc.err) || used != tc.used {
			t.Errorf("%s: %v, %d used; want %v, %d", tc.name, err, used, tc.err, tc.used)
		}
	}
	w.must(w.Consume(t.Context(), u, "docs", 9))
	d := fault.From(w.Consume(t.Context(), u, "docs", 2)).Details
	if d["feature"] != "docs" || d["limit"] != int64(10) || d["used"] != int64(9) || d["plan"] != "pro" || len(d) != 4 {
		t.Errorf("details %v", d)
	}
	if err := w.Release(t.Context(), u, "docs", -1); !errors.Is(err, fault.ErrInput) {
		t.Errorf("a negative release: %v", err)
	}
	if err := w.Consume(t.Context(), ref.New(ref.User, "v"), "docs", 3); err != nil {
		t.Errorf("another subject, without a membership, has the default plan to itself: %v", err)
	}
}

func TestConsumeJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	boom := errors.New("boom")
	w.must(w.Consume(t.Context(), m.Subject, "docs", 1))
	err := w.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Consume(ctx, m.Subject, "docs", 2); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || w.usedOf("u", "docs") != 1 {
		t.Errorf("%v, %d used", err, w.usedOf("u", "docs"))
	}
	err = w.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := w.Release(ctx, m.Subject, "docs", 1); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || w.usedOf("u", "docs") != 1 {
		t.Errorf("%v, %d used", err, w.usedOf("u", "docs"))
	}
}

// Twice as many as the limit at once, each in a transaction that also writes something of its own: golden scenario 15 of
// the domain study, 2.4, in the small.
func TestGolden15ExactlyTheLimitPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("u")
	if _, err := w.move("u", "pro", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const limit = 10
	var wg sync.WaitGroup
	var passed, refused atomic.Int64
	for range 2 * limit {
		wg.Go(func() {
			err := w.db.InTx(ctx, func(ctx context.Context) error {
				if err := w.Consume(ctx, m.Subject, "docs", 1); err != nil {
					return err
				}
				_, err := w.db.Collection("made").InsertOne(ctx, bson.D{{Key: "by", Value: "u"}})
				return store.Translate(err)
			})
			switch {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, ErrQuota):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := storetest.Count(t, w.db, "made"); passed.Load() != limit || refused.Load() != limit || n != limit || w.usedOf("u", "docs") != limit {
		t.Errorf("%d passed, %d refused, %d made, %d used", passed.Load(), refused.Load(), n, w.usedOf("u", "docs"))
	}
}

// Moving down deletes nothing: golden scenarios 11 and 12, as far as they go without standing.
func TestGolden11And12DowngradeOverQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.enroll("v")
	_, err := w.move("v", "pro", 1)
	w.must(err)
	w.must(w.Consume(t.Context(), m.Subject, "docs", 7))
	w.must(w.Consume(t.Context(), m.Subject, "calls", 5))
	_, err = w.move("v", "free", 2)
	w.must(err)
	e, err := w.Entitlements(w.as("v"), m.Subject)
	w.must(err)
	if len(e) != 2 || e[0].Used != 7 || *e[0].Limit != 3 || *e[0].Remaining() != 0 || e[1].Feature != "calls" || e[1].Used != 5 || *e[1].Limit != 0 {
		t.Errorf("%+v", e)
	}
	for released := range 5 {
		if err := w.Consume(t.Context(), m.Subject, "docs", 1); !errors.Is(err, ErrQuota) {
			t.Errorf("after %d released: %v", released, err)
		}
		w.must(w.Release(t.Context(), m.Subject, "docs", 1))
	}
	if err := w.Consume(t.Context(), m.Subject, "docs", 1); err != nil {
		t.Errorf("under the limit: %v", err)
	}
	_, err = w.move("v", "pro", 3)
	w.must(err)
	if w.usedOf("v", "calls") != 5 {
		t.Error("moving back up lost the usage")
	}
	if err := w.Consume(t.Context(), m.Subject, "docs", 7); err != nil {
		t.Errorf("back up: %v", err)
	}
}

// BenchmarkConsume is one Consume in its own transaction, beside the bare conditional increment it is made of.
func BenchmarkConsume(b *testing.B) {
	db := storetest.DB(b)
	s := New(db, nil, func() time.Time { return t0 }, authz{}, nil, Config{CacheFor: time.Hour})
	storetest.Insert(b, db, "plans", Plan{ID: "p", Key: "pp", Default: true, Limits: []Limit{{Feature: "docs", Limit: new(int64(1 << 60))}}})
	if _, err := s.All(b.Context()); err != nil {
		b.Fatal(err)
	}
	const bare = 200
	start := time.Now()
	for range bare {
		_, err := db.Collection("bare").UpdateOne(b.Context(), bson.D{{Key: "_id", Value: "x"}, {Key: "used", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: 1 << 60}}}}}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
		if err != nil {
			b.Fatal(err)
		}
	}
	inc := float64(time.Since(start)) / bare
	for b.Loop() {
		if err := s.Consume(b.Context(), ref.New(ref.User, "u"), "docs", 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/inc, "x_bare_inc")
}
