package app_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const (
	defineTopicDoc = `mutation($in: DefineTopicInput!) { defineTopic(input: $in) { topic { key history lifetimeSeconds last } } }`
	publishDoc     = `mutation($in: PublishInput!) { publish(input: $in) { message { number author data } } }`
)

func published(topic string, text string) map[string]any {
	return map[string]any{"in": map[string]any{"topic": topic, "data": map[string]any{"text": text}}}
}

// numbers are those of the messages of a topic.
func numbers(t *testing.T, m message) (list []int) {
	t.Helper()
	for _, one := range at(t, m.Data, "messages").([]any) {
		list = append(list, int(at(t, one, "number").(float64)))
	}
	return list
}

// TestTopicsAcrossNodes: what one node is told, those who follow on another hear, each who may.
func TestTopicsAcrossNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	u, _ := user(t, b, "listener")
	define := map[string]any{"in": map[string]any{"key": "news", "history": 3}}
	if got := fmt.Sprint(root.Must(defineTopicDoc, define)); got != "map[defineTopic:map[topic:map[history:3 key:news last:0 lifetimeSeconds:86400]]]" {
		t.Errorf("defined: %s", got)
	}
	for range 4 {
		root.Must(publishDoc, published("news", "before"))
	}
	f := follow(t, b, with(b, root.Token).Token, map[string]any{"key": "news", "topic": map[string]any{"key": "news", "last": 10}})
	if got := numbers(t, f.until("the last three", snapshotOf("news"))); !slices.Equal(got, []int{2, 3, 4}) {
		t.Errorf("the topic keeps %v", got)
	}
	root.Must(publishDoc, published("news", "now"))
	m := f.until("the news", func(m message) bool { return m.Kind == "DELTA" })
	if got := numbers(t, m); !slices.Equal(got, []int{5}) {
		t.Errorf("told %v", got)
	}
	for _, want := range []struct {
		c    *apptest.Client
		doc  string
		vars map[string]any
		code string
	}{
		{u, publishDoc, published("news", "mine"), "FORBIDDEN"},
		{u, defineTopicDoc, define, "FORBIDDEN"},
		{u, `{ topics { key } }`, nil, "FORBIDDEN"},
		{root, publishDoc, published("nothing", "x"), "TOPIC_UNKNOWN"},
		{root, publishDoc, published("news", strings.Repeat("x", 17<<10)), "MESSAGE_INVALID"},
		{root, defineTopicDoc, map[string]any{"in": map[string]any{"key": "No Key"}}, "TOPIC_INVALID"},
		{root, defineTopicDoc, map[string]any{"in": map[string]any{"key": "x", "lifetimeSeconds": 0}}, "TOPIC_INVALID"},
		{root, defineTopicDoc, map[string]any{"in": map[string]any{"key": "x", "history": 1001}}, "TOPIC_INVALID"},
	} {
		if got := want.c.Do(want.doc, want.vars).Code(); got != want.code {
			t.Errorf("%v: %s, want %s", want.vars, got, want.code)
		}
	}
	no := follow(t, b, u.Token, map[string]any{"key": "news", "topic": map[string]any{"key": "news"}})
	if m := no.until("a refusal", func(message) bool { return true }); m.Kind != "NOTICE" || m.Error.Code != "FORBIDDEN" {
		t.Errorf("told as %s %s", m.Kind, m.Error.Code)
	}
	root.Must(`mutation($in: DeleteTopicInput!) { deleteTopic(input: $in) { key } }`, map[string]any{"in": map[string]any{"key": "news"}})
	if m := f.until("the end", func(m message) bool { return m.Kind == "NOTICE" }); m.Error.Code != "TOPIC_UNKNOWN" {
		t.Errorf("ended with %s", m.Error.Code)
	}
}

// TestPresenceAcrossNodes: who watches a document is seen on every node, and is gone when they go.
func TestPresenceAcrossNodes(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	defineNote(root)
	doc := text(t, root.Must(createDoc, note("watched")), "createDocument", "document", "id")
	u, uid := user(t, b, "watcher")
	watch := map[string]any{"key": "who", "presence": map[string]any{"id": doc}}
	mine := follow(t, a, root.Token, watch)
	watchers := func(m message) (ids []string) {
		for _, w := range at(t, m.Data, "watchers").([]any) {
			ids = append(ids, text(t, w, "user"))
		}
		return ids
	}
	mine.until("myself", func(m message) bool { return len(watchers(m)) == 1 })
	theirs := follow(t, b, u.Token, watch, map[string]any{"key": "again", "presence": map[string]any{"id": doc}})
	mine.until("both", func(m message) bool { return slices.Contains(watchers(m), uid) && len(watchers(m)) == 2 })
	theirs.until("both", func(m message) bool { return len(watchers(m)) == 2 })
	_ = theirs.ws.Close()
	mine.until("one is gone", func(m message) bool { return len(watchers(m)) == 1 })

	root.Must(`mutation($in: LiveSubscribeInput!) { liveSubscribe(input: $in) { channels } }`, map[string]any{"in": map[string]any{
		"id": "test", "channels": []any{map[string]any{"key": "health", "health": true}},
	}})
	nodes := func(m message) int {
		if m.Channel != "health" {
			return 0
		}
		return len(at(t, m.Data, "nodes").([]any))
	}
	mine.until("two nodes", func(m message) bool { return nodes(m) == 2 })
	mine.until("their checks", func(m message) bool {
		return nodes(m) == 2 && strings.Count(fmt.Sprint(m.Data), "critical:true detail:the primary takes writes") == 2
	})
	if got := len(root.Must(`{ systemHealth { id checks { name status critical detail code ms at } stats { sockets resyncs } } }`, nil)["systemHealth"].([]any)); got != 2 {
		t.Errorf("%d nodes", got)
	}
	if got := u.Do(`{ systemHealth { id } }`, nil).Code(); got != "FORBIDDEN" {
		t.Errorf("anybody sees the nodes: %s", got)
	}
	b.Cleanup()
	mine.until("one node", func(m message) bool { return nodes(m) == 1 })
	got := root.Must(`mutation($in: LiveUnsubscribeInput!) { liveUnsubscribe(input: $in) { channels } }`, map[string]any{"in": map[string]any{
		"id": "test", "channels": []any{"who"},
	}})
	if fmt.Sprint(got) != "map[liveUnsubscribe:map[channels:[health]]]" {
		t.Errorf("left: %v", got)
	}
	if code := u.At(a).Do(`mutation { liveUnsubscribe(input: {id: "test", channels: []}) { channels } }`, nil).Code(); code != "LIVE_UNKNOWN" {
		t.Errorf("the stream of another session: %s", code)
	}
}

// TestEventStream: a page without WebSockets follows by server-sent events, and they end with its session.
func TestEventStream(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	u, _ := user(t, s, "reader")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/graphql", strings.NewReader(
		`{"query":"subscription { live(channels: [{key: \"s\", mySessions: {}}]) { channel kind } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+u.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	next := func(part string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Fatalf("never: %s (%d, %v)", part, resp.StatusCode, lines.Err())
	}
	next(`"kind":"SNAPSHOT"`)
	u.Must(`mutation { signOut { ended } }`, nil)
	next("SESSION_ENDED")
	next("event: complete")
}
