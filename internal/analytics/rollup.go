package analytics

import "time"

// cell holds the counters of some events.
type cell struct {
	n, c          int64   // events; events that carry the value
	sum, min, max float64 // of the value; without meaning while c is 0
}

// observe counts one event.
func (c *cell) observe(value float64, measured bool) {
	c.n++
	if measured {
		c.add(cell{c: 1, sum: value, min: value, max: value})
	}
}

// add counts the events of o too.
func (c *cell) add(o cell) {
	if o.c > 0 {
		if c.c == 0 {
			c.min, c.max = o.min, o.max
		}
		c.min, c.max = min(c.min, o.min), max(c.max, o.max)
	}
	c.n, c.c, c.sum = c.n+o.n, c.c+o.c, c.sum+o.sum
}

// point is the cell as one number of a report.
func (c cell) point(at time.Time, key string, agg Aggregate) Point {
	p := Point{At: at, Key: key, Count: c.n}
	v := float64(c.n)
	if agg != Count {
		if c.c == 0 {
			return p
		}
		switch agg {
		case Sum:
			v = c.sum
		case Avg:
			v = c.sum / float64(c.c)
		case Min:
			v = c.min
		case Max:
			v = c.max
		case Count:
		}
	}
	p.Value = &v
	return p
}

// rollupKey names a rollup: the events of a metric in one minute, all of them or those with one value of a dimension.
type rollupKey struct {
	metric string
	dim    string // empty for the total
	at     int64  // begin of the minute, unix ms
	key    string // value of the dimension
}

// rollups are cells in memory, by what they count.
type rollups map[rollupKey]*cell

// observe counts an event for a metric.
func (r rollups) observe(m Metric, e Event) {
	value, measured := e.Values[m.Value] // no value has the empty name
	at := e.At.Truncate(time.Minute).UnixMilli()
	r.cell(rollupKey{metric: m.Key, at: at}).observe(value, measured)
	for _, d := range m.Dimensions {
		if key, ok := e.Dims[d]; ok {
			r.cell(rollupKey{metric: m.Key, dim: d, at: at, key: key}).observe(value, measured)
		}
	}
}

func (r rollups) cell(k rollupKey) *cell {
	c := r[k]
	if c == nil {
		c = &cell{}
		r[k] = c
	}
	return c
}
