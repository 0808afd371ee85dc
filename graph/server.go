package graph

import (
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/idempotency"
)

// Server prepares and executes operations, over HTTP by itself and for other transports by [Server.Prepare] and
// [Server.Execute]. It is safe for concurrent use.
type Server struct {
	cfg       Config
	log       *slog.Logger
	hooks     Hooks
	schema    *ast.Schema
	exec      *executor.Executor
	validator *validator
	documents *documents
	trusted   map[digest]*document
	waits     map[*ast.FieldDefinition]bool // see ready
	access    map[*ast.FieldDefinition]access
	rights    Authorizer
	proofs    Prover
	sources   loader.Sources
	gates     Gates  // nil where there are no plans
	rates     *rates // of operations
	costs     *rates
	streams   Streams
	load      *load
	keys      *idempotency.Service // nil in tests without a database
	buffers   buffers
}

// NewServer makes the server of a resolver and its services. It panics on a root field without a rule of access: see
// [CheckAccess], which also knows the permissions.
func NewServer(r *Resolver, cfg Config, log *slog.Logger, hooks Hooks) *Server {
	s := newServer(r, r.Rights, r.Auth, r.sources(), cfg, log, hooks)
	s.keys = r.Idempotency
	if r.Plans != nil {
		s.gate(r.Plans, cfg.Clock)
	}
	return s
}

func newServer(root generated.ResolverRoot, rights Authorizer, proofs Prover, sources loader.Sources, cfg Config, log *slog.Logger, hooks Hooks) *Server {
	es := generated.NewExecutableSchema(generated.Config{Resolvers: root})
	rules, err := accessRules(es.Schema())
	if err != nil {
		panic("graph: " + err.Error())
	}
	waits, err := waiting(es.Schema())
	if err != nil {
		panic("graph: " + err.Error())
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: log, hooks: hooks, schema: es.Schema(), exec: executor.New(es),
		validator: newValidator(es.Schema()), documents: newDocuments(cfg.DocCacheBytes),
		waits: waits, access: rules, rights: rights, proofs: proofs, sources: sources, load: &load{most: int64(cfg.Concurrent)},
	}
	s.exec.SetErrorPresenter(s.present)
	s.exec.SetRecoverFunc(recovered)
	return s
}

// gate lets plans bound what callers may do. Only before serving.
func (s *Server) gate(plans Gates, now clock.Clock) {
	if now == nil {
		now = clock.System()
	}
	s.gates, s.rates, s.costs = plans, newRates(now), newRates(now)
}

// Streams serves what lasts longer than a request: [Sockets].
type Streams interface {
	http.Handler // of WebSocket upgrades
	ServeEvents(w http.ResponseWriter, r *http.Request, params *graphql.RawParams)
}

// HandleStreams sends WebSocket upgrades and requests for server-sent events to h. Only before serving.
func (s *Server) HandleStreams(h Streams) { s.streams = h }

// Schema is the schema that is served.
func (s *Server) Schema() *ast.Schema { return s.schema }
