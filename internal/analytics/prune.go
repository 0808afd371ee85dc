package analytics

import (
	"context"
	"slices"
	"time"
)

const (
	pruneLot   = 5000 // events deleted at once
	pruneSlack = 24 * time.Hour
)

// floor is from when on rollups of a resolution are kept: the begin of a day, and never before it was.
func (f *folder) floor(m *Metric, r resolution, was time.Time) time.Time {
	keep := m.MinuteDays
	if r == byHour {
		keep = m.HourDays
	}
	t := time.UnixMilli(byDay.start(f.s.now().AddDate(0, 0, -keep))).UTC()
	if was.After(t) {
		return was.UTC()
	}
	return t
}

// prune lets go what is older than it is to be kept. What is given up is noted first: a deletion that was cut short is
// only a few rows that nobody reads, and is finished the next time.
// It reports whether there is more to do: folding goes on in between.
func (f *folder) prune(ctx context.Context) (more bool, err error) {
	if err := f.pruneRollups(ctx); err != nil {
		return false, err
	}
	days, err := f.s.keep(ctx)
	if err != nil {
		return false, err
	}
	for name, keep := range days {
		if keep <= 0 {
			continue
		}
		before := time.UnixMilli(byDay.start(f.s.now().AddDate(0, 0, -keep))).UTC()
		if before.After(f.cp.eventsSince(name)) {
			next := f.cp.next()
			next.Pruned = append(slices.DeleteFunc(slices.Clone(next.Pruned), func(p pruned) bool { return p.Name == name }), pruned{name, before})
			if err := f.move(ctx, next, write{}); err != nil {
				return false, err
			}
		}
		n, err := f.s.store.dropEvents(ctx, name, f.cp.eventsSince(name), pruneLot)
		if err != nil {
			return false, err
		}
		if n > 0 {
			f.s.cfg.Log.InfoContext(ctx, "analytics_events_pruned", "event", name, "count", n)
		}
		more = more || n == pruneLot
	}
	return more, nil
}

// pruneRollups moves the begin of what is kept, once it is a day behind.
func (f *folder) pruneRollups(ctx context.Context) error {
	for _, defs := range f.defs {
		for _, m := range defs {
			done, ok := f.cp.of(*m)
			if !ok {
				continue
			}
			next := done
			next.MinuteFrom, next.HourFrom = f.floor(m, byMinute, done.MinuteFrom), f.floor(m, byHour, done.HourFrom)
			if next.MinuteFrom.Sub(done.MinuteFrom) < pruneSlack && next.HourFrom.Sub(done.HourFrom) < pruneSlack {
				continue
			}
			if err := f.move(ctx, f.cp.next().with(next), write{}); err != nil {
				return err
			}
			for _, dim := range append([]string{""}, m.Dimensions...) {
				for _, r := range []resolution{byMinute, byHour} {
					if err := f.s.store.dropRollups(ctx, m.Key, r, dim, time.UnixMilli(next.since(r))); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
