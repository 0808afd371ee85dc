package analytics

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/clock"
)

// collection imitates the collection of rollups and the changes that its change stream brings.
type collection struct {
	rows map[rollupKey]row
	rev  int64
	log  []RollupChange
}

type row struct {
	cell cell
	rev  int64
}

// write puts a cell and logs what MongoDB would tell: all of it after an insert or a replace, else the changed fields.
func (c *collection) write(k rollupKey, v cell, replace bool) {
	c.rev++
	old, found := c.rows[k]
	ch := RollupChange{
		Metric: k.metric, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), Rev: c.rev, whole: !found || replace,
		n: &v.n, c: &v.c, sum: &v.sum, min: &v.min, max: &v.max,
	}
	if !ch.whole {
		ch.n, ch.c = changed(old.cell.n, v.n), changed(old.cell.c, v.c)
		ch.sum, ch.min, ch.max = changed(old.cell.sum, v.sum), changed(old.cell.min, v.min), changed(old.cell.max, v.max)
	}
	c.rows[k] = row{v, c.rev}
	c.log = append(c.log, ch)
}

func changed[T comparable](old, v T) *T {
	if old == v {
		return nil
	}
	return &v
}

func (c *collection) remove(k rollupKey) {
	delete(c.rows, k)
	c.log = append(c.log, RollupChange{Metric: k.metric, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), removed: true})
}

// read is what a source loads.
func (c *collection) read(_ context.Context, q Query, from time.Time) (loaded, error) {
	l := loaded{exact: true}
	for k, r := range c.rows {
		if k.dim == q.By && k.at >= from.UnixMilli() {
			v := r.cell
			l.rows = append(l.rows, RollupChange{
				Metric: k.metric, Dim: k.dim, Key: k.key, At: time.UnixMilli(k.at).UTC(), Rev: r.rev, whole: true,
				n: &v.n, c: &v.c, sum: &v.sum, min: &v.min, max: &v.max,
			})
		}
	}
	return l, nil
}

// report computes the same report naively.
func (c *collection) report(q Query, now time.Time) []string {
	from, to := q.window(now)
	type place struct {
		at  time.Time
		key string
	}
	cells, counts := map[place]*cell{}, map[string]int64{}
	for k, r := range c.rows {
		at := time.UnixMilli(k.at).UTC()
		if k.dim != q.By || at.Before(from) || !at.Before(to) {
			continue
		}
		p := place{at.Truncate(q.Step.Duration()), k.key}
		if cells[p] == nil {
			cells[p] = &cell{}
		}
		cells[p].add(r.cell)
		counts[k.key] += r.cell.n
	}
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	if q.By != "" && len(keys) > q.Top {
		keys = keys[:q.Top]
	}
	points := []Point{}
	for p, v := range cells {
		if slices.Contains(keys, p.key) {
			points = append(points, v.point(p.at, p.key, q.Aggregate))
		}
	}
	slices.SortFunc(points, func(a, b Point) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return texts(points)
}

// client folds what it is sent, by the rules that the schema states.
type client struct {
	from, to time.Time
	points   map[string]Point
}

func (c *client) whole(r *Report) {
	c.from, c.to, c.points = r.From, r.To, map[string]Point{}
	c.put(r.Points)
}

func (c *client) put(points []Point) {
	for _, p := range points {
		c.points[p.At.String()+p.Key] = p
	}
}

func (c *client) delta(d *ReportDelta) {
	c.from, c.to = d.From, d.To
	for at, p := range c.points {
		if p.At.Before(d.From) || slices.Contains(d.Dropped, p.Key) {
			delete(c.points, at)
		}
	}
	c.put(d.Points)
}

func (c *client) texts() []string {
	var all []Point
	for _, p := range c.points {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Point) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return texts(all)
}

// Whatever changes come, however late or often, a live report is the report; so is what a client makes of its deltas,
// joined or not.
func TestLiveReportIsTheReport(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q, err := Query{
			Metric:    delays.Key,
			Aggregate: rapid.SampledFrom([]Aggregate{Count, Sum, Avg, Min, Max}).Draw(t, "aggregate"),
			Step:      rapid.SampledFrom([]Step{Minute, Minute, Hour, Day}).Draw(t, "step"),
			Last:      rapid.IntRange(1, 4).Draw(t, "last"),
			By:        rapid.SampledFrom([]string{"", "origin"}).Draw(t, "by"),
			Top:       rapid.IntRange(1, 3).Draw(t, "top"),
		}.check(delays)
		if err != nil {
			t.Fatal(err)
		}
		c := &collection{rows: map[rollupKey]row{}}
		now := clock.NewManual(t0)
		src := &ReportSource{q: q, now: now.Now, read: c.read}
		var cl client
		var pending any // a delta not yet sent
		told := 0       // of c.log
		seen := 0       // of c.log: in the state already
		load := func() {
			if err := src.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			pending, seen = nil, len(c.log)
			cl.whole(src.Snapshot().(*Report))
		}
		send := func() {
			if pending != nil {
				cl.delta(pending.(*ReportDelta))
				pending = nil
			}
		}
		apply := func(change any) {
			d := src.Apply(change)
			switch {
			case d == nil:
			case pending == nil:
				pending = d
			case rapid.Bool().Draw(t, "merge"):
				pending = src.Merge(pending, d)
			default:
				send()
				pending = d
			}
			if src.Stale() {
				load()
			}
		}
		anyKey := func() rollupKey {
			k := rollupKey{metric: delays.Key, dim: q.By}
			if q.By != "" {
				k.key = rapid.SampledFrom([]string{"A", "B", "C", "D", "E"}).Draw(t, "key")
			}
			back := time.Duration(rapid.IntRange(-2, 4).Draw(t, "minutes back")) * time.Minute
			if q.Step != Minute && rapid.Bool().Draw(t, "far") {
				back *= 60
			}
			k.at = now.Now().Add(-back).Truncate(time.Minute).UnixMilli()
			return k
		}
		stored := func() (rollupKey, bool) {
			var all []rollupKey
			for k := range c.rows {
				all = append(all, k)
			}
			if len(all) == 0 {
				return rollupKey{}, false
			}
			slices.SortFunc(all, rollupKey.compare) // rapid wants the same choice from the same seed
			return rapid.SampledFrom(all).Draw(t, "stored"), true
		}
		load()
		t.Repeat(map[string]func(*rapid.T){
			"flush": func(t *rapid.T) {
				for range rapid.IntRange(1, 4).Draw(t, "events") {
					k := anyKey()
					v := c.rows[k].cell
					v.observe(float64(rapid.IntRange(-3, 3).Draw(t, "value")), rapid.IntRange(0, 3).Draw(t, "measured") > 0)
					c.write(k, v, false)
				}
			},
			"recount": func(t *rapid.T) {
				if k, ok := stored(); ok {
					c.write(k, cell{n: 2, c: 1, sum: 1, min: 1, max: 1}, true)
				}
			},
			"remove": func(t *rapid.T) {
				if k, ok := stored(); ok && rapid.IntRange(0, 3).Draw(t, "seldom") == 0 {
					c.remove(k)
				}
			},
			"tell": func(t *rapid.T) {
				for n := rapid.IntRange(1, 5).Draw(t, "changes"); n > 0 && told < len(c.log); n-- {
					apply(now.Now())
					if told < seen && !slices.ContainsFunc(c.log, func(ch RollupChange) bool { return ch.removed }) {
						if d := src.Apply(c.log[told]); d != nil {
							t.Fatalf("a change of before gave %+v", d)
						}
					} else {
						apply(c.log[told])
					}
					told++
					seen = max(seen, told)
				}
			},
			"tell again": func(t *rapid.T) { // from an earlier point, in order
				told -= rapid.IntRange(0, min(told, 6)).Draw(t, "back")
			},
			"load": func(*rapid.T) { load() }, // sees changes that are told later
			"time": func(t *rapid.T) {
				now.Advance(time.Duration(rapid.IntRange(1, 150).Draw(t, "seconds")) * time.Second)
			},
			"leap": func(t *rapid.T) {
				now.Advance(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
			},
			"tick": func(*rapid.T) { apply(now.Now()) },
			"": func(t *rapid.T) {
				if t.Failed() || rapid.IntRange(0, 9).Draw(t, "look") > 0 {
					return
				}
				for ; told < len(c.log); told++ {
					apply(c.log[told])
				}
				seen = told
				apply(now.Now())
				send()
				want := c.report(q, now.Now())
				if got := texts(src.Snapshot().(*Report).Points); !slices.Equal(got, want) {
					t.Fatalf("source\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
				}
				if got := cl.texts(); !slices.Equal(got, want) {
					t.Fatalf("client\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
				}
				if from, to := q.window(now.Now()); !cl.from.Equal(from) || !cl.to.Equal(to) {
					t.Fatalf("client shows %v to %v, want %v to %v", cl.from, cl.to, from, to)
				}
			},
		})
	})
}
