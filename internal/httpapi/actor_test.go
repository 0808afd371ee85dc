package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/backendbook/backendbook/internal/actor"
)

// A server is started by an operator, whose context is the base of every request's. A request once ran as that operator.
func TestRequestIsNobodysUntilItsSessionSaysSo(t *testing.T) {
	t.Parallel()
	var got actor.Actor
	s := &Server{}
	h := s.requestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = actor.From(r.Context()) }))
	r := httptest.NewRequestWithContext(actor.With(t.Context(), actor.System()), http.MethodGet, "/", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if !got.IsAnonymous() {
		t.Errorf("an anonymous request runs as %+v", got)
	}
}
