package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
)

// Invoices prints invoices.
type Invoices interface {
	// Invoice gives what writes an invoice, as a PDF or as a page. Who may not see it finds none.
	Invoice(ctx context.Context, id string, pdf bool) (func(w io.Writer) error, error)
}

// Payments hears of what payment providers tell by themselves.
type Payments interface {
	Notice(ctx context.Context, header map[string][]string, body []byte) error
}

const (
	noticePath     = "/payments/notice"
	maxNoticeBytes = 256 << 10
)

// invoicePolicy lets the page show itself with its own style, and nothing else.
const invoicePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

// serveInvoice answers /invoices/{id}.html and .pdf.
func (s *Server) serveInvoice(w http.ResponseWriter, r *http.Request) {
	id, isPage := strings.CutSuffix(r.PathValue("file"), ".html")
	id, isPDF := strings.CutSuffix(id, ".pdf")
	if isPage == isPDF || s.deps.Invoices == nil {
		notFound(w, r)
		return
	}
	print, err := s.deps.Invoices.Invoice(r.Context(), id, isPDF)
	var paper bytes.Buffer // whole, or an error: not half of it
	if err == nil {
		err = print(&paper)
	}
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", invoicePolicy)
	if isPDF {
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Content-Disposition", `inline; filename="invoice.pdf"`)
	}
	_, _ = w.Write(paper.Bytes())
}

// serveNotice takes what a payment provider tells. It is for nobody's session: the message is signed. What could not be dealt with
// is answered with an error, so that the provider sends it again.
func (s *Server) serveNotice(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNoticeBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		err = fault.ErrInput.Saying("the message is too large")
	case err == nil && s.deps.Payments == nil:
		err = fault.ErrNotFound
	case err == nil:
		err = s.deps.Payments.Notice(r.Context(), r.Header, body)
	}
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
