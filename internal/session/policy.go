package session

import "time"

// Policy limits the sessions of a user. What is zero limits nothing.
type Policy struct {
	Idle     time.Duration // as Config.Idle
	Absolute time.Duration // as Config.Absolute
	Brief    time.Duration // as Config.Brief
	Max      int           // as Config.MaxSessions
	Refuse   bool          // a sign-in beyond Max is refused, with SESSION_LIMIT, instead of ending another session
}

// Strictest is what is left to who falls under both policies.
func (p Policy) Strictest(q Policy) Policy {
	return Policy{
		Idle: least(p.Idle, q.Idle), Absolute: least(p.Absolute, q.Absolute), Brief: least(p.Brief, q.Brief),
		Max: least(p.Max, q.Max), Refuse: p.Refuse || q.Refuse,
	}
}

// least is the smaller of two limits, where zero is none.
func least[T int | time.Duration](a, b T) T {
	switch {
	case a == 0:
		return b
	case b == 0:
		return a
	default:
		return min(a, b)
	}
}

// lasts is how long a session may go on, whatever happens, under a policy.
func (p Policy) lasts(brief bool) time.Duration {
	if brief {
		return least(p.Brief, p.Absolute)
	}
	return p.Absolute
}

// under is a session as it is under a policy that may have become stricter since it was written down. Keys have ends of
// their own, and an impersonation its latest one.
func (s Session) under(p Policy) Session {
	if s.Kind != Interactive {
		return s
	}
	if p.Idle > 0 && (s.IdleFor == 0 || p.Idle < s.IdleFor) {
		s.IdleFor = p.Idle
		s.IdleUntil = earlier(s.IdleUntil, s.LastSeenAt.Add(p.Idle))
	}
	if last := p.lasts(s.Brief); last > 0 && s.Impersonator == "" {
		s.ExpiresAt = earlier(s.ExpiresAt, s.CreatedAt.Add(last))
	}
	return s
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// limited is a session as it is under the policy of this moment, that of the person who acts in it. It looks into memory
// only.
func (s *Service) limited(one Session) Session {
	if s.cfg.Limit == nil || one.Kind != Interactive {
		return one
	}
	person := one.User
	if one.Impersonator != "" {
		person = one.Impersonator
	}
	return one.under(s.cfg.Limit(person))
}
