package analytics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// flightRows is how the flights of vega-datasets are read.
var flightRows = Mapping{
	Event: "flight", Time: "date", Layout: "2006/01/02 15:04",
	Dims: []string{"origin", "destination"}, Values: []string{"delay", "distance"}, Actor: "who",
}

const (
	rowA = `{"date":"2001/01/10 18:20","delay":0,"distance":480,"origin":"SMF","destination":"SNA"}`
	rowB = `{"date":"2001/01/14 21:55","delay":-7,"distance":480,"origin":"SMF","destination":"SNA"}`
	rowC = `{"date":"2001/02/14 21:55","delay":3,"distance":12,"origin":"LAX","destination":"SNA"}`
)

// readAll lists rows as "line: id" and errors as themselves.
func readAll(file string, m Mapping) (rows []Row, errs []error) {
	for row, err := range Rows(strings.NewReader(file), m) {
		if err != nil {
			errs = append(errs, err)
		} else {
			rows = append(rows, row)
		}
	}
	return rows, errs
}

func TestRows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file  string
		lines []int    // of the rows read
		errs  []string // of what was not
	}{
		"array in one line":       {"[" + rowA + "," + rowB + "]", []int{1, 1}, nil},
		"array, a row a line":     {"[\n" + rowA + ",\n" + rowB + "\n]\n", []int{2, 3}, nil},
		"array, spread out":       {"[\n  {\n    \"date\": \"2001/01/10 18:20\"\n  }\n  ,\n  " + rowB + " ]", []int{2, 6}, nil},
		"empty array":             {" [ ] ", nil, nil},
		"lines":                   {rowA + "\n" + rowB + "\n\n" + rowC, []int{1, 2, 4}, nil},
		"lines of Windows":        {"\ufeff" + rowA + "\r\n" + rowB + "\r\n", []int{1, 2}, nil},
		"braces in a text":        {`[{"date":"2001/01/10 18:20","x":"}]{\"\\"},` + rowB + "]", []int{1, 1}, nil},
		"nested":                  {`{"date":"2001/01/10 18:20","x":{"y":[1,{"z":[]}]}}` + "\n" + rowB, []int{1, 2}, nil},
		"nothing":                 {"", nil, []string{"line 1: the file is empty"}},
		"not JSON":                {"\ndate,delay\n", nil, []string{"line 2: the file is neither an array of objects nor one object after the other"}},
		"array of numbers":        {"[1]", nil, []string{"line 1: the file is neither an array of objects nor one object after the other"}},
		"no comma":                {"[" + rowA + "\n" + rowB + "]", []int{1}, []string{"line 2: the file is neither an array of objects nor one object after the other"}},
		"two commas":              {"[" + rowA + ",\n,", []int{1}, []string{"line 2: the file is neither an array of objects nor one object after the other"}},
		"comma at the end":        {"[" + rowA + ",\n]", []int{1}, []string{"line 2: the file is neither an array of objects nor one object after the other"}},
		"more after the array":    {"[" + rowA + "]\n" + rowB, []int{1}, []string{"line 2: the file is neither an array of objects nor one object after the other"}},
		"cut between rows":        {"[" + rowA + ",\n", []int{1}, []string{"line 2: the file ends inside its array"}},
		"cut before the bracket":  {"[" + rowA + "\n", []int{1}, []string{"line 2: the file ends inside its array"}},
		"cut in a row":            {"[" + rowA + ",\n{\"date\":\n\"2001", []int{1}, []string{"line 2: the file ends inside the row that begins here"}},
		"text that never ends":    {"[" + rowA + ",\n{\"date:" + strings.Repeat("x", maxRow) + "}]", []int{1}, []string{"line 2: the row that begins here does not end within 1 MiB"}},
		"broken row":              {rowA + "\n{\"date\" 1}\n" + rowB, []int{1, 3}, []string{"line 2: the row is not valid JSON"}},
		"wrong bracket":           {rowA + "\n{\"date\":[1}}\n" + rowB, []int{1, 3}, []string{"line 2: the row is not valid JSON"}},
		"nested without end":      {rowA + "\n{\"d\":" + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + "}\n" + rowB, []int{1, 3}, []string{"line 2: the row is not valid JSON"}},
		"field twice":             {`{"date":"2001/01/10 18:20","date":"2001/01/10 18:21"}`, nil, []string{"line 1: the row has a field twice"}},
		"broken text":             {"{\"date\":\"2001/01/10 18:20\",\"x\":\"\xff\"}", nil, []string{"line 1: the row is not valid UTF-8"}},
		"no time":                 {`{"delay":1}`, nil, []string{"line 1: the field of the time is not there, or not a text"}},
		"time of another layout":  {`{"date":"2001-01-10"}`, nil, []string{"line 1: the time is not written as the layout says"}},
		"value that is a text":    {`{"date":"2001/01/10 18:20","delay":"3"}`, nil, []string{"line 1: the field delay is no number"}},
		"actor that is a number":  {`{"date":"2001/01/10 18:20","who":7}`, nil, []string{"line 1: the field who is no text"}},
		"dimension that is a map": {`{"date":"2001/01/10 18:20","origin":{}}`, nil, []string{"line 1: the field origin is no text"}},
	} {
		rows, errs := readAll(tc.file, flightRows)
		var lines []int
		for _, r := range rows {
			lines = append(lines, r.Line)
		}
		var said []string
		for _, e := range errs {
			if _, ok := asRowError(e); !ok {
				t.Errorf("%s: %v is no *RowError", name, e)
			}
			said = append(said, e.Error())
		}
		if fmt.Sprint(lines) != fmt.Sprint(tc.lines) || fmt.Sprint(said) != fmt.Sprint(tc.errs) {
			t.Errorf("%s\n got rows %v, errors %q\nwant rows %v, errors %q", name, lines, said, tc.lines, tc.errs)
		}
	}
}

func TestRowBecomesAnEvent(t *testing.T) {
	t.Parallel()
	m := Mapping{Event: "e", Time: "t", Dims: []string{"text", "number", "yes", "null", "absent"}, Values: []string{"v", "none"}}
	rows, errs := readAll(`{"t":"2001-01-10T18:20:00+01:00","text":"","number":1.50,"yes":true,"null":null,"v":2.5,"none":null,"other":[1]}`, m)
	if len(rows) != 1 || len(errs) != 0 {
		t.Fatalf("%d rows, %v", len(rows), errs)
	}
	e, bad := rows[0].Event.event(t0, "")
	if bad != nil {
		t.Fatal(bad)
	}
	if got := fmt.Sprint(e.Name, e.At, e.Dims, e.Values); got != "e2001-01-10 17:20:00 +0000 UTC map[number:1.50 text: yes:true] map[v:2.5]" {
		t.Errorf("event = %s", got)
	}
}

func TestRowIDIsItsContent(t *testing.T) {
	t.Parallel()
	ids := func(file string, m Mapping) (all []string) {
		rows, errs := readAll(file, m)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for _, r := range rows {
			all = append(all, r.Event.ID)
		}
		return all
	}
	base := ids(rowA+"\n"+rowB+"\n"+rowA, flightRows)
	if base[0] == base[2] || base[0] == base[1] {
		t.Errorf("ids %v: a row that is there twice is two events", base)
	}
	turned := `{ "delay": 0, "date": "2001/01/10 18:20",` + "\n" + `"distance":480,"destination":"SNA","origin":"SMF"}`
	if got := ids("["+rowC+","+turned+","+rowA+"]", flightRows); got[1] != base[0] || got[2] != base[2] {
		t.Errorf("ids %v in another file, want those of %v: space, order and place of a row mean nothing", got, base)
	}
	other := flightRows
	other.Event = "departure"
	if got := ids(rowA, other); got[0] == base[0] {
		t.Error("the same row as an event of another name has the same id: it would be taken for a duplicate")
	}
	if _, bad := (EventCmd{ID: base[0], Name: "x"}).event(t0, ""); bad != nil {
		t.Errorf("%q is no event id: %v", base[0], bad)
	}
}

func open(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Open("testdata/flights.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestIngestTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	got, err := w.Ingest(t.Context(), IngestCmd{File: open(t), Mapping: flightRows})
	if err != nil || got.Read != 41 || got.Accepted != 41 || got.Duplicates != 0 || got.Bad != 0 || got.StoppedAtLine != 0 {
		t.Fatalf("Ingest() = %+v, %v; want 41 events", got, err)
	}
	again, err := w.Ingest(t.Context(), IngestCmd{File: open(t), Mapping: flightRows})
	if err != nil || again.Accepted != 0 || again.Duplicates != 41 {
		t.Errorf("Ingest() again = %+v, %v; want 41 duplicates", again, err)
	}
	w.mustVerify(t)
	r, err := w.Report(t.Context(), Query{
		Metric: delays.Key, Aggregate: Count, Step: Day, By: "origin",
		From: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2001, 2, 1, 0, 0, 0, 0, time.UTC),
	})
	sum := int64(0)
	for _, p := range r.Points {
		sum += p.Count
	}
	if err != nil || sum != 41 {
		t.Errorf("the report counts %d, %v; want 41", sum, err)
	}
}

// The content of a large file, to cross the bounds of batches.
func large(rows int) string {
	var b strings.Builder
	for i := range rows {
		fmt.Fprintf(&b, `{"date":"2001/01/%02d %02d:%02d","delay":%d,"origin":"SMF"}`+"\n", 1+i%28, i%24, i%60, i)
	}
	return b.String()
}

func TestIngestRefusesABrokenFileWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		file string
		line int
		bad  int64
	}{
		"a bad row far down":    {large(2500) + `{"date":"?"}` + "\n" + rowA, 2501, 1},
		"two bad rows":          {"[\n" + rowA + ",\n{\"date\":1},\n{\"date\":2}]", 3, 2},
		"cut":                   {"[\n" + rowA + ",\n" + rowB, 3, 1},
		"a row that is refused": {rowA + "\n" + strings.Replace(rowB, "SMF", strings.Repeat("x", 257), 1), 2, 1},
		"a row of the future":   {rowA + "\n" + strings.Replace(rowB, "2001", "2101", 1), 2, 1},
		"text that is no file":  {"hello", 1, 1},
	} {
		got, err := w.Ingest(t.Context(), IngestCmd{File: strings.NewReader(tc.file), Mapping: flightRows})
		f := fault.From(err)
		if !errors.Is(err, ErrFile) || f.Details["line"] != tc.line || got.Bad != tc.bad || got.Accepted != 0 || len(got.Failed) == 0 || got.Failed[0].Line != tc.line {
			t.Errorf("%s: %+v, %v; want INGEST_INVALID in line %d", name, got, err, tc.line)
		}
		if !strings.Contains(f.Msg, "nothing was stored") || strings.Contains(f.Msg, "xxx") {
			t.Errorf("%s: %q must say that nothing was stored, and quote nothing", name, f.Msg)
		}
	}
	if n := storetest.Count(t, w.db, eventsCollection); n != 0 {
		t.Errorf("%d events stored of files that were refused", n)
	}
}

func TestIngestSkipsBadRowsIfAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := rowA + "\n{\"date\":1}\n" + rowB + "\n" + strings.Repeat("{}\n", 150) + rowC
	got, err := w.Ingest(t.Context(), IngestCmd{File: strings.NewReader(file), Mapping: flightRows, SkipBad: true})
	if err != nil || got.Read != 3 || got.Accepted != 3 || got.Bad != 151 || len(got.Failed) != 100 || got.Failed[0].Line != 2 || got.StoppedAtLine != 0 {
		t.Errorf("Ingest() = %+v, %v", got, err)
	}
	got, err = w.Ingest(t.Context(), IngestCmd{File: strings.NewReader(large(10) + "{"), Mapping: flightRows, SkipBad: true})
	if !errors.Is(err, ErrFile) || got.Accepted != 10 || got.StoppedAtLine != 11 || !strings.Contains(fault.From(err).Msg, "line 11") {
		t.Errorf("Ingest() of a file that breaks off = %+v, %v; want 10 stored and a stop at line 11", got, err)
	}
}

// A database that fails half-way: the answer says how far it got, and going again completes it.
func TestIngestSaysHowFarItGot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := strings.NewReader(large(3500))
	ctx, cancel := context.WithCancel(t.Context())
	cut := &hook{ReadSeeker: file, after: 1, do: cancel}
	got, err := w.Ingest(ctx, IngestCmd{File: cut, Mapping: flightRows})
	if !errors.Is(err, fault.ErrCanceled) {
		t.Fatalf("Ingest() = %+v, %v; want CANCELED", got, err)
	}
	off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: 2}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2},
	})
	_, _ = file.Seek(0, io.SeekStart)
	got, err = w.Ingest(t.Context(), IngestCmd{File: file, Mapping: flightRows})
	if err == nil || got.Accepted != 2000 || got.StoppedAtLine != 2001 {
		t.Errorf("Ingest() = %+v, %v; want a stop at line 2001", got, err)
	}
	off()
	_, _ = file.Seek(0, io.SeekStart)
	got, err = w.Ingest(t.Context(), IngestCmd{File: file, Mapping: flightRows})
	if err != nil || got.Accepted != 1500 || got.Duplicates != 2000 {
		t.Errorf("Ingest() again = %+v, %v; want the other 1500", got, err)
	}
}

// hook calls do when the file is read again from its begin.
type hook struct {
	io.ReadSeeker
	after int
	do    func()
}

func (h *hook) Seek(offset int64, whence int) (int64, error) {
	if h.after--; h.after == 0 {
		h.do()
	}
	return h.ReadSeeker.Seek(offset, whence)
}

func TestRowsEndWithAReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	n := 0
	for _, err := range Rows(io.MultiReader(strings.NewReader(rowA+"\n"), iotest.ErrReader(broken)), flightRows) {
		if n++; n == 2 && !errors.Is(err, broken) || n > 2 {
			t.Errorf("%d: %v", n, err)
		}
	}
	if n != 2 {
		t.Errorf("%d answers, want the row and the error", n)
	}
	for _, err := range Rows(strings.NewReader(large(10)), flightRows) {
		if err != nil {
			t.Error(err)
		}
		break // must not go on
	}
}

// Whatever the file is: no panic, no end without a word, and valid JSON is read.
func FuzzRows(f *testing.F) {
	f.Add([]byte("[" + rowA + "," + rowB + "]"))
	f.Add([]byte(rowA + "\n" + rowB))
	f.Add([]byte("[" + rowA + ",\n{\"x\""))
	f.Fuzz(func(t *testing.T, file []byte) {
		rows, failed := 0, 0
		for _, err := range Rows(bytes.NewReader(file), flightRows) {
			if err != nil {
				failed++
			} else {
				rows++
			}
		}
		var all []map[string]any
		if err := json.Unmarshal(file, &all); err == nil && all != nil && rows+failed < len(all) {
			t.Errorf("%d rows and %d errors of %d objects", rows, failed, len(all))
		} else if err != nil && rows+failed == 0 {
			t.Error("a file that is no array gave nothing, not even an error")
		}
	})
}
