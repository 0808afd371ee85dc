package session

import (
	"log/slog"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
)

// BenchmarkResolveWarm compares an answer from memory with one read of MongoDB by id, and reports how many times faster
// it is, for a session, for the access token of one that has the token before beside it, and for a key. The target is 100, without an allocation.
func BenchmarkResolveWarm(b *testing.B) {
	n := setUp(b, Config{})
	n.Service = New(n.db, event.NewLog(n.db, clock.System()), clock.System(), slog.New(slog.DiscardHandler), Config{Recheck: time.Hour})
	s, token := n.warm(b, "ada")
	_, key := n.mint(b, "ada", "plan.read", "plan.write")
	_, pair := n.pair(b, "ada")
	access := n.mustRefresh(b, pair.Refresh).Token
	const reads = 300
	began := time.Now()
	for range reads {
		if _, _, err := n.store.byID(b.Context(), s.ID); err != nil {
			b.Fatal(err)
		}
	}
	read := time.Since(began) / reads

	for name, secret := range map[string]string{"session": token, "access": access, "key": key} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			n.mustResolve(b, secret)
			b.ReportAllocs()
			began := time.Now()
			for b.Loop() {
				if _, err := n.Resolve(ctx, secret); err != nil {
					b.Fatal(err)
				}
			}
			each := time.Since(began) / time.Duration(b.N)
			b.ReportMetric(float64(read.Nanoseconds()), "ns/read")
			b.ReportMetric(float64(read)/float64(max(each, 1)), "x-faster-than-read")
		})
	}
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
