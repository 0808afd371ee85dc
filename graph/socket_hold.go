package graph

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
)

// ErrSocketNeeded refuses over HTTP what is about the connection it comes over.
var ErrSocketNeeded = fault.Define(fault.Invalid, "SOCKET_NEEDED", "this is about a WebSocket, and must come over it")

// hold is what a socket counts on: a credential, and until when its token is good. Another one takes its place when the
// client authenticates anew; then its own end means nothing any more.
type hold struct {
	as      actor.Actor
	until   time.Time // of the token; zero: as long as the session
	ended   <-chan struct{}
	unwatch func()
	gone    chan struct{} // closed when it is let go of
	warned  time.Time     // the end that the client was told of
}

func (c *socket) newHold(a actor.Actor, until time.Time) *hold {
	ended, unwatch := c.srv.sessions.Watch(a.Credential())
	return &hold{as: a, until: until, ended: ended, unwatch: unwatch, gone: make(chan struct{})}
}

// release lets go of it. Once only.
func (h *hold) release() {
	close(h.gone)
	h.unwatch()
}

// over reports whether the session has ended, or the token has.
func (h *hold) over(now time.Time) bool {
	select {
	case <-h.ended:
		return true
	default:
		return h.expired(now)
	}
}

func (h *hold) expired(now time.Time) bool { return !h.until.IsZero() && !now.Before(h.until) }

// begin lets the socket act as a from now on.
func (c *socket) begin(a actor.Actor, until time.Time) {
	var h *hold
	if a.Credential() != "" {
		h = c.newHold(a, until)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(a, h)
}

// take puts h in the place of what the socket counted on, and follows it. The caller holds the lock.
func (c *socket) take(a actor.Actor, h *hold) {
	c.as, c.held = actor.With(c.ctx, a), h
	if h == nil {
		return
	}
	c.srv.running.Go(func() {
		select {
		case <-h.ended:
			c.endWith(h, "Session ended")
		case <-h.gone:
		}
	})
}

// endWith ends the socket because what it counted on has ended: each operation is told why and then hears nothing more,
// what waited is dropped, and the connection is cut whether the client reads or not. It does nothing when the socket counts
// on something else by now.
func (c *socket) endWith(h *hold, reason string) {
	c.mu.Lock()
	if c.held != h || c.over {
		c.mu.Unlock()
		return
	}
	c.over = true
	left := slices.Collect(maps.Values(c.ops))
	clear(c.ops)
	first := c.out.closeWith(closeForbidden, reason, c.lastWords(left)...)
	c.mu.Unlock()
	if first {
		c.logClose(closeForbidden, reason)
	}
	c.leave(200*time.Millisecond, 500*time.Millisecond)
	c.cancel()
	for _, op := range left { // last: one that is at work has to be waited for
		op.end()
	}
}

// lastWords tells operations that the session has ended.
func (c *socket) lastWords(ops []*operation) []string {
	errs, _ := json.Marshal(gqlerror.List{Present(c.ctx, session.ErrEnded)})
	words := make([]string, len(ops))
	for i, op := range ops {
		words[i] = c.wire.failed(op.quoted, errs)
	}
	return words
}

// reauthenticate lets another token count for the socket that the operation of ctx came over. It must be the same person's,
// acting as the same user if as anybody's, and so must be the one before. Later operations run as the actor of the new
// token; those that run go on as they began. until is when the socket ends unless something happens; zero when that is not
// known. Cost: what Authenticate costs, nothing when it knows the token.
//
// What has ended stays so: when the session of the socket ended meanwhile, the socket ends all the same, and the end of the
// new one after this ends it too.
//
// Errors: SOCKET_NEEDED, SESSION_ENDED, RATE_LIMITED, FORBIDDEN.
func reauthenticate(ctx context.Context, token string) (until time.Time, err error) {
	op, ok := ctx.Value(operationKey{}).(*operation)
	if !ok {
		return time.Time{}, ErrSocketNeeded
	}
	c := op.sock
	a, until, err := c.srv.auth(ctx, token)
	if err != nil {
		return time.Time{}, err
	}
	if !a.IsPerson() {
		return time.Time{}, fault.ErrForbidden
	}
	next := c.newHold(a, until)
	before, err := c.swap(next)
	if err != nil {
		next.release()
		return time.Time{}, err
	}
	before.release()
	return c.endOf(next), nil
}

// swap puts next in the place of what the socket counted on, which it returns.
func (c *socket) swap(next *hold) (before *hold, err error) {
	now := c.srv.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.held
	switch {
	case before == nil || !interchangeable(before.as, next.as):
		return nil, fault.ErrForbidden
	case c.over || before.over(now) || next.over(now):
		return nil, session.ErrEnded
	}
	next.warned = before.warned
	c.take(next.as, next)
	return before, nil
}

// interchangeable reports whether one may go on with what the other began.
func interchangeable(a, b actor.Actor) bool {
	return a.IsPerson() && b.IsPerson() && a.User == b.User && a.Impersonator == b.Impersonator && a.ReadOnly == b.ReadOnly && a.Role == b.Role
}

// Turn closes the sockets that act by a session, since its user has changed what role counts: what they connect and subscribe
// anew is decided by that. Their clients do so by themselves: the code is none of the final ones.
func (s *Sockets) Turn(sessionID string) {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, c := range open {
		c.mu.Lock()
		mine := c.held != nil && c.held.as.Session == sessionID
		c.mu.Unlock()
		if mine {
			c.close(closeTurned, "Role changed")
		}
	}
}
