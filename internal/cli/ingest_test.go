package cli

import (
	"strings"
	"testing"
	"time"
)

func ingest(t *testing.T, c IngestCmd, text string) ([]row, error) {
	t.Helper()
	return c.read(strings.NewReader(text), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
}

func TestIngestReads(t *testing.T) {
	t.Parallel()
	array := "[\n {\"date\": \"2001/01/14 21:55\", \"delay\": -3, \"origin\": \"SFO\", \"late\": false, \"x\": null},\n {\"date\": \"2001/01/15 08:00\", \"delay\": 4}\n]\n"
	rows, err := ingest(t, IngestCmd{Event: "flight"}, array)
	if err != nil || len(rows) != 2 {
		t.Fatalf("read %d rows, %v", len(rows), err)
	}
	e := rows[0].cmd
	if rows[0].line != 2 || rows[1].line != 3 || e.Name != "flight" || e.Dims["origin"] != "SFO" || e.Dims["late"] != "false" ||
		e.Values["delay"] != -3.0 || len(e.Dims) != 2 || len(e.Values) != 1 || !e.At.Equal(time.Date(2001, 1, 14, 21, 55, 0, 0, time.UTC)) {
		t.Errorf("line %d: %+v at %v", rows[0].line, e, e.At)
	}
	// The same rows, one a line, in another order of keys, are the same events.
	lines := "{\"delay\": 4, \"date\": \"2001/01/15 08:00\"}\n{\"x\":null,\"late\":false,\"origin\":\"SFO\",\"delay\":-3,\"date\":\"2001/01/14 21:55\"}"
	again, err := ingest(t, IngestCmd{Event: "flight"}, lines)
	if err != nil || again[0].cmd.ID != rows[1].cmd.ID || again[1].cmd.ID != rows[0].cmd.ID {
		t.Errorf("%v: ids %v and %v", err, again, rows)
	}
	other, err := ingest(t, IngestCmd{Event: "landing"}, lines)
	if err != nil || other[0].cmd.ID == again[0].cmd.ID {
		t.Error("events of another name have the same id")
	}
}

func TestIngestTellsEqualRowsApart(t *testing.T) {
	t.Parallel()
	rows, err := ingest(t, IngestCmd{Event: "hit"}, "{\"a\":1}\n{\"a\":1}\n{\"a\":2}")
	if err != nil || rows[0].cmd.ID == rows[1].cmd.ID || rows[0].cmd.At != nil {
		t.Errorf("%v: %+v", err, rows)
	}
}

func TestIngestUpToNow(t *testing.T) {
	t.Parallel()
	rows, err := ingest(t, IngestCmd{Event: "hit", UpToNow: true, Time: "when"}, "{\"when\":\"2001-01-01\"}\n{\"when\":\"2001-01-01T01:00:00+01:00\"}\n{\"when\":\"2001-01-02\"}")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if !rows[2].cmd.At.Equal(now) || !rows[0].cmd.At.Equal(now.Add(-24*time.Hour)) || !rows[1].cmd.At.Equal(*rows[0].cmd.At) {
		t.Errorf("moved to %v, %v, %v", rows[0].cmd.At, rows[1].cmd.At, rows[2].cmd.At)
	}
}

// TestIngestRefuses: a broken file stores nothing and says on which line it is broken, without quoting it.
func TestIngestRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "there are no rows"},
		{"an empty array", "[]", "there are no rows"},
		{"a cut file", "[\n{\"a\":1},\n{\"a\":", "line 3: the file ends too early"},
		{"a cut array", "[\n{\"a\":1}\n", "line 3: the file ends too early"},
		{"a missing comma", "[\n{\"a\":1}\n{\"a\":\"hunter2\"}\n]", "line 2: this is not JSON"},
		{"not JSON", "{\"a\":1}\n{a:hunter2}\n", "line 2: this is not JSON"},
		{"a number for a row", "[{\"a\":1},\n7]", "line 2: a row must be a JSON object"},
		{"null for a row", "null", "line 1: a row must be a JSON object"},
		{"a list in a row", "{\"a\":1}\n\n\n{\"a\":[1]}", "line 4: field a: "},
		{"a bad time", "[\n{\"date\":\"yesterday\"}]", "line 2: field date: this is no time"},
		{"more after the array", "[{\"a\":1}]\n[]", "line 2: something follows the rows"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := ingest(t, IngestCmd{Event: "hit"}, tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("read() = %v, want %q", err, tc.want)
			}
		})
	}
}
