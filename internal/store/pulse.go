package store

import (
	"slices"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/backendbook/backendbook/internal/fault"
)

// ErrDown tells of a database for which whoever asks would wait in vain. Nothing was begun.
var ErrDown = fault.Define(fault.Unavailable, "DATABASE_DOWN", "the database has been out of reach for some seconds; try again in a moment").With("retryAfter", 1)

// downAfter is longer than an election usually takes: until then it is better to wait for the new primary than to fail.
const downAfter = 5 * time.Second

// pulse follows what the driver's own probes find of the cluster, so that nobody needs to wait for a database that is not there.
type pulse struct {
	lost atomic.Int64 // when there was last a node that takes writes, in Unix nanoseconds; 0 while there is one, and before the first
}

func (p *pulse) monitor() *event.ServerMonitor {
	return &event.ServerMonitor{TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
		takes := func(s event.ServerDescription) bool {
			return slices.Contains([]string{"RSPrimary", "Mongos", "Standalone", "LoadBalancer"}, s.Kind)
		}
		switch had, has := slices.ContainsFunc(e.PreviousDescription.Servers, takes), slices.ContainsFunc(e.NewDescription.Servers, takes); {
		case has:
			p.lost.Store(0)
		case had:
			p.lost.Store(time.Now().UnixNano()) //nolint:forbidigo // how long, by the machine's clock
		}
	}}
}

// Down says so when no node has taken writes for some seconds. It answers from memory; the driver goes on probing, twice a second,
// and the first node it finds ends this.
//
// Errors: DATABASE_DOWN.
func (d *DB) Down() error {
	if lost := d.pulse.lost.Load(); lost > 0 && time.Since(time.Unix(0, lost)) > downAfter {
		return ErrDown
	}
	return nil
}
