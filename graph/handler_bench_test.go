package graph

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkServe is a request from its bytes to those of the answer, without network and store: what this package costs.
func BenchmarkServe(b *testing.B) {
	plans := make([]plan.Plan, 50)
	for i := range plans {
		plans[i] = plan.Plan{ID: ref.NewID(), Key: "plan-" + strconv.Itoa(i), Window: plan.Window{Name: "Plan"}, Terms: plan.Terms{Features: []plan.Rule{}}}
	}
	s := newServer(&stubs{
		Resolver: &Resolver{},
		node:     func(_ context.Context, id ref.Ref) (model.Node, error) { return plan.Plan{ID: id.ID, Key: "free"}, nil },
		plans:    func(context.Context) ([]plan.Plan, error) { return plans, nil },
	}, holder{}, proven{}, loader.Sources{}, Config{}, slog.New(slog.DiscardHandler), Hooks{})
	for name, body := range map[string]string{
		"point": `{"query":"query P($id: ID!) { node(id: $id) { id ... on Plan { key name rank } } }","variables":{"id":"plan:0197a0c0-0000-7000-8000-000000000001"}}`,
		"list":  `{"query":"{ plans { id key name rank isDefault prices { amountMinor currency } features { feature limit } } }"}`,
	} {
		b.Run(name, func(b *testing.B) {
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", io.NopCloser(strings.NewReader(body)))
				r.Header.Set("Content-Type", typeJSON)
				s.ServeHTTP(w, r)
			}
		})
	}
}
