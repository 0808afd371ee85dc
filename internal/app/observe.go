package app

import (
	"context"
	"runtime"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/presence"
)

// The bounds of the watch on the folder. A folder that died is replaced by another node well within the limit.
const (
	folderEvery = 5 * time.Second
	folderLimit = 30 * time.Second
)

// watchFolder asks now and then that all events stored so far be in the reports, and notes when that was so.
func (a *App) watchFolder(ctx context.Context) {
	for clock.Sleep(ctx, folderEvery) {
		began := a.now()
		probe, cancel := context.WithTimeout(ctx, folderLimit)
		if a.analytics.Settled(probe) == nil {
			a.folded.Store(began.UnixMilli())
		}
		cancel()
	}
}

// folderAge is how old what the reports say may be.
func (a *App) folderAge() time.Duration { return a.now().Sub(time.UnixMilli(a.folded.Load())) }

// measure registers the numbers that are asked for when they are read.
func (a *App) measure() {
	a.metrics.Checks(a.health)
	a.metrics.Gauge("change_stream_lag_seconds", "Since the change stream last answered.", func() float64 { return a.tail.Lag().Seconds() })
	a.metrics.Counter("change_stream_history_lost_total", "How often changes were missed for good.", func() float64 { return float64(a.tail.Lost()) })
	a.metrics.Gauge("folder_age_seconds", "Since all events stored were seen to be in the reports.", func() float64 { return a.folderAge().Seconds() })
	a.metrics.Gauge("policy_revision", "Revision of the rights in force on this node.", func() float64 { return float64(a.roles.Rev()) })
	a.metrics.Gauge("live_sources", "Channels that are computed.", func() float64 { return float64(a.hub.Stats().Sources) })
	a.metrics.Gauge("live_streams", "Subscribers.", func() float64 { return float64(a.hub.Stats().Streams) })
	a.metrics.Counter("live_frames_total", "Messages made, each for all who follow.", func() float64 { return float64(a.hub.Stats().Frames) })
	a.metrics.Counter("live_lagged_total", "Times a subscriber could not take a message.", func() float64 { return float64(a.hub.Stats().Lagged) })
	a.metrics.Counter("live_merged_total", "Messages that told several changes as one.", func() float64 { return float64(a.hub.Stats().Merged) })
	a.metrics.Counter("live_resumed_total", "Channels that went on where they had been.", func() float64 { return float64(a.hub.Stats().Resumed) })
	a.metrics.Counter("live_resyncs_total", "Times a subscriber had to begin again.", func() float64 { return float64(a.hub.Stats().Resyncs) })
	a.metrics.Gauge("sockets_open", "WebSockets.", func() float64 { return float64(a.sockets.Stats().Open) })
	a.metrics.Counter("sockets_delivered_total", "Messages queued for WebSockets.", func() float64 { return float64(a.sockets.Stats().Delivered) })
	a.metrics.Counter("sockets_refused_total", "Messages a full queue refused.", func() float64 { return float64(a.sockets.Stats().Refused) })
	a.metrics.Counter("sockets_slow_total", "WebSockets cut for not reading.", func() float64 { return float64(a.sockets.Stats().Slow) })
}

// stats is what this node tells the others of itself.
func (a *App) stats() presence.Stats {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	hub, sockets := a.hub.Stats(), a.sockets.Stats()
	return presence.Stats{
		Version: Version(), Goroutines: runtime.NumGoroutine(), HeapBytes: int64(mem.HeapAlloc), //nolint:gosec // far below 1<<63
		StreamLagMs: a.tail.Lag().Milliseconds(), ChangesMissed: a.tail.Lost(),
		Sockets: sockets.Open, Delivered: sockets.Delivered, Refused: sockets.Refused, SlowClosed: sockets.Slow,
		Streams: hub.Streams, Sources: hub.Sources, Frames: hub.Frames, Merged: hub.Merged, Resumed: hub.Resumed, Resyncs: hub.Resyncs,
	}
}

// resync has every live client begin anew when changes were missed.
func (a *App) resync() event.Follower {
	return event.Follower{Name: "live", OnLost: func(context.Context) {
		a.hub.Resync()
		a.hub.Recheck(nil)
	}}
}
