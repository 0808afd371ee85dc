package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// manyLines are n good lines.
func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"line-%06d","name":"page","at":"2001-01-10T18:20:00Z","dims":{"path":"/%d"},"values":{"ms":%d}}`+"\n", i, i%7, i)
	}
	return b.String()
}

func (w world) stream(t testing.TB, body io.Reader) (Streamed, error) {
	t.Helper()
	return w.Stream(t.Context(), StreamCmd{Body: body})
}

func TestStreamTellsBadLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := strings.Join([]string{
		`{"id":"event-01","name":"page","actor":"anonymous-1","session":"session-1","dims":{"path":"/"},"values":{"ms":1.5}}`,
		`{"name":"page"}`,
		``,
		`{"id":"event-02","name":"page","at":"yesterday"}`,
		`{"id":"event-03","name":"page","dims":{"path":7}}`,
		`{"id":"event-04","name":"page","values":{"ms":"7"}}`,
		`{"id":"event-05","name":"page","dim":{}}`,
		`{"id":"event-06","name":"page"} {}`,
		`{"id":"event-07","name":7}`,
		`[]`,
		"\xff",
		`{"id":"event-08","name":"page","dims":{"path":"` + strings.Repeat("x", maxLine) + `"}}`,
		`{"id":"event-09","name":"page","at":"2999-01-01T00:00:00Z"}`,
		"{\"id\":\"event-10\",\"name\":\"page\"}\r",
		`{"id":"event-10","name":"page"}`,
	}, "\n")
	got, err := w.stream(t, strings.NewReader(body))
	if err != nil || got.Accepted != 2 || got.Duplicates != 1 || got.Failed != 11 || got.Line != 0 {
		t.Fatalf("Stream() = %+v, %v", got, err)
	}
	var said []string
	for _, e := range got.Errors {
		said = append(said, fmt.Sprint(e.Line, " ", e.Code, " ", e.Field))
		if strings.Contains(e.Message, "yesterday") || strings.Contains(e.Message, "xxx") {
			t.Errorf("line %d: %q quotes the line", e.Line, e.Message)
		}
	}
	want := "2 EVENT_INVALID id|4 EVENT_INVALID at|5 EVENT_INVALID dims.path|6 EVENT_INVALID values.ms|7 EVENT_INVALID |8 EVENT_INVALID |" +
		"9 EVENT_INVALID name|10 EVENT_INVALID |11 EVENT_INVALID |12 EVENT_INVALID |13 EVENT_INVALID at"
	if strings.Join(said, "|") != want {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(said, "|"), want)
	}
	if e := w.stored(t)["event-01"]; e.Actor != "anonymous-1" || e.Session != "session-1" || e.Dims["path"] != "/" || e.Values["ms"] != 1.5 {
		t.Errorf("stored %+v", e)
	}
}

func TestStreamGoesInBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, want := range []Streamed{{Accepted: 2500}, {Duplicates: 2500}} {
		got, err := w.stream(t, strings.NewReader(manyLines(2500)))
		if err != nil || got.Accepted != want.Accepted || got.Duplicates != want.Duplicates || got.Failed != 0 {
			t.Errorf("%d: Stream() = %+v, %v", n, got, err)
		}
	}
	got, err := w.stream(t, strings.NewReader(strings.Repeat("{}\n", 150)))
	if err != nil || got.Failed != 150 || len(got.Errors) != 100 {
		t.Errorf("Stream() = %d failed, %d told, %v", got.Failed, len(got.Errors), err)
	}
}

// Whatever goes wrong on the way, the answer says from which line on nothing is known to be stored, and everything sent
// again is complete.
func TestStreamSaysHowFarItGot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("connection reset")
	got, err := w.stream(t, io.MultiReader(strings.NewReader(manyLines(1500)+`{"id":"half`), iotest.ErrReader(broken)))
	if !errors.Is(err, ErrFile) || !errors.Is(err, broken) || got.Accepted != 1500 || got.Line != 1501 {
		t.Errorf("a body that breaks off: %+v, %v", got, err)
	}
	off := storetest.FailPoint(t, w.db, bson.D{{Key: "skip", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2},
	})
	got, err = w.stream(t, strings.NewReader(manyLines(2500)))
	if err == nil || got.Duplicates != 1000 || got.Line != 1001 {
		t.Errorf("a database that fails: %+v, %v", got, err)
	}
	off()
	got, err = w.stream(t, strings.NewReader(manyLines(2500)))
	if err != nil || got.Accepted != 1000 || got.Duplicates != 1500 {
		t.Errorf("again: %+v, %v", got, err)
	}
}

func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	line := `{"id":"event-01","name":"page"}` + "\n"
	got, err := w.stream(t, io.MultiReader(strings.NewReader(line), endless{}))
	if !errors.Is(err, ErrFile) || got.Accepted != 1 || got.Line != 2 {
		t.Errorf("Stream() of a body without end = %+v, %v", got, err)
	}
}

// endless is a line without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// slow lets so many batches through.
type slow struct {
	left int
	last string
}

var errSlow = fault.Define(fault.Exhausted, "TEST_SLOW", "too fast")

func (s *slow) Take(_ context.Context, source, ip string, public bool) error {
	s.last = fmt.Sprint(source, " ", ip, " ", public)
	if s.left--; s.left < 0 {
		return errSlow
	}
	return nil
}

func TestKeysArePaced(t *testing.T) {
	t.Parallel()
	p := &slow{left: 2}
	w := worldOn(t, storetest.DB(t), Config{Pace: p})
	e, key := w.newSource(t, shop)
	ctx := actor.WithRequest(t.Context(), actor.Request{IP: "203.0.113.77"})
	got, err := w.Stream(ctx, StreamCmd{Key: key, Origin: shop, Body: strings.NewReader(manyLines(2500))})
	if !errors.Is(err, errSlow) || got.Accepted != 2000 || got.Line != 2001 || p.last != e.ID+" 203.0.113.77 true" {
		t.Errorf("Stream() = %+v, %v; asked for %q", got, err, p.last)
	}
	if _, err := w.stream(t, strings.NewReader(manyLines(1))); err != nil {
		t.Errorf("who is signed in: %v", err)
	}
}

// Years-old events are as good as new ones, and a rate leaves room for those that happen now.
func TestBackfillHasARate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = time.Now
	var told []int64
	begin := time.Now()
	got, err := w.Ingest(t.Context(), IngestCmd{
		File: strings.NewReader(large(700)), Mapping: flightRows, Rate: 1000, Progress: func(r IngestResult) { told = append(told, r.Accepted) },
	})
	if err != nil || got.Accepted != 700 || fmt.Sprint(told) != "[700]" {
		t.Fatalf("Ingest() = %+v, %v; told %v", got, err, told)
	}
	got, err = w.Ingest(t.Context(), IngestCmd{
		File: strings.NewReader(large(700)), Mapping: flightRows, Rate: 500, Progress: func(r IngestResult) { told = append(told, r.Duplicates) },
	})
	if took := time.Since(begin); err != nil || got.Duplicates != 700 || took < time.Second || fmt.Sprint(told) != "[700 500 700]" {
		t.Errorf("Ingest() = %+v, %v in %s; told %v: 500 a second go in two batches, a second apart", got, err, took, told)
	}
}

// FuzzParseLine: a line is an event whose members are what they seem, or is refused without being repeated.
func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"id":"event-01","name":"page","at":"2001-01-10T18:20:00Z","actor":"a","session":"s","consent":"DENIED","dims":{"path":"/"},"values":{"n":1.5}}`))
	f.Add([]byte(`{"id":"a","ID":"b"}`))
	f.Add([]byte(`{"dims":{"$where":"1","a":{"b":1,"b":2}}}`))
	f.Add([]byte("{\"id\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, refused := parseLine(line)
		if refused != nil {
			if refused.Code != ErrEvent.Code || len(line) > 60 && strings.Contains(refused.Msg, string(line)) {
				t.Errorf("%v", refused)
			}
			return
		}
		var given map[string]any
		if err := json.Unmarshal(line, &given); err != nil {
			t.Fatalf("%q is taken for an event: %v", line, err)
		}
		if id, _ := given["id"].(string); id != e.ID || len(e.Dims) > 0 && given["dims"] == nil {
			t.Errorf("%q is read as %+v", line, e)
		}
	})
}
