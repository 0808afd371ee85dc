package analytics

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// recountLot is how many rollups a recount commits at once.
const recountLot = 2000

// recount computes the rollups of a metric anew from the events stored as of now. They are replaced in place, a lot at a
// time, and what is left of an older definition is removed at the end; only then is the metric noted as folded, so a
// recount that dies is done again. The events that the stream brings from before are then left out.
//
// Events are read by time, so no more than the rollups of one lot and one minute are in memory. Cost: one scan of the
// events of that name.
func (f *folder) recount(ctx context.Context, m Metric) error {
	now, err := f.s.db.ClusterTime(ctx)
	if err != nil {
		return err
	}
	rev := f.cp.Rev + 1 // of the first lot: rollups with an older one are left over
	events, rows, err := f.recountAsOf(ctx, m, now)
	if err != nil {
		return err
	}
	err = f.s.store.outdated(ctx, m.Key, rev, func(ids []rollupID) error {
		return f.move(ctx, f.cp.next(), write{remove: ids})
	})
	if err != nil {
		return err
	}
	next := f.cp.next().with(folded{Key: m.Key, Version: m.Version, AsOf: now})
	err = f.move(ctx, next, write{also: func(ctx context.Context) error {
		fact := recounted{Version: m.Version, Events: events, Rows: rows}
		return f.s.events.Append(ctx, eventFolded, ref.New(ref.Metric, m.Key), fact)
	}})
	if err != nil {
		return err
	}
	f.s.cfg.Log.InfoContext(ctx, "analytics_metric_recounted", "metric", m.Key, "version", m.Version, "events", events, "rows", rows)
	return nil
}

type recounted struct {
	Version int64 `bson:"version"`
	Events  int64 `bson:"events"`
	Rows    int64 `bson:"rows"`
}

func (f *folder) recountAsOf(ctx context.Context, m Metric, at timestamp) (events, rows int64, err error) {
	lot := rollups{}
	minute := time.Time{}
	commit := func() error {
		rows += int64(len(lot))
		err := f.move(ctx, f.cp.next(), write{replace: lot})
		clear(lot)
		return err
	}
	err = f.s.store.asOf(ctx, at, func(snapshot context.Context) error {
		return f.s.store.eachEvent(snapshot, m.Event, func(e Event) error {
			// A rollup may be written only when its minute is over, for it replaces the one before.
			if t := e.At.Truncate(time.Minute); !t.Equal(minute) {
				minute = t
				if len(lot) >= recountLot {
					if err := commit(); err != nil {
						return err
					}
				}
			}
			events++
			lot.observe(m, e)
			return nil
		})
	})
	if err == nil && len(lot) > 0 {
		err = commit()
	}
	return events, rows, err
}

// next is the checkpoint one write later, at the same place in the stream.
func (c checkpoint) next() checkpoint {
	c.Rev++
	return c
}
