package analytics

import (
	"context"
	"errors"
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
	before, _ := f.cp.entry(m.Key)
	c := recounting{f: f, m: m, open: rollups{}, enough: recountLot}
	c.done = folded{Key: m.Key, Version: m.Version, Basis: m.Basis}
	c.done.MinuteFrom, c.done.HourFrom = f.floor(m, byMinute, before.MinuteFrom), f.floor(m, byHour, before.HourFrom)
	from := f.cp.eventsSince(m.Event)
	rev := f.cp.Rev + 1 // of the first lot: rollups with an older one are left over
	if err := c.run(ctx, from); err != nil {
		return err
	}
	left := outdated{metric: m, rev: rev, until: from}
	if before.Basis != m.Basis {
		left.until = time.Time{}
	}
	err := f.s.store.outdated(ctx, left, func(ids []rawID) error {
		return f.move(ctx, f.cp.next(), write{remove: ids})
	})
	if err != nil {
		return err
	}
	err = f.move(ctx, f.cp.next().with(c.done), write{also: func(ctx context.Context) error {
		fact := recounted{Version: m.Version, Events: c.events, Rows: c.rows}
		return f.s.events.Append(ctx, eventFolded, ref.New(ref.Metric, m.Key), fact)
	}})
	if err != nil {
		return err
	}
	f.s.cfg.Log.InfoContext(ctx, "analytics_metric_recounted", "metric", m.Key, "version", m.Version, "events", c.events, "rows", c.rows,
		"parts", len(c.done.Parts)+1)
	return nil
}

type recounted struct {
	Version int64 `bson:"version"`
	Events  int64 `bson:"events"`
	Rows    int64 `bson:"rows"`
}

// recounting is a recount under way.
type recounting struct {
	f    *folder
	m    *Metric
	done folded

	open         rollups // whose time is not over
	enough       int     // of them for a commit
	minute       time.Time
	events, rows int64
}

// errPart ends the reading of a part.
var errPart = errors.New("analytics: read on as of later")

// run counts the events that happened from a time on. The server keeps what was for some minutes only, so they are read in
// parts by when they happened, each as of a moment of its own. A rollup that two parts share stays open between them.
func (c *recounting) run(ctx context.Context, from time.Time) error {
	for {
		var err error
		if c.done.AsOf, err = c.f.s.db.ClusterTime(ctx); err != nil {
			return err
		}
		next, err := c.part(ctx, from)
		if errors.Is(err, errPart) {
			c.done.Parts = append(c.done.Parts, part{Before: next, AsOf: c.done.AsOf})
			from = next
			continue
		}
		if err == nil && len(c.open) > 0 {
			err = c.commit(ctx, time.Time{})
		}
		return err
	}
}

// part counts events as of done.AsOf, of at least one moment and for about [Config.RecountFor]: then the error is errPart,
// and next is when the first event happened that was not counted.
func (c *recounting) part(ctx context.Context, from time.Time) (next time.Time, err error) {
	begin, last := machine(), time.Time{}
	err = c.f.s.db.AsOf(ctx, c.done.AsOf, func(snapshot context.Context) error {
		return c.f.s.store.eachEvent(snapshot, c.m.Event, from, time.Time{}, nil, func(e Event) error {
			if !last.IsZero() && !e.At.Equal(last) && machine().Sub(begin) > c.f.s.cfg.RecountFor {
				next = e.At
				return errPart
			}
			last = e.At
			return c.count(ctx, &e)
		})
	})
	return next, err
}

func (c *recounting) count(ctx context.Context, e *Event) error {
	if t := e.At.Truncate(time.Minute); !t.Equal(c.minute) {
		c.minute = t
		if len(c.open) >= c.enough {
			if err := c.commit(ctx, t); err != nil {
				return err
			}
			c.enough = len(c.open) + recountLot // what stays open does not count
		}
	}
	if c.open.observe(c.m, e, c.done, c.f.keys) {
		c.events++
	}
	return nil
}

// commit writes the rollups whose time is over, for they replace the ones before; all of them if until is zero.
func (c *recounting) commit(ctx context.Context, until time.Time) error {
	lot := rollups{}
	for k, v := range c.open {
		if until.IsZero() || k.over(until) {
			lot[k] = v
		}
	}
	c.rows += int64(len(lot))
	if err := c.f.move(ctx, c.f.cp.next(), write{replace: lot}); err != nil {
		return err
	}
	for k := range lot {
		delete(c.open, k)
	}
	return nil
}

// next is the checkpoint one write later, at the same place in the stream.
func (c checkpoint) next() checkpoint {
	c.Rev++
	return c
}
