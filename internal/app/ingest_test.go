package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/client/track"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/web"
)

// postEvents sends lines and gives the status and the answer.
func postEvents(t *testing.T, s *apptest.Server, query, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

const createSource = `mutation ($in: CreateEventSourceInput!) { createEventSource(input: $in) { key source { id hint owner events origins disabled lastUsedAt } } }`

// A shop sends events from its pages: with a key that does nothing else, from its origin, about names it was made for.
func TestIngestKeyOfAPage(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--analytics-network=prefix"}})
	root := admin(t, s)
	const shop = "https://shop.example.org"
	made := root.Must(createSource, map[string]any{"in": map[string]any{"name": "Shop", "events": []any{"page"}, "origins": []any{shop}}})
	key, id := text(t, made, "createEventSource", "key"), text(t, made, "createEventSource", "source", "id")
	lines := `{"id":"event-01","name":"page","actor":"visitor-1","session":"session-1","dims":{"path":"/"}}` + "\n" +
		`{"id":"event-02","name":"page","actor":"visitor-1","consent":"DENIED"}` + "\n" + `{"id":"event-03","name":"flight"}` + "\n" + `{"name":"page"}`
	status, got := postEvents(t, s, "?key="+key, lines, "Origin", shop, "Content-Type", "text/plain")
	if status != 207 || at(t, got, "accepted") != 2.0 || at(t, got, "failed") != 2.0 || at(t, got, "errors", 1, "line") != 4.0 || at(t, got, "errors", 1, "field") != "id" {
		t.Fatalf("%d %v", status, got)
	}
	for filter, want := range map[*bson.D]int{
		{{Key: "actor", Value: "visitor-1"}, {Key: "session", Value: "session-1"}, {Key: "dims.network", Value: "127.0.0.0/24"}}: 1,
		{{Key: "_id", Value: "event-02"}, {Key: "actor", Value: nil}, {Key: "dims", Value: nil}}:                                 1,
		{{Key: "source", Value: strings.TrimPrefix(id, "event_source:")}, {Key: "user", Value: nil}}:                             2,
	} {
		if n := storetest.Count(t, s.DB(), "analytics_events", *filter); n != want {
			t.Errorf("%d events of %v, want %d", n, filter, want)
		}
	}
	for origin, code := range map[string]string{"https://evil.example": "ORIGIN_REFUSED", "": "ORIGIN_REFUSED"} {
		if status, got := postEvents(t, s, "?key="+key, lines, "Origin", origin); status != 403 || text(t, got, "error", "code") != code {
			t.Errorf("from %q: %d %v", origin, status, got)
		}
	}
	nobody := s.Browser()
	nobody.Token = key // it lets nobody in
	if r := nobody.Do(`{ eventSources { id } }`, nil); len(r.Data) > 0 {
		t.Errorf("an ingest key reads %v", r.Data)
	}
	used := root.Must(`{ eventSources { name hint lastUsedAt owner } eventTypes { name known stored } }`, nil)
	if text(t, used, "eventSources", 0, "hint") != key[:8] || at(t, used, "eventSources", 0, "lastUsedAt") == nil || !strings.HasPrefix(text(t, used, "eventSources", 0, "owner"), "user:") {
		t.Errorf("%v", used)
	}
	root.Must(`mutation ($id: ID!) { updateEventSource(input: {source: $id, disabled: true}) { source { disabled } } }`, map[string]any{"id": id})
	if status, got := postEvents(t, s, "?key="+key, lines, "Origin", shop); status != 401 || text(t, got, "error", "code") != "INGEST_KEY_INVALID" {
		t.Errorf("disabled: %d %v", status, got)
	}
	root.Must(`mutation ($id: ID!) { rotateEventSource(input: {source: $id}) { key } deleteEventSource(input: {source: $id}) { source } }`, map[string]any{"id": id})
}

// Whoever may track sends lines as well, with a session or an access key, also zipped; types say what is refused.
func TestIngestOfLines(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	root.Must(`mutation { defineEventType(input: {name: "page", dims: ["path"], strict: true, retentionDays: 30}) { name } }`, nil)
	access := text(t, root.Must(`mutation { createAccessKey(input: {name: "ci", scopes: ["analytics.event.track"]}) { token } }`, nil), "createAccessKey", "token")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, `{"id":"event-01","name":"page","dims":{"path":"/"}}`+"\n"+`{"id":"event-02","name":"page","dims":{"gate":"7"}}`+"\n"+
		`{"id":"event-03","name":"page","at":"2001-01-10T18:20:00Z"}`+"\n"+`{"id":"event-04","name":"flight","at":"2001-01-10T18:20:00Z"}`)
	_ = z.Close()
	status, got := postEvents(t, s, "", zipped.String(), "Authorization", "Bearer "+access, "Content-Encoding", "gzip", "Content-Type", "application/x-ndjson")
	if status != 207 || at(t, got, "accepted") != 2.0 || text(t, got, "errors", 0, "field") != "dims.gate" || text(t, got, "errors", 1, "code") != "EVENT_TOO_OLD" {
		t.Errorf("%d %v", status, got)
	}
	stranger, _ := user(t, s, "stranger")
	if status, got := postEvents(t, s, "", "", "Authorization", "Bearer "+stranger.Token, "Content-Type", "application/x-ndjson"); status != 403 {
		t.Errorf("who may not: %d %v", status, got)
	}
	if status, got := postEvents(t, s, "", "", "Content-Type", "application/x-ndjson"); status != 401 {
		t.Errorf("nobody: %d %v", status, got)
	}
}

// The plan bounds what somebody stores; one that says nothing of events bounds nothing.
func TestPlansBoundEvents(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	me := text(t, root.Must(`{ me { user { id } } }`, nil), "me", "user", "id")
	track := func(id string) apptest.Response {
		return root.Do(`mutation ($id: String!) { track(input: {consent: DENIED, events: [{id: $id, name: "page", actor: "visitor-1"}]}) { accepted duplicates } }`,
			map[string]any{"id": id})
	}
	if r := track("event-01"); r.Code() != "" {
		t.Fatalf("%+v", r)
	}
	root.Must(`mutation($in: OverrideFeatureInput!) { overrideFeature(input: $in) { membership { version } } }`, map[string]any{
		"in": map[string]any{"user": me, "feature": map[string]any{"feature": "analytics.events", "limit": 3}, "reason": "a test"},
	})
	for _, tc := range []struct{ id, code string }{{"event-02", ""}, {"event-02", ""}, {"event-03", ""}, {"event-04", "QUOTA_EXCEEDED"}} {
		if r := track(tc.id); r.Code() != tc.code {
			t.Errorf("%s: %q %v", tc.id, r.Code(), r.Data)
		}
	}
	status, got := postEvents(t, s, "", `{"id":"event-05","name":"page"}`, "Authorization", "Bearer "+root.Token, "Content-Type", "application/x-ndjson")
	if status != 429 || text(t, got, "error", "code") != "QUOTA_EXCEEDED" || at(t, got, "error", "details", "line") != 1.0 {
		t.Errorf("%d %v", status, got)
	}
	if n := storetest.Count(t, s.DB(), "analytics_events", bson.D{{Key: "actor", Value: nil}, {Key: "user", Value: nil}}); n != 3 {
		t.Errorf("%d events of nobody, want 3", n)
	}
}

// A key that was rotated on one node is soon no good on another.
func TestIngestKeysOnAllNodes(t *testing.T) {
	t.Parallel()
	one := apptest.Start(t, apptest.Setup{})
	root := admin(t, one)
	two := apptest.Start(t, apptest.Setup{Database: one.Database})
	made := root.Must(createSource, map[string]any{"in": map[string]any{"name": "Job", "events": []any{"page"}}})
	key, id := text(t, made, "createEventSource", "key"), text(t, made, "createEventSource", "source", "id")
	send := func(key string) int {
		status, _ := postEvents(t, two, "", `{"id":"event-01","name":"page"}`, "Authorization", "Bearer "+key)
		return status
	}
	eventually(t, "the key is not known", func() bool { return send(key) == 200 })
	next := text(t, root.Must(`mutation ($id: ID!) { rotateEventSource(input: {source: $id}) { key } }`, map[string]any{"id": id}), "rotateEventSource", "key")
	eventually(t, "the key before is still good", func() bool { return send(key) == 401 })
	eventually(t, "the new key is not known", func() bool { return send(next) == 200 })
}

// The Go client and the snippet speak the same language as the server.
func TestClientsOfIngest(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	key := text(t, root.Must(createSource, map[string]any{"in": map[string]any{"name": "Job", "events": []any{"page"}}}), "createEventSource", "key")
	var lost []error
	events, err := track.New(t.Context(), track.Config{URL: s.URL, Key: key, Batch: 1000, OnError: func(err error) { lost = append(lost, err) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2500 {
		if err := events.Track(track.Event{Name: "page", Actor: "visitor-1", Dims: map[string]string{"path": "/"}, Values: map[string]float64{"n": float64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := events.Track(track.Event{Name: "flight"}); err != nil {
		t.Fatal(err)
	}
	if err := events.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := storetest.Count(t, s.DB(), "analytics_events", bson.D{{Key: "name", Value: "page"}, {Key: "actor", Value: "visitor-1"}}); n != 2500 {
		t.Errorf("%d events, want 2500", n)
	}
	if len(lost) != 1 || !strings.Contains(lost[0].Error(), "EVENT_INVALID") {
		t.Errorf("lost %v, want the one the key is not for", lost)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/track.js", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if script, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || string(script) != web.Snippet || len(script) > 3000 {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(script), err)
	}
}
