package analytics

import "time"

// rollupKey names a rollup: the events of a metric in one minute, hour or day of UTC, all of them or those with one value
// of a dimension.
type rollupKey struct {
	metric string
	res    resolution
	dim    string // empty for the total
	at     int64  // begin, unix ms
	key    string // value of the dimension
}

// over reports whether its time is over at t.
func (k rollupKey) over(t time.Time) bool { return k.at+k.res.width().Milliseconds() <= t.UnixMilli() }

// rollups are cells in memory, by what they count.
type rollups map[rollupKey]*cell

// observe counts an event for a metric, in the resolutions that are still kept for its time. It reports false when the
// event is none of the metric's.
func (r rollups) observe(m *Metric, e *Event, kept folded, keys keySets) bool {
	if !allHold(m.Where, e.Dims) {
		return false
	}
	s := sample{at: e.At.UnixMilli(), unique: m.unique(e), spread: m.Quantiles}
	s.value, s.measured = e.Values[m.Value] // no value has the empty name
	for _, res := range resolutions {
		at := res.start(e.At)
		if at < kept.since(res) {
			continue
		}
		r.cell(rollupKey{metric: m.Key, res: res, at: at}).observe(s)
		for _, d := range m.Dimensions {
			if v, ok := e.Dims[d]; ok {
				r.cell(rollupKey{metric: m.Key, res: res, dim: d, at: at, key: keys.admit(m, d, v)}).observe(s)
			}
		}
	}
	return true
}

func (r rollups) cell(k rollupKey) *cell {
	c := r[k]
	if c == nil {
		c = &cell{}
		r[k] = c
	}
	return c
}

// unique is what of the event is counted once.
func (m *Metric) unique(e *Event) []byte {
	var v string
	switch m.Unique {
	case "":
	case UniqueActor:
		v = e.Actor
	case UniqueSession:
		v = e.Session
	case UniqueUser:
		v = e.User
	default:
		v = e.Dims[m.Unique]
	}
	if v == "" {
		return nil
	}
	return []byte(v)
}

// What else than a dimension can be counted once.
const (
	UniqueActor   = "actor"
	UniqueSession = "session"
	UniqueUser    = "user"
)

// keySets are the values of dimensions that have rollups of their own: the first ones that came, up to MaxKeys. They are
// stored with the rollups, so that whoever folds or recounts next gives every event the same place.
type keySets map[keySetID]*keySet

type keySetID struct{ metric, dim string }

type keySet struct {
	basis   int64
	has     map[string]struct{}
	fresh   []string // since it was stored
	renewed bool     // what is stored is of another basis, and is to be replaced
}

// admit gives the key under which a value is counted.
func (s keySets) admit(m *Metric, dim, value string) string {
	id := keySetID{m.Key, dim}
	set := s[id]
	if set == nil || set.basis != m.Basis {
		set = &keySet{basis: m.Basis, has: map[string]struct{}{}, renewed: true}
		s[id] = set
	}
	if _, ok := set.has[value]; ok {
		return value
	}
	if len(set.has) >= m.MaxKeys || value == Other {
		return Other
	}
	set.has[value] = struct{}{}
	set.fresh = append(set.fresh, value)
	return value
}
