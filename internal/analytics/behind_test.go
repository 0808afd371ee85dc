package analytics

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
)

// allBehind reads every page.
func allBehind(t *testing.T, w world, q BehindQuery) (all []Behind) {
	t.Helper()
	size := 13
	args := page.Args{First: &size}
	for {
		p, err := w.Behind(t.Context(), q, args)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, p.Items...); !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	last := page.Args{Last: &size}
	var back []Behind
	for {
		p, err := w.Behind(t.Context(), q, last)
		if err != nil {
			t.Fatal(err)
		}
		if back = append(slices.Clone(p.Items), back...); !p.HasPrevious {
			break
		}
		last.Before = &p.Cursors[0]
	}
	if !slices.Equal(all, back) {
		t.Errorf("forward %v, backward %v", ids(all), ids(back))
	}
	for i, b := range all {
		if i > 0 && b.ID <= all[i-1].ID || b.Last.Before(b.First) || b.Events < 1 {
			t.Errorf("behind %d: %+v after %+v", i, b, all[max(i-1, 0)])
		}
	}
	return all
}

func ids(all []Behind) (names []string) {
	for _, b := range all {
		names = append(names, b.ID)
	}
	return names
}

// Whoever is counted is in the list, and nobody else: over all flights of the real table.
func TestBehindOfRealFlights(t *testing.T) {
	t.Parallel()
	all := departures(t, "flights-5k.json")
	w := newWorld(t)
	insertDepartures(t, w, all)
	w.define(t, Metric{Key: "departures", Event: "departed", Dimensions: []string{"late"}})

	day := time.Date(2001, 1, 15, 0, 0, 0, 0, time.UTC)
	for _, by := range []string{"", "late"} {
		var want []string
		var events int64
		for _, d := range all {
			if !d.at.Before(day) && d.at.Before(day.AddDate(0, 0, 1)) && (by == "" || d.dims["late"] == "yes") {
				want = append(want, d.airport)
				events++
			}
		}
		slices.Sort(want)
		got := allBehind(t, w, BehindQuery{Point: &BehindPoint{Metric: "departures", From: day, To: day.AddDate(0, 0, 1), By: by, Key: "yes"}})
		if !slices.Equal(ids(got), slices.Compact(want)) || len(got) < 5 {
			t.Errorf("by %q: %v, want %v", by, ids(got), slices.Compact(want))
		}
		for _, b := range got {
			events -= b.Events
		}
		if events != 0 {
			t.Errorf("by %q: %d events are behind nobody", by, events)
		}
	}

	funnel := FunnelQuery{
		Steps: []Selector{{Event: "departed", Where: only("late", "yes")}, {Event: "departed", Where: only("destination", "LAX")}, {Event: "departed", Where: only("late", "yes")}},
		Unit:  ByActor, WindowSeconds: 86400, By: "destination", Top: 2, Span: days2001,
	}
	f, err := w.Funnel(t.Context(), funnel)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range f.Steps {
		came := allBehind(t, w, BehindQuery{Funnel: &BehindFunnel{Funnel: funnel, Step: i + 1}})
		out := allBehind(t, w, BehindQuery{Funnel: &BehindFunnel{Funnel: funnel, Step: i + 1, Dropped: true}})
		if int64(len(came)) != st.Entered || int64(len(out)) != st.Dropped {
			t.Errorf("step %d: %d came and %d dropped out, of %d and %d", i+1, len(came), len(out), st.Entered, st.Dropped)
		}
		for _, b := range out {
			if b.Events != int64(i+1) || !slices.ContainsFunc(came, func(c Behind) bool { return c.ID == b.ID }) {
				t.Errorf("step %d: %+v dropped out", i+1, b)
			}
		}
	}
	g := f.Groups[0]
	if of := allBehind(t, w, BehindQuery{Funnel: &BehindFunnel{Funnel: funnel, Step: 1, Key: &g.Key}}); int64(len(of)) != g.Steps[0].Entered || len(of) == 0 {
		t.Errorf("%d of the group %s, want %d", len(of), g.Key, g.Steps[0].Entered)
	}

	retention := RetentionQuery{
		Start: Selector{Event: "departed", Where: only("late", "yes")}, Return: Selector{Event: "departed", Where: only("late", "no")},
		Period: PerMonth, From: days2001.From, To: days2001.To, Periods: 2, Recurring: true,
	}
	r, err := w.Retention(t.Context(), retention)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cohorts {
		if n := len(allBehind(t, w, BehindQuery{Retention: &BehindRetention{Retention: retention, Cohort: c.At}})); int64(n) != c.Size {
			t.Errorf("cohort %v: %d, want %d", c.At, n, c.Size)
		}
		for _, cell := range c.Cells {
			n := len(allBehind(t, w, BehindQuery{Retention: &BehindRetention{Retention: retention, Cohort: c.At, Period: &cell.Period}}))
			if int64(n) != cell.Count {
				t.Errorf("cohort %v, %d later: %d, want %d", c.At, cell.Period, n, cell.Count)
			}
		}
	}
}

func TestBehindIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	funnel := FunnelQuery{Steps: []Selector{{Event: "a"}, {Event: "b"}}, Unit: ByActor, WindowSeconds: 1, Span: days2001}
	retention := RetentionQuery{Start: Selector{Event: "a"}, Return: Selector{Event: "b"}, Period: PerDay, Last: 2, Periods: 2}
	for name, tc := range map[string]struct {
		q   BehindQuery
		err error
	}{
		"nothing":                 {BehindQuery{}, fault.ErrInput},
		"two":                     {BehindQuery{Point: &BehindPoint{}, Funnel: &BehindFunnel{}}, fault.ErrInput},
		"no such metric":          {BehindQuery{Point: &BehindPoint{Metric: "none", From: t0, To: t0.Add(1)}}, ErrMetric},
		"no such dimension":       {BehindQuery{Point: &BehindPoint{Metric: delays.Key, From: t0, To: t0.Add(1), By: "none"}}, ErrDimension},
		"no bucket":               {BehindQuery{Point: &BehindPoint{Metric: delays.Key, From: t0, To: t0}}, ErrRange},
		"no such step":            {BehindQuery{Funnel: &BehindFunnel{Funnel: funnel, Step: 3}}, fault.ErrInput},
		"a group of no breakdown": {BehindQuery{Funnel: &BehindFunnel{Funnel: funnel, Step: 1, Key: new("x")}}, fault.ErrInput},
		"no such cohort":          {BehindQuery{Retention: &BehindRetention{Retention: retention, Cohort: t0}}, fault.ErrInput},
		"no such period":          {BehindQuery{Retention: &BehindRetention{Retention: retention, Cohort: t0.Truncate(24 * time.Hour), Period: new(3)}}, fault.ErrInput},
	} {
		if _, err := w.Behind(t.Context(), tc.q, page.Args{}); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", name, err, tc.err)
		}
	}
	point := BehindQuery{Point: &BehindPoint{Metric: delays.Key, From: t0, To: t0.Add(1)}}
	for _, only := range []string{PermView, PermRead} { // one without the other
		w.rights.only = []string{only}
		if _, err := w.Behind(t.Context(), point, page.Args{}); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("with %s alone: %v", only, err)
		}
	}
}
