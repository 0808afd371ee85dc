package analytics

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
)

// TestScan: pages of any size are the events in order, also where many happened at the same time.
func TestScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmds := flights("scan", 120)
	other := flight("other", 0, "A", 1)
	other.Name = "another"
	w.track(t, append(cmds, other)...)
	slices.SortFunc(cmds, func(a, b EventCmd) int { return cmp.Or(a.At.Compare(*b.At), strings.Compare(a.ID, b.ID)) })
	ids := func(keep func(EventCmd) bool) (all []string) {
		for _, c := range cmds {
			if keep(c) {
				all = append(all, c.ID)
			}
		}
		return all
	}
	from, to := t0.Add(-5*time.Minute), t0.Add(-2*time.Minute)
	within := func(c EventCmd) bool { return !c.At.Before(from) && c.At.Before(to) }
	for name, tc := range map[string]struct {
		scan   Scan
		behind Place
		want   []string
	}{
		"all":              {Scan{Name: "flight"}, Place{}, ids(func(EventCmd) bool { return true })},
		"a time":           {Scan{Name: "flight", From: from, To: to}, Place{}, ids(within)},
		"from before it":   {Scan{Name: "flight", From: from, To: to}, Place{from.Add(-time.Hour), "x"}, ids(within)},
		"from after it":    {Scan{Name: "flight", From: from, To: to}, Place{to, "a"}, nil},
		"one origin":       {Scan{Name: "flight", Where: []DimFilter{{Dim: "origin", In: []string{"B"}}}}, Place{}, ids(func(c EventCmd) bool { return c.Dims["origin"] == "B" })},
		"all but one":      {Scan{Name: "flight", To: to, Where: []DimFilter{{Dim: "origin", In: []string{"B"}, Not: true}}}, Place{}, ids(func(c EventCmd) bool { return c.Dims["origin"] != "B" && c.At.Before(to) })},
		"what nobody sent": {Scan{Name: "none"}, Place{}, nil},
	} {
		for _, size := range []int{1, 7, 200} {
			var got []string
			for at := tc.behind; ; {
				n, err := w.CountEvents(t.Context(), tc.scan, at, 0)
				if err != nil || n != int64(len(tc.want)-len(got)) {
					t.Fatalf("%s: %d are left after %d of %d, %v", name, n, len(got), len(tc.want), err)
				}
				part, err := w.ScanEvents(t.Context(), tc.scan, at, size)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range part {
					got = append(got, e.ID)
				}
				if len(part) < size {
					break
				}
				if at, err = ParsePlace(PlaceOf(part[len(part)-1]).String()); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s, %d at a time: %v, want %v", name, size, got, tc.want)
			}
		}
	}
	if n, err := w.CountEvents(t.Context(), Scan{Name: "flight"}, Place{}, 50); n != 50 || err != nil {
		t.Errorf("counted up to 50: %d, %v", n, err)
	}
}

// TestScanSortsByTheIndex: a page reads no more than itself, wherever it begins.
func TestScanSortsByTheIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cmds := flights("plan", 700) // 100 at each of 7 times
	w.track(t, cmds...)
	for _, at := range []Place{{}, {t0.Add(-3 * time.Minute), "flight-plan-5"}} {
		raw, err := w.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
			{Key: "find", Value: eventsCollection},
			{Key: "filter", Value: Scan{Name: "flight", From: t0.Add(-time.Hour), To: t0}.behind(at)},
			{Key: "sort", Value: bson.D{{Key: "at", Value: 1}, {Key: "_id", Value: 1}}},
			{Key: "limit", Value: 10},
		}}, {Key: "verbosity", Value: "executionStats"}}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		stats := raw.Lookup("executionStats")
		var read struct {
			Docs int `bson:"totalDocsExamined"`
		}
		if err := stats.Unmarshal(&read); err != nil || read.Docs > 12 || strings.Contains(stats.String(), `"stage": "SORT"`) {
			t.Errorf("behind %v: %d documents were read for 10: %v", at, read.Docs, raw.Lookup("queryPlanner", "winningPlan"))
		}
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []Scan{{}, {Name: "a b"}, {Name: "flight", Where: []DimFilter{{Dim: "$where", In: []string{"1"}}}}} {
		_, err := w.ScanEvents(t.Context(), c, Place{}, 1)
		_, err2 := w.CountEvents(t.Context(), c, Place{}, 1)
		if !errors.Is(err, fault.ErrInput) || !errors.Is(err2, fault.ErrInput) {
			t.Errorf("%+v: %v, %v", c, err, err2)
		}
	}
	for _, text := range []string{"x", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z,", "2026-01-02T03:04:05Z,{}", ",flight-1"} {
		if _, err := ParsePlace(text); !errors.Is(err, page.ErrCursor) {
			t.Errorf("the place %q: %v", text, err)
		}
	}
	w.rights.only = []string{PermView, PermTrack}
	_, err := w.ScanEvents(t.Context(), Scan{Name: "flight"}, Place{}, 1)
	_, err2 := w.CountEvents(t.Context(), Scan{Name: "flight"}, Place{}, 1)
	if !errors.Is(err, fault.ErrForbidden) || !errors.Is(err2, fault.ErrForbidden) {
		t.Errorf("without the right: %v, %v", err, err2)
	}
}
