package rbac

import (
	"context"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// PermissionList is what somebody may do, as a live channel tells it: all of it, each time it changes.
type PermissionList struct {
	Permissions []string
	Rev         int64
}

// rightsChanged tells that somebody's rights may have changed.
type rightsChanged struct{}

const topicEverybody = "rbac.permissions"

func topicOf(user string) string { return topicEverybody + ":" + user }

// Publish tells the live channels of this package what they are about. Only before serving.
func (s *Service) Publish(publish func(topic string, change any)) {
	s.reports = publish
	s.OnChange(func(users []string) {
		if users == nil {
			publish(topicEverybody, rightsChanged{})
		}
		for _, u := range users {
			publish(topicOf(u), rightsChanged{})
		}
	})
}

// topicPolicy is where each revision is told.
const topicPolicy = "rbac.policy"

// PolicyChange is one change of the policy, for those who watch it: what it is about, not what it says.
type PolicyChange struct {
	Kind  string  // the kind of the event, such as "rbac.grant.revoked"
	On    ref.Ref // a role, a grant, a grant on an object, a predicate or a rule of a field
	Cause string  // global id of what it follows from; empty for most
}

// PolicyNews is a revision of the policy with the changes that led to it; none when it was read anew, or for the first one told.
type PolicyNews struct {
	Rev     int64
	Changes []PolicyChange
}

// report tells who watches the policy of a revision.
func (s *Service) report(rev int64, changes []change) {
	if s.reports == nil {
		return
	}
	news := PolicyNews{Rev: rev, Changes: make([]PolicyChange, len(changes))}
	for i, c := range changes {
		news.Changes[i] = PolicyChange{Kind: c.kind, On: c.on(), Cause: c.Cause}
	}
	s.reports(topicPolicy, news)
}

// PolicyChannel tells how to follow the changes of the policy: the key under which one source serves everybody, what it listens
// to, how to make it, and who may follow: who holds rbac.role.read. Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) PolicyChannel(ctx context.Context) (
	key string, topics []string, newSource func() *PolicySource, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error { return s.Require(ctx, PermRoleRead, ref.Ref{}) }
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	return topicPolicy, []string{topicPolicy}, func() *PolicySource { return &PolicySource{s: s} }, allowed, nil
}

// PolicySource passes on the changes of the policy. It satisfies live.Source and belongs to the goroutine that calls it.
type PolicySource struct {
	s   *Service
	rev int64
}

// Load looks at the revision as of now. Cost: none.
func (p *PolicySource) Load(context.Context) error {
	p.rev = p.s.Rev()
	return nil
}

// Snapshot is the revision as of now, without changes.
func (p *PolicySource) Snapshot() any { return PolicyNews{Rev: p.rev, Changes: []PolicyChange{}} }

// Apply passes on the [PolicyNews] of a later revision.
func (p *PolicySource) Apply(change any) any {
	news, ok := change.(PolicyNews)
	if !ok || news.Rev <= p.rev {
		return nil
	}
	p.rev = news.Rev
	return news
}

// Merge gives the changes of two [PolicyNews] as one.
func (p *PolicySource) Merge(older, newer any) any {
	a, _ := older.(PolicyNews)
	b, _ := newer.(PolicyNews)
	return PolicyNews{Rev: b.Rev, Changes: slices.Concat(a.Changes, b.Changes)}
}

// PermissionsChannel tells how the caller can follow what they may do, in the session and with the role and scope they have: the
// key under which one source serves all who see the same, what it listens to, how to make it, and who may follow. Cost: none.
//
// Errors: UNAUTHENTICATED.
func (s *Service) PermissionsChannel(ctx context.Context) (
	key string, topics []string, newSource func() *PermissionsSource, allowed func(ctx context.Context) error, err error,
) {
	a := actor.From(ctx)
	if a.User == "" {
		return "", nil, nil, nil, fault.ErrUnauthenticated
	}
	who := actor.Actor{User: a.User, Role: a.Role, Scope: a.Scope}
	key = strings.Join(append([]string{"permissions", a.User, a.Role}, a.Scope.List()...), "\x00")
	newSource = func() *PermissionsSource { return &PermissionsSource{s: s, who: who} }
	return key, []string{topicEverybody, topicOf(a.User)}, newSource, func(context.Context) error { return nil }, nil
}

// PermissionsSource computes what somebody may do. It satisfies live.Source and belongs to the goroutine that calls it.
type PermissionsSource struct {
	s   *Service
	who actor.Actor
	now PermissionList
}

// Load looks at the rights as of now. Cost: none.
func (p *PermissionsSource) Load(context.Context) error {
	p.look()
	return nil
}

func (p *PermissionsSource) look() {
	p.now = PermissionList{Permissions: p.s.permissionsOf(p.who), Rev: p.s.Rev()}
}

// Merge gives the newer of two lists.
func (p *PermissionsSource) Merge(_, newer any) any { return newer }

// Snapshot is the [PermissionList] as of now.
func (p *PermissionsSource) Snapshot() any { return p.now }

// Apply looks again and gives the PermissionList if it has changed.
func (p *PermissionsSource) Apply(change any) any {
	if _, ok := change.(rightsChanged); !ok {
		return nil
	}
	before := p.now
	if p.look(); slices.Equal(before.Permissions, p.now.Permissions) {
		return nil
	}
	return p.now
}
