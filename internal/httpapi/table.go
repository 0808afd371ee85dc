package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ijson"
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

// Errors of an import.
var (
	ErrImportSize = fault.Define(fault.Invalid, "IMPORT_TOO_LARGE", "the table is larger than allowed")
	ErrImportCut  = fault.Define(fault.Invalid, "IMPORT_CUT", "the table breaks off: send all of it again")
)

// serveImport takes a table as the body, and answers with the job that makes documents of it. The query says type, format, and may
// say dryRun=true, onError=skip and map, a JSON object of columns and fields.
func (s *Server) serveImport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := registry.ImportCmd{
		Type: q.Get("type"), Format: table.Format(strings.ToUpper(q.Get("format"))), DryRun: q.Get("dryRun") == "true", Skip: q.Get("onError") == "skip",
	}
	if m := q.Get("map"); m != "" {
		if err := readParameter(m, &cmd.Map); err != nil {
			writeError(w, r, fault.ErrInput.Saying("map must be a JSON object of texts").On("map").Because(err))
			return
		}
	}
	if r.ContentLength > s.cfg.MaxImport {
		refuseTable(w, r, errTooLarge(s.cfg.MaxImport))
		return
	}
	body := &patient{ReadCloser: r.Body, control: http.NewResponseController(w)}
	job, err := s.deps.Tables.StartImport(r.Context(), cmd, wholeTable{http.MaxBytesReader(w, body, s.cfg.MaxImport)})
	if err != nil {
		refuseTable(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"job": ref.New(ref.Job, job).String()})
}

// refuseTable answers an error before the body is read to its end.
func refuseTable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Connection", "close") // what is left of the body is not waited for
	writeError(w, r, err)
}

// wholeTable is a body, no part of which is taken for all of it.
type wholeTable struct{ body io.Reader }

// Read implements [io.Reader].
func (t wholeTable) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	var most *http.MaxBytesError
	switch {
	case errors.As(err, &most):
		err = errTooLarge(most.Limit)
	case err != nil && !errors.Is(err, io.EOF):
		err = ErrImportCut.Because(err)
	}
	return n, err
}

func errTooLarge(limit int64) error { return ErrImportSize.With("limit", limit) }

// serveExport gives documents as a table. The query says type and format, and may say search, prefix, filter, a JSON object, and
// allowScan=true.
func (s *Server) serveExport(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cmd := registry.ExportCmd{
		ListCmd: registry.ListCmd{Type: q.Get("type"), Search: q.Get("search"), Prefix: q.Get("prefix"), AllowScan: q.Get("allowScan") == "true"},
		Format:  table.Format(strings.ToUpper(q.Get("format"))),
	}
	for _, name := range []string{"type", "search", "prefix"} {
		if !utf8.ValidString(q.Get(name)) {
			writeError(w, r, fault.ErrInput.Saying("%s is not UTF-8", name).On(name))
			return
		}
	}
	if f := q.Get("filter"); f != "" {
		if err := readParameter(f, &cmd.Filter); err != nil {
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

// readParameter reads a parameter of the address that is JSON. All members must be known where to is a struct.
func readParameter(text string, to any) error {
	if err := ijson.Check([]byte(text)); err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(to)
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
