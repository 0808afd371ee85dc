package analytics

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// soakTime is how long TestSoak runs: some seconds, or what `make soak` asks for.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	asked := os.Getenv("SOAK")
	if asked == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(asked)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// At full ingest, with a folder, sketches, capped dimensions and live reports that are followed, the heap stays as large
// as it was: nothing keeps what has been told. At the end the rollups are what a recount says.
func TestSoak(t *testing.T) {
	w := worldOn(t, storetest.DB(t), Config{})
	w.now = clock.System() // the window of the live reports moves
	m := Metric{Key: "soak", Event: "soak", Value: "v", Unique: "user", Quantiles: true, Dimensions: []string{"page", "user"}, MaxKeys: 100}
	w.define(t, m)
	stop := w.fold(t)
	w.settle(t)

	tail := event.NewTail(w.db, clock.System(), w.cfg.Log)
	var channels []*channel
	for _, q := range []Query{
		{Metric: m.Key, Aggregate: Count, Step: Minute, Last: 30, By: "page", Top: 10, Other: true},
		{Metric: m.Key, Aggregate: Unique, Step: Hour, Last: 2},
		{Metric: m.Key, Aggregate: Quantile, Quantile: 0.9, Step: Minute, Last: 5, Compare: ComparePeriod},
	} {
		_, topics, newSource, _, err := w.ReportChannel(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		c := &channel{src: newSource()}
		if err := c.src.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.cl.whole(c.src.Snapshot().(*Report))
		tail.Follow(w.Follower(c.publish(topics)))
		channels = append(channels, c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tailed, err := tail.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}

	var ended atomic.Bool
	var accepted atomic.Int64
	var clients sync.WaitGroup
	for c := range 2 {
		clients.Go(func() {
			for i := 0; !ended.Load(); i++ {
				cmds := make([]EventCmd, MaxBatch)
				for j := range cmds {
					n := i*MaxBatch + j
					cmds[j] = EventCmd{
						ID: fmt.Sprintf("soak-%d-%d", c, n), Name: "soak", Values: map[string]any{"v": float64(n % 997)},
						Dims: map[string]any{"page": strconv.Itoa(n % 40), "user": strconv.Itoa(n % 5000)},
					}
				}
				accepted.Add(int64(w.track(t, cmds...).Accepted))
			}
		})
	}
	var heap []uint64
	const looks = 12
	look := time.NewTicker(soakTime(t) / looks)
	defer look.Stop()
	for len(heap) < looks {
		<-look.C
		for _, c := range channels {
			c.mu.Lock()
			c.inbox = append(c.inbox, w.now())
			c.mu.Unlock()
			c.step(t)
		}
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		heap = append(heap, s.HeapAlloc>>10)
	}
	ended.Store(true)
	clients.Wait()
	cancel()
	<-tailed
	t.Logf("%d events; heap in KiB: %v", accepted.Load(), heap)
	early, late := slices.Max(heap[looks/4:looks/2]), slices.Min(heap[looks-looks/4:])
	if late > early*3/2+16<<10 {
		t.Errorf("the heap grows: at most %d KiB early, at least %d KiB late", early, late)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := w.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	r, err := w.Report(t.Context(), Query{Metric: m.Key, Aggregate: Count, Step: Day, Last: 2})
	if err != nil || len(r.Totals) != 1 || r.Totals[0].Count != accepted.Load() {
		t.Errorf("Report() = %+v, %v; want %d events", r.Totals, err, accepted.Load())
	}
}
