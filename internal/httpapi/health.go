package httpapi

import (
	"net/http"

	"github.com/backendbook/backendbook/internal/health"
)

// readiness is the body of /readyz: the checks that decide, told so that anybody may know them.
type readiness struct {
	Status health.State      `json:"status"`
	Checks map[string]result `json:"checks"`
}

type result struct {
	OK     bool   `json:"ok"`
	Ms     int64  `json:"ms"`
	Detail string `json:"detail,omitempty"` // of one that is well
	Code   string `json:"code,omitempty"`
}

// CheckList is the body of /checks on the internal listener: everything that is known.
type CheckList struct {
	Status health.State  `json:"status"`
	Checks []CheckResult `json:"checks"`
}

// CheckResult is one check of a [CheckList].
type CheckResult struct {
	Name     string        `json:"name"`
	Status   health.Status `json:"status"`
	Critical bool          `json:"critical"`
	Detail   string        `json:"detail,omitempty"`
	Code     string        `json:"code,omitempty"`
	Ms       float64       `json:"ms"`
}

func (s *Server) serveAlive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	state, results := s.deps.Health.Look(r.Context())
	body := readiness{Status: state, Checks: make(map[string]result, len(results))}
	for _, c := range results {
		if !c.Critical {
			continue
		}
		shown := result{OK: c.Status == health.OK, Ms: int64(c.Ms), Code: c.Code}
		if shown.OK {
			shown.Detail = c.Detail
		}
		body.Checks[c.Name] = shown
	}
	writeJSON(w, statusOf(state), body)
}

// serveChecks tells all checks with what is wrong.
func (s *Server) serveChecks(w http.ResponseWriter, r *http.Request) {
	state, results := s.deps.Health.Look(r.Context())
	body := CheckList{Status: state, Checks: make([]CheckResult, len(results))}
	for i, c := range results {
		body.Checks[i] = CheckResult{Name: c.Name, Status: c.Status, Critical: c.Critical, Detail: c.Detail, Code: c.Code, Ms: c.Ms}
	}
	writeJSON(w, statusOf(state), body)
}

func statusOf(s health.State) int {
	if s == health.Ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
