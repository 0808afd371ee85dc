package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/rbac"
)

// ActivateRole lets one role count for the caller's session in place of all that they hold, on every node, until [Service.ResetRole]
// or the end of the session. The session's sockets are closed, to be opened anew with it.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, SESSION_ENDED, POLICY_STALE, NOT_SETTABLE,
// RBAC_UNBOUND_PARAM, RBAC_BAD_VALUE.
func (s *Service) ActivateRole(ctx context.Context, role string, bind rbac.Bindings) error {
	word, err := s.Roles.Settable(ctx, role, bind)
	if err != nil {
		return err
	}
	return s.Sessions.SetRole(ctx, word)
}

// ResetRole lets all that the caller holds count again.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, IMPERSONATION_FORBIDDEN, SESSION_ENDED.
func (s *Service) ResetRole(ctx context.Context) error { return s.Sessions.SetRole(ctx, "") }
