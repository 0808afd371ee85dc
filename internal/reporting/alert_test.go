package reporting

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestObserve(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alert Alert
		see   string // values; - is none
		want  string // states, by their first letters
	}{
		"above":                  {Alert{Condition: Above, Threshold: 10, Recover: 10, For: 1}, "9 10 11 11 10 12", "O O F F O F"},
		"above, hysteresis":      {Alert{Condition: Above, Threshold: 10, Recover: 5, For: 1}, "11 9 6 11 7 5 9 10 11", "F F F F F O O O F"},
		"above, for 3":           {Alert{Condition: Above, Threshold: 10, Recover: 10, For: 3}, "11 11 9 11 11 11 11 9", "P P O P P F F O"},
		"below":                  {Alert{Condition: Below, Threshold: 10, Recover: 20, For: 2}, "9 9 15 19 20 9 10", "P F F F O P O"},
		"absent":                 {Alert{Condition: Absent, For: 2}, "3 0 0 0 1 0", "O P F F O P"},
		"no value tells nothing": {Alert{Condition: Above, Threshold: 10, Recover: 10, For: 2}, "11 - 11 - 9", "P P F F O"},
	} {
		a := tc.alert
		a.State = OK
		var got []string
		now := t0
		for word := range strings.FieldsSeq(tc.see) {
			var v *float64
			if word != "-" {
				v = new(0.0)
				if _, err := fmt.Sscan(word, v); err != nil {
					t.Fatal(err)
				}
			}
			before := a
			now = now.Add(time.Minute)
			a = a.observe(v, now)
			if (a.State != before.State) != a.Since.Equal(now) {
				t.Errorf("%s: since %v at %v", name, a.Since, now)
			}
			got = append(got, string(a.State[0]))
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: %s, want %s", name, s, tc.want)
		}
	}
}

// A value that moves between the two thresholds never changes whether the alert fires, and one that fires has been seen
// beyond the threshold for long enough.
func TestNothingFlapsInsideTheHysteresis(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Alert{Condition: Above, Threshold: 100, Recover: float64(rapid.IntRange(0, 100).Draw(t, "recover")), For: rapid.IntRange(1, 4).Draw(t, "for"), State: OK}
		beyond := 0
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			v := float64(rapid.IntRange(-10, 120).Draw(t, "value"))
			before := a.State
			a = a.observe(&v, t0)
			if v > a.Threshold {
				beyond++
			} else {
				beyond = 0
			}
			between := v > a.Recover && v <= a.Threshold
			if between && (before == Firing) != (a.State == Firing) {
				t.Fatalf("%v between the thresholds makes %s of %s", v, a.State, before)
			}
			if a.State == Firing && before != Firing && beyond < a.For {
				t.Fatalf("fires after %d of %d", beyond, a.For)
			}
		}
	})
}

// alert makes an alert of ada's, which tells bob.
func (w *world) alert(on ref.Ref, cmd AlertCmd) Alert {
	w.t.Helper()
	cmd.On, cmd.Recipients = on, []string{"bob@example.org"}
	a, err := w.CreateAlert(w.person("ada"), cmd)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// see lets the alerts look at a value, a minute later.
func (w *world) see(values map[string]*float64) {
	w.numbers.set(values)
	w.clock.Advance(time.Minute)
	w.turnAll()
}

func TestAlertTellsEachChangeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alert(w.flights(), AlertCmd{Condition: new(Above), Threshold: new(10.0), Recover: new(5.0), For: new(2)})
	for _, v := range []float64{4, 11, 12, 9, 11, 6, 5, 9} {
		w.see(map[string]*float64{"": &v})
		w.turnAll() // not due again
	}
	var told []string
	for _, m := range w.mails() {
		told = append(told, m.To+" "+m.Subject)
	}
	if got := strings.Join(told, ", "); got != "bob@example.org Alert: Flights, bob@example.org Over: Flights" {
		t.Errorf("told: %s", got)
	}
	if m := w.mails()[0]; !strings.Contains(m.Text, "is at 12, above 10") {
		t.Errorf("the mail says\n%s", m.Text)
	}
	if n := w.facts(kindAlertChanged); n != 3 { // pending, firing, over
		t.Errorf("%d events", n)
	}
	after, err := w.Alert(w.person("ada"), a.ID)
	if err != nil || after.State != OK || *after.Value != 9 || !after.EvaluatedAt.Equal(w.clock.Now()) {
		t.Errorf("%+v, %v", after, err)
	}
}

// It looks at the newest bucket that has ended, and of a breakdown at the worst key.
func TestWhatAnAlertLooksAt(t *testing.T) {
	t.Parallel()
	bucket := func(h int, key string, v *float64, n int64) analytics.Point {
		return analytics.Point{At: t0.Add(time.Duration(h) * time.Hour), Key: key, Value: v, Count: n}
	}
	r := analytics.Report{To: t0.Add(3 * time.Hour), Points: []analytics.Point{
		bucket(0, "a", new(100.0), 1), bucket(0, "b", new(-100.0), 1),
		bucket(1, "a", new(7.0), 2), bucket(1, "b", new(3.0), 1), bucket(1, "c", nil, 0),
		bucket(2, "a", new(50.0), 9),
	}}
	now := t0.Add(2*time.Hour + 30*time.Minute)
	for c, want := range map[Condition]float64{Above: 7, Below: 3, Absent: 3} {
		if got := (Alert{Condition: c}).reading(r, now); got == nil || *got != want {
			t.Errorf("%s: %v, want %v", c, got, want)
		}
	}
	if got := (Alert{Condition: Above}).reading(r, t0.Add(3*time.Hour)); got == nil || *got != 50 {
		t.Errorf("all have ended: %v", got)
	}
	none := analytics.Report{To: t0}
	if got := (Alert{Condition: Absent}).reading(none, now); got == nil || *got != 0 {
		t.Errorf("no events at all: %v", got)
	}
	if got := (Alert{Condition: Below}).reading(none, now); got != nil {
		t.Errorf("no value at all: %v", *got)
	}
	for q, want := range map[analytics.Aggregate]analytics.Fill{analytics.Count: analytics.FillZero, analytics.Avg: analytics.FillNull} {
		got := watched(analytics.Query{Aggregate: q, Last: 500, Compare: analytics.CompareYear, Fill: analytics.FillPrevious})
		if got.Fill != want || got.Last != 2 || got.Compare != analytics.CompareNone {
			t.Errorf("%s is asked for as %+v", q, got)
		}
	}
	if got := watched(analytics.Query{Last: 30, MovingAverage: 7}); got.Last != 30 {
		t.Errorf("a moving average needs what was before: %d", got.Last)
	}
}

// Nodes that look at the same alert at the same time tell of its change once.
func TestNodesRaceForAnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alert(w.flights(), AlertCmd{Condition: new(Above), Threshold: new(1.0)})
	w.numbers.enter, w.numbers.leave = make(chan struct{}, 10), make(chan struct{})
	ctx := actor.With(t.Context(), actor.System())
	var wg sync.WaitGroup
	for _, node := range []*world{w, w.peer(), w.peer()} {
		wg.Go(func() {
			if err := node.evaluate(ctx, a); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-w.numbers.enter
	}
	close(w.numbers.leave)
	wg.Wait()
	if len(w.mails()) != 1 || w.facts(kindAlertChanged) != 1 {
		t.Errorf("%d mails, %d events", len(w.mails()), w.facts(kindAlertChanged))
	}
}

func TestAlertChangeIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alert(w.flights(), AlertCmd{Condition: new(Above), Threshold: new(1.0)})
	ctx := actor.With(t.Context(), actor.System())
	off := storetest.FailPoint(t, w.DB, bson.D{{Key: "times", Value: 1}}, bson.D{{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "errorCode", Value: 8000}})
	err := w.evaluate(ctx, a)
	off()
	after, gone := w.Alert(w.person("ada"), a.ID)
	if err == nil || gone != nil || after.State != OK || len(w.mails()) != 0 || w.facts(kindAlertChanged) != 0 {
		t.Fatalf("%v, %+v, %d mails", err, after, len(w.mails()))
	}
	w.turnAll()
	if after, err = w.Alert(w.person("ada"), a.ID); err != nil || after.State != Firing || len(w.mails()) != 1 {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestAlertIsPausedWithoutTheRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alert(w.flights(), AlertCmd{Condition: new(Absent)})
	w.authz.deny("ada", analytics.PermView, true)
	w.see(nil)
	w.see(nil)
	after, err := w.Alert(w.person("ada"), a.ID)
	got := w.mails()
	if err != nil || !after.Paused || after.Reason == "" || len(got) != 1 || got[0].To != "ada@example.org" || w.facts(kindAlertPaused) != 1 {
		t.Fatalf("%+v, %v, %+v", after, err, got)
	}
	if _, err := w.UpdateAlert(w.person("ada"), a.ID, AlertCmd{Paused: new(false)}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("resumed without the right: %v", err)
	}
	w.authz.deny("ada", analytics.PermView, false)
	if _, err := w.UpdateAlert(w.person("ada"), a.ID, AlertCmd{Paused: new(false)}); err != nil {
		t.Fatal(err)
	}
	w.see(map[string]*float64{"": new(0.0)})
	if after, err = w.Alert(w.person("ada"), a.ID); err != nil || after.State != Firing || after.Reason != "" {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestAlertCommandsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	on := w.flights()
	fixed := w.report("LINE", map[string]any{"metric": "flights.count", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"})
	to := []string{"bob@example.org"}
	for name, tc := range map[string]struct {
		cmd  AlertCmd
		want error
	}{
		"no condition":     {AlertCmd{On: on, Recipients: to}, ErrAlert},
		"recovers above":   {AlertCmd{On: on, Condition: new(Above), Threshold: new(1.0), Recover: new(2.0), Recipients: to}, ErrAlert},
		"recovers below":   {AlertCmd{On: on, Condition: new(Below), Threshold: new(1.0), Recover: new(0.0), Recipients: to}, ErrAlert},
		"for no time":      {AlertCmd{On: on, Condition: new(Absent), For: new(0), Recipients: to}, ErrAlert},
		"a fixed time":     {AlertCmd{On: fixed, Condition: new(Absent), Recipients: to}, ErrAlert},
		"a dashboard":      {AlertCmd{On: w.board(on), Condition: new(Absent), Recipients: to}, fault.ErrNotFound},
		"nobody to tell":   {AlertCmd{On: on, Condition: new(Absent)}, fault.ErrInput},
		"somebody unknown": {AlertCmd{On: on, Condition: new(Absent), Recipients: []string{"x@example.org"}}, ErrRecipient},
	} {
		if _, err := w.CreateAlert(w.person("ada"), tc.cmd); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestAlertIsItsOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alert(w.flights(), AlertCmd{Condition: new(Above), Threshold: new(1.0)})
	w.see(map[string]*float64{"": new(2.0)})
	w.authz.deny("eve", PermManage, true)
	_, get := w.Alert(w.person("eve"), a.ID)
	_, pause := w.PauseAlert(w.person("eve"), a.ID)
	_, update := w.UpdateAlert(w.person("bob"), a.ID, AlertCmd{Threshold: new(3.0)})
	for name, err := range map[string]error{"get": get, "pause": pause, "update": update, "delete": w.DeleteAlert(w.person("eve"), a.ID)} {
		if !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed, err := w.UpdateAlert(w.person("ada"), a.ID, AlertCmd{Threshold: new(3.0)})
	if err != nil || changed.State != OK || changed.Recover != 3 {
		t.Errorf("another threshold: %+v, %v", changed, err)
	}
	if p, err := w.PauseAlert(w.person("bob"), a.ID); err != nil || !p.Paused {
		t.Errorf("who manages pauses: %+v, %v", p, err)
	}
	if mine, err := w.Alerts(w.person("ada"), false, pageAll()); err != nil || len(mine.Items) != 1 {
		t.Errorf("%v, %v", mine.Items, err)
	}
	_, _, source, _, err := w.AlertsChannel(w.person("ada"))
	if err != nil {
		t.Fatal(err)
	}
	live := source()
	if err := live.Load(t.Context()); err != nil || len(live.Snapshot().(AlertList).Alerts) != 1 {
		t.Errorf("live %+v, %v", live.Snapshot(), err)
	}
	if live.Apply(alertsChanged{}); !live.Stale() {
		t.Error("a change is not noticed")
	}
	if err := w.DeleteAlert(w.person("ada"), a.ID); err != nil || storetest.Count(t, w.DB, alertsCollection) != 0 {
		t.Errorf("delete: %v", err)
	}
}
