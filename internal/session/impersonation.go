package session

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

// How long somebody may act as another at most, and without doing anything.
const (
	impersonationTTL  = time.Hour
	impersonationIdle = 15 * time.Minute
)

// ImpersonateCmd asks to act as another user.
type ImpersonateCmd struct {
	User     string
	Reason   string // for the log, in the caller's words
	ReadOnly bool   // kept with the session; what it allows is for those to decide who are asked
	// Park puts the token of the caller's own session away, and its refresh token if it has one: nothing leads to that session
	// until [Service.Renew] gives it another. It is for clients that keep one token at a time.
	Park bool
}

// impersonated is the data of the event session.impersonation.started.
type impersonated struct {
	User         string `bson:"user"`
	Impersonator string `bson:"impersonator"`
	Reason       string `bson:"reason"`
	ReadOnly     bool   `bson:"readOnly"`
}

// Impersonate begins a session of another user in which the person of ctx acts. It ends after an hour, with the session it
// was begun from at the latest, or when it is not used for a quarter of one, or for as long as that one may be unused; its
// use is a use of that one too. It has no proof of identity, no refresh token, and no place among the sessions a user may
// have at most. It joins the transaction of ctx and asks for no permission: who may act as whom is for the flow that calls
// it to decide. The event session.impersonation.started commits with it. Cost: 1 read, 3 writes; with Park 2 more, and 1
// more with a refresh token.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN for who acts as somebody else already, SESSION_ENDED.
func (s *Service) Impersonate(ctx context.Context, c ImpersonateCmd) (Session, Secrets, error) {
	a, err := principal(ctx)
	switch {
	case err != nil:
		return Session{}, Secrets{}, err
	case !a.IsSelf():
		return Session{}, Secrets{}, fault.ErrUnauthenticated
	}
	now, r := s.now(), actor.RequestFrom(ctx)
	var one Session
	var secrets Secrets
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		parent, ok, err := s.store.byID(ctx, a.Session)
		own := s.limited(parent.Session)
		switch {
		case err != nil:
			return err
		case !ok, !own.Live(now):
			return ErrEnded
		case own.Impersonator != "": // whatever the actor says
			return ErrImpersonated
		}
		one = Session{
			ID: ref.NewID(), User: c.User, CreatedAt: now, LastSeenAt: now, IdleFor: least(impersonationIdle, own.IdleFor),
			ExpiresAt: earlier(now.Add(impersonationTTL), own.ExpiresAt), Brief: true,
			UserAgent: cleanAgent(r.UserAgent), IP: r.IP,
			Impersonator: a.User, Parent: parent.ID, Reason: c.Reason, ReadOnly: c.ReadOnly, Parked: c.Park,
		}.used(now, s.cfg.Idle)
		var kept tokens
		secrets, kept, _ = s.issue(one, false, now)
		if err := s.store.insert(ctx, record{Session: one, Tokens: kept}); err != nil {
			return err
		}
		if err := s.park(ctx, parent, c.Park); err != nil {
			return err
		}
		return s.events.Append(ctx, kindImpersonated, one.Ref(), impersonated{c.User, a.User, c.Reason, c.ReadOnly})
	})
	if err != nil {
		return Session{}, Secrets{}, err
	}
	if c.Park && !store.InTransaction(ctx) {
		s.cache.refresh(one.Parent)
	}
	return one, secrets, nil
}

// park counts the impersonation with the session it begins from, so that an end of that beside it is seen by one of the two.
// With its token put away nobody knows the one it has instead, and the other nodes are told.
func (s *Service) park(ctx context.Context, parent record, away bool) error {
	if err := s.store.countImpersonation(ctx, parent.ID); err != nil || !away {
		return err
	}
	_, d := token.New(sessionPrefix)
	if err := s.store.renew(ctx, parent.Session, tokens{Hash: d[:], Until: parent.Tokens.Until}); err != nil {
		return err
	}
	if parent.Tokens.Until != nil {
		if err := s.store.dropUnspent(ctx, parent.ID); err != nil {
			return err
		}
	}
	return s.events.Append(ctx, kindRenewed, parent.Ref(), about{User: parent.User})
}

// Impersonations are the sessions in which somebody acts as somebody else that nobody has ended and whose time is not up;
// one that is not used any more is among them, as its last use may not be written down yet. It is for the system. Cost: 1
// find by index.
//
// Errors: FORBIDDEN.
func (s *Service) Impersonations(ctx context.Context) ([]Session, error) {
	if !actor.From(ctx).System {
		return nil, fault.ErrForbidden
	}
	return s.store.impersonations(ctx, s.now())
}
