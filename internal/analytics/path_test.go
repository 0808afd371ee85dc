package analytics

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/fault"
)

// straightPaths counts the links of whole sessions, given as labels; anchors are the places where the anchor is.
func straightPaths(q PathsQuery, sessions [][]string, anchors [][]int) (with int, levels []map[string]int) {
	levels = make([]map[string]int, q.Depth)
	for i := range levels {
		levels[i] = map[string]int{}
	}
	for i, labels := range sessions {
		if len(anchors[i]) == 0 {
			continue
		}
		with++
		at := anchors[i][0]
		if q.Direction == After {
			steps := append(slices.Compact(slices.Clone(labels[at:])), PathEnd)
			for l := range min(q.Depth, len(steps)-1) {
				levels[l][steps[l]+">"+steps[l+1]]++
			}
		} else {
			steps := append([]string{PathStart}, slices.Compact(slices.Clone(labels[:at+1]))...)
			slices.Reverse(steps)
			for l := range min(q.Depth, len(steps)-1) {
				levels[l][steps[l+1]+">"+steps[l]]++
			}
		}
	}
	return with, levels
}

func (p Paths) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", p.Sessions)
	for _, l := range p.Levels {
		fmt.Fprintf(&b, "\n%d:", l.Level)
		for _, e := range l.Links {
			fmt.Fprintf(&b, " %s>%s %d,", e.From, e.To, e.Sessions)
		}
		fmt.Fprintf(&b, " other %d", l.Other)
	}
	return b.String()
}

func pathsText(q PathsQuery, with int, levels []map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", with)
	for i, edges := range levels {
		fmt.Fprintf(&b, "\n%d:", i+1)
		keys := slices.SortedFunc(maps.Keys(edges), func(a, b string) int {
			fromA, toA, _ := strings.Cut(a, ">")
			fromB, toB, _ := strings.Cut(b, ">")
			return cmp.Or(edges[b]-edges[a], cmp.Compare(fromA, fromB), cmp.Compare(toA, toB))
		})
		other := 0
		for j, k := range keys {
			if j < q.Top {
				fmt.Fprintf(&b, " %s %d,", k, edges[k])
			} else {
				other += edges[k]
			}
		}
		fmt.Fprintf(&b, " other %d", other)
	}
	return b.String()
}

func TestPathsAreThoseOfWholeSessions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q := PathsQuery{
			Anchor: Selector{Event: "a"}, Direction: rapid.SampledFrom([]Direction{After, Before}).Draw(t, "direction"),
			Depth: rapid.IntRange(1, 5).Draw(t, "depth"), Top: rapid.IntRange(1, 4).Draw(t, "top"), By: "d",
		}
		if rapid.Bool().Draw(t, "filtered") {
			q.Anchor.Where = only("d", "x")
		}
		run := newPathRun(q)
		var sessions [][]string
		var anchors [][]int
		for s := range rapid.IntRange(0, 4).Draw(t, "sessions") {
			var labels []string
			var at []int
			for i := range rapid.IntRange(1, 9).Draw(t, "events") {
				m := moment{unit: fmt.Sprint("session-", s), name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), dims: map[string]string{}}
				label := m.name
				if v := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "value"); v != "" {
					m.dims["d"] = v
					label += ": " + v
				}
				if m.name == "a" && (len(q.Anchor.Where) == 0 || m.dims["d"] == "x") {
					at = append(at, i)
				}
				labels = append(labels, label)
				run.step(m)
			}
			sessions, anchors = append(sessions, labels), append(anchors, at)
		}
		run.end()
		with, levels := straightPaths(q, sessions, anchors)
		got := Paths{Sessions: run.sessions, Levels: run.levels()}.text()
		if want := pathsText(q, with, levels); got != want {
			t.Fatalf("%v %v\ngot %s\nwant %s", sessions, anchors, got, want)
		}
	})
}

func TestPathsCheck(t *testing.T) {
	t.Parallel()
	good := PathsQuery{Anchor: Selector{Event: "a"}, Direction: After, Depth: 3, Top: 7, Events: []string{"b", "a", "b"}, Span: Span{LastDays: 1}}
	for name, change := range map[string]func(q *PathsQuery){
		"anchor.event": func(q *PathsQuery) { q.Anchor.Event = "" },
		"direction":    func(q *PathsQuery) { q.Direction = "UP" },
		"depth":        func(q *PathsQuery) { q.Depth = 6 },
		"top":          func(q *PathsQuery) { q.Top = -1 },
		"events":       func(q *PathsQuery) { q.Events = []string{"$x"} },
		"by":           func(q *PathsQuery) { q.By = "a.b" },
		"from":         func(q *PathsQuery) { q.Span = Span{} },
	} {
		q := good
		change(&q)
		var fe *fault.Error
		if _, err := q.check(); !errors.As(err, &fe) || fe.Field != "input."+name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if q, err := good.check(); err != nil || !slices.Equal(q.Events, []string{"a", "b"}) || q.Top != 7 {
		t.Errorf("check() = %+v, %v", q, err)
	}
}

// Through the database, over all flights of the real table: where the flights of an airport's day go after, and before,
// the first one to Las Vegas.
func TestPathsOfRealFlights(t *testing.T) {
	t.Parallel()
	all := departures(t, "flights-5k.json")
	w := newWorld(t)
	insertDepartures(t, w, all)
	slices.SortFunc(all, func(a, b departure) int {
		return cmp.Or(cmp.Compare(a.session(), b.session()), a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	})
	var sessions [][]string
	var anchors [][]int
	for i, d := range all {
		if i == 0 || d.session() != all[i-1].session() {
			sessions, anchors = append(sessions, nil), append(anchors, nil)
		}
		n := len(sessions) - 1
		if d.dims["destination"] == "LAS" {
			anchors[n] = append(anchors[n], len(sessions[n]))
		}
		sessions[n] = append(sessions[n], "departed: "+d.dims["destination"])
	}
	q := PathsQuery{
		Anchor: Selector{Event: "departed", Where: only("destination", "LAS")}, Depth: 3, Top: 4, By: "destination", Span: days2001,
	}
	for _, q.Direction = range []Direction{After, Before} {
		for _, q.Events = range [][]string{nil, {"departed"}} {
			got, err := w.Paths(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			with, levels := straightPaths(q, sessions, anchors)
			if want := pathsText(q, with, levels); got.text() != want || with < 50 {
				t.Errorf("%s:\n%s\nstraight from the file:\n%s", q.Direction, got.text(), want)
			}
			if share := got.Levels[0].Links[0].Share; share != float64(got.Levels[0].Links[0].Sessions)/float64(with) {
				t.Errorf("%s: share %g", q.Direction, share)
			}
		}
	}
	if empty, err := newWorld(t).Paths(t.Context(), q); err != nil || empty.Sessions != 0 || len(empty.Levels) != 3 {
		t.Errorf("of no events: %+v, %v", empty, err)
	}
}
