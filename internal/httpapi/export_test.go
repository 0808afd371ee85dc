package httpapi

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/table"
)

// exports answers as its functions say, and notes what was asked.
type exports struct {
	events func(ctx context.Context, w io.Writer) error
	cmd    export.EventsCmd
	report export.ReportCmd
}

func (e *exports) Events(ctx context.Context, cmd export.EventsCmd, w io.Writer) (export.Done, error) {
	e.cmd = cmd
	return export.Done{Cursor: "the end"}, e.events(ctx, w)
}

func (e *exports) Report(_ context.Context, cmd export.ReportCmd, w io.Writer) (int64, error) {
	e.report = cmd
	_, err := io.WriteString(w, "rows")
	return 1, err
}

func (e *exports) Open(_ context.Context, job string) (*export.File, error) {
	if job != "j1" {
		return nil, fault.ErrNotFound
	}
	return &export.File{Name: "a b.csv", Format: table.CSV, ModifiedAt: time.Unix(1e9, 0), ReadSeekCloser: file{strings.NewReader("0123456789")}}, nil
}

type file struct{ *strings.Reader }

func (file) Close() error { return nil }

// exporting is a server with exports, on a real connection.
func exporting(t *testing.T, e *exports) string {
	t.Helper()
	s := newSite(t, Config{}, nil)
	s.srv.deps.Exports = e
	srv := httptest.NewServer(s.srv.Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

// asked asks without the client's own decompression. Close the body.
func asked(t *testing.T, url string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableCompression: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// answer is what came, and why there is no more of it.
type answer struct {
	status          int
	header, trailer http.Header
	body            string
	err             error
}

func taken(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	resp := asked(t, url, headers...)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, resp.Trailer, string(body), err}
}

func TestExportQueries(t *testing.T) {
	t.Parallel()
	e := &exports{events: func(context.Context, io.Writer) error { return nil }}
	at := exporting(t, e)
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	where := `[{"dimension":"origin","in":["A","B"],"not":true}]`
	resp := taken(t, at+"/exports/events?name=flight&format=csv&from=2026-01-02T03:04:05Z&dims=a,b&values=c&after=x&where="+url.QueryEscape(where))
	want := export.EventsCmd{
		Scan:   analytics.Scan{Name: "flight", From: from, Where: []analytics.DimFilter{{Dim: "origin", In: []string{"A", "B"}, Not: true}}},
		Format: table.CSV, Dims: []string{"a", "b"}, Values: []string{"c"}, After: "x",
	}
	if !reflect.DeepEqual(e.cmd, want) || resp.status != http.StatusOK {
		t.Errorf("%d, asked for %+v", resp.status, e.cmd)
	}
	report := `{"metric":"m","last":3,"timeZone":"Europe/Berlin","aggregate":"SUM","where":` + where + `}`
	taken(t, at+"/exports/report?format=xlsx&report="+url.QueryEscape(report))
	query := export.ReportCmd{Format: table.XLSX, Query: analytics.Query{
		Metric: "m", Last: 3, TimeZone: "Europe/Berlin", Aggregate: analytics.Sum, Step: analytics.Minute, Where: want.Where,
	}}
	if !reflect.DeepEqual(e.report, query) {
		t.Errorf("asked for %+v", e.report)
	}
	for _, bad := range []string{"events?from=yesterday", "events?to=1", "events?where={}", `events?where=[{"dim":"a"}]`, "report?report=[]", `report?report={"none":1}`} {
		path, query, _ := strings.Cut(bad, "?")
		name, value, _ := strings.Cut(query, "=")
		resp := taken(t, at+"/exports/"+path+"?"+url.Values{name: {value}}.Encode())
		var p problem
		if err := json.Unmarshal([]byte(resp.body), &p); err != nil || p.Error.Code != fault.ErrInput.Code {
			t.Errorf("%s: %d %+v, %v", bad, resp.status, p, err)
		}
	}
}

// TestExportAnswers: an error has a status as long as nothing was sent, and cuts the answer later; a good end has the cursor.
func TestExportAnswers(t *testing.T) {
	t.Parallel()
	e := &exports{}
	at := exporting(t, e)
	for _, tc := range []struct {
		name, accept, coding string
		format               table.Format
	}{{"plain", "", "", table.CSV}, {"packed", "br, GZIP;q=0.5", "gzip", table.CSV}, {"not wanted", "gzip;q=0", "", table.NDJSON}, {"packed already", "gzip", "", table.XLSX}} {
		e.events = func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "some rows\n")
			return err
		}
		resp := taken(t, at+"/exports/events?name=a&format="+string(tc.format), "Accept-Encoding", tc.accept)
		body := io.Reader(strings.NewReader(resp.body))
		if tc.coding != "" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		text, err := io.ReadAll(body)
		if err = errors.Join(err, resp.err); err != nil || string(text) != "some rows\n" {
			t.Errorf("%s: %q, %v", tc.name, text, err)
		}
		if resp.header.Get("Content-Encoding") != tc.coding || resp.header.Get("Content-Type") != tc.format.MediaType() {
			t.Errorf("%s: %v", tc.name, resp.header)
		}
		name := "attachment; filename=a." + strings.ToLower(string(tc.format))
		if resp.trailer.Get(cursorHeader) != "the end" || resp.header.Get("Content-Disposition") != name || resp.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v then %v", tc.name, resp.header, resp.trailer)
		}
	}
	e.events = func(context.Context, io.Writer) error { return export.ErrLarge.With("limit", 5) }
	resp := taken(t, at+"/exports/events?name=a&format=csv")
	if resp.err != nil || resp.status != http.StatusUnprocessableEntity || !strings.Contains(resp.body, `"code":"EXPORT_TOO_LARGE"`) || resp.trailer != nil {
		t.Errorf("too large: %+v", resp)
	}
	for _, accept := range []string{"", "gzip"} {
		e.events = func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, "half a row")
			return errors.New("broken")
		}
		resp := taken(t, at+"/exports/events?name=a&format=csv", "Accept-Encoding", accept)
		if resp.err == nil || resp.status != http.StatusOK {
			t.Errorf("broken in the middle: %d, and the client believes that it has all", resp.status)
		}
	}
}

// TestExportKeepsPaceWithTheClient: no more is made than the client takes, for as long as it takes, and nothing once it is gone.
func TestExportKeepsPaceWithTheClient(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"", "gzip"} {
		var made atomic.Int64
		ended := make(chan error, 1)
		e := &exports{events: func(ctx context.Context, w io.Writer) error {
			_, bounded := ctx.Deadline()
			if bounded {
				ended <- errors.New("there is a deadline")
				return nil
			}
			chunk := make([]byte, 64<<10)
			_, _ = rand.Read(chunk) // it is larger than what a packer looks back to, so it packs no better the next time
			for ; ; made.Add(int64(len(chunk))) {
				if _, err := w.Write(chunk); err != nil {
					<-ctx.Done()
					ended <- err
					return err
				}
			}
		}}
		resp := asked(t, exporting(t, e)+"/exports/events?name=a&format=csv", "Accept-Encoding", accept)
		rested := func() (at int64) {
			for same, end := 0, time.Now().Add(20*time.Second); same < 20; time.Sleep(10 * time.Millisecond) {
				now := made.Load()
				if same++; now != at || now == 0 {
					same, at = 0, now
				}
				if time.Now().After(end) {
					t.Fatalf("%d bytes are made, and more", now)
				}
			}
			return at
		}
		before := rested()
		const more = 4 << 20
		if n, err := io.CopyN(io.Discard, resp.Body, more); err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		if after := rested(); after < more || after > more+before+32<<20 {
			t.Errorf("%d bytes are made for a client that took %d; %d before", after, more, before)
		}
		_ = resp.Body.Close()
		select {
		case err := <-ended:
			if err == nil || err.Error() == "there is a deadline" {
				t.Errorf("the end: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("it goes on for nobody")
		}
	}
}

func TestExportFiles(t *testing.T) {
	t.Parallel()
	at := exporting(t, &exports{})
	for _, tc := range []struct {
		path, ranged, want string
		status             int
	}{
		{"j1", "", "0123456789", http.StatusOK},
		{"job:j1", "", "0123456789", http.StatusOK},
		{"j1", "bytes=7-", "789", http.StatusPartialContent},
		{"j1", "bytes=20-", "invalid range: failed to overlap\n", http.StatusRequestedRangeNotSatisfiable},
		{"j2", "", "", http.StatusNotFound},
	} {
		var headers []string
		if tc.ranged != "" {
			headers = []string{"Range", tc.ranged}
		}
		resp := taken(t, at+"/exports/files/"+tc.path, headers...)
		if resp.err != nil || resp.status != tc.status || tc.want != "" && resp.body != tc.want {
			t.Errorf("%s %s: %+v", tc.path, tc.ranged, resp)
		}
		if tc.status == http.StatusOK && (resp.header.Get("Content-Disposition") != `attachment; filename="a b.csv"` || resp.header.Get("Accept-Ranges") != "bytes") {
			t.Errorf("%s: %v", tc.path, resp.header)
		}
	}
}
