package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/backendbook/backendbook/internal/trace"
)

// TestTrace: a request is in the trace its sender names; probes are in none, and without a collector nothing is.
func TestTrace(t *testing.T) {
	t.Parallel()
	const id = "0af7651916cd43dd8448eb211c80319c"
	at := ""
	graphql := func(_ http.ResponseWriter, r *http.Request) { at = trace.ID(r.Context()) }
	for _, tc := range []struct {
		name, target, endpoint, want string
	}{
		{"named", "/graphql", "http://127.0.0.1:1", id},
		{"a probe", "/healthz", "http://127.0.0.1:1", ""},
		{"no collector", "/graphql", "", ""},
	} {
		s := newSite(t, Config{}, graphql)
		tracer, err := trace.New(t.Context(), trace.Config{Endpoint: tc.endpoint, Sample: 1}, s.srv.deps.Log)
		if err != nil {
			t.Fatal(err)
		}
		at, s.srv.deps.Tracer = "", tracer
		r := httptest.NewRequest(http.MethodGet, tc.target, nil)
		r.Header.Set("Traceparent", "00-"+id+"-b7ad6b7169203331-01")
		w := httptest.NewRecorder()
		if s.srv.Handler().ServeHTTP(w, r); w.Code != http.StatusOK || at != tc.want {
			t.Errorf("%s: %d in the trace %q", tc.name, w.Code, at)
		}
	}
}
