package httpapi

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/health"
)

func TestReady(t *testing.T) {
	t.Parallel()
	fine := health.Check{Name: "tail", Critical: true, Run: func(context.Context) (string, error) { return "lag 3 ms", nil }}
	s := newSite(t, Config{}, nil, fine,
		health.Check{Name: "mongodb", Critical: true, Run: func(context.Context) (string, error) { return "", errBoom }},
		health.Check{Name: "mail", Run: func(context.Context) (string, error) { return "", fault.ErrUnavailable.Saying("9 wait") }})
	w := s.ask("GET", "/readyz", "")
	var got readiness
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || got.Status != "not_ready" || !got.Checks["tail"].OK || got.Checks["tail"].Detail != "lag 3 ms" ||
		got.Checks["mongodb"].OK || got.Checks["mongodb"].Code != "INTERNAL" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "10.0.0.7") || strings.Contains(w.Body.String(), "9 wait") || len(got.Checks) != 2 {
		t.Errorf("the text of an error, or a warning, is shown to anybody: %s", w.Body)
	}
	if w := s.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
	if w := newSite(t, Config{}, nil, fine).ask("GET", "/readyz", ""); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("all is well, but %d %s", w.Code, w.Body)
	}
}

// TestChecksInside: the internal listener tells all of it, and a warning leaves the node ready. The public one has no such page.
func TestChecksInside(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil,
		health.Check{Name: "mongodb", Critical: true, Run: func(context.Context) (string, error) { return "writes", nil }},
		health.Check{Name: "mail", Run: func(context.Context) (string, error) { return "", fault.ErrUnavailable.Saying("9 wait") }})
	w := httptest.NewRecorder()
	s.srv.InternalHandler().ServeHTTP(w, httptest.NewRequest("GET", "/checks", nil))
	var got CheckList
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Status != health.Ready || len(got.Checks) != 2 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if c := got.Checks[0]; c.Name != "mongodb" || c.Status != health.OK || !c.Critical || c.Detail != "writes" || c.Code != "" {
		t.Errorf("the database: %+v", c)
	}
	if c := got.Checks[1]; c.Name != "mail" || c.Status != health.Warning || c.Critical || c.Detail != "9 wait" || c.Code != "UNAVAILABLE" {
		t.Errorf("the mail: %+v", c)
	}
	if w := s.ask("GET", "/checks", ""); strings.Contains(w.Body.String(), "9 wait") {
		t.Errorf("anybody may see the checks: %d %s", w.Code, w.Body)
	}
}

func TestDrainIsNotReady(t *testing.T) {
	t.Parallel()
	s := newSite(t, Config{}, nil)
	if w := s.ask("GET", "/readyz", ""); w.Code != 200 {
		t.Fatalf("before: %d", w.Code)
	}
	s.srv.deps.Health.Drain()
	s.srv.deps.Health.Drain() // twice is once
	if w := s.ask("GET", "/readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), "draining") {
		t.Errorf("after: %d %s", w.Code, w.Body)
	}
	if w := s.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("a draining server is alive: %d", w.Code)
	}
}
