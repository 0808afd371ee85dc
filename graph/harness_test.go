package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/session"
)

// stubs answer a few root fields by functions, without any service. What a test does not set panics.
type stubs struct {
	*Resolver
	node         func(ctx context.Context, id ref.Ref) (model.Node, error)
	plans        func(ctx context.Context) ([]plan.Plan, error)
	permissions  func(ctx context.Context) ([]rbac.Permission, error)
	contentTypes func(ctx context.Context) ([]registry.ContentType, error)
	create       func(ctx context.Context, in model.CreateDocumentInput) (*model.CreateDocumentPayload, error)
	signOut      func(ctx context.Context) (*model.SignOutPayload, error)
}

type stubQuery struct {
	generated.QueryResolver
	s *stubs
}

func (s *stubs) Query() generated.QueryResolver { return stubQuery{s.Resolver.Query(), s} }

func (q stubQuery) Node(ctx context.Context, id ref.Ref) (model.Node, error) {
	return q.s.node(ctx, id)
}
func (q stubQuery) Plans(ctx context.Context) ([]plan.Plan, error) { return q.s.plans(ctx) }
func (q stubQuery) Permissions(ctx context.Context) ([]rbac.Permission, error) {
	return q.s.permissions(ctx)
}

func (q stubQuery) ContentTypes(ctx context.Context) ([]registry.ContentType, error) {
	return q.s.contentTypes(ctx)
}

type stubMutation struct {
	generated.MutationResolver
	s *stubs
}

func (s *stubs) Mutation() generated.MutationResolver { return stubMutation{s.Resolver.Mutation(), s} }

func (m stubMutation) CreateDocument(ctx context.Context, in model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
	return m.s.create(ctx, in)
}

func (m stubMutation) SignOut(ctx context.Context) (*model.SignOutPayload, error) {
	return m.s.signOut(ctx)
}

// holder grants its permissions to everybody who is signed in.
type holder []string

func (h holder) RequireSome(ctx context.Context, permission string) error {
	if actor.From(ctx).IsAnonymous() {
		return fault.ErrUnauthenticated
	}
	for _, p := range h {
		if p == permission {
			return nil
		}
	}
	return fault.ErrForbidden
}

// rig is a server over stubs, reached over HTTP.
type rig struct {
	t   testing.TB
	srv *Server
	url string
	log *logbook
	ops *observed
}

func newRig(t testing.TB, s *stubs, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, log: &logbook{}, ops: &observed{}}
	if s.Resolver == nil {
		s.Resolver = &Resolver{}
	}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.srv = newServer(s, holder{"registry.document.create"}, proven{}, loader.Sources{}, cfg, log, Hooks{Observe: r.ops.observe})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx := actor.WithRequest(req.Context(), actor.Request{ID: "req-1"})
		if u := req.Header.Get("X-User"); u != "" {
			ctx = actor.With(ctx, actor.Actor{User: u})
		}
		r.srv.ServeHTTP(w, req.WithContext(ctx))
	}))
	t.Cleanup(web.Close)
	r.url = web.URL
	return r
}

// got is an answer, read.
type got struct {
	status int
	header http.Header
	body   string
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Locations  []any          `json:"locations"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// code is the code of the only error, "" without errors.
func (g got) code() string {
	if len(g.Errors) == 0 {
		return ""
	}
	code, _ := g.Errors[0].Extensions["code"].(string)
	return code
}

func (r *rig) do(req *http.Request) got {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	g := got{status: resp.StatusCode, header: resp.Header, body: string(body)}
	if err := json.Unmarshal(body, &g); err != nil {
		r.t.Fatalf("the answer is not JSON: %v: %.200s", err, body)
	}
	return g
}

// post sends a raw body. Headers are pairs of name and value.
func (r *rig) post(body string, headers ...string) got {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", typeJSON)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.do(req)
}

// query sends an operation.
func (r *rig) query(doc string, vars map[string]any, headers ...string) got {
	r.t.Helper()
	body, err := json.Marshal(map[string]any{"query": doc, "variables": vars})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.post(string(body), headers...)
}

// logbook keeps what is logged.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// lines are the events of one name.
func (l *logbook) lines(t testing.TB, msg string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["msg"] == msg {
			out = append(out, m)
		}
	}
	return out
}

// observed keeps what the hook was told.
type observed struct {
	mu  sync.Mutex
	ops [][3]string
}

func (o *observed) observe(root, typ, code, _ string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ops = append(o.ops, [3]string{root, typ, code})
}

func (o *observed) all() [][3]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ops)
}

// proven is a [Prover] for whom every proof is fresh.
type proven struct{}

func (proven) RequireFresh(context.Context, session.Need) (session.Session, error) {
	return session.Session{}, nil
}
