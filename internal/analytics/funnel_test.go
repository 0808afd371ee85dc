package analytics

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/fault"
)

// furthest finds the attempt that counts by trying every choice of events there is.
func furthest(q FunnelQuery, to time.Time, events []moment) attempt {
	var best, now []int // events chosen
	var try func(step int)
	try = func(step int) {
		if len(now) > len(best) || len(now) == len(best) && slices.Compare(now, best) < 0 {
			best = slices.Clone(now)
		}
		if step == len(q.Steps) {
			return
		}
		for i, e := range events {
			after := len(now) == 0 && e.at < to.UnixMilli() ||
				len(now) > 0 && i > now[len(now)-1] && e.at-events[now[0]].at <= q.window().Milliseconds()
			if after && q.Steps[step].picks(e.name, e.dims) {
				now = append(now, i)
				try(step + 1)
				now = now[:len(now)-1]
			}
		}
	}
	try(0)
	a := attempt{}
	for _, i := range best {
		a.at = append(a.at, events[i].at)
	}
	if len(best) > 0 {
		a.key = events[best[0]].dims[q.By]
	}
	return a
}

func TestFunnelIsTheFurthestOfAllAttempts(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	value := rapid.SampledFrom([]string{"x", "y"})
	rapid.Check(t, func(t *rapid.T) {
		q := FunnelQuery{WindowSeconds: rapid.IntRange(1, 12).Draw(t, "window"), By: "d"}
		for range rapid.IntRange(2, 4).Draw(t, "steps") {
			s := Selector{Event: names.Draw(t, "name")}
			if rapid.IntRange(0, 3).Draw(t, "filtered") == 0 {
				s.Where = []DimFilter{{Dim: "d", In: []string{value.Draw(t, "in")}, Not: rapid.Bool().Draw(t, "not")}}
			}
			q.Steps = append(q.Steps, s)
		}
		var events []moment
		at := int64(0)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			at += int64(rapid.IntRange(0, 5).Draw(t, "gap")) * 1000
			events = append(events, moment{at: at, name: names.Draw(t, "event"), dims: map[string]string{"d": value.Draw(t, "value")}})
		}
		to := time.UnixMilli(int64(rapid.IntRange(1, 40).Draw(t, "to")) * 1000)
		run := newFunnelRun(q, to)
		for range 2 { // what was before is forgotten
			run.reset()
			for _, e := range events {
				run.step(e)
			}
		}
		want := furthest(q, to, events)
		if got := run.best; got.key != want.key || !slices.Equal(got.at, want.at) {
			t.Fatalf("funnel %v %q, of all attempts %v %q", got.at, got.key, want.at, want.key)
		}
	})
}

func TestFunnelCheck(t *testing.T) {
	t.Parallel()
	good := FunnelQuery{Steps: []Selector{{Event: "a"}, {Event: "b"}}, Unit: BySession, WindowSeconds: 1, Span: Span{LastDays: 1}}
	for name, change := range map[string]func(q *FunnelQuery){
		"steps.0.event": func(q *FunnelQuery) { q.Steps = []Selector{{}, {Event: "b"}} },
		"steps":         func(q *FunnelQuery) { q.Steps = q.Steps[:1] },
		"unit":          func(q *FunnelQuery) { q.Unit = "PLANET" },
		"windowSeconds": func(q *FunnelQuery) { q.WindowSeconds = 367 * 86400 },
		"by":            func(q *FunnelQuery) { q.By, q.Top = "$a", 5 },
		"top":           func(q *FunnelQuery) { q.By, q.Top = "a", 51 },
		"lastDays":      func(q *FunnelQuery) { q.LastDays = -1 },
	} {
		q := good
		change(&q)
		var fe *fault.Error
		if _, err := q.check(); !errors.As(err, &fe) || fe.Field != "input."+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	one, err := good.check()
	good.Top = 7
	if other, _ := good.check(); err != nil || other.Top != one.Top {
		t.Errorf("top without a breakdown: %d and %d, %v; want one form", one.Top, other.Top, err)
	}
}

// steps in a form that is easy to compare.
func stepsText(steps []FunnelStep) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%d>%d", s.Entered, s.Converted)
		if s.MedianSeconds != nil {
			fmt.Fprintf(&b, " %g/%g", *s.MedianSeconds, *s.P90Seconds)
		}
		b.WriteString("; ")
		if s.Dropped != s.Entered-s.Converted {
			b.WriteString("dropped out of nowhere")
		}
	}
	return b.String()
}

// Through the database, over all flights of the real table: counted straight from the file, with other code.
func TestFunnelOfRealFlights(t *testing.T) {
	t.Parallel()
	all := departures(t, "flights-20k.json")
	w := newWorld(t)
	insertDepartures(t, w, all)
	q := FunnelQuery{
		Steps: []Selector{
			{Event: "departed", Where: only("late", "yes")},
			{Event: "departed", Where: append(only("late", "no"), DimFilter{Dim: "destination", In: []string{"LAX", "DFW"}, Not: true})},
			{Event: "departed", Where: []DimFilter{{Dim: "destination", In: []string{"ORD", "ATL", "DEN", "PHX"}}}},
		},
		WindowSeconds: 6 * 3600, By: "destination", Top: 3,
		Span: Span{From: time.Date(2001, 1, 10, 0, 0, 0, 0, time.UTC), To: time.Date(2001, 2, 20, 0, 0, 0, 0, time.UTC)},
	}
	for _, unit := range []Unit{ByActor, BySession} {
		q.Unit = unit
		got, err := w.Funnel(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		steps, groups := straightFunnel(q, all)
		if text := stepsText(got.Steps); text != steps {
			t.Errorf("by %s: %s; straight from the file: %s", unit, text, steps)
		}
		if got.Steps[0].Entered < 100 || got.Steps[2].Entered < 20 || got.Steps[2].Entered == got.Steps[0].Entered {
			t.Errorf("by %s: %s is no funnel worth a test", unit, stepsText(got.Steps))
		}
		shown := []string{}
		for _, g := range got.Groups {
			shown = append(shown, g.Key+" "+stepsText(g.Steps))
		}
		if !slices.Equal(shown, groups) {
			t.Errorf("by %s:\n%s\nstraight from the file:\n%s", unit, strings.Join(shown, "\n"), strings.Join(groups, "\n"))
		}
	}
}

// straightFunnel counts from the file: each late flight is tried as a beginning, and followed by two plain loops.
func straightFunnel(q FunnelQuery, all []departure) (total string, byKey []string) {
	units := map[string][]departure{}
	for _, d := range all {
		unit := d.airport
		if q.Unit == BySession {
			unit = d.session()
		}
		units[unit] = append(units[unit], d)
	}
	type way struct {
		key string
		at  []time.Time
	}
	var ways []way
	big := map[string]bool{"ORD": true, "ATL": true, "DEN": true, "PHX": true}
	for _, events := range units {
		slices.SortFunc(events, func(a, b departure) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
		var best way
		for i, first := range events {
			if first.dims["late"] != "yes" || first.at.Before(q.From) || !first.at.Before(q.To) {
				continue
			}
			end := first.at.Add(6 * time.Hour)
			w := way{first.dims["destination"], []time.Time{first.at}}
			j := i + 1
			for ; j < len(events) && !events[j].at.After(end); j++ {
				if d := events[j].dims; d["late"] == "no" && d["destination"] != "LAX" && d["destination"] != "DFW" {
					w.at = append(w.at, events[j].at)
					break
				}
			}
			for j++; len(w.at) == 2 && j < len(events) && !events[j].at.After(end); j++ {
				if big[events[j].dims["destination"]] {
					w.at = append(w.at, events[j].at)
				}
			}
			if len(w.at) > len(best.at) {
				best = w
			}
		}
		if len(best.at) > 0 {
			ways = append(ways, best)
		}
	}
	text := func(ways []way) string {
		entered, took := [4]int{}, [3][]float64{}
		for _, w := range ways {
			for i := range w.at {
				entered[i]++
				if i > 0 {
					took[i] = append(took[i], w.at[i].Sub(w.at[i-1]).Seconds())
				}
			}
		}
		entered[3] = entered[2]
		var out strings.Builder
		for i := range 3 {
			fmt.Fprintf(&out, "%d>%d", entered[i], entered[i+1])
			if n := len(took[i]); n > 0 {
				slices.Sort(took[i])
				fmt.Fprintf(&out, " %g/%g", took[i][(n+1)/2-1], took[i][(9*n+9)/10-1])
			}
			out.WriteString("; ")
		}
		return out.String()
	}
	groups := map[string][]way{}
	for _, w := range ways {
		groups[w.key] = append(groups[w.key], w)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(len(groups[b])-len(groups[a]), cmp.Compare(a, b))
	})
	var rest []way
	for i, k := range keys {
		if i < q.Top {
			byKey = append(byKey, k+" "+text(groups[k]))
		} else {
			rest = append(rest, groups[k]...)
		}
	}
	return text(ways), append(byKey, KeyOther+" "+text(rest))
}

// What has no value of the dimension is a group too, and nobody is in a funnel who did not begin.
func TestFunnelWithoutTheDimension(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := func(s int) *time.Time { v := t0.Add(time.Duration(s-100) * time.Second); return &v }
	w.track(t,
		EventCmd{ID: "event-001", Name: "a", Actor: "actor-001", At: at(0)},
		EventCmd{ID: "event-002", Name: "b", Actor: "actor-001", At: at(0)}, // the same millisecond, by id after it
		EventCmd{ID: "event-003", Name: "b", Actor: "actor-002", At: at(1)},
		EventCmd{ID: "event-004", Name: "a", Actor: "actor-002", At: at(2), Dims: map[string]any{"plan": "pro"}},
		EventCmd{ID: "event-005", Name: "a", At: at(3)}, // about nobody
		EventCmd{ID: "event-006", Name: "b", At: at(4)},
	)
	f, err := w.Funnel(t.Context(), FunnelQuery{
		Steps: []Selector{{Event: "a"}, {Event: "b"}}, Unit: ByActor, WindowSeconds: 60, By: "plan", Top: 10, Span: Span{LastDays: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{stepsText(f.Steps)}
	for _, g := range f.Groups {
		all = append(all, g.Key+" "+stepsText(g.Steps))
	}
	got, want := strings.Join(all, "| "), "2>1; 1>1 0/0; | $none 1>1; 1>1 0/0; | pro 1>0; 0>0; "
	if got != want || f.Read != 4 {
		t.Errorf("%s, %d read; want %s", got, f.Read, want)
	}
}
