package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const (
	runSaved       = `query($id: ID!) { savedReport(id: $id) { saved { title kind } result { __typename ... on Report { metric totals { key value count } } } } }`
	createSchedule = `mutation($in: CreateScheduleInput!) { createSchedule(input: $in) { schedule { id nextAt owner { name } recipients { name } report { __typename } } } }`
	runSchedule    = `mutation($in: RunScheduleNowInput!) { runScheduleNow(input: $in) { schedule { id } } }`
	createAlert    = `mutation($in: CreateAlertInput!) { createAlert(input: $in) { alert { id state } } }`
)

// flightsSaved makes the metric, some events of it and a saved report of the administrator's, all there when it returns.
func flightsSaved(t *testing.T, root *apptest.Client) (report string) {
	t.Helper()
	root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{
		"key": "flights.count", "event": "flight", "dimensions": []any{"origin"},
	}))
	var events []any
	for i := range 7 {
		events = append(events, map[string]any{"id": fmt.Sprintf("flight-%03d", i), "name": "flight", "dims": map[string]any{"origin": []string{"LAX", "JFK"}[i%2]}})
	}
	root.Must(`mutation($in: TrackInput!) { track(input: $in) { accepted } }`, in(map[string]any{"events": events}))
	report = text(t, root.Must(createDoc, in(map[string]any{"type": "core.report", "data": map[string]any{
		"title": "Flights", "kind": "BAR", "query": map[string]any{"metric": "flights.count", "step": "HOUR", "last": 24, "by": "origin"},
	}})), "createDocument", "document", "id")
	storetest.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(fmt.Sprint(at(t, root.Must(runSaved, map[string]any{"id": report}), "savedReport", "result", "totals")), "count:4")
	}, "the events are counted")
	return report
}

// TestSavedReports: a saved report is run, followed, put on a dashboard, shared with a role, sent by mail and watched.
func TestSavedReports(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	report := flightsSaved(t, root)

	board := text(t, root.Must(createDoc, in(map[string]any{"type": "core.dashboard", "data": map[string]any{
		"title": "Board", "tiles": []any{map[string]any{"report": report, "x": 0, "y": 0, "w": 6, "h": 4}},
	}})), "createDocument", "document", "id")
	read := root.Must(`query($id: ID!) { node(id: $id) { ... on Dashboard { title tiles { x w report { ... on SavedReport { title kind query } } } } } }`, map[string]any{"id": board})
	if got := fmt.Sprint(at(t, read, "node", "tiles", 0, "report", "query", "metric")); got != "flights.count" {
		t.Errorf("the tile shows %v", read)
	}
	if r := root.Do(createDoc, in(map[string]any{"type": "core.dashboard", "data": map[string]any{"title": "x", "tiles": []any{map[string]any{"report": board, "x": 0, "y": 0, "w": 1, "h": 1}}}})); r.Code() != "REF_TYPE" {
		t.Errorf("a dashboard on a dashboard: %v", r.Errors)
	}

	f := follow(t, b, root.Token, map[string]any{"key": "saved", "savedReport": report}, map[string]any{"key": "mine", "alerts": true})
	f.until("the report", func(m message) bool { return m.Channel == "saved" && strings.Contains(fmt.Sprint(m.Data), "LAX") })
	alert := text(t, root.Must(createAlert, in(map[string]any{"report": report, "condition": "ABSENT", "recipients": []any{"admin@example.com"}})), "createAlert", "alert", "id")
	f.until("the alert fires, for there was no flight in the hour before", func(m message) bool {
		return m.Channel == "mine" && strings.Contains(fmt.Sprint(m.Data), "FIRING")
	})

	made := root.Must(createSchedule, in(map[string]any{"report": board, "cron": "0 8 * * *", "timeZone": "Europe/Berlin", "format": "HTML_CSV", "recipients": []any{"admin@example.com"}}))
	if at(t, made, "createSchedule", "schedule", "recipients", 0, "name") == nil || at(t, made, "createSchedule", "schedule", "report", "__typename") != "Dashboard" {
		t.Errorf("%v", made)
	}
	root.Must(runSchedule, in(map[string]any{"id": text(t, made, "createSchedule", "schedule", "id")}))
	mails := fmt.Sprint(root.Must(`{ mailbox(first: 10) { nodes { subject html } } }`, nil))
	for _, want := range []string{"Board, ", "data:image/png;base64,", "LAX", "Alert: Flights"} {
		if !strings.Contains(mails, want) {
			t.Errorf("the mailbox lacks %q", want)
		}
	}
	lists := root.Must(`{ schedules { nodes { cron errorCode } } alerts(everybody: true) { nodes { id state value } } }`, nil)
	if at(t, lists, "schedules", "nodes", 0, "cron") != "0 8 * * *" || at(t, lists, "alerts", "nodes", 0, "id") != alert {
		t.Errorf("%v", lists)
	}
}

// TestReportsAreSharedWithRoles: who may read no documents reads the one report that their role was given, and its numbers if
// they may see the metric. Without either there is nothing to run, to follow or to be sent.
func TestReportsAreSharedWithRoles(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	report := flightsSaved(t, root)
	role := text(t, root.Must(`mutation { createRole(input: {key: "guests", name: "Guests", permissions: []}) { role { id } } }`, nil), "createRole", "role", "id")
	change := func(role, how string, permissions ...any) {
		t.Helper()
		root.Must(`mutation($in: UpdateRoleInput!) { updateRole(input: $in) { role { id } } }`, in(map[string]any{"role": role, how: permissions}))
	}
	all, _ := at(t, root.Must(`{ roles { nodes { id key } } }`, nil), "roles", "nodes").([]any)
	for _, r := range all {
		if at(t, r, "key") == "member" { // every user has it
			change(text(t, r, "id"), "remove", "registry.document.read", "analytics.report.view(metric=*)")
		}
	}
	guest, id := user(t, s, "gus")
	root.Must(`mutation($in: GrantRoleInput!) { grantRole(input: $in) { grant { id } } }`, in(map[string]any{"role": role, "member": id}))

	run := func(want string) {
		t.Helper()
		storetest.Eventually(t, 10*time.Second, func() bool { return guest.Do(runSaved, map[string]any{"id": report}).Code() == want }, "running it says "+want)
	}
	run("NOT_FOUND")
	root.Must(`mutation($in: GrantObjectInput!) { grantObject(input: $in) { objectGrant { id } } }`, in(map[string]any{"subject": role, "permission": "registry.document.read", "on": report}))
	run("FORBIDDEN") // the document, but not the metric
	change(role, "add", "analytics.report.view(metric=flights.count)")
	run("")
	f := follow(t, s, guest.Token, map[string]any{"key": "saved", "savedReport": report})
	f.until("the report", func(m message) bool { return m.Channel == "saved" && m.Kind == "SNAPSHOT" })
	change(role, "remove", "analytics.report.view(metric=flights.count)")
	f.until("the end with the right", func(m message) bool { return m.Channel == "saved" && m.Kind == "NOTICE" })
}

// TestDeletedMetrics: a metric that saved reports show is deleted only by force; who follows a report of it hears why it ends.
func TestDeletedMetrics(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	report := flightsSaved(t, root)
	del := `mutation($in: DeleteMetricInput!) { deleteMetric(input: $in) { key } }`
	r := root.Do(del, in(map[string]any{"key": "flights.count"}))
	if r.Code() != "METRIC_IN_USE" || fmt.Sprint(r.Errors[0].Extensions["reports"]) != "["+report+"]" || r.Errors[0].Extensions["count"] != 1.0 {
		t.Fatalf("a metric in use: %v", r.Errors)
	}
	f := follow(t, b, root.Token, map[string]any{"key": "saved", "savedReport": report})
	f.until("the report", func(m message) bool { return m.Channel == "saved" && m.Kind == "SNAPSHOT" })
	root.Must(del, in(map[string]any{"key": "flights.count", "force": true}))
	f.until("the end", func(m message) bool {
		return m.Channel == "saved" && m.Kind == "NOTICE" && m.Error.Code == "METRIC_UNKNOWN"
	})
	if r := root.At(b).Do(runSaved, map[string]any{"id": report}); r.Code() != "METRIC_UNKNOWN" {
		t.Errorf("the report of it: %v", r.Errors)
	}
	if r := root.Do(del, in(map[string]any{"key": "flights.count"})); r.Code() != "METRIC_UNKNOWN" {
		t.Errorf("deleted again: %v", r.Errors)
	}
	storetest.Eventually(t, 20*time.Second, func() bool { return storetest.Count(t, a.DB(), "rollups") == 0 }, "its numbers are gone")
}
