package graph

import (
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
)

// tally counts by name. The empty name is nobody's, and nothing is counted for it; a name that is down to nothing is not
// kept. The zero tally is empty. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

// take counts one more unless that would be more than limit.
func (t *tally) take(name string, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if name == "" {
		return true
	}
	if t.n[name] >= limit {
		return false
	}
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[name]++
	return true
}

func (t *tally) give(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[name] > 1 {
		t.n[name]--
	} else {
		delete(t.n, name)
	}
}

// count lets the socket count for its user instead of for its address. It reports false when the user has too many: the
// newest goes, since the others may be in use. Who acts as somebody else uses up nothing of theirs.
func (c *socket) count(a actor.Actor) bool {
	user := a.User
	if a.Impersonator != "" {
		user = a.Impersonator
	}
	most := c.srv.cfg.UserSockets
	if of := c.srv.cfg.SocketsOf; of != nil && user != "" {
		most = min(most, of(c.ctx, user))
	}
	if !c.srv.users.take(user, most) {
		return false
	}
	c.srv.pending.give(c.address)
	c.user, c.address = user, ""
	return true
}

// uncount ends the counting, at the end of the socket.
func (c *socket) uncount() {
	c.srv.pending.give(c.address)
	c.srv.users.give(c.user)
}

// pace bounds how fast messages come: so many in a second for long, and twice as many at once. The zero pace is full.
type pace struct {
	left float64
	at   time.Time
}

func (m *pace) take(now time.Time, perSecond int) bool {
	burst := 2 * float64(perSecond)
	if m.at.IsZero() {
		m.left = burst
	}
	if now.After(m.at) {
		m.left = min(burst, m.left+now.Sub(m.at).Seconds()*float64(perSecond))
	}
	m.at = now
	if m.left < 1 {
		return false
	}
	m.left--
	return true
}
