package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/trace"
)

// What a client sees of an error, by where it came from.
func TestPresentedErrors(t *testing.T) {
	t.Parallel()
	var fail error
	r := newRig(t, &stubs{
		plans: func(context.Context) ([]plan.Plan, error) { return nil, fail },
		node:  func(context.Context, ref.Ref) (model.Node, error) { return nil, fail },
		create: func(context.Context, model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
			return nil, fail
		},
	}, Config{})
	const create = `mutation ($in: CreateDocumentInput!) { made: createDocument(input: $in) { document { id } } }`
	input := func(data any) map[string]any {
		return map[string]any{"in": map[string]any{"type": "t", "data": data}}
	}
	for _, tc := range []struct {
		name, query string
		vars        map[string]any
		fail        error
		code, msg   string
		field, path string
		details     map[string]any
		level       string
	}{
		{
			name: "a fault", query: `{ plans { key } }`, fail: fault.ErrUnavailable.Because(errors.New("dial tcp 10.0.0.1")),
			code: "UNAVAILABLE", msg: fault.ErrUnavailable.Msg, path: "[plans]", level: "ERROR",
		},
		{
			name: "a fault in wrapping", query: `{ other: plans { key } }`, fail: fmt.Errorf("read plans: %w", plan.ErrStale.On("input.version")),
			code: "PLAN_STALE", msg: plan.ErrStale.Msg, path: "[other]", field: "input.version", level: "DEBUG",
		},
		{
			name: "its details", query: `{ plans { key } }`, fail: plan.ErrQuota.With("limit", 5).With("used", 5).With("code", "NOT_THIS"),
			code: "QUOTA_EXCEEDED", msg: plan.ErrQuota.Msg, path: "[plans]", details: map[string]any{"limit": 5.0, "used": 5.0}, level: "INFO",
		},
		{
			name: "an error nobody classified", query: `{ plans { key } }`, fail: errors.New("E11000 duplicate key of user@example.org"),
			code: "INTERNAL", msg: fault.ErrInternal.Msg, path: "[plans]", level: "ERROR",
		},
		{
			name: "a bad id", query: `{ node(id: "no id") { id } }`,
			code: "BAD_ID", msg: ref.ErrID.Msg, path: "[node]", field: "id", level: "DEBUG",
		},
		{
			name: "a bad id in a list", query: `{ nodes(ids: ["user:1", "no id"]) { id } }`,
			code: "BAD_ID", msg: ref.ErrID.Msg, path: "[nodes]", field: "ids.1", level: "DEBUG",
		},
		{
			name: "a bad value in an input", query: create, vars: input(map[string]any{"a.b": 1}),
			code: "BAD_USER_INPUT", msg: "a JSON key must not be empty, begin with $ or hold a dot or NUL", path: "[made]", field: "input.data", level: "DEBUG",
		},
		{
			name: "a variable of the wrong type", query: create, vars: map[string]any{"in": map[string]any{"type": 5, "data": map[string]any{}}},
			code: "BAD_USER_INPUT", msg: "variable $in.type is not a String", field: "in.type", path: "[]", level: "DEBUG",
		},
	} {
		t.Run(tc.name, func(t *testing.T) { //nolint:paralleltest // they share what the stubs answer
			fail = tc.fail
			seen := len(r.log.lines(t, "graphql_error"))
			g := r.query(tc.query, tc.vars, "X-User", "u1")
			if len(g.Errors) != 1 {
				t.Fatalf("%s", g.body)
			}
			e := g.Errors[0]
			want := map[string]any{"code": tc.code, "requestId": "req-1"}
			if tc.field != "" {
				want["field"] = tc.field
			}
			for k, v := range tc.details {
				want[k] = v
			}
			if e.Message != tc.msg || fmt.Sprint(e.Path) != tc.path || fmt.Sprint(e.Extensions) != fmt.Sprint(want) {
				t.Errorf("%s\nwant %s %s %v", g.body, tc.msg, tc.path, want)
			}
			lines := r.log.lines(t, "graphql_error")[seen:]
			if len(lines) != 1 {
				t.Fatalf("logged %d times: %v", len(lines), lines)
			}
			l := lines[0]
			if l["level"] != tc.level || l["code"] != tc.code || l["request_id"] != "req-1" || l["actor"] != "user:u1" {
				t.Errorf("log %v", l)
			}
			if cause := fault.From(tc.fail); tc.fail != nil && cause.Err != nil && l["error"] != cause.Err.Error() {
				t.Errorf("the cause is not in the log: %v", l)
			}
		})
	}
}

// A panic anywhere ends one field, not the process; its text and stack are in the log alone.
func TestPanics(t *testing.T) {
	t.Parallel()
	crash := func(ctx context.Context) ([]plan.Plan, error) { panic("crash of " + actor.From(ctx).User) }
	r := newRig(t, &stubs{plans: crash, signOut: func(context.Context) (*model.SignOutPayload, error) { panic(errOdd) }}, Config{})
	for query, path := range map[string]string{
		`{ plans { key } __typename }`:   "[plans]",
		`mutation { signOut { ended } }`: "[signOut]",
	} {
		g := r.query(query, nil, "X-User", "u1")
		if g.status != 200 || g.code() != "INTERNAL" || fmt.Sprint(g.Errors[0].Path) != path || strings.Contains(g.body, "crash") {
			t.Errorf("%d %s", g.status, g.body)
		}
	}
	lines := r.log.lines(t, "graphql_error")
	if len(lines) != 2 {
		t.Fatalf("logged %d times", len(lines))
	}
	for _, l := range lines {
		if stack, _ := l["stack"].(string); l["level"] != "ERROR" || !strings.Contains(stack, "execute_test.go") {
			t.Errorf("log %v", l)
		}
	}
}

// A panic outside of gqlgen's own recovery is answered too.
func TestPanicAroundTheExecutor(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	resp := s.safely(t.Context(), func() *graphql.Response { panic("crash") })
	if len(resp.Errors) != 1 || resp.Errors[0].Extensions["code"] != "INTERNAL" || string(resp.Data) != "null" {
		t.Errorf("%+v", resp)
	}
}

// The error of a non-null field makes its parent null; the siblings of that are answered.
func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{
		plans: onePlan,
		node: func(_ context.Context, id ref.Ref) (model.Node, error) {
			if id.ID == "2" {
				return nil, fault.ErrUnavailable
			}
			return plan.Plan{ID: id.ID}, nil
		},
	}, Config{})
	g := r.query(`{ a: node(id: "plan:1") { id } b: node(id: "plan:2") { id } plans { key } }`, nil)
	if string(g.Data) != `{"a":{"id":"plan:1"},"b":null,"plans":[{"key":"free"}]}` || len(g.Errors) != 1 {
		t.Errorf("%s", g.body)
	}
	// Fields fail at the same time; the errors come in the order of their paths.
	for range 20 {
		g := r.query(`{ c: node(id: "plan:2") { id } a: node(id: "plan:2") { id } b: node(id: "plan:2") { id } }`, nil)
		if paths := fmt.Sprint(g.Errors[0].Path, g.Errors[1].Path, g.Errors[2].Path); paths != "[a] [b] [c]" {
			t.Fatalf("%s", paths)
		}
	}
}

func TestErrorsAreOrderedByPath(t *testing.T) {
	t.Parallel()
	path := func(p ...ast.PathElement) *gqlerror.Error { return &gqlerror.Error{Path: p} }
	errs := gqlerror.List{
		path(ast.PathName("b")), path(ast.PathName("a"), ast.PathIndex(10)), path(ast.PathName("a"), ast.PathIndex(9), ast.PathName("x")),
		path(ast.PathName("a"), ast.PathIndex(9)), path(),
	}
	slices.SortStableFunc(errs, byPath)
	got := make([]string, len(errs))
	for i, e := range errs {
		got[i] = e.Path.String()
	}
	if want := []string{"", "a[9]", "a[9].x", "a[10]", "b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Each operation is one event of the log and one call of the hook, with names from small sets.
func TestOperationsAreObserved(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-canary"
	r := newRig(t, &stubs{
		plans:   onePlan,
		node:    func(context.Context, ref.Ref) (model.Node, error) { return nil, fault.ErrUnavailable },
		signOut: func(context.Context) (*model.SignOutPayload, error) { return &model.SignOutPayload{}, nil },
	}, Config{})
	r.query(`query Mine { plans { key } again: plans { key } }`, nil)
	r.query(`query ($id: ID!) { plans { key } node(id: $id) { id } }`, map[string]any{"id": "user:" + secret})
	r.query(`mutation Leave { signOut { ended } }`, nil)
	r.query(`query Bad { nope }`, nil)
	r.query(`{ __typename }`, nil)
	want := [][3]string{
		{"plans", "query", "OK"},
		{"several", "query", "UNAVAILABLE"},
		{"signOut", "mutation", "OK"},
		{"none", "none", "GRAPHQL_VALIDATION_FAILED"},
		{"none", "query", "OK"},
	}
	if got := r.ops.all(); !slices.Equal(got, want) {
		t.Errorf("observed %v", got)
	}
	lines := r.log.lines(t, "graphql_operation")
	if len(lines) != len(want) {
		t.Fatalf("%d events", len(lines))
	}
	for i, l := range lines {
		level := "DEBUG"
		if want[i][1] == "mutation" {
			level = "INFO"
		}
		if l["root"] != want[i][0] || l["type"] != want[i][1] || l["code"] != want[i][2] || l["level"] != level || l["request_id"] != "req-1" {
			t.Errorf("%v", l)
		}
		if ms, ok := l["ms"].(float64); !ok || ms < 0 || ms > 60_000 {
			t.Errorf("ms = %v", l["ms"])
		}
	}
	if lines[0]["operation"] != "Mine" {
		t.Errorf("%v", lines[0])
	}
	if strings.Contains(r.log.String(), secret) {
		t.Error("a variable is in the log")
	}
}

// The name of the operation is known to whoever logs or records below.
func TestOperationNameReachesServices(t *testing.T) {
	t.Parallel()
	var got actor.Request
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		got = actor.RequestFrom(ctx)
		return onePlan(ctx)
	}}, Config{})
	r.query(`query `+strings.Repeat("N", 1000)+` { plans { key } }`, nil)
	if got.ID != "req-1" || len(got.Operation) < maxEcho || len(got.Operation) > maxEcho+8 {
		t.Errorf("%+v", got)
	}
}

// Reads are counted, and loaders are there and new for each operation.
func TestLoadersAndCount(t *testing.T) {
	t.Parallel()
	reads := 0
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		u, err := loader.User(ctx, "u1")
		if err != nil {
			return nil, err
		}
		return []plan.Plan{{Key: u.Name}}, nil
	}}, Config{})
	r.srv.sources.Users = func(ctx context.Context, ids []string) (map[string]account.User, error) {
		reads++
		trace.WorkOf(ctx).Sent("find")
		return map[string]account.User{ids[0]: {ID: ids[0], Name: fmt.Sprint("read ", reads)}}, nil
	}
	for i := range 2 {
		g := r.query(`{ a: plans { key } b: plans { key } }`, nil)
		if want := fmt.Sprintf(`{"a":[{"key":"read %[1]d"}],"b":[{"key":"read %[1]d"}]}`, i+1); string(g.Data) != want {
			t.Errorf("%s, want %s", g.body, want)
		}
	}
	for _, l := range r.log.lines(t, "graphql_operation") {
		if l["finds"] != 1.0 {
			t.Errorf("%v", l)
		}
	}
}

// An operation that has no deadline gets the default one; one that is over is not begun, and still answered.
func TestExecuteDeadlines(t *testing.T) {
	t.Parallel()
	var left time.Duration
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return onePlan(ctx)
	}}, Config{Timeout: 3 * time.Second})
	run := func(ctx context.Context) (*graphql.Response, *graphql.Response) {
		op, errs := r.srv.Prepare(ctx, rawParams(plansQuery, nil))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		next := r.srv.Execute(ctx, op)
		return next(ctx), next(ctx)
	}
	resp, after := run(t.Context())
	if len(resp.Errors) > 0 || left > 3*time.Second || left < 2*time.Second {
		t.Errorf("%v, %v left", resp.Errors, left)
	}
	if after != nil {
		t.Errorf("a query answers once, then %v", after)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if resp, _ := run(over); len(resp.Errors) != 1 || resp.Errors[0].Extensions["code"] != "DEADLINE_EXCEEDED" {
		t.Errorf("%+v", resp)
	}
}

// Who may use a root field is decided before its arguments are looked at and before its resolver runs.
func TestAccessIsEnforced(t *testing.T) {
	t.Parallel()
	ran := map[string]bool{}
	r := newRig(t, &stubs{
		plans:        func(ctx context.Context) ([]plan.Plan, error) { ran["plans"] = true; return onePlan(ctx) },
		permissions:  func(context.Context) ([]rbac.Permission, error) { ran["permissions"] = true; return nil, nil },
		contentTypes: func(context.Context) ([]registry.ContentType, error) { ran["contentTypes"] = true; return nil, nil },
		create: func(context.Context, model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
			ran["create"] = true
			return nil, fault.ErrUnavailable
		},
	}, Config{})
	const create = `mutation { createDocument(input: {type: "t", data: {}}) { document { id } } }`
	for _, tc := range []struct {
		user, query string
		code        string
		ran         string
	}{
		{"", `{ plans { key } }`, "", "plans"},
		{"", `{ permissions { key } }`, "UNAUTHENTICATED", ""},
		{"u1", `{ permissions { key } }`, "", "permissions"},
		{"", `{ contentTypes { id } }`, "UNAUTHENTICATED", ""},
		{"u1", `{ contentTypes { id } }`, "FORBIDDEN", ""}, // holds another permission
		{"u1", `{ alias: contentTypes { id } }`, "FORBIDDEN", ""},
		{"u1", `{ ...F } fragment F on Query { ... { contentTypes { id } } }`, "FORBIDDEN", ""},
		{"", create, "UNAUTHENTICATED", ""},
		{"u1", create, "UNAVAILABLE", "create"},
		{"", `mutation { createDocument(input: {type: "t", data: {a: {b: "` + strings.Repeat("x", 10) + `"}, c: null}}) { document { id } } }`, "UNAUTHENTICATED", ""},
		{"", `{ resolve(refs: ["no id"]) { __typename } }`, "UNAUTHENTICATED", ""}, // not BAD_ID
	} {
		clear(ran)
		g := r.query(tc.query, nil, "X-User", tc.user)
		if g.code() != tc.code || len(ran) > 1 || tc.ran != "" && !ran[tc.ran] || tc.ran == "" && len(ran) > 0 {
			t.Errorf("%q %s: %s, ran %v", tc.user, tc.query, g.body, ran)
		}
	}
	g := r.query(`{ plans { key } contentTypes { id } }`, nil, "X-User", "u1")
	if string(g.Data) != "null" || fmt.Sprint(g.Errors[0].Path) != "[contentTypes]" || len(g.Errors[0].Locations) != 1 {
		t.Errorf("%s", g.body)
	}
	before := len(r.log.lines(t, "graphql_error"))
	r.query(`{ contentTypes { id } }`, nil, "X-User", "u1")
	if n := len(r.log.lines(t, "graphql_error")) - before; n != 1 {
		t.Errorf("a refusal is logged %d times", n)
	}
}

func TestSubscriptionAccess(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{}, Config{})
	op, errs := r.srv.Prepare(t.Context(), rawParams(`subscription { live(channels: []) { seq } }`, nil))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	next := r.srv.Execute(t.Context(), op)
	if resp := next(t.Context()); resp == nil || len(resp.Errors) != 1 || resp.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
		t.Errorf("%+v", resp)
	}
	if resp := next(t.Context()); resp != nil {
		t.Errorf("then %+v", resp)
	}
}
