package httpapi

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/table"
)

// Exports makes tables of events and reports.
type Exports interface {
	Events(ctx context.Context, cmd export.EventsCmd, w io.Writer) (export.Done, error)
	Report(ctx context.Context, cmd export.ReportCmd, w io.Writer) (int64, error)
	Open(ctx context.Context, job string) (*export.File, error)
}

const (
	exportEventsPath = exportPath + "/events"
	exportReportPath = exportPath + "/report"
	cursorHeader     = "Export-Cursor" // a trailer: it is known at the end
)

// isDownload reports whether a request is answered with as much as there is.
func isDownload(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, exportPath+"/") }

// serveExportEvents gives stored events. The query says name and format, and may say from and to, where, a JSON array of filters,
// dims and values, names with commas between that get columns, and after, the cursor of an export before.
func (s *Server) serveExportEvents(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := export.EventsCmd{
		Scan: analytics.Scan{Name: q.Get("name")}, Format: format(q), Dims: list(q, "dims"), Values: list(q, "values"), After: q.Get("after"),
	}
	err := errors.Join(moment(q, "from", &cmd.From), moment(q, "to", &cmd.To), object(q, "where", &cmd.Where))
	if err != nil {
		writeError(w, r, err)
		return
	}
	d := newDownload(w, r, cmd.Name, cmd.Format)
	w.Header().Set("Trailer", cursorHeader)
	done, err := s.deps.Exports.Events(r.Context(), cmd, d)
	d.end(r, err, func() { w.Header().Set(cursorHeader, done.Cursor) })
}

// serveExportReport gives the numbers of a report. The query says format and report, a JSON object with the members of the
// schema's ReportInput.
func (s *Server) serveExportReport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := export.ReportCmd{Query: analytics.Query{Aggregate: analytics.Count, Step: analytics.Minute}, Format: format(q)}
	if err := object(q, "report", &cmd.Query); err != nil {
		writeError(w, r, err)
		return
	}
	d := newDownload(w, r, cmd.Metric, cmd.Format)
	_, err := s.deps.Exports.Report(r.Context(), cmd, d)
	d.end(r, err, func() {})
}

// serveExportFile gives what a job has written, also a range of it.
func (s *Server) serveExportFile(w http.ResponseWriter, r *http.Request) {
	f, err := s.deps.Exports.Open(r.Context(), strings.TrimPrefix(r.PathValue("job"), "job:"))
	if err != nil {
		writeError(w, r, err)
		return
	}
	defer func() { _ = f.Close() }()
	named(w, f.Name, f.Format)
	w.Header().Set("Etag", `"`+r.PathValue("job")+`"`) // it never changes
	http.ServeContent(&moving{w, http.NewResponseController(w)}, r, "", f.ModifiedAt, f)
}

func format(q url.Values) table.Format { return table.Format(strings.ToUpper(q.Get("format"))) }

func list(q url.Values, name string) []string {
	if q.Get(name) == "" {
		return nil
	}
	return strings.Split(q.Get(name), ",")
}

func moment(q url.Values, name string, to *time.Time) (err error) {
	if text := q.Get(name); text != "" {
		if *to, err = time.Parse(time.RFC3339, text); err != nil {
			return fault.ErrInput.Saying("%s must be a time of RFC 3339", name).On(name).Because(err)
		}
	}
	return nil
}

// object reads a part of the query that is JSON. Names match whatever their case, and all must be known.
func object(q url.Values, name string, to any) error {
	text := q.Get(name)
	if text == "" {
		return nil
	}
	if err := readParameter(text, to); err != nil {
		return fault.ErrInput.Saying("%s is not the JSON it should be", name).On(name).Because(err)
	}
	return nil
}

// named says what is downloaded.
func named(w http.ResponseWriter, name string, f table.Format) {
	w.Header().Set("Content-Type", f.MediaType())
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Cache-Control", "no-store")
}

// moving lets an answer take as long as it moves. What is written blocks until the client takes it.
type moving struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements [io.Writer].
func (m *moving) Write(p []byte) (int, error) {
	if err := m.control.SetWriteDeadline(clock.System()().Add(stallTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return m.ResponseWriter.Write(p)
}

// download sends a table as it is made: every write goes out at once. Nothing is sent before the first, so that an error until
// then has a status.
type download struct {
	to  *moving
	out *firstWrite
	zip *gzip.Writer // nil for no compression
}

func newDownload(w http.ResponseWriter, r *http.Request, name string, f table.Format) *download {
	d := &download{to: &moving{w, http.NewResponseController(w)}}
	w.Header().Add("Vary", "Accept-Encoding")
	packed := f != table.XLSX && accepts(r, "gzip")
	d.out = &firstWrite{w: d.to, before: func() {
		named(w, name+"."+strings.ToLower(string(f)), f)
		if packed {
			w.Header().Set("Content-Encoding", "gzip")
		}
	}}
	if packed {
		d.zip = gzip.NewWriter(d.out)
	}
	return d
}

// Write implements [io.Writer].
func (d *download) Write(p []byte) (n int, err error) {
	if d.zip == nil {
		n, err = d.out.Write(p)
	} else if n, err = d.zip.Write(p); err == nil {
		err = d.zip.Flush()
	}
	if err == nil {
		err = d.to.control.Flush()
	}
	return n, err
}

// end ends the answer, after a good end with what is to be known then.
func (d *download) end(r *http.Request, err error, then func()) {
	if err == nil && d.zip != nil {
		err = d.zip.Close()
	}
	switch {
	case err != nil && d.out.begun:
		panic(http.ErrAbortHandler) // the table has no end, and the client has to know
	case err != nil:
		d.to.Header().Del("Trailer")
		writeError(d.to.ResponseWriter, r, err)
		return
	case !d.out.begun:
		d.out.before()
		d.to.WriteHeader(http.StatusOK)
	}
	then()
}

// accepts reports whether an answer may be encoded so.
func accepts(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		_, weight, weighted := strings.Cut(params, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		return !weighted || err == nil && q > 0
	}
	return false
}
