package graph

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/fault"
)

// Media types of answers.
const (
	typeGraphQL = "application/graphql-response+json"
	typeJSON    = "application/json"
)

// negotiate chooses the media type of the answer. application/json is what a client gets that names none, or any: it may
// be older than the other type. Naming both equally asks for the newer.
func negotiate(accept []string) (typ string, ok bool) {
	if len(accept) == 0 || len(accept) == 1 && accept[0] == "" {
		return typeJSON, true
	}
	var json, graphql quality
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			typ, q, ok := mediaRange(part)
			if !ok {
				continue
			}
			switch typ {
			case typeJSON:
				json.set(2, q)
			case typeGraphQL:
				graphql.set(2, q)
			case "application/*":
				json.set(1, q)
				graphql.set(1, q)
			case "*/*":
				json.set(0, q)
				graphql.set(0, q)
			}
		}
	}
	switch {
	case graphql.q > json.q, graphql.specific == 2 && graphql.q == json.q && graphql.q > 0:
		return typeGraphQL, true
	case json.q > 0:
		return typeJSON, true
	default:
		return "", false
	}
}

// quality is how much a client wants a type, by the most specific range that names it.
type quality struct {
	specific int
	q        float64
}

func (x *quality) set(specific int, q float64) {
	if specific >= x.specific {
		*x = quality{specific, q}
	}
}

// mediaRange reads one element of an Accept header.
func mediaRange(text string) (typ string, q float64, ok bool) {
	typ, args, err := mime.ParseMediaType(text)
	if err != nil {
		return "", 0, false
	}
	if charset, given := args["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return "", 0, false
	}
	if text, given := args["q"]; given {
		q, err = strconv.ParseFloat(text, 64)
		return typ, q, err == nil && q >= 0 && q <= 1
	}
	return typ, 1, true
}

// isJSON reports whether a Content-Type is application/json in UTF-8.
func isJSON(contentType string) bool {
	if contentType == typeJSON {
		return true
	}
	typ, args, err := mime.ParseMediaType(contentType)
	if err != nil || typ != typeJSON {
		return false
	}
	charset, given := args["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// buffers are reused for bodies and answers.
type buffers struct{ pool sync.Pool }

// maxPooled keeps one large answer from holding its memory for ever.
const maxPooled = 256 << 10

func (b *buffers) get() *bytes.Buffer {
	if buf, ok := b.pool.Get().(*bytes.Buffer); ok {
		buf.Reset()
		return buf
	}
	return new(bytes.Buffer)
}

func (b *buffers) put(buf *bytes.Buffer) {
	if buf.Cap() <= maxPooled {
		b.pool.Put(buf)
	}
}

// answer is where a response goes.
type answer struct {
	w       http.ResponseWriter
	typ     string
	buffers *buffers
	maxAge  int    // seconds for which anybody may be given it again; 0 for never
	known   string // If-None-Match
}

// notExecuted answers a well-formed request whose operation could not be executed.
func (a answer) notExecuted(errs gqlerror.List) {
	status := http.StatusBadRequest
	if a.typ == typeJSON {
		status = http.StatusOK
	}
	a.write(status, &graphql.Response{Errors: errs})
}

// write sends a response in one piece.
func (a answer) write(status int, r *graphql.Response) {
	buf := a.buffers.get()
	defer a.buffers.put(buf)
	writeResponse(buf, r)
	h := a.w.Header()
	h.Set("Content-Type", a.typ+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Set("Cache-Control", "no-store")
	if a.maxAge > 0 && status == http.StatusOK && len(r.Errors) == 0 && len(r.Extensions) == 0 {
		tag := tagOf(buf.Bytes())
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(a.maxAge))
		h.Add("Vary", "Accept, Authorization, Cookie")
		h.Set("ETag", tag)
		if knows(a.known, tag) {
			h.Del("Content-Length")
			a.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	a.w.WriteHeader(status)
	_, _ = a.w.Write(buf.Bytes()) // the client has gone: nobody is left to be told
}

// encodeResponse is a response as JSON.
func encodeResponse(r *graphql.Response) []byte {
	var buf bytes.Buffer
	buf.Grow(len(r.Data) + 64)
	writeResponse(&buf, r)
	return buf.Bytes()
}

// encodeErrors is a list of errors as JSON. Texts are written as they are: the answer is no HTML.
func encodeErrors(errs gqlerror.List) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(errs); err != nil { // a detail of a fault that JSON has no form for: no reason to say nothing
		return []byte(`[{"message":"` + fault.ErrInternal.Msg + `","extensions":{"code":"` + fault.ErrInternal.Code + `"}}]`)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// writeResponse writes errors first, so that they are seen, and data only if the operation was executed. Data is JSON
// already and is not read again.
func writeResponse(buf *bytes.Buffer, r *graphql.Response) {
	buf.WriteByte('{')
	if len(r.Errors) > 0 {
		buf.WriteString(`"errors":`)
		buf.Write(encodeErrors(r.Errors))
	}
	if len(r.Data) > 0 {
		if len(r.Errors) > 0 {
			buf.WriteByte(',')
		}
		buf.WriteString(`"data":`)
		buf.Write(r.Data)
	}
	if len(r.Extensions) > 0 {
		if ext, err := json.Marshal(r.Extensions); err == nil {
			buf.WriteString(`,"extensions":`)
			buf.Write(ext)
		}
	}
	buf.WriteByte('}')
}
