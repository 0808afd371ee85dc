package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/table"
)

var formats = []table.Format{table.CSV, table.JSON, table.NDJSON, table.XLSX}

func flightsCmd(f table.Format) EventsCmd {
	return EventsCmd{
		Scan: analytics.Scan{Name: "flight"}, Format: f, Dims: []string{"origin", "destination"}, Values: []string{"delay", "distance"},
	}
}

// TestAllFlights: what comes out at once, and what a job writes, are the rows of the file, in every format.
func TestAllFlights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PartRows: 6000})
	want := w.load(t)
	for _, f := range formats {
		direct := w.export(t, flightsCmd(f))
		if got := flights(t, f, direct); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows are not the %d of the file", f, len(got), len(want))
		}
		if f == table.JSON || f == table.NDJSON {
			continue // for the time it takes: see TestAKilledJobWritesTheSameFile
		}
		j, err := w.StartEvents(w.ctx, flightsCmd(f))
		if err != nil {
			t.Fatal(err)
		}
		j = w.run(t, j.ID)
		var told result
		if err := json.Unmarshal(j.Result, &told); err != nil {
			t.Fatal(err)
		}
		file := w.download(t, j.ID)
		if j.Done != int64(len(want)) || j.Total != j.Done || told.Counts["rows"] != j.Done || told.Counts["bytes"] != int64(len(file)) || told.File != FilesPath+j.ID {
			t.Errorf("%s: the job tells %+v, %d of %d, of %d bytes", f, told, j.Done, j.Total, len(file))
		}
		if f == table.XLSX {
			if got := flights(t, f, file); !slices.Equal(got, want) {
				t.Errorf("%s: %d rows of the job are not the %d of the file", f, len(got), len(want))
			}
		} else if file != direct {
			t.Errorf("%s: the job has written %d other bytes than the %d of the download", f, len(file), len(direct))
		}
	}
	var where strings.Builder
	cmd := flightsCmd(table.NDJSON)
	cmd.Where = []analytics.DimFilter{{Dim: "origin", In: []string{"SFO"}}}
	cmd.From, cmd.To = time.Date(2001, 2, 1, 0, 0, 0, 0, time.UTC), time.Date(2001, 3, 1, 0, 0, 0, 0, time.UTC)
	want = slices.DeleteFunc(want, func(f flight) bool { return f.Origin != "SFO" || !strings.HasPrefix(f.Date, "2001/02/") })
	done, err := w.Events(w.ctx, cmd, &where)
	if got := flights(t, table.NDJSON, where.String()); err != nil || len(want) == 0 || done.Rows != int64(len(want)) || !slices.Equal(got, want) {
		t.Errorf("%d flights from SFO in February, %v; want %d", done.Rows, err, len(want))
	}
}

// errCut is a connection that is cut.
var errCut = errors.New("cut")

// cut takes so many bytes and then no more.
type cut struct {
	bytes.Buffer
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	_, _ = c.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errCut
	}
	return n, nil
}

// whole is what a client keeps of a download that was cut, the rows that came whole, and where it goes on: with what the last of
// them says.
func whole(t *testing.T, f table.Format, got string, header bool) (kept, after string) {
	t.Helper()
	if f == table.NDJSON {
		kept = got[:strings.LastIndexByte(got, '\n')+1]
		if kept == "" {
			return "", ""
		}
		lines := slices.Collect(strings.Lines(kept))
		var last struct{ At, ID string }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
			t.Fatal(err)
		}
		return kept, last.At + "," + last.ID
	}
	r := csv.NewReader(strings.NewReader(got))
	for rows := 0; ; rows++ {
		row, err := r.Read()
		if end := r.InputOffset(); err != nil || got[end-1] != '\n' {
			return kept, after
		} else if kept = got[:end]; rows > 0 || !header {
			after = row[0] + "," + row[1]
		}
	}
}

// TestACutDownloadGoesOn: cut anywhere, again and again, what was kept is together the download that nobody cut.
func TestACutDownloadGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.some(t, 3000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, f := range []table.Format{table.CSV, table.NDJSON} {
		cmd := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: f, Dims: []string{"page"}}
		want := w.export(t, cmd)
		for _, most := range []int{2_000, 60_000, 200_000} {
			got, cuts := "", 0
			for {
				to := &cut{left: rnd.IntN(most)}
				if most == 2_000 && len(got) > 20_000 {
					to.left = len(want) // it would take long
				}
				done, err := w.Events(w.ctx, cmd, to)
				if err == nil {
					got += to.String()
					if parsed, err := analytics.ParsePlace(done.Cursor); err != nil || parsed.ID == "" {
						t.Errorf("the cursor at the end is %q", done.Cursor)
					}
					break
				}
				if !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				cuts++
				kept, after := whole(t, f, to.String(), cmd.After == "")
				if after == "" {
					continue // not even one row: once more from where it was
				}
				got += kept
				cmd.After = after
			}
			cmd.After = ""
			if got != want || cuts == 0 {
				t.Errorf("%s: after %d cuts there are %d bytes, without there would be %d", f, cuts, len(got), len(want))
			}
		}
	}
}

// TestNothingBehindTheEnd: the cursor of a whole export brings what was stored since, and nothing else.
func TestNothingBehindTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.some(t, 10)
	cmd := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.NDJSON}
	first, err := w.Events(w.ctx, cmd, &bytes.Buffer{})
	if err != nil || first.Rows != 10 {
		t.Fatalf("%+v, %v", first, err)
	}
	cmd.After = first.Cursor
	again, err := w.Events(w.ctx, cmd, &bytes.Buffer{})
	if err != nil || again.Rows != 0 || again.Cursor != first.Cursor {
		t.Errorf("again: %+v, %v", again, err)
	}
	later := w.clock.Now()
	if _, err := w.Analytics.Track(w.ctx, []analytics.EventCmd{{ID: "new-event", Name: "visit", At: &later}}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if more, err := w.Events(w.ctx, cmd, &b); err != nil || more.Rows != 1 || !strings.Contains(b.String(), `"id":"new-event"`) {
		t.Errorf("later: %+v, %v, %s", more, err, b.String())
	}
}

// TestRowsAreWhole: all that is known of an event is in its row, whatever has columns.
func TestRowsAreWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	e := analytics.Event{
		ID: "event-00", Name: "visit", At: at, ReceivedAt: at.Add(time.Second), User: "u", Actor: "a", Session: "s", Source: "k",
		Dims: map[string]string{"page": "=1", "lang": "en"}, Values: map[string]float64{"ms": 1.5, "n": -2},
	}
	storetest.Insert(t, w.DB, "analytics_events", e)
	cmd := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.NDJSON, Dims: []string{"page"}, Values: []string{"n", "none"}}
	want := `{"actor":"a","at":"2026-01-02T03:04:05.678Z","dims":{"lang":"en","page":"=1"},"id":"event-00","name":"visit",` +
		`"receivedAt":"2026-01-02T03:04:06.678Z","session":"s","source":"k","user":"u","values":{"ms":1.5,"n":-2}}` + "\n"
	if got := w.export(t, cmd); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	cmd.Format = table.CSV
	want = "at,id,name,receivedAt,user,actor,session,source,dims.page,values.n,values.none,dims,values\n" +
		"2026-01-02T03:04:05.678Z,event-00,visit,2026-01-02T03:04:06.678Z,u,a,s,k,'=1,-2,,\"{\"\"lang\"\":\"\"en\"\"}\",\"{\"\"ms\"\":1.5}\"\n"
	if got := w.export(t, cmd); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Every field of an event has a column: who adds one is told here.
	doc, err := bson.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	fields, err := bson.Raw(doc).Elements()
	if columns := (EventsCmd{}).columns(); err != nil || len(fields) != len(columns) {
		t.Errorf("an event has %d fields, %v, and its rows the columns %v", len(fields), err, columns)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	if _, err := w.Analytics.DefineMetric(w.ctx, analytics.Metric{Key: "visits", Event: "visit", Value: "ms", Dimensions: []string{"page"}}); err != nil {
		t.Fatal(err)
	}
	day := func(d int) time.Time { return time.Date(2026, 1, d, 12, 0, 0, 0, time.UTC) }
	for i, d := range []int{1, 1, 2, 5, 6} {
		at := day(d)
		cmd := analytics.EventCmd{ID: fmt.Sprintf("event-0%d", i), Name: "visit", At: &at, Dims: map[string]any{"page": "=p"}}
		if i > 0 {
			cmd.Values = map[string]any{"ms": float64(i)}
		}
		if _, err := w.Analytics.Track(w.ctx, []analytics.EventCmd{cmd}); err != nil {
			t.Fatal(err)
		}
	}
	w.fold(t)
	cmd := ReportCmd{Format: table.CSV, Query: analytics.Query{
		Metric: "visits", Aggregate: analytics.Sum, Step: analytics.Day, From: day(4), To: day(6), By: "page", Compare: analytics.ComparePeriod,
	}}
	// From the 4th to the 6th, compared with the 1st to the 3rd.
	want := "at,key,value,count,compared,comparedCount\n" +
		"2026-01-04T00:00:00Z,'=p,,0,1,2\n2026-01-05T00:00:00Z,'=p,3,1,2,1\n2026-01-06T00:00:00Z,'=p,4,1,,\n"
	var b strings.Builder
	if rows, err := w.Report(w.ctx, cmd, &b); err != nil || rows != 3 || b.String() != want {
		t.Errorf("%d rows, %v: %s\nwant %s", rows, err, b.String(), want)
	}
	j, err := w.StartReport(w.ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	if j = w.run(t, j.ID); w.download(t, j.ID) != want || j.Done != 3 || j.On != ref.New(ref.Metric, "visits") {
		t.Errorf("the job has written %s", w.download(t, j.ID))
	}
	cmd.Compare, cmd.By, cmd.Format = "", "", table.NDJSON
	b.Reset()
	want = `{"at":"2026-01-05T00:00:00Z","count":1,"key":"","value":3}` + "\n" + `{"at":"2026-01-06T00:00:00Z","count":1,"key":"","value":4}` + "\n"
	if _, err := w.Report(w.ctx, cmd, &b); err != nil || b.String() != want {
		t.Errorf("%s, %v; want %s", b.String(), err, want)
	}
	small := worldOn(t, w.DB, Config{DirectRows: 1})
	if _, err := small.Report(w.ctx, cmd, &b); !errors.Is(err, ErrLarge) {
		t.Errorf("2 rows of 1: %v", err)
	}
}

// TestRefusals: nothing is written, and the code says why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{DirectRows: 5})
	w.some(t, 6)
	w.rights["bob"] = []string{analytics.PermView}
	visits := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.CSV}
	for name, tc := range map[string]struct {
		user   string
		change func(*EventsCmd)
		want   error
		job    error
	}{
		"too many":          {"ann", func(*EventsCmd) {}, ErrLarge, nil},
		"without the right": {"bob", func(*EventsCmd) {}, fault.ErrForbidden, fault.ErrForbidden},
		"no name":           {"ann", func(c *EventsCmd) { c.Name = "" }, fault.ErrInput, fault.ErrInput},
		"no format":         {"ann", func(c *EventsCmd) { c.Format, c.All = "XML", true }, table.ErrFormat, table.ErrFormat},
		"no cursor":         {"ann", func(c *EventsCmd) { c.After = "x" }, page.ErrCursor, page.ErrCursor},
		"many columns":      {"ann", func(c *EventsCmd) { c.Dims = make([]string, 51) }, fault.ErrInput, fault.ErrInput},
	} {
		cmd := visits
		tc.change(&cmd)
		var b bytes.Buffer
		if _, err := w.Events(as(t, tc.user), cmd, &b); !errors.Is(err, tc.want) || b.Len() > 0 {
			t.Errorf("%s: %v and %d bytes, want %v", name, err, b.Len(), tc.want)
		}
		if _, err := w.StartEvents(as(t, tc.user), cmd); !errors.Is(err, tc.job) {
			t.Errorf("%s: a job: %v, want %v", name, err, tc.job)
		}
	}
	visits.After = "2026-01-02T03:00:00Z,zzzzzzzz" // the cursor of a download of the first minute
	if done, err := w.Events(w.ctx, visits, &bytes.Buffer{}); err != nil || done.Rows > 5 {
		t.Errorf("the rest: %+v, %v", done, err)
	}
	for _, cmd := range []ReportCmd{{Query: analytics.Query{Metric: "none", Aggregate: analytics.Count, Step: analytics.Day, Last: 1}, Format: table.CSV}} {
		if _, err := w.Report(w.ctx, cmd, &bytes.Buffer{}); !errors.Is(err, analytics.ErrMetric) {
			t.Errorf("a report of nothing: %v", err)
		}
		if _, err := w.StartReport(w.ctx, cmd); !errors.Is(err, analytics.ErrMetric) {
			t.Errorf("a job for it: %v", err)
		}
		if _, err := w.StartReport(as(t, "eve"), cmd); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("a job without the right: %v", err)
		}
	}
	log, err := w.Log.On(w.ctx, ref.Ref{}, page.Args{})
	if err != nil || len(log.Items) != 2 || log.Items[0].Kind != kindEvents || log.Items[0].Actor.User != "ann" || log.Items[0].Data.Lookup("name").StringValue() != "visit" {
		t.Errorf("the log has %+v, %v; want the job and the download that were not refused", log.Items, err)
	}
}
