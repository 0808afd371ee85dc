package session

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/token"
)

// cache is what this node knows of sessions: the ones in use, the reads under way, who watches, and the uses that are
// not written down yet. One lock keeps them in step, so ending a session and looking one up cannot miss each other.
type cache struct {
	cfg Config

	mu       sync.RWMutex
	byDigest map[token.Digest]way
	byID     map[string]*entry
	flights  map[token.Digest]*flight
	ends     uint64            // how often something was forgotten or changed
	changed  map[string]uint64 // by id, ends when that was, for as long as reads are under way
	doubted  uint64            // ends when that was everything
	reading  int               // reads under way
	watches  map[string]*watch
	uses     map[string]Session // by id, with the latest use
}

// known is what a read of the database tells: a session, and by which tokens it is found at that moment.
type known struct {
	session Session
	passes  []pass
}

// entry is one session in memory. Its fields change only under the lock.
type entry struct {
	known
	readAt time.Time
}

// way leads from a token to its session. All ways to one entry come and go together with it, so none outlives what the
// database said when the entry was read.
type way struct {
	*entry
	until time.Time
}

// take is the session as it is for who shows this token.
func (w way) take() Session {
	s := w.session
	s.TokenUntil = w.until
	return s
}

// flight is one read of the database that all who ask meanwhile wait for.
type flight struct {
	ends uint64 // cache.ends when it began: it may have read what was before anything later
	done chan struct{}
	known
	session Session // for who shows the token
	err     error
}

// reader asks the database for the session of a token.
type reader func(context.Context, token.Digest) (known, error)

func newCache(cfg Config) *cache {
	return &cache{
		cfg: cfg, byDigest: map[token.Digest]way{}, byID: map[string]*entry{}, flights: map[token.Digest]*flight{},
		changed: map[string]uint64{}, watches: map[string]*watch{}, uses: map[string]Session{},
	}
}

// get gives the session if what is known of it is fresh.
func (c *cache) get(d token.Digest, now time.Time) (Session, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if w, ok := c.byDigest[d]; ok && now.Sub(w.readAt) < c.cfg.Recheck {
		return w.take(), true
	}
	return Session{}, false
}

// getByID is get by the id.
func (c *cache) getByID(id string, now time.Time) (Session, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e, ok := c.byID[id]; ok && now.Sub(e.readAt) < c.cfg.Recheck {
		return e.session, true
	}
	return Session{}, false
}

// load reads the session of a digest with read, once for all who ask at the same time. Whoever comes after a session was
// forgotten does not join a read that began before.
func (c *cache) load(ctx context.Context, d token.Digest, now time.Time, read reader) (Session, error) {
	for {
		f, mine := c.join(d, now)
		if mine {
			c.fly(ctx, d, f, now, read)
			return f.session, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Session{}, ctx.Err()
		}
		// The one who read may have left; that is no answer for those who are still here.
		if ctx.Err() == nil && (errors.Is(f.err, fault.ErrCanceled) || errors.Is(f.err, fault.ErrTimeout)) {
			continue
		}
		return f.session, f.err
	}
}

func (c *cache) fly(ctx context.Context, d token.Digest, f *flight, now time.Time, read reader) {
	defer c.land(d, f, now)
	f.err = fault.ErrInternal // for the others, should read panic
	f.known, f.err = read(ctx, d)
}

// join gives the flight to wait for, or to make. One that has just landed counts.
func (c *cache) join(d token.Digest, now time.Time) (f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w, ok := c.byDigest[d]; ok && now.Sub(w.readAt) < c.cfg.Recheck {
		f = &flight{done: make(chan struct{}), session: w.take()}
		close(f.done)
		return f, false
	}
	if f, ok := c.flights[d]; ok && f.ends == c.ends {
		return f, false
	}
	f = &flight{ends: c.ends, done: make(chan struct{})}
	c.flights[d] = f
	c.reading++
	return f, true
}

// land ends a flight and keeps what it read, if it is sure to be still so.
func (c *cache) land(d token.Digest, f *flight, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[d] == f {
		delete(c.flights, d)
	}
	switch w := c.byDigest[d]; {
	case f.err == nil:
		f.known.session = c.latest(f.known.session)
		e := &entry{f.known, now}
		f.session = e.to(d).take()
		if f.ends >= c.doubted && f.ends >= c.changed[e.session.ID] {
			c.put(e)
		}
	case w.entry != nil && errors.Is(f.err, ErrEnded): // deleted, or replaced
		c.drop(w.entry)
	}
	if c.reading--; c.reading == 0 {
		clear(c.changed)
	}
	close(f.done)
}

// change notes that what is being read of sessions may be of before; with no id, that of all. The caller holds the lock.
func (c *cache) change(ids ...string) {
	c.ends++
	if c.reading == 0 {
		return
	}
	if len(ids) == 0 || len(c.changed)+len(ids) > c.cfg.MaxCached {
		c.doubted = c.ends
		clear(c.changed)
		return
	}
	for _, id := range ids {
		c.changed[id] = c.ends
	}
}

// latest is a session as read, with the uses that the database did not have at that moment. The caller holds the lock.
func (c *cache) latest(s Session) Session {
	if use, ok := c.uses[s.ID]; ok {
		s = s.used(use.LastSeenAt, c.cfg.Idle)
	}
	if e, ok := c.byID[s.ID]; ok { // written down while s was being read
		s = s.used(e.session.LastSeenAt, c.cfg.Idle)
	}
	return s
}

// to is the way to the entry by one of its tokens.
func (e *entry) to(d token.Digest) way {
	for _, p := range e.passes {
		if p.digest == d {
			return way{e, p.until}
		}
	}
	return way{entry: e}
}

// put keeps an entry in the place of what was known of the session before; when there is no room, any other goes. The
// caller holds the lock.
func (c *cache) put(e *entry) {
	if before, ok := c.byID[e.session.ID]; ok {
		c.drop(before)
	} else if len(c.byID) >= c.cfg.MaxCached {
		for _, other := range c.byID {
			c.drop(other)
			break
		}
	}
	c.byID[e.session.ID] = e
	for _, p := range e.passes {
		c.byDigest[p.digest] = way{e, p.until}
	}
}

func (c *cache) drop(e *entry) {
	for _, p := range e.passes {
		if c.byDigest[p.digest].entry == e {
			delete(c.byDigest, p.digest)
		}
	}
	if c.byID[e.session.ID] == e {
		delete(c.byID, e.session.ID)
	}
}

// use notes that the session is used, to be written down by the next tick.
func (c *cache) use(s Session, at time.Time) Session {
	s = s.used(at, c.cfg.Idle)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byID[s.ID]; ok {
		e.session = e.session.used(at, c.cfg.Idle)
	} else if len(c.uses) >= c.cfg.MaxCached {
		return s
	}
	c.uses[s.ID] = s
	return s
}

// pending gives the uses to write down. They stay known until they are written.
func (c *cache) pending() map[string]Session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.uses)
}

// written lets go of uses that the database has, but for those that were used again meanwhile.
func (c *cache) written(uses map[string]Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range uses {
		if c.uses[id] == s {
			delete(c.uses, id)
		}
	}
}

// forget drops sessions that have ended and tells those who watch them.
func (c *cache) forget(ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	c.change(ids...)
	for _, id := range ids {
		if e, ok := c.byID[id]; ok {
			c.drop(e)
		}
		delete(c.uses, id)
		if w, ok := c.watches[id]; ok {
			close(w.ended)
			delete(c.watches, id)
		}
	}
}

// refresh drops what is known of a session that goes on and has changed. Those who watch it notice nothing.
func (c *cache) refresh(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(id)
	if e, ok := c.byID[id]; ok {
		c.drop(e)
	}
}

// doubt drops everything that is only known from the database: changes were missed.
func (c *cache) doubt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
	clear(c.byDigest)
	clear(c.byID)
	for _, w := range c.watches {
		w.checkedAt = time.Time{}
	}
}
