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
// Where events are no longer kept, the rollups of before stay as they are, if they still count the same.
//
// Events are read by time, so no more than the rollups of one lot and of one day are in memory. Cost: one scan of the
// events of that name.
func (f *folder) recount(ctx context.Context, m *Metric) error {
	now, err := f.s.db.ClusterTime(ctx)
	if err != nil {
		return err
	}
	before, _ := f.cp.entry(m.Key)
	done := folded{Key: m.Key, Version: m.Version, Basis: m.Basis, AsOf: now}
	done.MinuteFrom, done.HourFrom = f.floor(m, byMinute, before.MinuteFrom), f.floor(m, byHour, before.HourFrom)
	from := f.cp.eventsSince(m.Event)
	rev := f.cp.Rev + 1 // of the first lot: rollups with an older one are left over
	events, rows, err := f.recountAsOf(ctx, m, done, from)
	if err != nil {
		return err
	}
	left := outdated{metric: m, rev: rev, until: from}
	if before.Basis != m.Basis {
		left.until = time.Time{}
	}
	err = f.s.store.outdated(ctx, left, func(ids []rawID) error {
		return f.move(ctx, f.cp.next(), write{remove: ids})
	})
	if err != nil {
		return err
	}
	err = f.move(ctx, f.cp.next().with(done), write{also: func(ctx context.Context) error {
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

func (f *folder) recountAsOf(ctx context.Context, m *Metric, done folded, from time.Time) (events, rows int64, err error) {
	open := rollups{}
	minute := time.Time{}
	// A rollup is written only when its time is over, for it replaces the one before.
	commit := func(until time.Time) error {
		lot := rollups{}
		for k, c := range open {
			if until.IsZero() || k.over(until) {
				lot[k] = c
			}
		}
		rows += int64(len(lot))
		if err := f.move(ctx, f.cp.next(), write{replace: lot}); err != nil {
			return err
		}
		for k := range lot {
			delete(open, k)
		}
		return nil
	}
	enough := recountLot
	err = f.s.store.asOf(ctx, done.AsOf, func(snapshot context.Context) error {
		return f.s.store.eachEvent(snapshot, m.Event, from, time.Time{}, nil, func(e Event) error {
			if t := e.At.Truncate(time.Minute); !t.Equal(minute) {
				minute = t
				if len(open) >= enough {
					if err := commit(minute); err != nil {
						return err
					}
					enough = len(open) + recountLot // what stays open does not count
				}
			}
			if open.observe(m, &e, done, f.keys) {
				events++
			}
			return nil
		})
	})
	if err == nil && len(open) > 0 {
		err = commit(time.Time{})
	}
	return events, rows, err
}

// next is the checkpoint one write later, at the same place in the stream.
func (c checkpoint) next() checkpoint {
	c.Rev++
	return c
}
