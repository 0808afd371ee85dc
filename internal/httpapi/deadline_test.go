package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path, upgrade string
		want          time.Duration
	}{{"/graphql", "", maxRequestTime}, {"/auth/callback/acme", "", routeTime}, {"/", "", routeTime}, {"/graphql", "websocket", 0}, {exportEventsPath, "", 0}, {exportPath, "", transferTime}} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, nil)
		if tc.upgrade != "" {
			r.Header.Set("Upgrade", tc.upgrade)
		}
		var inside *http.Request
		s := New(Config{}, Deps{})
		s.deadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = r })).ServeHTTP(httptest.NewRecorder(), r)
		end, has := inside.Context().Deadline()
		if has != (tc.want > 0) || has && time.Until(end) > tc.want {
			t.Errorf("%s %s: ends %v, %t", tc.path, tc.upgrade, end, has)
		}
		if has && inside.Context().Err() == nil {
			t.Errorf("%s: the context outlives its request", tc.path)
		}
	}
}
