package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// Policies are the limits of sessions that an operator has set for the holders of roles and for the users on plans, by key.
// Who falls under several is limited by the strictest of each; what none of them says is left to session.Config.
type Policies struct {
	Roles, Plans map[string]session.Policy
}

// OfRoles is the policy of a user by the roles they hold now. It looks into memory only, so it can be asked at every read.
func (p Policies) OfRoles(user string, holds func(user, role string) bool) session.Policy {
	var all session.Policy
	for key, one := range p.Roles {
		if holds(user, key) {
			all = all.Strictest(one)
		}
	}
	return all
}

// policyOf is the policy for a session that begins. Cost: none, or 1 read where plans have policies.
func (s *Service) policyOf(ctx context.Context, user string) (session.Policy, error) {
	all := s.cfg.Policies.OfRoles(user, s.Roles.Obliges)
	if len(s.cfg.Policies.Plans) == 0 {
		return all, nil
	}
	m, err := s.Plans.MembershipOf(ctx, ref.New(ref.User, user))
	return all.Strictest(s.cfg.Policies.Plans[m.Plan.Key]), err
}
