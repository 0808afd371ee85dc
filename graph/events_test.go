package graph

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
)

// listener reads server-sent events.
type listener struct {
	t    *testing.T
	resp *http.Response
	in   *bufio.Reader
}

// listen asks for events with a POST, or with a GET when that is what it says.
func (r *socketRig) listen(ctx context.Context, t *testing.T, method, query string, vars map[string]any, headers ...string) *listener {
	t.Helper()
	base := "http" + strings.TrimPrefix(r.url, "ws")
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	if err != nil {
		t.Fatal(err)
	}
	var send io.Reader = strings.NewReader(string(body))
	if method == http.MethodGet {
		base += "?query=" + url.QueryEscape(query)
		send = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, base, send)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", typeEvents)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &listener{t: t, resp: resp, in: bufio.NewReader(resp.Body)}
}

// next is the next event, "" at the end of the stream. Comments are passed over.
func (l *listener) next() (event, data string) {
	l.t.Helper()
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			return "", ""
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "event: "):
			event = line[7:]
		case strings.HasPrefix(line, "data:"):
			data = strings.TrimPrefix(line[5:], " ")
		case line == "" && event != "":
			return event, data
		}
	}
}

func (l *listener) is(event, part string) {
	l.t.Helper()
	if e, d := l.next(); e != event || !strings.Contains(d, part) {
		l.t.Errorf("%s %s, want %s with %s", e, d, event, part)
	}
}

const liveReport = `subscription($c:[ChannelInput!]!){live(channels:$c){channel kind data{... on Report{points{count}} ... on ReportDelta{points{count}}}}}`

// onA follows the channel a.
func onA() map[string]any { return map[string]any{"c": []any{map[string]any{"key": "a"}}} }

func TestEventsOfASubscription(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{})
	ctx, leave := context.WithCancel(t.Context())
	l := r.listen(ctx, t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer u1")
	if typ := l.resp.Header.Get("Content-Type"); l.resp.StatusCode != http.StatusOK || !strings.HasPrefix(typ, typeEvents) {
		t.Fatalf("%d %s", l.resp.StatusCode, typ)
	}
	l.is("next", `"kind":"SNAPSHOT"`)
	for n := range 3 {
		r.hub.Publish("a", published{n: int64(n + 1)})
		l.is("next", `"kind":"DELTA"`)
	}
	leave()
	r.gone()
}

func TestEventsOfAQueryComplete(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{})
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		l := r.listen(t.Context(), t, method, "{__typename}", nil)
		l.is("next", `{"data":{"__typename":"Query"}}`)
		l.is("complete", "")
		if e, d := l.next(); e != "" {
			t.Errorf("after the end: %s %s", e, d)
		}
	}
	bad := r.listen(t.Context(), t, http.MethodPost, "{nothing}", nil)
	bad.is("next", `"errors":[`)
	bad.is("complete", "")
	changes := r.listen(t.Context(), t, http.MethodGet, "mutation{__typename}", nil)
	changes.is("next", ErrMethod.Code)
	changes.is("complete", "")
	r.gone()
}

// TestEventsBesideJSON: a client that names both gets events for a subscription alone.
func TestEventsBesideJSON(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{})
	both := []string{"Accept", "application/graphql-response+json, application/json, text/event-stream, multipart/mixed", "Authorization", "Bearer u1"}
	if l := r.listen(t.Context(), t, http.MethodPost, "{__typename}", nil, both...); strings.HasPrefix(l.resp.Header.Get("Content-Type"), typeEvents) {
		t.Error("a query is answered with events")
	}
	l := r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), both...)
	l.is("next", "SNAPSHOT")
}

func TestEventsAreRefused(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{UserSockets: 1})
	for name, c := range map[string]struct {
		status  int
		headers []string
	}{
		"another origin": {http.StatusForbidden, []string{"Origin", "https://evil.example"}},
		"a bad token":    {http.StatusForbidden, []string{"Authorization", "Bearer expired"}},
		"no JSON":        {http.StatusUnsupportedMediaType, []string{"Content-Type", "text/plain"}},
	} {
		if l := r.listen(t.Context(), t, http.MethodPost, "{__typename}", nil, c.headers...); l.resp.StatusCode != c.status {
			t.Errorf("%s: %d", name, l.resp.StatusCode)
		}
	}
	first := r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer u1")
	first.is("next", "SNAPSHOT")
	if l := r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer u1"); l.resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one too many: %d", l.resp.StatusCode)
	}
}

// TestEventsEndWithTheSession: who is signed out hears why and nothing more.
func TestEventsEndWithTheSession(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{})
	l := r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer u1.s7")
	l.is("next", "SNAPSHOT")
	r.sessions.end("s7")
	l.is("next", "SESSION_ENDED")
	l.is("complete", "")
	if e, _ := l.next(); e != "" {
		t.Errorf("then %s", e)
	}
	until := r.clock.Now().Add(time.Hour)
	r.grants["short"] = grant{actor.Actor{User: "u1", Session: "s8"}, until}
	l = r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer short")
	l.is("next", "SNAPSHOT")
	r.clock.Advance(2 * time.Hour)
	l.is("next", "SESSION_ENDED")
	r.gone()
}

func TestEventsWhenTheServerDrains(t *testing.T) {
	t.Parallel()
	r := newSocketRig(t, SocketConfig{})
	l := r.listen(t.Context(), t, http.MethodPost, liveReport, onA(), "Authorization", "Bearer u1")
	l.is("next", "SNAPSHOT")
	r.sockets.Drain(t.Context())
	rest, err := io.ReadAll(l.in)
	if err != nil || !strings.Contains(string(rest), "retry: ") || strings.Contains(string(rest), "complete") {
		t.Errorf("%q, %v: want a hint, and no complete, so that the client comes again", rest, err)
	}
	if again := r.listen(t.Context(), t, http.MethodPost, "{__typename}", nil); again.resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("while it drains: %d", again.resp.StatusCode)
	}
}
