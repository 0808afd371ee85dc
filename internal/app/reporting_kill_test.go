package app_test

import (
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// slotsTold are the events of a kind, by what they are about, with their slots.
func slotsTold(t *testing.T, db *store.DB, kind string) map[ref.Ref][]time.Time {
	t.Helper()
	all, err := store.Find[struct {
		On   ref.Ref
		Data struct{ Slot time.Time }
	}](t.Context(), db.Collection("events"), bson.D{{Key: "kind", Value: kind}})
	if err != nil {
		t.Fatal(err)
	}
	by := map[ref.Ref][]time.Time{}
	for _, e := range all {
		by[e.On] = append(by[e.On], e.Data.Slot.UTC())
	}
	return by
}

// update changes all documents of a collection that match.
func update(t *testing.T, db *store.DB, collection string, match, set bson.D) {
	t.Helper()
	if _, err := db.Collection(collection).UpdateMany(t.Context(), match, bson.D{{Key: "$set", Value: set}}); err != nil {
		t.Fatal(err)
	}
}

// TestReportsAreSentOnceWhoeverIsKilled: servers are killed one after the other in the middle of sending reports that were due
// three times since anybody looked, and of looking at alerts. In the end each schedule has sent the latest of its slots and each
// alert has told that it fires, in one mail each.
func TestReportsAreSentOnceWhoeverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills servers")
	}
	t.Parallel()
	const many = 60
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	report := flightsSaved(t, root)
	for range many {
		root.Must(createSchedule, in(map[string]any{"report": report, "cron": "0 0 1 1 *", "timeZone": "UTC", "format": "HTML_CSV", "recipients": []any{"admin@example.com"}}))
		root.Must(createAlert, in(map[string]any{"report": report, "condition": "BELOW", "threshold": 1e9, "recipients": []any{"admin@example.com"}}))
	}
	s.Cleanup() // and all that it does besides
	// Nobody has looked at an alert, nor at a schedule since three years.
	db, now := storetest.Open(t, s.Database), time.Now()
	first := time.Date(now.Year()-2, 1, 1, 0, 0, 0, 0, time.UTC)
	update(t, db, "report_schedules", bson.D{}, bson.D{{Key: "nextAt", Value: first}, {Key: "dueAt", Value: first}})
	update(t, db, "report_alerts", bson.D{}, bson.D{{Key: "state", Value: "OK"}, {Key: "dueAt", Value: now}})
	for _, of := range []struct {
		collection string
		match      bson.D
	}{{"outbox", bson.D{}}, {"events", bson.D{{Key: "kind", Value: "reporting.alert.changed"}}}} {
		if _, err := db.Collection(of.collection).DeleteMany(t.Context(), of.match); err != nil {
			t.Fatal(err)
		}
	}

	environ := commandsOn(t, s.Database)
	const sent, changed = "reporting.schedule.sent", "reporting.alert.changed"
	for n := many / 4; n < many; n += many / 4 {
		victim := serve(t, environ)
		until(t, "some are sent", func() bool { return len(slotsTold(t, db, sent)) >= n })
		victim.signal(syscall.SIGKILL)
		victim.wait()
		if got := len(slotsTold(t, db, sent)); got >= many {
			t.Fatalf("%d are sent when a server is killed: that is not the middle", got)
		}
		// The leases of the dead run out.
		update(t, db, "leases", bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{"reporting.schedules", "reporting.alerts"}}}}},
			bson.D{{Key: "expiresAt", Value: time.Unix(0, 0)}})
	}
	apptest.Start(t, apptest.Setup{Database: s.Database})
	// What has failed on a busy machine is tried again after 15 seconds, then 30, then 60.
	storetest.Eventually(t, 4*time.Minute, func() bool { return len(slotsTold(t, db, sent)) == many && len(slotsTold(t, db, changed)) == many }, "all are sent")

	latest := time.Date(now.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	for on, slots := range slotsTold(t, db, sent) {
		if len(slots) != 1 || !slots[0].Equal(latest) {
			t.Errorf("%s has sent the slots %v", on, slots)
		}
	}
	for on, times := range slotsTold(t, db, changed) {
		if len(times) != 1 {
			t.Errorf("%s has told %d changes", on, len(times))
		}
	}
	for template, want := range map[string]int{"report": many, "alert_fired": many, "report_paused": 0, "alert_paused": 0, "alert_recovered": 0} {
		if n := storetest.Count(t, db, "outbox", bson.D{{Key: "template", Value: template}}); n != want {
			t.Errorf("%d mails %s, want %d", n, template, want)
		}
	}
	if n := storetest.Count(t, db, "report_schedules", bson.D{{Key: "nextAt", Value: latest.AddDate(1, 0, 0)}, {Key: "lastAt", Value: latest}}); n != many {
		t.Errorf("%d schedules are due next year", n)
	}
}
