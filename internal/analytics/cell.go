package analytics

import (
	"fmt"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	ddstore "github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/axiomhq/hyperloglog"
)

// cell holds the counters of some events.
type cell struct {
	n, c          int64   // events; events that carry the value
	sum, min, max float64 // of the value; without meaning while c is 0, as what follows
	lastAt        int64   // of the latest event that carries it, unix ms
	last          float64 // its value; the greatest of several
	uniques       *hyperloglog.Sketch
	spread        *ddsketch.DDSketch // of the value
}

// sample is what of an event is counted.
type sample struct {
	at       int64 // unix ms
	value    float64
	measured bool   // whether there is a value
	unique   []byte // what is counted once; nil for nothing
	spread   bool   // whether the distribution of the value is kept
}

// observe counts one event.
func (c *cell) observe(s sample) {
	c.n++
	if s.measured {
		c.add(cell{c: 1, sum: s.value, min: s.value, max: s.value, lastAt: s.at, last: s.value})
		if s.spread {
			if c.spread == nil {
				c.spread = newSpread()
			}
			_ = c.spread.Add(s.value) // only a value that no event may have is refused
		}
	}
	if s.unique != nil {
		if c.uniques == nil {
			c.uniques = hyperloglog.New14()
		}
		c.uniques.Insert(s.unique)
	}
}

// add counts the events of o too.
func (c *cell) add(o cell) {
	if o.c > 0 {
		if c.c == 0 {
			c.min, c.max, c.lastAt, c.last = o.min, o.max, o.lastAt, o.last
		}
		c.min, c.max = min(c.min, o.min), max(c.max, o.max)
		if o.lastAt > c.lastAt || o.lastAt == c.lastAt && o.last > c.last {
			c.lastAt, c.last = o.lastAt, o.last
		}
	}
	c.n, c.c, c.sum = c.n+o.n, c.c+o.c, c.sum+o.sum
	switch {
	case o.uniques == nil:
	case c.uniques == nil:
		c.uniques = o.uniques.Clone()
	default:
		_ = c.uniques.Merge(o.uniques) // fails only on another precision, and there is one
	}
	switch {
	case o.spread == nil:
	case c.spread == nil:
		c.spread = o.spread.Copy()
	default:
		_ = c.spread.MergeWith(o.spread) // likewise
	}
}

// value is the cell as the number a query asks for; nil when there is none. width is that of its bucket.
func (c *cell) value(q *Query, width time.Duration) *float64 {
	var v float64
	switch q.Aggregate {
	case Count:
		v = float64(c.n)
	case Rate:
		v = float64(c.n) / width.Seconds()
	case Unique:
		if c.uniques != nil {
			v = float64(c.uniques.Estimate())
		}
	case Quantile:
		if c.spread == nil || c.c == 0 {
			return nil
		}
		var err error
		if v, err = c.spread.GetValueAtQuantile(q.Quantile); err != nil {
			return nil // it is empty
		}
		v = min(max(v, c.min), c.max) // the estimate of an extreme may lie beyond it
	case Sum, Avg, Min, Max, Last:
		if c.c == 0 {
			return nil
		}
		switch q.Aggregate { //nolint:exhaustive // those of the outer case
		case Sum:
			v = c.sum
		case Avg:
			v = c.sum / float64(c.c)
		case Min:
			v = c.min
		case Max:
			v = c.max
		case Last:
			v = c.last
		}
	}
	return &v
}

// spreadMapping must never change: it gives the bins of stored sketches their meaning.
var spreadMapping = must(mapping.NewLogarithmicMapping(quantileError))

func must(m *mapping.LogarithmicMapping, err error) *mapping.LogarithmicMapping {
	if err != nil {
		panic(err) // a constant is wrong
	}
	return m
}

func newSpread() *ddsketch.DDSketch {
	return ddsketch.NewDDSketchFromStoreProvider(spreadMapping, ddstore.BufferedPaginatedStoreConstructor)
}

// The first byte of a stored sketch is the form of the rest.
const sketchForm = 1

func uniquesBytes(s *hyperloglog.Sketch) ([]byte, error) {
	if s == nil {
		return nil, nil
	}
	return s.AppendBinary([]byte{sketchForm})
}

func spreadBytes(s *ddsketch.DDSketch) []byte {
	if s == nil {
		return nil
	}
	b := []byte{sketchForm}
	s.Encode(&b, true)
	return b
}

func uniquesFrom(b []byte) (*hyperloglog.Sketch, error) {
	if len(b) == 0 {
		return nil, nil //nolint:nilnil // none is a value here
	}
	if b[0] != sketchForm {
		return nil, errSketch(b[0])
	}
	s := hyperloglog.New14()
	return s, s.UnmarshalBinary(b[1:])
}

func spreadFrom(b []byte) (*ddsketch.DDSketch, error) {
	if len(b) == 0 {
		return nil, nil //nolint:nilnil // none is a value here
	}
	if b[0] != sketchForm {
		return nil, errSketch(b[0])
	}
	return ddsketch.DecodeDDSketch(b[1:], ddstore.BufferedPaginatedStoreConstructor, spreadMapping)
}

func errSketch(form byte) error { return fmt.Errorf("analytics: a sketch of form %d", form) }
