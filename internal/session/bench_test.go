package session

import (
	"log/slog"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
)

// BenchmarkResolveWarm compares an answer from memory with one read of MongoDB by id, and reports how many times faster
// it is. The target is 100.
func BenchmarkResolveWarm(b *testing.B) {
	n := setUp(b, Config{})
	n.Service = New(n.db, event.NewLog(n.db, clock.System()), clock.System(), slog.New(slog.DiscardHandler), Config{Recheck: time.Hour})
	s, token := n.warm(b, "ada")
	const reads = 300
	began := time.Now()
	for range reads {
		if _, _, err := n.store.byID(b.Context(), s.ID); err != nil {
			b.Fatal(err)
		}
	}
	read := time.Since(began) / reads

	ctx := b.Context()
	b.ReportAllocs()
	began = time.Now()
	for b.Loop() {
		if _, err := n.Resolve(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
	each := time.Since(began) / time.Duration(b.N)
	b.ReportMetric(float64(read.Nanoseconds()), "ns/read")
	b.ReportMetric(float64(read)/float64(max(each, 1)), "x-faster-than-read")
}

func BenchmarkResolveWarmParallel(b *testing.B) {
	n := setUp(b, Config{})
	n.Service = New(n.db, event.NewLog(n.db, clock.System()), clock.System(), slog.New(slog.DiscardHandler), Config{Recheck: time.Hour})
	_, token := n.warm(b, "ada")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := n.Resolve(b.Context(), token); err != nil {
				b.Error(err)
			}
		}
	})
}
