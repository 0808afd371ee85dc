package session

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

// Refresh tokens rotate (RFC 9700, section 4.14.2): each is good once, for the next. All of them together are one family,
// the session. A token that was used is a copy in somebody's hands, unless it is shown again at once by a client whose answer got
// lost, or by another tab of it.

// reasonReuse is why a session ended of which a used refresh token was shown once more.
const reasonReuse = "reuse"

// refreshToken is one link of a family, as stored.
type refreshToken struct {
	Hash      []byte     `bson:"_id"`
	Session   string     `bson:"session"`
	User      string     `bson:"user"`
	IssuedAt  time.Time  `bson:"issuedAt"`
	ExpiresAt time.Time  `bson:"expiresAt"` // the latest end of the session as stored, whatever a policy says: litter from then on
	SpentAt   *time.Time `bson:"spentAt"`   // nil for the newest one
	Salt      []byte     `bson:"salt,omitempty"`
}

func newRefreshToken(d token.Digest, one Session, now time.Time) refreshToken {
	return refreshToken{Hash: d[:], Session: one.ID, User: one.User, IssuedAt: now, ExpiresAt: one.ExpiresAt}
}

const saltBytes = 32

// successors are the secrets that follow from a refresh token: the same each time for the same salt, and nothing to who
// has only the salt. The database needs to keep no secret to be able to give them twice.
func successors(parent string, salt []byte) (access string, a token.Digest, refresh string, r token.Digest) {
	access, a, _ = token.Derive(sessionPrefix, "access", refreshPrefix, parent, salt)
	refresh, r, _ = token.Derive(refreshPrefix, "refresh", refreshPrefix, parent, salt)
	return access, a, refresh, r
}

// Refresh uses a refresh token up and gives the session with its next secrets. For Config.Overlap after its use, and for as
// long as its successor is not used, it gives the same ones again, on every node; the access token before stays good for as
// long. Shown later, or after its successor was used, it ends the session, with the reason "reuse": reused is called in
// that transaction. It counts as a use of the session, whose latest end it never moves. An end beside it wins. It joins no
// transaction: the end that its error tells of must stay. Cost: 2 reads, 3 writes; 3 reads for who comes second.
//
// Errors: SESSION_ENDED for a token that is malformed, unknown, of a session that has ended, or used up; ErrKnown is its
// cause for one that was good once.
func (s *Service) Refresh(ctx context.Context, refresh string, reused func(ctx context.Context, one Session) error) (Session, Secrets, error) {
	d, ok := token.Parse(refreshPrefix, refresh)
	if !ok {
		return Session{}, Secrets{}, ErrEnded
	}
	var one Session
	var secrets Secrets
	var ended []string
	ctx = store.Outside(ctx)
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		ended = nil
		now := s.now()
		link, err := s.store.refreshToken(ctx, d)
		if err != nil {
			return err
		}
		r, ok, err := s.store.byID(ctx, link.Session)
		switch {
		case err != nil:
			return err
		case !ok, !s.limited(r.Session).Live(now):
			return errWasGood
		case link.SpentAt == nil:
			one, secrets, err = s.rotate(ctx, r, link, refresh, now)
			return err
		}
		var same bool
		if one, secrets, same, err = s.again(ctx, r, link, refresh, now); err != nil || same {
			return err
		}
		if ended, err = s.endWith(ctx, r.Session, reasonReuse); err != nil {
			return err
		}
		return reused(ctx, r.Session)
	})
	switch {
	case err != nil:
		return Session{}, Secrets{}, err
	case len(ended) > 0:
		s.told(ctx, ended...)
		return Session{}, Secrets{}, errWasGood
	}
	s.cache.refresh(one.ID)
	return s.limited(one), secrets, nil
}

// rotate uses a link up and adds the next.
func (s *Service) rotate(ctx context.Context, r record, link refreshToken, shown string, now time.Time) (Session, Secrets, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: the runtime ends the process instead
	one := s.limited(r.Session).used(now, s.cfg.Idle)
	until := earlier(now.Add(s.cfg.Access), one.ExpiresAt)
	access, a, next, rd := successors(shown, salt)
	kept := tokens{Hash: a[:], Until: &until, PrevHash: r.Tokens.Hash, PrevUntil: new(earlier(now.Add(s.cfg.Overlap), *r.Tokens.Until))}
	if err := s.store.spend(ctx, link, salt, now); err != nil {
		return one, Secrets{}, err
	}
	if err := s.store.insertRefresh(ctx, newRefreshToken(rd, r.Session, now)); err != nil {
		return one, Secrets{}, err
	}
	return one, Secrets{Token: access, ExpiresAt: until, Refresh: next}, s.store.rotate(ctx, one, kept)
}

// again gives the successors of a used link once more; false when they are not to be given.
func (s *Service) again(ctx context.Context, r record, link refreshToken, shown string, now time.Time) (Session, Secrets, bool, error) {
	if now.Sub(*link.SpentAt) > s.cfg.Overlap || len(link.Salt) == 0 || r.Tokens.Until == nil {
		return Session{}, Secrets{}, false, nil
	}
	access, a, next, rd := successors(shown, link.Salt)
	child, err := s.store.refreshToken(ctx, rd)
	switch {
	case err != nil: // the session was given other secrets meanwhile: there is no successor, and nobody has stolen anything
		return Session{}, Secrets{}, false, err
	case child.SpentAt != nil, token.Digest(r.Tokens.Hash) != a:
		return Session{}, Secrets{}, false, nil
	}
	return r.Session, Secrets{Token: access, ExpiresAt: *r.Tokens.Until, Refresh: next}, true, nil
}
