package analytics

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCellBecomesAPoint(t *testing.T) {
	t.Parallel()
	var c cell
	for _, v := range []float64{-3, 4, 8} {
		c.observe(v, true)
	}
	c.observe(0, false) // an event without the value
	var counted cell
	counted.observe(0, false)
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
		if got := text(c.point(t0, "k", tc.agg)); got != tc.want {
			t.Errorf("%s = %s, want %s", tc.agg, got, tc.want)
		}
		if got := text(counted.point(t0, "k", tc.agg)); got != tc.empty {
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
				v, measured := float64(rapid.IntRange(-9, 9).Draw(t, "value")), rapid.Bool().Draw(t, "measured")
				whole.observe(v, measured)
				part.observe(v, measured)
			}
			joined.add(part)
		}
		if joined != whole {
			t.Fatalf("joined %+v, whole %+v", joined, whole)
		}
	})
}

func TestRollupsOfAnEvent(t *testing.T) {
	t.Parallel()
	at := t0.Add(29 * time.Second)
	r := rollups{}
	r.observe(delays, Event{Name: "flight", At: at, Dims: map[string]string{"origin": "", "other": "x"}, Values: map[string]float64{"delay": 7}})
	r.observe(delays, Event{Name: "flight", At: t0, Dims: map[string]string{"origin": "A"}, Values: map[string]float64{"other": 1}})
	minute := t0.Truncate(time.Minute).UnixMilli()
	want := map[rollupKey]cell{
		{metric: delays.Key, at: minute}:                          {n: 2, c: 1, sum: 7, min: 7, max: 7},
		{metric: delays.Key, dim: "origin", at: minute}:           {n: 1, c: 1, sum: 7, min: 7, max: 7}, // an empty text is a value
		{metric: delays.Key, dim: "origin", at: minute, key: "A"}: {n: 1},
	}
	if len(r) != len(want) {
		t.Errorf("%d rollups, want %d", len(r), len(want))
	}
	for k, c := range want {
		if r[k] == nil || *r[k] != c {
			t.Errorf("%+v = %+v, want %+v", k, r[k], c)
		}
	}
}
