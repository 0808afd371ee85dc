package analytics

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// point is the cell as a point of t0.
func (c cell) point(agg Aggregate) Point {
	return Point{At: t0, Key: "k", Value: c.value(&Query{Aggregate: agg}, time.Minute), Count: c.n}
}

func TestCellBecomesAPoint(t *testing.T) {
	t.Parallel()
	var c cell
	for _, v := range []float64{-3, 4, 8} {
		c.observe(sample{value: v, measured: true})
	}
	c.observe(sample{}) // an event without the value
	var counted cell
	counted.observe(sample{})
	for _, tc := range []struct {
		agg         Aggregate
		want, empty string
	}{
		{Count, "02T03:04 k 4/4", "02T03:04 k 1/1"},
		{Sum, "02T03:04 k 9/4", "02T03:04 k -/1"},
		{Avg, "02T03:04 k 3/4", "02T03:04 k -/1"},
		{Min, "02T03:04 k -3/4", "02T03:04 k -/1"},
		{Max, "02T03:04 k 8/4", "02T03:04 k -/1"},
	} {
		if got := text(c.point(tc.agg)); got != tc.want {
			t.Errorf("%s = %s, want %s", tc.agg, got, tc.want)
		}
		if got := text(counted.point(tc.agg)); got != tc.empty {
			t.Errorf("%s where no event has the value = %s, want %s", tc.agg, got, tc.empty)
		}
	}
}

// Cells that are added up in any grouping are the cell of all their events.
func TestCellsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var whole, joined cell
		for range rapid.IntRange(0, 5).Draw(t, "parts") {
			var part cell
			for range rapid.IntRange(0, 4).Draw(t, "events") {
				s := sample{
					at: rapid.Int64Range(0, 3).Draw(t, "at"), value: float64(rapid.IntRange(-9, 9).Draw(t, "value")), measured: rapid.Bool().Draw(t, "measured"),
					unique: []byte{rapid.Byte().Draw(t, "unique")}, spread: true,
				}
				whole.observe(s)
				part.observe(s)
			}
			joined.add(part)
		}
		if !sameSketches(joined, whole) {
			t.Fatalf("the sketches of joined %+v and whole %+v differ", joined, whole)
		}
		joined.uniques, joined.spread, whole.uniques, whole.spread = nil, nil, nil, nil
		if joined != whole {
			t.Fatalf("joined %+v, whole %+v", joined, whole)
		}
	})
}

func TestRollupsOfAnEvent(t *testing.T) {
	t.Parallel()
	at := t0.Add(29 * time.Second)
	r := rollups{}
	kept := folded{MinuteFrom: t0.AddDate(0, 0, -1), HourFrom: t0.AddDate(0, -1, 0)}
	keys := keySets{}
	m := delays.filled()
	m.Where = []DimFilter{{Dim: "kind", In: []string{"test"}, Not: true}}
	for _, e := range []Event{
		{At: at, Dims: map[string]string{"origin": "", "other": "x"}, Values: map[string]float64{"delay": 7}},
		{At: t0, Dims: map[string]string{"origin": "A"}, Values: map[string]float64{"other": 1}},
		{At: t0.AddDate(0, 0, -2)},  // no longer kept by the minute
		{At: t0.AddDate(0, -2, -2)}, // nor by the hour
	} {
		if !r.observe(&m, &e, kept, keys) {
			t.Errorf("%+v was left out", e)
		}
	}
	if r.observe(&m, &Event{At: t0, Dims: map[string]string{"kind": "test"}}, kept, keys) {
		t.Error("an event that the filter leaves out was counted")
	}
	of := func(res resolution, t time.Time, dim, key string) rollupKey {
		return rollupKey{metric: delays.Key, res: res, dim: dim, at: res.start(t), key: key}
	}
	want := map[rollupKey]cell{}
	for _, res := range resolutions {
		seven := cell{n: 1, c: 1, sum: 7, min: 7, max: 7, last: 7, lastAt: at.UnixMilli()}
		both := seven
		both.n = 2
		want[of(res, t0, "", "")] = both
		want[of(res, t0, "origin", "")] = seven // an empty text is a value
		want[of(res, t0, "origin", "A")] = cell{n: 1}
	}
	want[of(byHour, t0.AddDate(0, 0, -2), "", "")] = cell{n: 1}
	want[of(byDay, t0.AddDate(0, 0, -2), "", "")] = cell{n: 1}
	want[of(byDay, t0.AddDate(0, -2, -2), "", "")] = cell{n: 1}
	if len(r) != len(want) {
		t.Errorf("%d rollups, want %d", len(r), len(want))
	}
	for k, c := range want {
		if r[k] == nil || *r[k] != c {
			t.Errorf("%+v = %+v, want %+v", k, r[k], c)
		}
	}
}
