package graph

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/token"
)

const typeEvents = "text/event-stream"

// acceptsEvents reports whether the request may be answered with server-sent events.
func acceptsEvents(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			if typ, q, ok := mediaRange(part); ok && typ == typeEvents && q > 0 {
				return true
			}
		}
	}
	return false
}

// ServeEvents executes one operation and answers with server-sent events: `next` for each result, and `complete` at the end.
// It is served as an operation on a socket is, from the same sources, within the same bounds, and ends with the session. A page
// of another origin, one connection too many, and a full or draining server are refused with 403, 429 and 503.
func (s *Sockets) ServeEvents(w http.ResponseWriter, r *http.Request, params *graphql.RawParams) {
	if r.Header.Get("Origin") != "" && !s.originAllowed(r) { // without one it is no page of another origin that could read the answer
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	if s.full(w) {
		return
	}
	a, until := actor.From(r.Context()), time.Time{}
	if secret, ok := token.Bearer(r.Header.Get("Authorization")); ok && secret != "" {
		var err error
		if a, until, err = s.auth(r.Context(), secret); err != nil {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
	}
	to := &eventStream{w: w, ctl: http.NewResponseController(w), remote: r.RemoteAddr}
	c := newSocket(r.Context(), s, to)
	to.end = c.cancel
	if !c.count(a) {
		c.end()
		w.Header().Set("Retry-After", strconv.Itoa(int(s.cfg.ExpiryWarning/time.Second)))
		http.Error(w, "too many connections", http.StatusTooManyRequests)
		return
	}
	if !s.add(c) {
		c.end()
		s.full(w)
		return
	}
	defer s.running.Done()
	defer s.remove(c)
	h := w.Header()
	h.Set("Content-Type", typeEvents+"; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold the events back
	_ = to.ctl.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	written := c.writing()
	c.begin(a, until)
	c.events(params, r.Method) //nolint:contextcheck // a stream of events has the context of its operation
	c.out.flush(time.Second)
	c.end()
	c.hurry(time.Second)
	<-written
}

// events runs the one operation of a stream of events to its end.
func (c *socket) events(params *graphql.RawParams, method string) {
	c.out.control(websocket.PingMessage, nil) // the headers are on their way, whatever comes
	c.mu.Lock()
	op := newOperation(c, "")
	op.queriesOnly = method == http.MethodGet
	over := c.over
	if !over {
		c.ops[op.id] = op
	}
	c.mu.Unlock()
	if over {
		op.end()
		return
	}
	op.run(params)
	<-op.ctx.Done()
}
