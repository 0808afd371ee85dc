package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/table"
)

// Tables makes documents of tables, and tables of documents.
type Tables interface {
	StartImport(ctx context.Context, cmd registry.ImportCmd, r io.Reader) (job string, err error)
	Export(ctx context.Context, cmd registry.ExportCmd, w io.Writer) (int64, error)
}

const (
	importPath = "/imports"
	exportPath = "/exports"
)

// serveImport takes a table as the body, and answers with the job that makes documents of it. The query says type, format, and may
// say dryRun=true, onError=skip and map, a JSON object of columns and fields.
func (s *Server) serveImport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := registry.ImportCmd{
		Type: q.Get("type"), Format: table.Format(strings.ToUpper(q.Get("format"))), DryRun: q.Get("dryRun") == "true", Skip: q.Get("onError") == "skip",
	}
	if m := q.Get("map"); m != "" {
		if err := json.Unmarshal([]byte(m), &cmd.Map); err != nil {
			writeError(w, r, fault.ErrInput.Saying("map must be a JSON object of texts").On("map").Because(err))
			return
		}
	}
	body := &patient{ReadCloser: r.Body, control: http.NewResponseController(w)}
	job, err := s.deps.Tables.StartImport(r.Context(), cmd, body)
	if err != nil {
		w.Header().Set("Connection", "close") // what is left of the body is not waited for
		writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"job": ref.New(ref.Job, job).String()})
}

// serveExport gives documents as a table. The query says type and format, and may say search, prefix, filter, a JSON object, and
// allowScan=true.
func (s *Server) serveExport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := registry.ExportCmd{
		ListCmd: registry.ListCmd{Type: q.Get("type"), Search: q.Get("search"), Prefix: q.Get("prefix"), AllowScan: q.Get("allowScan") == "true"},
		Format:  table.Format(strings.ToUpper(q.Get("format"))),
	}
	if f := q.Get("filter"); f != "" {
		if err := json.Unmarshal([]byte(f), &cmd.Filter); err != nil {
			writeError(w, r, fault.ErrInput.Saying("filter must be a JSON object").On("filter").Because(err))
			return
		}
	}
	// A client that does not take it does not hold the connection for ever.
	_ = http.NewResponseController(w).SetWriteDeadline(clock.System()().Add(transferTime))
	out := &firstWrite{w: w, before: func() {
		w.Header().Set("Content-Type", cmd.Format.MediaType())
		w.Header().Set("Content-Disposition", `attachment; filename="`+cmd.Type+"."+strings.ToLower(string(cmd.Format))+`"`)
		w.Header().Set("Cache-Control", "no-store")
	}}
	_, err := s.deps.Tables.Export(r.Context(), cmd, out)
	switch {
	case err != nil && out.begun:
		panic(http.ErrAbortHandler) // the table has no end, and the client has to know
	case err != nil:
		writeError(w, r, err)
	case !out.begun:
		out.before()
		w.WriteHeader(http.StatusOK)
	}
}

// firstWrite does something before the first byte.
type firstWrite struct {
	w      io.Writer
	before func()
	begun  bool
}

// Write implements [io.Writer].
func (f *firstWrite) Write(p []byte) (int, error) {
	if !f.begun {
		f.begun = true
		f.before()
	}
	return f.w.Write(p)
}
