package httpapi

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// entry is what the layers below tell the access log. Only the goroutine of the request writes it.
type entry struct {
	route string       // pattern of the mux, without its method
	actor string       // such as "user:0190…"; empty for nobody
	fault *fault.Error // what writeError answered
}

type entryKey struct{}

// accessLog writes one line for each request when it is answered: never its query string, its headers or its body. A
// failure on our side is logged with its cause here and nowhere else.
func (s *Server) accessLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := s.deps.Clock()
		e := &entry{route: "none"}
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
		defer func() { //nolint:contextcheck // it has the context of r
			took := s.deps.Clock().Sub(begin)
			s.deps.Metrics.observeHTTP(r.Method, e.route, rec.code(), took)
			s.deps.Tracer.Here(r.Context()).Answered(method(r.Method), e.route, rec.code(), actor.RequestFrom(r.Context()).ID)
			attrs := []slog.Attr{
				slog.String("method", method(r.Method)), slog.String("route", e.route), slog.Int("status", rec.code()),
				slog.Int64("ms", took.Milliseconds()), slog.Int64("bytes", rec.bytes), slog.String("ip", actor.RequestFrom(r.Context()).IP),
			}
			if e.actor != "" {
				attrs = append(attrs, slog.String("actor", e.actor))
			}
			level := slog.LevelInfo
			if e.fault != nil {
				attrs = append(attrs, slog.String("code", e.fault.Code))
				if level = max(level, e.fault.Kind.Level()); e.fault.Err != nil {
					attrs = append(attrs, slog.String("error", e.fault.Err.Error()))
				}
			} else if quiet(e.route) {
				level = slog.LevelDebug // probes and files: many, and never news
			}
			s.deps.Log.LogAttrs(r.Context(), level, "http_request", attrs...)
		}()
		next.ServeHTTP(rec, r)
	})
}

// noteRoute tells the access log which pattern matched: the mux notes it in the request it is given.
func noteRoute(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if e, ok := r.Context().Value(entryKey{}).(*entry); ok && r.Pattern != "" {
				e.route = r.Pattern[strings.IndexByte(r.Pattern, '/'):]
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

func noteActor(r *http.Request, a actor.Actor) {
	if e, ok := r.Context().Value(entryKey{}).(*entry); ok {
		e.actor = a.Ref().String()
		if a.Impersonator != "" {
			e.actor = "user:" + a.Impersonator + " as " + e.actor
		}
	}
}

func noteError(r *http.Request, f *fault.Error) {
	if e, ok := r.Context().Value(entryKey{}).(*entry); ok {
		e.fault = f
	}
}

func quiet(route string) bool { return route == "/healthz" || route == "/readyz" || route == "/" }

// method is the method if it is a known one: a client may send any word.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	default:
		return "OTHER"
	}
}

// recorder notes the status and the size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Hijack hands the connection to the WebSocket transport.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.status = http.StatusSwitchingProtocols
	return http.NewResponseController(r.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// code is the status; a handler that wrote nothing answered 200.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
