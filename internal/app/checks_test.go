package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// look asks the internal listener until a check has a status, with one of these parts in its detail or code.
func look(t *testing.T, s *apptest.Server, name string, status health.Status, says string) {
	t.Helper()
	var last string
	storetest.Eventually(t, 20*time.Second, func() bool {
		code, body, _ := get(t, s.InternalURL()+"/checks")
		var list httpapi.CheckList
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatalf("%d %s", code, body)
		}
		last = body
		ready := list.Status == health.Ready
		if ready != (code == http.StatusOK) || ready == slices.ContainsFunc(list.Checks, func(c httpapi.CheckResult) bool { return c.Status == health.Failed }) {
			t.Fatalf("%d for %s", code, body)
		}
		i := slices.IndexFunc(list.Checks, func(c httpapi.CheckResult) bool { return c.Name == name })
		return i >= 0 && list.Checks[i].Status == status && strings.Contains(list.Checks[i].Detail+" "+list.Checks[i].Code, says)
	}, name+" is never "+string(status)+": "+says)
	if t.Failed() {
		t.Log(last)
	}
}

// TestChecksFind: each check finds what it is there for, and what it finds is a warning unless the node cannot serve.
func TestChecksFind(t *testing.T) {
	t.Parallel()
	behind := func() time.Time { return time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond) }
	s := apptest.Start(t, apptest.Setup{Clock: behind, Args: []string{
		"--mail-host=127.0.0.1", "--mail-port=1", "--mail-tls=none", "--mail-from=book@example.org", "--health-disk-free=0", "--health-mail-age=10s",
	}})
	look(t, s, "mongodb", health.OK, "majority")
	look(t, s, "migrations", health.OK, "nothing to do")
	look(t, s, "jobs", health.OK, "0 due")
	look(t, s, "mail", health.OK, "0 on their way")
	look(t, s, "disk", health.OK, "% free")
	look(t, s, "clock", health.Warning, "CLOCK_SKEWED")

	ago := time.Now().Add(-2 * time.Hour)
	storetest.Insert(t, s.DB(), "jobs", bson.M{"_id": "late", "kind": "nobody does it", "state": "WAITING", "createdAt": ago, "dueAt": time.UnixMilli(0)})
	look(t, s, "jobs", health.Warning, "1 are due, the oldest for 2h0m")
	if _, err := s.DB().Collection("jobs").UpdateByID(t.Context(), "late", bson.M{"$set": bson.M{"state": "FAILED", "finishedAt": time.Now()}}); err != nil {
		t.Fatal(err)
	}
	look(t, s, "jobs", health.Warning, "JOBS_FAILED")
	storetest.Insert(t, s.DB(), "outbox", bson.M{"_id": "late", "state": "waiting", "queuedAt": ago, "dueAt": time.Now().Add(time.Hour)})
	look(t, s, "mail", health.Warning, "1 wait")
	storetest.Insert(t, s.DB(), "outbox", bson.M{"_id": "dead", "state": "dead", "queuedAt": ago})
	look(t, s, "mail", health.Warning, "1 could not be delivered")

	if status, body, _ := get(t, s.URL+"/readyz"); status != http.StatusOK || strings.Contains(body, "mail") {
		t.Errorf("warnings keep the node from serving: %d %s", status, body)
	}
	_, metrics, _ := get(t, s.InternalURL()+"/metrics")
	for _, part := range []string{`backendbook_check_status{check="mail"} 1`, `backendbook_check_status{check="mongodb"} 0`} {
		if !strings.Contains(metrics, part) {
			t.Errorf("/metrics has no %s", part)
		}
	}
}

// TestUnwritableIsNotReady: a database that answers but takes no writes makes the node not ready, until it does.
func TestUnwritableIsNotReady(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	look(t, s, "mongodb", health.OK, "")
	off := storetest.FailPoint(t, s.DB(), "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"delete"}}, {Key: "errorCode", Value: 10107}, {Key: "errorLabels", Value: bson.A{"RetryableWriteError"}}, // NotWritablePrimary
	})
	look(t, s, "mongodb", health.Failed, "") // UNAVAILABLE, or DEADLINE_EXCEEDED while the driver still tries
	status, body, _ := get(t, s.URL+"/readyz")
	off()
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"mongodb":{"ok":false`) {
		t.Errorf("%d %s", status, body)
	}
	look(t, s, "mongodb", health.OK, "")
}

// TestDoctorRunsTheChecks: the command runs the same checks, and asks a running server for those that only it can make.
func TestDoctorRunsTheChecks(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	listen, inside := strings.TrimPrefix(s.URL, "http://"), strings.TrimPrefix(s.InternalURL(), "http://")
	environ := []string{"MONGODB_URI=" + storetest.URI(t), "BACKENDBOOK_MONGODB_DATABASE=" + s.Database, "BACKENDBOOK_DATA_DIR=" + t.TempDir()}
	code, said := run(t, environ, "doctor", "--listen="+listen, "--internal-listen="+inside)
	for _, name := range []string{"migrations", "mail", "jobs", "disk", "clock", "server", "change_stream", "policy", "folder"} {
		if n := strings.Count(said, "  "+name+" "); n != 1 {
			t.Errorf("it tells of %s %d times", name, n)
		}
	}
	if code != 0 || !strings.Contains(said, "takes writes with a majority") || t.Failed() {
		t.Errorf("%d:\n%s", code, said)
	}
	storetest.Insert(t, s.DB(), "jobs", bson.M{"_id": "late", "kind": "nobody does it", "state": "WAITING", "createdAt": time.Now().Add(-time.Hour), "dueAt": time.UnixMilli(0)})
	if code, said := run(t, environ, "doctor", "--listen="+listen, "--internal-listen=none"); code != 0 || !strings.Contains(said, "1 are due") || strings.Contains(said, "policy") {
		t.Errorf("%d:\n%s", code, said)
	}
}
