package app_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestDeletedAccountsLeaveTheEvents: when the time of grace is over, no event points at who had the account, neither those they
// sent nor those the server made of what they did; the numbers are what they were.
func TestDeletedAccountsLeaveTheEvents(t *testing.T) {
	t.Parallel()
	settings := []string{"--auth-delete-grace=1ms", "--analytics-product=true"}
	a := apptest.Start(t, apptest.Setup{Args: settings})
	root := admin(t, a)
	root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{"key": "visits", "event": "visit", "unique": "actor"}))
	p := newPerson(t, a, "ada")
	_, id, _ := strings.Cut(p.ID, ":")
	granted(t, root, map[string]any{"role": newRole(t, root, map[string]any{"key": "tracker", "permissions": []any{"analytics.event.track"}}), "member": p.ID})
	trackAll(p.Client, visitorDid(id, "visit", nil), visitorDid(id, "visit", nil), visitorDid("visitor-1", "visit", nil))
	numbers := func() string {
		b, err := json.Marshal(root.Must(`{ a: report(input: {metric: "visits", step: DAY, last: 2}) { exact totals { count } }
			b: report(input: {metric: "visits", aggregate: UNIQUE, step: DAY, last: 2}) { exact totals { value } } }`, nil))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const want = `{"a":{"exact":true,"totals":[{"count":3}]},"b":{"exact":true,"totals":[{"value":2}]}}`
	storetest.Eventually(t, 20*time.Second, func() bool { return numbers() == want }, "the events are counted")

	must[struct{}](t, p.Client, "deleteMe", map[string]any{"email": p.Email}, "deletedAfter")
	storetest.Eventually(t, 20*time.Second, func() bool {
		all := stored(t, a, "analytics_events")
		return strings.Contains(all, "account.user.deletion_scheduled") && strings.Contains(all, "session.session.ended")
	}, "the server has noted that they left")
	if !strings.Contains(stored(t, a, "analytics_events"), id) {
		t.Fatal("the events say nothing of the user before")
	}
	apptest.Start(t, apptest.Setup{Database: a.Database, Args: settings}) // looks at its start for whose time is over
	storetest.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(stored(t, a, "jobs"), `"state":"DONE"`)
	}, "the erasure is done")
	if left := stored(t, a, "analytics_events"); strings.Contains(left, id) || strings.Count(left, "erased-") == 0 || !strings.Contains(left, "visitor-1") {
		t.Errorf("the events:\n%s", left)
	}
	if job := stored(t, a, "jobs"); !strings.Contains(job, `"cursor":null`) {
		t.Errorf("what could tell who was who is left: %s", job)
	}
	storetest.Eventually(t, 20*time.Second, func() bool { return numbers() == want }, "the numbers are what they were")
}
