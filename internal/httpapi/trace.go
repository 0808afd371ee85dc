package httpapi

import "net/http"

// trace begins the span of a request, in the trace its sender names (traceparent). Probes have none. What is written on it says
// [Server.accessLog], which knows how the request ended.
func (s *Server) trace(next http.Handler) http.Handler {
	if s.deps.Tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			next.ServeHTTP(w, r)
			return
		}
		ctx, span := s.deps.Tracer.Serve(r.Context(), r.Header)
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
