package graph

import (
	"time"
)

// beatEvery is how often the sockets are looked at for ends that come near.
const beatEvery = 500 * time.Millisecond

// beat looks at every socket, again and again as long as there are any: one timer for all of them, so that neither a clock
// that is set nor an end that moves has to be told to anybody. 20,000 sockets take a few milliseconds.
func (s *Sockets) beat() {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if expired := c.look(now); expired != nil {
			s.running.Go(func() { c.endWith(expired, "Token expired") })
		}
	}
	if s.beating = len(s.open) > 0; s.beating {
		time.AfterFunc(beatEvery, s.beat)
	}
}

// look gives what the socket counts on if its token has ended, and warns the client, once for each end, when it comes
// near. The end of the session itself is told by who watches it.
func (c *socket) look(now time.Time) (expired *hold) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held
	if h == nil || c.over {
		return nil
	}
	if h.expired(now) {
		return h
	}
	end := c.endOf(h)
	if end.IsZero() || end.Equal(h.warned) || !now.Before(end) || now.Before(end.Add(-c.srv.cfg.ExpiryWarning)) {
		return nil
	}
	h.warned = end
	c.out.text(`{"type":"ping","payload":{"code":"SESSION_EXPIRING","expiresAt":"` + end.UTC().Format("2006-01-02T15:04:05.000Z07:00") + `"}}`)
	return nil
}

// endOf is when h ends if nothing happens: the token or the session, whichever comes first; zero when neither is known.
func (c *socket) endOf(h *hold) time.Time {
	end := h.until
	if of, known := c.srv.sessions.UntilOf(h.as.Credential()); known && (end.IsZero() || of.Before(end)) {
		end = of
	}
	return end
}
