package webauth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
)

// attempt is one try to prove something, charged before anything is compared. Every way in charges the same buckets: a new
// way cannot be a way around. A right one gives back what it was charged and nothing else, so an attacker who signs in to
// an account of their own between two guesses gains nothing by it.
type attempt struct {
	s       *Service
	buckets []throttle.Bucket
}

// Mails somebody can make this server send.
var (
	perAddress     = throttle.Limit{Name: "mail-address", Burst: 5, Every: time.Minute}
	perMailNetwork = throttle.Limit{Name: "mail-network", Burst: 30, Every: 20 * time.Second}
)

func (s *Service) network(ctx context.Context) throttle.Bucket {
	limit := throttle.Limit{Name: "network", Burst: s.cfg.PerNetwork, Every: 10 * time.Second}
	return throttle.Bucket{Limit: limit, Key: throttle.Network(actor.RequestFrom(ctx).IP)}
}

// target is whom an attempt is at: a user, or what was given for one. The zero target is nobody in particular; then the
// network alone is charged.
type target struct {
	key  string
	user ref.Ref // zero when there is no such user
}

func at(u account.User) target { return target{u.ID, u.Ref()} }

// attempt charges one attempt. A device the user has signed in from before has a bucket of its own, so that strangers who
// guess cannot keep the owner out.
//
// Errors: RATE_LIMITED.
func (s *Service) attempt(ctx context.Context, who target, device string) (attempt, error) {
	limit := throttle.Limit{Name: "account", Burst: s.cfg.PerAccount, Every: 90 * time.Second}
	b := throttle.Bucket{Limit: limit, Key: who.key, On: who.user}
	d, known, err := s.Sessions.Recognize(ctx, who.key, device)
	if err != nil {
		return attempt{}, err
	}
	if known {
		b.Limit.Name, b.Key = "device", who.key+"/"+d.ID
	}
	a := attempt{s, []throttle.Bucket{s.network(ctx), b}} // a network that has used up its own takes nothing of the account's
	return a, s.Throttle.Take(ctx, a.buckets...)
}

// right gives the charge back. Losing that to an error harms nobody.
func (a attempt) right(ctx context.Context) { _ = a.s.Throttle.Refund(ctx, a.buckets...) }

// settle decides by the outcome: what was not a wrong guess is given back. It passes the error on.
func (a attempt) settle(ctx context.Context, err error) error {
	if err == nil || !isWrong(err) {
		a.right(ctx)
	}
	return err
}

// isWrong reports whether an error says that a proof was not good. Bad input and a new password that is too weak are not
// guesses.
func isWrong(err error) bool {
	if errors.Is(err, fault.ErrInput) || errors.Is(err, account.ErrPasswordWeak) {
		return false
	}
	k := fault.From(err).Kind
	return k == fault.Invalid || k == fault.Unauthenticated
}

// mayMail charges one mail to an address, and to the network that asks for it.
//
// Errors: RATE_LIMITED.
func (s *Service) mayMail(ctx context.Context, key string) error {
	return s.Throttle.Take(ctx,
		throttle.Bucket{Limit: perMailNetwork, Key: throttle.Network(actor.RequestFrom(ctx).IP)},
		throttle.Bucket{Limit: perAddress, Key: key})
}

// failed tells the log of a wrong proof; other errors are no news there. on is the user it was about, zero for nobody.
func (s *Service) failed(ctx context.Context, on ref.Ref, method string, cause error) {
	if !isWrong(cause) {
		return
	}
	data := struct {
		Method string `bson:"method"`
		Code   string `bson:"code"`
	}{method, fault.From(cause).Code}
	err := s.db.InTx(ctx, func(ctx context.Context) error { return s.Events.Append(ctx, kindFailed, on, data) })
	if err != nil { // the refusal stands, audited or not
		s.Log.WarnContext(ctx, "signin_failure_not_recorded", "error", err.Error())
	}
}

// Authenticate turns the secret a request or a socket came with into who is asking. Warm, a good one costs no read; one
// that is not good is an attempt like any other, but for a cookie: a browser sends it unasked, and a whole office may come
// back to sessions that have ended over night.
//
// until is when the secret ends by itself, an access token long before its session; zero when it lasts as long as that.
// A token that was good once is no guess: every client comes back with one when its time is up.
//
// Errors: SESSION_ENDED, RATE_LIMITED.
func (s *Service) Authenticate(ctx context.Context, secret string) (a actor.Actor, until time.Time, err error) {
	found, err := s.Sessions.Resolve(ctx, secret)
	if err == nil && found.Impersonator != "" && !s.mayActAs(found) {
		err = session.ErrEnded.Because(session.ErrKnown)
	}
	if err == nil {
		return s.actorOf(found), found.TokenUntil, nil
	}
	if b := browserFrom(ctx); isWrong(err) && !errors.Is(err, session.ErrKnown) && (b == nil || b.Get(SessionCookie) != secret) {
		if limited := s.Throttle.Take(ctx, s.network(ctx)); errors.Is(limited, throttle.ErrLimited) {
			return actor.Actor{}, time.Time{}, limited
		}
	}
	return actor.Actor{}, time.Time{}, err
}

// actorOf is who asks with a session or a key.
func (s *Service) actorOf(found session.Session) actor.Actor {
	switch {
	case found.Kind == session.KindKey:
		return actor.Actor{User: found.User, Key: found.ID, Scope: found.Scope}
	case found.Impersonator != "":
		return actor.Actor{
			User: found.User, Session: found.ID, Impersonator: found.Impersonator, ReadOnly: found.ReadOnly, Scope: s.scopeOf(found.ReadOnly),
		}
	default:
		return actor.Actor{User: found.User, Session: found.ID, Role: found.Role}
	}
}

// whoIs finds the user that an address or a username names, so that attempts by all names of an account share one count;
// a name nobody has counts for itself, in its normal form. Cost: 1 read.
func (s *Service) whoIs(ctx context.Context, identifier string) (target, error) {
	var u account.User
	var found bool
	var key string
	var err error
	if strings.Contains(identifier, "@") {
		key, _ = account.EmailKey(identifier)
		u, found, err = s.Accounts.Occupied(ctx, identifier)
	} else {
		key, _ = account.UsernameKey(identifier)
		u, found, err = s.Accounts.ByUsername(ctx, identifier)
	}
	if found {
		return at(u), err
	}
	return target{key: key}, err
}
