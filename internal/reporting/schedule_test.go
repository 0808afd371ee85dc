package reporting

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"image/png"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestScheduleSendsEachSlotOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.schedule(w.flights(), "0 8 * * *")
	if want := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC); v.NextAt == nil || !v.NextAt.Equal(want) {
		t.Fatalf("next at %v", v.NextAt)
	}
	w.turnAll()
	if n := len(w.mails()); n != 0 {
		t.Fatalf("%d mails before the slot", n)
	}
	w.clock.Advance(5 * time.Hour)
	w.turnAll()
	w.turnAll()
	got := w.mails()
	if len(got) != 1 || got[0].To != "bob@example.org" || got[0].Subject != "Flights, Fri, 2 Jan 2026 08:00 UTC" {
		t.Fatalf("mails %+v", got)
	}
	after, err := w.Schedule(w.person("ada"), v.ID)
	if err != nil || !after.LastAt.Equal(*v.NextAt) || !after.NextAt.Equal(v.NextAt.Add(24*time.Hour)) {
		t.Errorf("after it %+v, %v", after, err)
	}
	if w.facts(kindScheduleSent) != 1 || w.facts(kindScheduleCreated) != 1 {
		t.Error("the events are not those")
	}
}

// After a time in which nothing ran, the latest slot alone is sent.
func TestMissedSlotsAreSentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.schedule(w.flights(), "*/5 * * * *")
	w.clock.Advance(26*time.Hour + 2*time.Minute)
	w.turnAll()
	w.turnAll()
	after, err := w.Schedule(w.person("ada"), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 1, 3, 5, 5, 0, 0, time.UTC)
	if len(w.mails()) != 1 || !after.LastAt.Equal(want) || !after.NextAt.Equal(want.Add(5*time.Minute)) {
		t.Errorf("%d mails, last %v, next %v", len(w.mails()), after.LastAt, after.NextAt)
	}
}

// Two nodes compute the same slot at the same time: one of them sends it.
func TestTwoNodesRaceForASlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 4 {
		w.schedule(w.flights(), "0 * * * *")
	}
	w.numbers.enter, w.numbers.leave = make(chan struct{}, 100), make(chan struct{})
	w.clock.Advance(time.Hour)
	ctx := actor.With(t.Context(), actor.System())
	due, err := w.store.schedules.due(ctx, w.clock.Now(), batch)
	if err != nil || len(due) != 4 {
		t.Fatalf("%d are due, %v", len(due), err)
	}
	var wg sync.WaitGroup
	for _, node := range []*world{w, w.peer(), w.peer()} {
		for _, v := range due {
			wg.Go(func() {
				if err := node.runSchedule(ctx, v); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for range 12 { // all of them have read the schedule, and not moved it
		<-w.numbers.enter
	}
	close(w.numbers.leave)
	wg.Wait()
	if n := len(w.mails()); n != 4 || w.facts(kindScheduleSent) != 4 {
		t.Errorf("%d mails and %d events for 4 slots", n, w.facts(kindScheduleSent))
	}
}

// Whatever the transaction of a slot fails at, nothing of it is left, and the slot is sent when it is tried again.
func TestNothingIsLostWhenTheCommitFails(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]bson.D{
		"the claim":  {{Key: "failCommands", Value: bson.A{"update"}}, {Key: "errorCode", Value: 8000}},
		"the mail":   {{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 8000}},
		"the commit": {{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "errorCode", Value: 8000}},
		"the line":   {{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "closeConnection", Value: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			v := w.schedule(w.flights(), "0 * * * *")
			w.clock.Advance(time.Hour)
			ctx := actor.With(t.Context(), actor.System())
			off := storetest.FailPoint(t, w.DB, bson.D{{Key: "times", Value: 1}}, data)
			err := w.runSchedule(ctx, v)
			off()
			if name != "the line" && (err == nil || len(w.mails()) != 0 || w.facts(kindScheduleSent) != 0) {
				t.Fatalf("%v, %d mails", err, len(w.mails()))
			}
			w.turnAll()
			w.turnAll()
			if len(w.mails()) != 1 || w.facts(kindScheduleSent) != 1 {
				t.Errorf("%d mails, %d events", len(w.mails()), w.facts(kindScheduleSent))
			}
		})
	}
}

func TestWorkersDoWhatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.schedule(w.flights(), "*/10 * * * *")
	ctx, cancel := context.WithCancel(actor.With(t.Context(), actor.System()))
	var wg sync.WaitGroup
	for _, node := range []*world{w, w.peer()} {
		wg.Go(func() { node.Run(ctx) })
	}
	for slots := 1; slots <= 3; slots++ {
		w.clock.Advance(10 * time.Minute)
		storetest.Eventually(t, time.Minute, func() bool { return len(w.mails()) >= slots }, "the slot is sent")
	}
	cancel()
	wg.Wait()
	if n := len(w.mails()); n != 3 {
		t.Errorf("%d mails for 3 slots", n)
	}
}

func TestScheduleRunsWithTheRightsOfItsOwner(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(w *world, on ref.Ref){
		"the metric":   func(w *world, _ ref.Ref) { w.authz.deny("ada", analytics.PermView, true) },
		"the document": func(w *world, _ ref.Ref) { w.authz.deny("ada", registry.PermRead, true) },
		"scheduling":   func(w *world, _ ref.Ref) { w.authz.deny("ada", PermSchedule, true) },
		"it is gone": func(w *world, on ref.Ref) {
			if _, err := w.docs.Delete(w.person("ada"), registry.DeleteCmd{On: on}); err != nil {
				w.t.Fatal(err)
			}
		},
		"no such metric": func(w *world, _ ref.Ref) { w.numbers.fail(analytics.ErrMetric) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			on := w.flights()
			v := w.schedule(on, "0 * * * *")
			lose(w, on)
			w.clock.Advance(time.Hour)
			w.turnAll()
			w.turnAll()
			got := w.mails()
			if len(got) != 1 || got[0].To != "ada@example.org" || !strings.Contains(got[0].Subject, "is not sent any more") {
				t.Fatalf("mails %+v", got)
			}
			after, err := w.Schedule(w.person("ada"), v.ID)
			if err != nil || !after.Paused || after.Reason == "" || after.NextAt != nil || w.facts(kindSchedulePaused) != 1 {
				t.Errorf("%+v, %v", after, err)
			}
		})
	}
}

func TestFailuresThatMayPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.schedule(w.flights(), "0 * * * *")
	w.numbers.fail(fault.ErrUnavailable)
	w.clock.Advance(time.Hour)
	w.turnAll()
	w.turnAll() // not due again at once
	after, err := w.Schedule(w.person("ada"), v.ID)
	if err != nil || after.Tries != 1 || after.Code != "UNAVAILABLE" || after.Paused || !after.NextAt.Equal(*v.NextAt) {
		t.Fatalf("%+v, %v", after, err)
	}
	w.numbers.fail(nil)
	w.clock.Advance(retryFirst)
	w.turnAll()
	if after, err = w.Schedule(w.person("ada"), v.ID); err != nil || len(w.mails()) != 1 || after.Tries != 0 || after.Code != "" || !after.LastAt.Equal(*v.NextAt) {
		t.Errorf("%d mails, %+v, %v", len(w.mails()), after, err)
	}
}

func TestMailGoesToWhoMayReadIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cron := "0 * * * *"
	on := w.flights()
	for name, change := range map[string]func(){
		"an address of nobody":  func() {},
		"not the metric":        func() { w.authz.deny("eve", analytics.PermView, true) },
		"not the document":      func() { w.authz.deny("eve", analytics.PermView, false); w.authz.deny("eve", registry.PermRead, true) },
		"an account closed for": func() { w.authz.deny("eve", registry.PermRead, false); w.people.add("eve", true) },
	} {
		address := "eve@example.org"
		if change(); name == "an address of nobody" {
			address = "nobody@example.org"
		}
		_, err := w.CreateSchedule(w.person("ada"), ScheduleCmd{On: on, Cron: &cron, Recipients: []string{"bob@example.org", address}})
		if !errors.Is(err, ErrRecipient) || fault.From(err).Details["index"] != 1 {
			t.Errorf("%s: %v", name, err)
		}
		w.authz.deny("eve", analytics.PermView, false)
		w.authz.deny("eve", registry.PermRead, false)
		w.people.add("eve", false)
	}
	v, err := w.CreateSchedule(w.person("ada"), ScheduleCmd{On: on, Cron: &cron, Recipients: []string{"bob@example.net", "eve@example.org", "bob@example.org"}})
	if err != nil || !slices.Equal(v.Recipients, []string{"bob", "eve"}) {
		t.Fatalf("%v, %v", v.Recipients, err)
	}
	w.authz.deny("eve", analytics.PermView, true) // since then
	w.clock.Advance(time.Hour)
	w.turnAll()
	if got := w.mails(); len(got) != 1 || got[0].To != "bob@example.org" {
		t.Errorf("mails %+v", got)
	}
}

func TestOnlyPeopleThemselvesSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	on, cron := w.flights(), "0 * * * *"
	cmd := ScheduleCmd{On: on, Cron: &cron, Recipients: []string{"bob@example.org"}}
	for name, tc := range map[string]struct {
		who  actor.Actor
		want error
	}{
		"nobody":          {actor.Actor{}, fault.ErrUnauthenticated},
		"a key":           {actor.Actor{User: "ada", Key: "k"}, ErrOwner},
		"an impersonator": {actor.Actor{User: "ada", Session: "s", Impersonator: "eve"}, ErrOwner},
		"the system":      {actor.System(), ErrOwner},
	} {
		ctx := actor.With(t.Context(), tc.who)
		if _, err := w.CreateSchedule(ctx, cmd); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.CreateAlert(ctx, AlertCmd{On: on, Condition: new(Absent), Recipients: []string{"bob@example.org"}}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.authz.deny("ada", PermSchedule, true)
	if _, err := w.CreateSchedule(w.person("ada"), cmd); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
}

func TestScheduleCommandsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	on := w.flights()
	to := []string{"bob@example.org"}
	for name, tc := range map[string]struct {
		cmd  ScheduleCmd
		want error
	}{
		"no cron":         {ScheduleCmd{On: on, Recipients: to}, ErrCron},
		"a bad cron":      {ScheduleCmd{On: on, Cron: new("61 * * * *"), Recipients: to}, ErrCron},
		"no zone":         {ScheduleCmd{On: on, Cron: new("0 * * * *"), TimeZone: new("Mars/Olympus"), Recipients: to}, fault.ErrInput},
		"the machine's":   {ScheduleCmd{On: on, Cron: new("0 * * * *"), TimeZone: new("Local"), Recipients: to}, fault.ErrInput},
		"no recipients":   {ScheduleCmd{On: on, Cron: new("0 * * * *")}, fault.ErrInput},
		"no such format":  {ScheduleCmd{On: on, Cron: new("0 * * * *"), Format: new(Format("PDF")), Recipients: to}, fault.ErrInput},
		"no report":       {ScheduleCmd{On: ref.New(ref.Report, ref.NewID()), Cron: new("0 * * * *"), Recipients: to}, fault.ErrNotFound},
		"something else":  {ScheduleCmd{On: ref.New(ref.User, "ada"), Cron: new("0 * * * *"), Recipients: to}, fault.ErrNotFound},
		"another's query": {ScheduleCmd{On: w.report("FUNNEL", map[string]any{}), Cron: new("0 * * * *"), Recipients: to}, ErrKind},
	} {
		if _, err := w.CreateSchedule(w.person("ada"), tc.cmd); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestScheduleIsItsOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.schedule(w.flights(), "0 8 * * *")
	w.authz.deny("eve", PermManage, true)
	eve := w.person("eve")
	_, get := w.Schedule(eve, v.ID)
	_, update := w.UpdateSchedule(w.person("bob"), v.ID, ScheduleCmd{Paused: new(true)}) // who manages may pause, not change
	_, pause := w.PauseSchedule(eve, v.ID)
	_, run := w.RunScheduleNow(eve, v.ID)
	_, list := w.Schedules(eve, true, pageAll())
	for name, err := range map[string]error{"get": get, "update": update, "pause": pause, "run": run, "delete": w.DeleteSchedule(eve, v.ID)} {
		if !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if own, err := w.Schedules(eve, false, pageAll()); !errors.Is(list, fault.ErrForbidden) || err != nil || len(own.Items) != 0 {
		t.Errorf("lists: %v, %v, %v", list, own.Items, err)
	}
	if all, err := w.Schedules(w.person("bob"), true, pageAll()); err != nil || len(all.Items) != 1 {
		t.Errorf("who manages sees %v, %v", all.Items, err)
	}
	paused, err := w.PauseSchedule(w.person("bob"), v.ID)
	if err != nil || !paused.Paused || paused.NextAt != nil {
		t.Fatalf("%+v, %v", paused, err)
	}
	w.clock.Advance(72 * time.Hour)
	w.turnAll()
	resumed, err := w.UpdateSchedule(w.person("ada"), v.ID, ScheduleCmd{Paused: new(false), TimeZone: new("Europe/Berlin")})
	if err != nil || resumed.Paused || !resumed.NextAt.Equal(time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC)) {
		t.Fatalf("resumed %+v, %v", resumed, err)
	}
	w.turnAll()
	if n := len(w.mails()); n != 0 {
		t.Errorf("%d mails for slots that were paused", n)
	}
	if err := w.DeleteSchedule(w.person("ada"), v.ID); err != nil || storetest.Count(t, w.DB, schedulesCollection) != 0 || w.facts(kindScheduleDeleted) != 1 {
		t.Errorf("delete: %v", err)
	}
}

func TestOneUserHasSoManySchedules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []any
	for range maxOwned {
		many = append(many, Schedule{ID: ref.NewID(), Owner: "ada"})
	}
	storetest.Insert(t, w.DB, schedulesCollection, many...)
	if _, err := w.CreateSchedule(w.person("ada"), ScheduleCmd{On: w.flights(), Cron: new("0 * * * *"), Recipients: []string{"bob@example.org"}}); !errors.Is(err, ErrLimit) {
		t.Errorf("one more: %v", err)
	}
}

// A mail has the charts as pictures, the totals as a table and, if wanted, the numbers attached.
func TestTheMailOfADashboard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.numbers.set(map[string]*float64{"LAX": new(1234.567), "=EVIL()": new(0.5)})
	byOrigin := w.report("BAR", map[string]any{"metric": "flights.delay", "aggregate": "AVG", "step": "HOUR", "last": 2, "by": "origin"})
	single := w.report("VALUE", map[string]any{"metric": "flights.count", "last": 1})
	funnel := w.report("FUNNEL", map[string]any{})
	board := w.board(byOrigin, single)
	v, err := w.CreateSchedule(w.person("ada"), ScheduleCmd{On: board, Cron: new("0 8 * * *"), Format: new(FormatCSV), Recipients: []string{"ada@example.org", "bob@example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.docs.Update(w.person("ada"), registry.UpdateCmd{On: board, Rev: 1, Patch: map[string]any{"tiles": []any{
		map[string]any{"report": funnel.String(), "x": 0, "y": 9, "w": 1, "h": 1},
		map[string]any{"report": byOrigin.String(), "x": 0, "y": 0, "w": 1, "h": 1},
		map[string]any{"report": single.String(), "x": 0, "y": 1, "w": 1, "h": 1},
		map[string]any{"x": 1, "y": 1, "w": 1, "h": 1},
	}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.RunScheduleNow(w.person("ada"), v.ID); err != nil {
		t.Fatal(err)
	}
	got := w.mails()
	if len(got) != 2 {
		t.Fatalf("%d mails", len(got))
	}
	m := got[1]
	for _, want := range []string{`src="cid:chart1"`, "1234.57", "=EVIL()", "ada has set up", "this is not done with reports of this kind"} {
		if !strings.Contains(m.HTML, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, m.HTML)
		}
	}
	if strings.Contains(m.HTML, "cid:chart2") || !strings.Contains(m.Text, "LAX | 1234.57 | 1") {
		t.Errorf("the text is\n%s", m.Text)
	}
	if len(m.Files) != 3 || m.Files[0].ID != "chart1" || m.Files[1].ID != "" || m.Files[1].Name != "1-Flights.csv" {
		t.Fatalf("%d files: %+v", len(m.Files), m.Files)
	}
	if _, err := png.Decode(bytes.NewReader(m.Files[0].Data)); err != nil {
		t.Error(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(m.Files[1].Data)).ReadAll()
	if err != nil || len(rows) != 5 || strings.Join(rows[0], ",") != "at,key,value,events" || rows[1][1] != "'=EVIL()" || rows[3][2] != "1234.567" {
		t.Errorf("the table is %v, %v", rows, err)
	}
	if after, err := w.Schedule(w.person("ada"), v.ID); err != nil || after.LastAt != nil || !after.NextAt.Equal(*v.NextAt) || w.facts(kindScheduleSent) != 1 {
		t.Errorf("sending now has moved the schedule: %+v, %v", after, err)
	}
}

func TestLargeTablesAreCut(t *testing.T) {
	t.Parallel()
	r := analytics.Report{}
	for i := range maxLines + 1 {
		r.Points = append(r.Points, analytics.Point{At: t0.Add(time.Duration(i) * time.Minute), Value: new(1.5), Count: 1})
	}
	text, cut, err := csvOf(r, time.UTC, maxBytes)
	if err != nil || !cut || bytes.Count(text, []byte("\n")) != maxLines+1 {
		t.Errorf("%d lines, cut %t, %v", bytes.Count(text, []byte("\n")), cut, err)
	}
	if text, cut, err = csvOf(r, time.UTC, 20<<10); err != nil || !cut || len(text) > 20<<10 || len(text) < 10<<10 {
		t.Errorf("%d bytes, cut %t, %v", len(text), cut, err)
	}
}
