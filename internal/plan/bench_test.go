package plan

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// benchService is a service on the real clock, with the test book but for limits nobody comes to, and so many subjects on pro
// whose counters are there.
func benchService(tb testing.TB, subjects int) (*Service, *store.DB) {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	db, now := storetest.DB(tb), clock.System()
	var cols []store.Collection
	for _, some := range [][]store.Collection{Collections(), event.Collections(), payment.Collections()} {
		cols = append(cols, some...)
	}
	_, err := db.Migrate(tb.Context(), store.Plan{Collections: cols}, false)
	must(err)
	s := New(db, event.NewLog(db, now), now, authz{}, &roles{db: db}, Config{})
	sys := actor.With(tb.Context(), actor.System())
	b := testBook()
	for i := range b.Plans {
		for j := range b.Plans[i].Features {
			if r := &b.Plans[i].Features[j]; r.Feature == "docs" || r.Feature == "calls" {
				r.Limit, r.OnOver = num(benchLimit), Block
			}
		}
	}
	_, err = s.Apply(sys, ApplyCmd{Book: b})
	must(err)
	for i := range subjects {
		_, err = s.Enroll(sys, benchUser(i), "pro")
		must(err)
		for _, feature := range []string{"docs", "calls"} {
			must(s.Consume(sys, benchUser(i), feature, 1))
		}
	}
	return s, db
}

const benchLimit = 1_000_000_000

func benchUser(i int) ref.Ref { return user("u" + strconv.Itoa(i)) }

// asked is the questions that cost nothing while the subject is in memory.
func asked(tb testing.TB, s *Service, subjects int) func() {
	tb.Helper()
	ctx, all := tb.Context(), make([]ref.Ref, subjects)
	for i := range all {
		all[i] = benchUser(i)
		if err := s.Entitled(ctx, all[i], "export"); err != nil { // from here on it is in memory
			tb.Fatal(err)
		}
	}
	i := 0
	return func() {
		i++
		if s.Entitled(ctx, all[i%subjects], "export") != nil {
			tb.Fatal("refused")
		}
	}
}

// Not parallel: others would be counted.
func TestEntitledAllocatesNothing(t *testing.T) {
	s, _ := benchService(t, 2)
	if n := testing.AllocsPerRun(1000, asked(t, s, 2)); n != 0 {
		t.Errorf("Entitled: %v allocations", n)
	}
	u := benchUser(0)
	for name, ask := range map[string]func(){
		"Within":   func() { _ = s.Within(t.Context(), u, "file.size", 1, nil) },
		"Number":   func() { _, _ = s.Number(t.Context(), u, "file.size") },
		"Writable": func() { _ = s.Writable(t.Context(), u, "docs") },
	} {
		if n := testing.AllocsPerRun(1000, ask); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkEntitled is the question whether a subject has a feature, beside one read by _id of the same server: what it would
// cost at the very least that asked the database. "x-cheaper" is how many questions one read pays for: 100 and more is expected,
// about 1,000 are measured.
func BenchmarkEntitled(b *testing.B) {
	const subjects, reads = 64, 500
	s, db := benchService(b, subjects)
	ask := asked(b, s, subjects)
	m, found, err := s.store.membership(b.Context(), benchUser(0))
	if err != nil || !found {
		b.Fatal(err)
	}
	coll, read := db.Collection("memberships"), time.Duration(0)
	measure := func() {
		start := time.Now()
		for range reads {
			if _, err := store.FindByID[Membership](b.Context(), coll, m.ID); err != nil {
				b.Fatal(err)
			}
		}
		read += time.Since(start) / reads
	}
	measure()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
	each := float64(b.Elapsed()) / float64(b.N)
	measure() // before and after: neither has a warmer server
	b.ReportMetric(float64(read/2)/each, "x-cheaper")
	b.ReportMetric(float64(read/2), "read-ns")
}

// BenchmarkConsume is the throughput of counting beside that of the least it takes to count: one conditional $inc, majority
// and journaled as all writes are. Consume is a use without a name; Meter one with a name, which is kept, so it is a transaction
// of two writes. All three run in turn, by the same number of goroutines, on counters of their own: one that all want, or many.
// The ratios are to the bare $inc, more is better: 0.5 is expected of both. Run it with -benchtime 1000x.
func BenchmarkConsume(b *testing.B) {
	const subjects = 256
	s, db := benchService(b, subjects)
	bare := db.Database().Collection("bare", options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}))
	for i := range subjects {
		if _, err := bare.InsertOne(b.Context(), bson.D{{Key: "_id", Value: benchUser(i).String()}, {Key: "used", Value: int64(0)}}); err != nil {
			b.Fatal(err)
		}
	}
	inc := func(ctx context.Context, i int) error {
		res, err := bare.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: benchUser(i).String()}, {Key: "used", Value: bson.D{{Key: "$lte", Value: int64(benchLimit - 1)}}}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: int64(1)}}}})
		if err == nil && res.MatchedCount != 1 {
			err = mongo.ErrNoDocuments
		}
		return err
	}
	var names atomic.Int64
	meter := func(ctx context.Context, i int) error {
		u, err := s.Meter(ctx, UseCmd{Subject: benchUser(i), Feature: "calls", Amount: 1, Source: "bench", ID: strconv.FormatInt(names.Add(1), 36)})
		if err == nil && u.Duplicate {
			err = errors.New("counted before")
		}
		return err
	}
	consume := func(ctx context.Context, i int) error { return s.Consume(ctx, benchUser(i), "docs", 1) }
	for _, spread := range []int{1, subjects} {
		for _, parallelism := range []int{1, 16} { // goroutines for each processor
			b.Run(fmt.Sprintf("subjects=%d/goroutines=%dxP", spread, parallelism), func(b *testing.B) {
				b.SetParallelism(parallelism)
				var plain, unnamed, named pace
				const rounds = 3
				for range rounds {
					plain.run(b, spread, inc)
					unnamed.run(b, spread, consume)
					named.run(b, spread, meter)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(unnamed.rate()/plain.rate(), "consume-ratio")
				b.ReportMetric(named.rate()/plain.rate(), "meter-ratio")
				b.ReportMetric(plain.rate(), "bare/s")
				b.ReportMetric(named.commands(), "meter-commands")
				b.Logf("bare %s\nConsume %s\nMeter %s", plain, unnamed, named)
			})
		}
	}
}

// pace is how fast something went.
type pace struct {
	n     int
	took  time.Duration
	count *store.Counter
}

// run does it b.N times, on the subjects in turn.
func (p *pace) run(b *testing.B, spread int, do func(ctx context.Context, i int) error) {
	b.Helper()
	ctx, count := store.WithCounter(actor.With(b.Context(), actor.System()))
	var next atomic.Int64
	start := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := do(ctx, int(next.Add(1))%spread); err != nil {
				b.Error(err)
				return
			}
		}
	})
	p.took += time.Since(start)
	p.n, p.count = p.n+b.N, count
}

func (p pace) rate() float64 { return float64(p.n) / p.took.Seconds() }

// commands is how many commands each took, those of tries that were in vain included; of the last run.
func (p pace) commands() float64 { return float64(p.count.Total()) * 3 / float64(p.n) }

func (p pace) String() string {
	return fmt.Sprintf("%.0f/s, %.2f commands each (%d aborted)", p.rate(), p.commands(), p.count.Count("abortTransaction"))
}
