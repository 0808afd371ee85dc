package app_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// collector takes spans by OTLP over HTTP, as those of vendors do.
type collector struct {
	*httptest.Server
	t testing.TB

	mu  sync.Mutex
	all []*spans.Span
	raw strings.Builder // every span as JSON, with what it is about
}

func newCollector(t testing.TB) *collector {
	c := &collector{t: t}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collect.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &req)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.WriteString(protojson.Format(&req))
	for _, of := range req.ResourceSpans {
		for _, in := range of.ScopeSpans {
			c.all = append(c.all, in.Spans...)
		}
	}
}

// spans are those that have come.
func (c *collector) spans() []*spans.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// text is all that is in them.
func (c *collector) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// below are the spans whose parent is p.
func below(all []*spans.Span, p *spans.Span) (found []*spans.Span) {
	for _, s := range all {
		if string(s.ParentSpanId) == string(p.SpanId) && string(s.TraceId) == string(p.TraceId) {
			found = append(found, s)
		}
	}
	return found
}

func fact(s *spans.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return strings.Trim(strings.SplitN(fmt.Sprint(a.Value), ":", 2)[1], `"`)
		}
	}
	return ""
}

const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	traceparent = "00-" + traceID + "-b7ad6b7169203331-01"
)

// TestSpans: a request is one trace from its sender's to the commands of the database, and the job it starts goes on in it; the lines
// of the log name it. Probes make none.
func TestSpans(t *testing.T) {
	t.Parallel()
	log, c := &buffer{}, newCollector(t)
	s := apptest.Start(t, apptest.Setup{Log: log, Args: []string{"--telemetry-endpoint=" + c.URL}})
	root := admin(t, s)
	get(t, s.URL+"/readyz")
	u, _ := user(t, s, "una")
	if code := u.Do(`query Nodes { systemHealth { id } }`, nil, "Traceparent", traceparent).Code(); code != "FORBIDDEN" {
		t.Fatal(code)
	}
	started := root.Do(`mutation Export($in: ExportEventsInput!) { exportEvents(input: $in) { job { id } } }`, map[string]any{
		"in": map[string]any{"format": "CSV", "name": "visit", "from": "2026-01-01T00:00:00Z", "to": "2026-01-03T00:00:00Z"},
	}, "Traceparent", strings.Replace(traceparent, "0af", "1af", 1))
	if len(started.Errors) > 0 {
		t.Fatal(started.Errors)
	}
	job := text(t, started.Data, "exportEvents", "job", "id")
	storetest.Eventually(t, 30*time.Second, func() bool {
		return text(t, root.Must(`query($id: ID!) { job(id: $id) { state } }`, map[string]any{"id": job}), "job", "state") == "DONE"
	}, "the export is never done")
	s.Cleanup()

	all := c.spans()
	refused := spanOf(t, all, traceID, "POST /graphql")
	if refused.Kind != spans.Span_SPAN_KIND_SERVER || hex.EncodeToString(refused.ParentSpanId) != "b7ad6b7169203331" ||
		fact(refused, "http.route") != "/graphql" || fact(refused, "http.response.status_code") != "200" || fact(refused, "backendbook.request_id") == "" {
		t.Errorf("the request: %v", refused)
	}
	if ops := below(all, refused); !slices.ContainsFunc(ops, func(s *spans.Span) bool {
		return s.Name == "query" && fact(s, "graphql.operation.name") == "Nodes" && fact(s, "error.type") == "FORBIDDEN" && s.Status.Code == spans.Status_STATUS_CODE_ERROR
	}) {
		t.Errorf("the operation: %v", ops)
	}
	other := "1" + traceID[1:]
	export := spanOf(t, all, other, "mutation")
	if insert := spanOf(t, below(all, export), other, "insert jobs"); insert.Kind != spans.Span_SPAN_KIND_CLIENT ||
		fact(insert, "db.system.name") != "mongodb" || fact(insert, "db.namespace") != s.Database || fact(insert, "db.collection.name") != "jobs" ||
		insert.StartTimeUnixNano < export.StartTimeUnixNano || insert.EndTimeUnixNano > export.EndTimeUnixNano {
		t.Errorf("the command: %v", insert)
	}
	step := spanOf(t, all, other, "job analytics.export")
	spanOf(t, below(all, step), other, "aggregate analytics_events", "find analytics_events")
	if strings.Contains(c.text(), "readyz") || !strings.Contains(c.text(), `"backendbook"`) {
		t.Error("probes make spans, or they are nobody's")
	}
	inLog := 0
	for line := range strings.Lines(log.String()) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatal(err)
		}
		if said["trace_id"] == traceID && (said["msg"] == "http_request" || said["msg"] == "graphql_operation") && said["request_id"] == fact(refused, "backendbook.request_id") {
			inLog++
		}
	}
	if inLog != 2 {
		t.Errorf("%d lines of the log name the trace", inLog)
	}
}

// spanOf is the one span of a trace that has one of these names.
func spanOf(t *testing.T, all []*spans.Span, trace string, names ...string) (found *spans.Span) {
	t.Helper()
	var seen []string
	for _, s := range all {
		if hex.EncodeToString(s.TraceId) != trace {
			continue
		}
		if seen = append(seen, s.Name); slices.Contains(names, s.Name) {
			found = s
		}
	}
	if found == nil {
		t.Fatalf("no %q in the trace %s: %q", names, trace, seen)
	}
	return found
}

// TestDeadCollector: a collector that is away costs a line in the log, and no request.
func TestDeadCollector(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	s := apptest.Start(t, apptest.Setup{Log: log, Args: []string{"--telemetry-endpoint=http://127.0.0.1:1"}})
	s.Browser().Must(`{ __typename }`, nil)
	s.Cleanup()
	if !strings.Contains(log.String(), "spans_not_") {
		t.Error("nobody is told that spans are lost")
	}
}

// TestTraceForAdministrators: who may see the health may see what an operation did, by header or by extension; others are told why not.
func TestTraceForAdministrators(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	u, _ := user(t, s, "una")
	type traced struct {
		Data       map[string]any
		Extensions struct {
			Trace *struct {
				Code                                    string
				RequestID                               string
				Cached                                  bool
				ParseMs, ValidateMs, ExecuteMs, MongoMs float64
				Finds, Omitted                          int
				Commands                                []struct {
					Command, Collection string
					Ms, AtMs            float64
				}
			}
		}
	}
	ask := func(c *apptest.Client, body string, headers ...string) (got traced) {
		t.Helper()
		said := raw(t, c.Client, http.MethodPost, s.URL+"/graphql", body, append([]string{"Content-Type", "application/json", "Authorization", "Bearer " + c.Token}, headers...)...)
		if err := json.Unmarshal([]byte(said), &got); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(said, apptest.Password) || strings.Contains(said, root.Token) {
			t.Errorf("it tells secrets: %s", said)
		}
		return got
	}
	const query = `"query":"query Who { me { user { name } } users(first: 2) { nodes { name } } }"`
	first := ask(root, `{`+query+`}`, "X-Trace", "1").Extensions.Trace
	if first == nil || first.Cached || first.ParseMs <= 0 || first.ValidateMs <= 0 || first.ExecuteMs <= 0 || first.RequestID == "" || first.Omitted != 0 {
		t.Fatalf("%+v", first)
	}
	again := ask(root, `{`+query+`,"extensions":{"trace":true}}`).Extensions.Trace
	if again == nil || !again.Cached || again.ParseMs != 0 || again.Finds == 0 || len(again.Commands) < again.Finds || again.MongoMs <= 0 {
		t.Fatalf("%+v", again)
	}
	for _, c := range again.Commands {
		if c.Command != "find" || c.Collection == "" || c.Ms <= 0 || c.AtMs+c.Ms > again.ExecuteMs+1 {
			t.Errorf("%+v", c)
		}
	}
	if got := ask(root, `{`+query+`}`); got.Extensions.Trace != nil {
		t.Errorf("nobody asked: %+v", got.Extensions.Trace)
	}
	if got := ask(u, `{"query":"{ me { user { name } } }"}`, "X-Trace", "1"); got.Extensions.Trace == nil || got.Extensions.Trace.Code != "FORBIDDEN" || got.Extensions.Trace.Commands != nil || got.Data["me"] == nil {
		t.Errorf("anybody sees it: %+v", got)
	}
	if got := ask(s.Browser(), `{"query":"{ __typename }"}`, "X-Trace", "1"); got.Extensions.Trace == nil || got.Extensions.Trace.Code != "UNAUTHENTICATED" {
		t.Errorf("nobody at all sees it: %+v", got)
	}
}

// TestSlowLog: an operation over the threshold is one line that says where the time went and how the slowest read was done, and holds
// nothing that was asked for; one below it is none.
func TestSlowLog(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	s := apptest.Start(t, apptest.Setup{Log: log, Args: []string{"--graphql-slow=1ns"}})
	root := admin(t, s)
	defineNote(root)
	root.Must(createDoc, note(canary("text")))
	told := regexp.MustCompile(`"root":"documents".*"plan":"(IXSCAN|COLLSCAN)`)
	eventually(t, "a plan is told", func() bool { // plans are asked for one at a time, so a busy database tells fewer of them
		root.Must(`query ByType { documents(type: "note", first: 5) { nodes { id } } }`, nil)
		return told.MatchString(log.String())
	})
	root.Do(`query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": canary("id")})
	root.Must(`query Nothing { __typename }`, nil)
	s.Cleanup()
	lines, plans := 0, map[string]bool{}
	for line := range strings.Lines(log.String()) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil || said["msg"] != "graphql_slow" {
			continue
		}
		lines++
		if strings.Contains(line, "canary-") || said["level"] != "WARN" || said["request_id"] == nil || said["ms"].(float64) <= 0 {
			t.Errorf("%s", line)
		}
		if said["root"] == "documents" {
			if plan, _ := said["plan"].(string); plan != "" {
				plans[plan] = true
			}
			if said["slowest_collection"] == nil || said["slowest_command"] != "find" || said["mongo_ms"].(float64) < said["slowest_ms"].(float64) || said["finds"].(float64) < 1 {
				t.Errorf("%s", line)
			}
		}
		if said["operation"] == "Nothing" && (said["slowest_command"] != nil || said["plan"] != nil) {
			t.Errorf("%s", line)
		}
	}
	if lines < 5 || len(plans) == 0 {
		t.Errorf("%d lines with the plans %v", lines, plans)
	}
	for plan := range plans {
		if !strings.HasPrefix(plan, "IXSCAN { ") && plan != "COLLSCAN" && !strings.HasPrefix(plan, "IDHACK") {
			t.Errorf("plan %q", plan)
		}
	}
	quick := &buffer{}
	calm := apptest.Start(t, apptest.Setup{Log: quick, Args: []string{"--graphql-slow=10m"}})
	calm.Browser().Must(`{ __typename }`, nil)
	calm.Cleanup()
	if strings.Contains(quick.String(), "graphql_slow") {
		t.Error("it is not slow")
	}
}
