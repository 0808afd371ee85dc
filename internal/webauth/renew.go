package webauth

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
)

// Refresh gives new secrets for the refresh token of a session. The token is used up by it. Shown again for ten seconds, for
// as long as its successor was not used, it gives the same successor: to a client whose answer was lost, and to all tabs of
// one that refresh at once. After that somebody else has it: the session ends, with the sockets on it, and its owner is
// told. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: SESSION_ENDED, also for a token that is unknown, malformed or used up; RATE_LIMITED.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Renewed, error) {
	one, secrets, err := s.Sessions.Refresh(ctx, refreshToken, func(ctx context.Context, one session.Session) error {
		u, err := s.Accounts.ByID(ctx, one.User)
		if err != nil {
			return err
		}
		if err := s.notify(ctx, u, "notice_token_reused", map[string]any{"Since": one.CreatedAt, "Agent": one.UserAgent}); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindReused, u.Ref(), nil)
	})
	if errors.Is(err, session.ErrEnded) && !errors.Is(err, session.ErrKnown) {
		if limited := s.Throttle.Take(ctx, s.network(ctx)); errors.Is(limited, throttle.ErrLimited) {
			return Renewed{}, limited
		}
	}
	if err != nil {
		return Renewed{}, err
	}
	return Renewed{one, secrets}, nil
}
