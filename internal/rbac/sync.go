package rbac

import (
	"context"
	"math"
	"time"

	"github.com/backendbook/backendbook/internal/store"
)

// Rev is the revision of the policy in force on this node; 0 before [Service.Load].
func (s *Service) Rev() int64 {
	if p := s.snap.Load(); p != nil {
		return p.rev
	}
	return 0
}

// Ready tells whether checks are answered. If not, it first tries to read what was missed.
//
// Errors: POLICY_STALE.
func (s *Service) Ready(ctx context.Context) error {
	s.mend(ctx)
	if s.current(s.now().UnixMilli()) == nil {
		return ErrStale
	}
	return nil
}

// Load reads the whole policy and puts it in force. Call it after the change stream has started and before serving.
// Cost: one read of the revision, the roles and the grants each, in one transaction.
func (s *Service) Load(ctx context.Context) error { return s.reload(ctx, math.MaxInt64) }

// Await returns when the policy in force on this node is of that revision or a later one: who has been told of a revision by
// another node asks so to be answered no older. Cost: none but the wait, which ctx bounds.
//
// Errors: REV_TIMEOUT.
func (s *Service) Await(ctx context.Context, rev int64) error {
	for {
		s.mu.Lock()
		moved := s.moved
		s.mu.Unlock()
		if s.Rev() >= rev {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ErrRevTimeout.With("rev", s.Rev()).Because(ctx.Err())
		}
	}
}

// LoadOnce is [Service.Load] for a command, which follows no change stream: what it reads now is good for as long as it runs.
// Commands are given the rights of the system; it is the answers about others that are as of now.
func (s *Service) LoadOnce(ctx context.Context) error {
	s.once.Store(true)
	return s.Load(ctx)
}

// Sync returns when the policy in force on this node holds at least all that is committed: a flow calls it after the
// commit of a transaction in which it used [Service.SetSource] and its like. Inside a transaction it does nothing.
// When it fails the node refuses checks until it has read the policy. Cost: one read; mostly the change stream brings
// the rest.
func (s *Service) Sync(ctx context.Context) error {
	if store.InTransaction(ctx) || s.snap.Load() == nil {
		return nil
	}
	ctx, cancel := s.detached(ctx)
	defer cancel()
	rev, err := s.store.revision(ctx)
	if err != nil {
		s.distrust(ctx, err)
		return err
	}
	return s.reach(ctx, rev, nil)
}

// detached is ctx without its end, bounded anew: what is committed must come into force although the client has left.
func (s *Service) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.cfg.TailWait+s.cfg.ReadIn)
}

// adopt puts a node's own committed changes in force. The changes of others between them come by the change stream.
// It has no error: the changes are committed, and a node that can't follow refuses until it has read them.
func (s *Service) adopt(ctx context.Context, changes []change) {
	if len(changes) == 0 || s.snap.Load() == nil {
		return
	}
	ctx, cancel := s.detached(ctx)
	defer cancel()
	_ = s.reach(ctx, changes[len(changes)-1].Rev, changes)
}

// reach brings the policy in force to rev or beyond: with the changes it is given, those that the change stream brings
// meanwhile, or else by reading it anew.
func (s *Service) reach(ctx context.Context, rev int64, changes []change) error {
	patience := time.NewTimer(s.cfg.TailWait)
	defer patience.Stop()
	for {
		s.mu.Lock()
		moved := s.moved
		s.mu.Unlock()
		s.step(changes)
		switch {
		case s.broken.Load():
			return s.reload(ctx, rev)
		case s.Rev() >= rev:
			return nil
		case !s.follow.Load() || s.lag() > s.cfg.MaxStale: // nobody will bring it
			return s.reload(ctx, rev)
		}
		select {
		case <-moved:
		case <-patience.C:
			return s.reload(ctx, rev)
		case <-ctx.Done():
			s.distrust(ctx, ctx.Err())
			return store.Translate(ctx.Err())
		}
	}
}

// step puts the changes of one revision in force if it is the next one. It reports false when changes before it are missing.
func (s *Service) step(changes []change) bool {
	if len(changes) == 0 {
		return true
	}
	rev := changes[0].Rev
	s.mu.Lock()
	p := s.snap.Load()
	if p == nil || rev <= p.rev {
		s.mu.Unlock()
		return true // not loaded yet: Load will see it
	}
	next, fits := (*policy)(nil), false
	if rev == p.rev+1 {
		next, fits = p.apply(changes, s.now().UnixMilli())
	}
	if fits {
		s.install(next)
	}
	s.mu.Unlock()
	if fits {
		s.tell(users(changes))
		s.report(rev, changes)
	}
	return fits
}

// reload reads the policy anew, unless a sound one of that revision is in force by now.
func (s *Service) reload(ctx context.Context, atLeast int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadIn)
	defer cancel()
	s.mu.Lock()
	if p := s.snap.Load(); p != nil && p.rev >= atLeast && !s.broken.Load() {
		s.mu.Unlock()
		return nil
	}
	all, err := s.store.load(ctx)
	if err != nil {
		s.mu.Unlock()
		s.distrust(ctx, err)
		return err
	}
	s.install(build(s.cat, all, s.now().UnixMilli()))
	s.broken.Store(false)
	s.mu.Unlock()
	s.tell(nil)
	s.report(all.rev, nil)
	return nil
}

// install replaces the policy in force. The caller holds mu.
func (s *Service) install(p *policy) {
	s.snap.Store(p)
	close(s.moved)
	s.moved = make(chan struct{})
}

func (s *Service) tell(users []string) {
	for _, fn := range s.watchers {
		fn(users)
	}
}

// distrust makes the node refuse until it has read the policy anew.
func (s *Service) distrust(ctx context.Context, err error) {
	s.broken.Store(true)
	s.log.WarnContext(ctx, "policy_unread", "error", err.Error(), "rev", s.Rev(), "effect", "every check is refused until it is read")
}

// mend reads the policy anew if something was missed. One caller at a time does it, the others are refused meanwhile.
func (s *Service) mend(ctx context.Context) {
	if s.broken.Load() && s.repair.CompareAndSwap(false, true) {
		defer s.repair.Store(false)
		_ = s.reload(ctx, 0) // logged there; the check that follows refuses
	}
}

// known is the policy to answer by.
//
// Errors: POLICY_STALE.
func (s *Service) known() (*policy, error) {
	p := s.current(s.now().UnixMilli())
	if p == nil {
		return nil, ErrStale
	}
	return p, nil
}

// current is the policy to decide by at that time; nil when this node does not know it well enough.
func (s *Service) current(now int64) *policy {
	p := s.snap.Load()
	if !s.sound(p) {
		return nil
	}
	return s.roll(p, now)
}

// sound reports whether this node knows the policy well enough to decide by it.
func (s *Service) sound(p *policy) bool {
	return p != nil && !s.broken.Load() && (s.lag() <= s.cfg.MaxStale || s.once.Load())
}

// roll is the policy as of that time: compiled without the edges between roles that have ended since, and with those that have
// begun. Others profit.
func (s *Service) roll(p *policy, now int64) *policy {
	if now < p.graph.until {
		return p
	}
	rolled := *p
	rolled.graph = p.graph.at(now)
	s.snap.CompareAndSwap(p, &rolled)
	return &rolled
}
