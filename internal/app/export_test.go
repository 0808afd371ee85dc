package app_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const exportEvents = `mutation($in: ExportEventsInput!) { exportEvents(input: $in) { job { id state } } }`

// visits are so many events, three at each time.
func visits(n int) []any {
	docs := make([]any, n)
	for i := range docs {
		at := time.Date(2026, 1, 2, 3, 0, i/3, 0, time.UTC)
		docs[i] = analytics.Event{ID: fmt.Sprintf("visit-%06d", i), Name: "visit", At: at, ReceivedAt: at, Dims: map[string]string{"page": fmt.Sprint("/", i%7)}}
	}
	return docs
}

// asking is a request that the client has not read the answer of.
func asking(t *testing.T, c *apptest.Client, path string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// TestExports: what is too much for one download is written by a job; both are the same rows, however often they are cut.
func TestExports(t *testing.T) {
	t.Parallel()
	const rows = 100_001
	s := apptest.Start(t, apptest.Setup{})
	storetest.Insert(t, s.DB(), "analytics_events", visits(rows)...)
	root := admin(t, s)
	u, id := user(t, s, "reader")
	path := "/exports/events?name=visit&format=csv&dims=page"
	for _, c := range []*apptest.Client{s.Browser(), u} {
		if status, _, body := fetched(t, c, path); status == http.StatusOK || bytes.Contains(body, []byte("visit-")) {
			t.Errorf("%d for who may not", status)
		}
	}
	if r := u.Do(exportEvents, in(map[string]any{"format": "CSV", "name": "visit"})); r.Code() != "FORBIDDEN" {
		t.Errorf("a job for who may not: %q", r.Code())
	}
	if status, _, body := fetched(t, root, path); status != http.StatusUnprocessableEntity || !bytes.Contains(body, []byte("EXPORT_TOO_LARGE")) {
		t.Errorf("all at once: %d %.200s", status, body)
	}

	started := root.Must(exportEvents, in(map[string]any{"format": "CSV", "name": "visit", "dims": []any{"page"}}))
	var out struct {
		Job struct {
			State       string
			Done, Total int64
			Result      struct {
				Counts map[string]int64
				File   string
				Until  time.Time
			}
		}
	}
	storetest.Eventually(t, 3*time.Minute, func() bool {
		root.Read(&out, `query($id: ID!) { job(id: $id) { state done total result } }`, map[string]any{"id": text(t, started, "exportEvents", "job", "id")})
		return out.Job.State == "DONE" || out.Job.State == "FAILED"
	}, "the job ends")
	told := out.Job.Result
	status, header, whole := fetched(t, root, told.File)
	if status != http.StatusOK || out.Job.Done != rows || out.Job.Total != rows || told.Counts["bytes"] != int64(len(whole)) || time.Until(told.Until) < 6*24*time.Hour {
		t.Fatalf("%d %v, %d bytes; the job tells %+v", status, header, len(whole), out.Job)
	}
	table, err := csv.NewReader(bytes.NewReader(whole)).ReadAll()
	if err != nil || len(table) != rows+1 {
		t.Fatalf("%d rows, %v", len(table), err)
	}
	for i, row := range table[1:] {
		if row[1] != fmt.Sprintf("visit-%06d", i) || row[8] != fmt.Sprint("/", i%7) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	half := asking(t, root, told.File, "Range", fmt.Sprintf("bytes=%d-", len(whole)/2)) //nolint:bodyclose // asking does
	if rest, err := io.ReadAll(half.Body); err != nil || half.StatusCode != http.StatusPartialContent || !bytes.Equal(rest, whole[len(whole)/2:]) {
		t.Errorf("the second half: %d, %d bytes, %v", half.StatusCode, len(rest), err)
	}
	if status, _, _ := fetched(t, u, told.File); status == http.StatusOK {
		t.Error("the file is for everybody")
	}
	granted(t, root, map[string]any{"member": id, "role": newRole(t, root, map[string]any{"key": "reader", "permissions": []any{"analytics.event.read"}})})
	until(t, "the right is there", func() bool {
		status, _, _ := fetched(t, u, "/exports/events?name=none&format=csv")
		return status == http.StatusOK
	})
	if status, _, _ := fetched(t, u, told.File); status != http.StatusForbidden {
		t.Errorf("the file of another's job: %d", status)
	}

	// The first 30,000 are few enough for a download. It is cut at random, and goes on behind the last row that came whole.
	end := time.Date(2026, 1, 2, 3, 0, 10_000, 0, time.UTC).Format(time.RFC3339)
	want := whole[:bytes.Index(whole, []byte("\n"+end))+1]
	rnd := rand.New(rand.NewPCG(9, 10))
	var got []byte
	cuts := 0
	for after, done := "", false; !done; {
		resp := asking(t, root, path+"&to="+url.QueryEscape(end)+"&after="+url.QueryEscape(after))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("after %q: %d", after, resp.StatusCode)
		}
		part, err := io.ReadAll(io.LimitReader(resp.Body, int64(rnd.IntN(2_000_000))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := resp.Body.Read(make([]byte, 1)); err == io.EOF {
			done = true
			if cursor := resp.Trailer.Get("Export-Cursor"); cursor != "2026-01-02T05:46:39Z,visit-029999" {
				t.Errorf("the cursor at the end is %q", cursor)
			}
		}
		_ = resp.Body.Close()
		part = part[:bytes.LastIndexByte(part, '\n')+1] // no cell of these has a line break
		if lines := bytes.Split(bytes.TrimSpace(part), []byte("\n")); len(part) > 0 && !bytes.HasPrefix(lines[len(lines)-1], []byte("at,")) {
			last := strings.Split(string(lines[len(lines)-1]), ",")
			after = last[0] + "," + last[1]
			got = append(got, part...)
		}
		cuts++
	}
	if !bytes.Equal(got, want) || cuts < 2 {
		t.Errorf("after %d downloads there are %d bytes, want %d", cuts, len(got), len(want))
	}
}

// TestExportReports: the numbers of a report by HTTP and by a job, and the same rights as the report itself.
func TestExportReports(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{"key": "visits", "event": "visit", "dimensions": []any{"page"}}))
	storetest.Insert(t, s.DB(), "analytics_events", visits(9)...)
	want := "at,key,value,count\n2026-01-02T00:00:00Z,/0,2,2\n2026-01-02T00:00:00Z,/1,2,2\n"
	report := map[string]any{"metric": "visits", "step": "DAY", "from": "2026-01-02T00:00:00Z", "to": "2026-01-03T00:00:00Z", "by": "page", "top": 2}
	raw, _ := json.Marshal(report)
	path := "/exports/report?format=csv&report=" + url.QueryEscape(string(raw))
	until(t, "the events are counted", func() bool {
		_, _, body := fetched(t, root, path)
		return string(body) == want
	})
	u, id := user(t, s, "nobody")
	demote(t, root, id)
	if status, _, _ := fetched(t, u, path); status != http.StatusForbidden {
		t.Errorf("%d for who may not", status)
	}
	job := text(t, root.Must(`mutation($in: ExportReportInput!) { exportReport(input: $in) { job { id } } }`, in(map[string]any{"format": "CSV", "report": report})), "exportReport", "job", "id")
	until(t, "the job ends", func() bool {
		status, _, body := fetched(t, root, "/exports/files/"+job)
		return status == http.StatusOK && string(body) == want
	})
}

// TestExportCommands: an operator exports to files.
func TestExportCommands(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	environ := append(commandsOn(t, db.Database().Name()), "BACKENDBOOK_LOG_LEVEL=error")
	storetest.Insert(t, db, "metrics", analytics.Metric{Key: "visits", Event: "visit", Dimensions: []string{"page"}, Version: 1, Basis: 1})
	print(t, environ, "migrate")
	storetest.Insert(t, db, "analytics_events", visits(9)...)
	file := filepath.Join(t.TempDir(), "out")
	for _, tc := range []struct {
		args []string
		want string // in the file, or on the terminal
	}{
		{[]string{"export", "events", "visit", "--format=csv", "--dims=page", "--where=page=/1", "--out=" + file}, "2026-01-02T03:00:00Z,visit-000001,visit,2026-01-02T03:00:00Z,,,,,/1,,\n"},
		{[]string{"export", "events", "visit", "--after=2026-01-02T03:00:02Z,visit-000007"}, `"id":"visit-000008"`},
		{[]string{"export", "events", "visit", "--format=xlsx", "-o", file}, "PK\x03\x04"},
		{[]string{"report", "visits", "--step=day", "--from=2026-01-02T00:00:00Z", "--to=2026-01-03T00:00:00Z", "--format=csv", "--out=" + file}, "at,key,value,count\n2026-01-02T00:00:00Z,,9,9\n"},
		{[]string{"report", "visits", "--step=day", "--from=2026-01-02T00:00:00Z", "--to=2026-01-03T00:00:00Z", "--format=xlsx", "--out=" + file}, "PK\x03\x04"},
	} {
		_ = os.Remove(file)
		said := print(t, environ, tc.args...)
		if b, err := os.ReadFile(file); err == nil {
			said = string(b)
		}
		if !strings.Contains(said, tc.want) {
			t.Errorf("%s: %.300q", strings.Join(tc.args, " "), said)
		}
	}
	if code, said := run(t, environ, "export", "events", "visit", "--where=page"); code != 2 {
		t.Errorf("half a filter: %d %s", code, said)
	}
}
