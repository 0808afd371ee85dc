package session

import (
	"context"
	"time"
)

// watch is one session that somebody follows.
type watch struct {
	ended     chan struct{}
	followers int
	until     time.Time // ends then, as far as is known
	checkedAt time.Time // zero: not known to be live
}

// Watch gives a channel that is closed when the session ends: at once when it ends on this node, as soon as the change
// stream tells when it ends elsewhere, and within a second when its time is up. stop lets go of it and may be called
// more than once; it closes nothing. A session that has ended already is told within a second.
func (s *Service) Watch(id string) (ended <-chan struct{}, stop func()) {
	w := s.cache.watch(id)
	stopped := false
	return w.ended, func() {
		s.cache.mu.Lock()
		defer s.cache.mu.Unlock()
		if stopped {
			return
		}
		stopped = true
		if w.followers--; w.followers == 0 && s.cache.watches[id] == w {
			delete(s.cache.watches, id)
		}
	}
}

func (c *cache) watch(id string) *watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.watches[id]
	if !ok {
		w = &watch{ended: make(chan struct{})}
		// What is not in memory may have ended between the caller's question and this one: the next tick looks.
		if e, known := c.byID[id]; known {
			w.checkedAt, w.until = e.readAt, end(e.session)
		}
		c.watches[id] = w
	}
	w.followers++
	return w
}

// UntilOf is when a watched session ends if nothing happens, as far as is known: use moves it. False for one that nobody
// watches. It looks into memory only.
func (s *Service) UntilOf(id string) (until time.Time, known bool) {
	s.cache.mu.RLock()
	defer s.cache.mu.RUnlock()
	w, ok := s.cache.watches[id]
	if !ok || w.until.IsZero() {
		return time.Time{}, false
	}
	return w.until, true
}

// end is when a session ends if nothing happens.
func end(s Session) time.Time {
	switch {
	case s.EndedAt != nil:
		return *s.EndedAt
	case s.IdleUntil.Before(s.ExpiresAt):
		return s.IdleUntil
	default:
		return s.ExpiresAt
	}
}

// dueWatches are the watched sessions whose end has come or was not asked for recently.
func (c *cache) dueWatches(now time.Time) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var due []string
	for id, w := range c.watches {
		if !now.Before(w.until) || now.Sub(w.checkedAt) >= c.cfg.Recheck {
			due = append(due, id)
		}
	}
	return due
}

// confirm notes what the database says of watched sessions and gives those that have ended.
func (c *cache) confirm(ids []string, found map[string]record, now time.Time) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ended []string
	for _, id := range ids {
		r, ok := found[id]
		s := r.Session
		if ok {
			s = c.latest(s)
		}
		switch w := c.watches[id]; {
		case !ok || !s.Live(now):
			ended = append(ended, id)
		case w != nil:
			w.until, w.checkedAt = end(s), now
		}
	}
	return ended
}

// overdue are those of the sessions whose known end has passed.
func (c *cache) overdue(ids []string, now time.Time) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var late []string
	for _, id := range ids {
		if w, ok := c.watches[id]; ok && !w.checkedAt.IsZero() && !now.Before(w.until) {
			late = append(late, id)
		}
	}
	return late
}

const (
	lastFlushWait = 2 * time.Second
	sweepChunk    = 1000 // sessions asked for in one find
)

// Run writes down uses and looks after the watched sessions, each Config.Tick, until ctx ends; what is not written by
// then is written before it returns. Errors are logged: the next tick tries again.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlushWait)
			defer cancel()
			s.flush(last)
			return
		case <-tick.C:
			s.flush(ctx)
			s.sweep(ctx)
		}
	}
}

// flush writes down the uses since the last one, in one batch.
func (s *Service) flush(ctx context.Context) {
	uses := s.cache.pending()
	if len(uses) == 0 {
		return
	}
	if err := s.store.touch(ctx, uses, s.cfg.Idle); err != nil {
		s.log.WarnContext(ctx, "session_use_not_written", "error", err.Error(), "sessions", len(uses))
		return
	}
	s.cache.written(uses)
}

// sweep asks for the watched sessions that are due, and ends the watch of those that are over. When the database does
// not answer, those whose time is up end all the same.
func (s *Service) sweep(ctx context.Context) {
	due := s.cache.dueWatches(s.now())
	for len(due) > 0 {
		n := min(len(due), sweepChunk)
		ids := due[:n]
		due = due[n:]
		found, err := s.store.byIDs(ctx, ids)
		if err != nil {
			s.cache.forget(s.cache.overdue(ids, s.now())...)
			s.log.WarnContext(ctx, "session_watch_not_checked", "error", err.Error(), "sessions", len(ids))
			continue
		}
		for id, r := range found {
			r.Session = s.limited(r.Session)
			found[id] = r
		}
		if ended := s.cache.confirm(ids, found, s.now()); len(ended) > 0 {
			s.cache.forget(ended...)
		}
	}
}
