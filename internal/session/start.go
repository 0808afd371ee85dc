package session

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// StartCmd asks for a session.
type StartCmd struct {
	User    string
	Methods string // what the user has just proved: RFC 8176 values with a space between, such as "pwd otp"
	Level   Level  // how much that has shown
	Device  string // id of the [Device]; empty when it is not known
	Brief   bool   // for the day: the user does not ask to stay signed in
	Refresh bool   // with a short access token and a refresh token, instead of one token that lasts as long as the session
	Policy  Policy // the limits of the user at this moment, besides those of Config
	// Evicted, if not nil, gets the ids of the sessions that had to make room. A caller with a transaction of its own gives
	// them to [Service.Forget] after the commit.
	Evicted *[]string
}

// Start begins a session for the request of ctx and gives its secrets, which are kept nowhere else. It counts as a proof of
// identity of the level it is given. It joins the transaction of ctx and asks for no permission: that somebody may sign in
// is for the flow that calls it to decide. The event session.session.started commits with it.
//
// A user has at most so many live sessions as policy and Config allow: those beyond it end, the least recently used first,
// each with the event session.session.ended and the reason "limit"; under a policy that refuses, it is this one that does not
// begin. Starts for one user wait for one another, so this holds however many sign in at once. Cost: 3 writes, 1 more with a
// refresh token. At the first start, and when as many have begun since the last count as there was room for then, the live
// ones are counted: 1 find and 1 write more, and 1 read and 2 writes for each that ends.
//
// Errors: SESSION_LIMIT.
func (s *Service) Start(ctx context.Context, c StartCmd) (Session, Secrets, error) {
	now, r := s.now(), actor.RequestFrom(ctx)
	limits := c.Policy.Strictest(Policy{Idle: s.cfg.Idle, Absolute: s.cfg.Absolute, Brief: s.cfg.Brief, Max: s.cfg.MaxSessions})
	started := Session{
		ID: ref.NewID(), User: c.User, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(limits.lasts(c.Brief)),
		Brief: c.Brief, Device: c.Device, UserAgent: cleanAgent(r.UserAgent), IP: r.IP,
	}
	if limits.Idle < s.cfg.Idle {
		started.IdleFor = limits.Idle
	}
	started = started.used(now, s.cfg.Idle).elevated(now, c.Methods, c.Level)
	secrets, kept, refresh := s.issue(started, c.Refresh, now)
	var evicted []string
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if evicted, err = s.makeRoom(ctx, c.User, limits); err != nil {
			return err
		}
		if err := s.store.insert(ctx, record{Session: started, Tokens: kept}); err != nil {
			return err
		}
		if c.Refresh {
			if err := s.store.insertRefresh(ctx, newRefreshToken(refresh, started, now)); err != nil {
				return err
			}
		}
		return s.events.Append(ctx, kindStarted, started.Ref(), about{User: c.User, Methods: started.Methods, Device: c.Device})
	})
	if err != nil {
		return Session{}, Secrets{}, err
	}
	if len(evicted) > 0 {
		s.told(ctx, evicted...)
	}
	if c.Evicted != nil {
		*c.Evicted = evicted
	}
	return started, secrets, nil
}
