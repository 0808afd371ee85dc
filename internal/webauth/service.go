package webauth

import (
	"context"
	"log/slog"
	"slices"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Plans is what the flows need of package plan.
type Plans interface {
	// Enroll puts a new user on a plan, the default one for "", in the transaction of ctx.
	Enroll(ctx context.Context, subject ref.Ref, key string) (plan.Membership, error)
	ByKey(ctx context.Context, key string) (plan.Plan, error)
	MembershipOf(ctx context.Context, subject ref.Ref) (plan.Place, error)
	// Put puts a user on a plan, in the transaction of ctx.
	Put(ctx context.Context, subject ref.Ref, key string) (plan.Place, error)
}

// Roles is what the flows need of package rbac.
type Roles interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
	// GrantDefault gives a new user the role everybody has, in the transaction of ctx.
	GrantDefault(ctx context.Context, user string) error
	Grant(ctx context.Context, c rbac.GrantCmd) (rbac.Grant, error)
	Grantable(ctx context.Context, key string) (rbac.Role, error)
	Settable(ctx context.Context, role string, bind rbac.Bindings) (string, error)
	HoldsAny(user string, keys []string) bool
	// Obliges reports whether a user holds a role that limits them. Memory only.
	Obliges(user, role string) bool
	// Outranks reports whether a user may do everything another may, and more. Memory only.
	Outranks(who, whom string) bool
	// Allows decides for any user. Memory only.
	Allows(user, permission string) rbac.Decision
	MayLeave(ctx context.Context, user string) error
	ForgetUser(ctx context.Context, user string) error
	// Sync returns when this node's view holds at least what is committed.
	Sync(ctx context.Context) error
}

// Deps are what the flows stand on.
type Deps struct {
	Accounts *account.Service
	Sessions *session.Service
	Factors  *factor.Service
	Social   *social.Service
	Tickets  *ticket.Service
	Throttle *throttle.Service
	Mail     *mail.Service
	Bag      *bag.Service
	Events   *event.Log
	Plans    Plans
	Roles    Roles
	Now      clock.Clock
	Log      *slog.Logger

	// Erase has a user, who is deleted in the transaction of ctx, taken out of what was recorded of them elsewhere.
	Erase func(ctx context.Context, user string) error

	Permissions []string // all there are
}

// Service runs the flows. It is safe for concurrent use.
type Service struct {
	db *store.DB
	Deps
	cfg Config

	acting, looking *actor.Scope  // of those who act as others: see scopeOf
	changed         chan struct{} // rights have: see RightsChanged
}

// New makes the service. It starts nothing: see [Service.Run].
func New(db *store.DB, deps Deps, cfg Config) *Service {
	acting, looking := scopes(deps.Permissions)
	return &Service{db, deps, cfg.withDefaults(), acting, looking, make(chan struct{}, 1)}
}

// Settings is what one may do here before signing in.
type Settings struct {
	Registration Mode
	Domains      []string
	Terms        string
	Providers    []social.Info
	Mailbox      bool // mails stay here instead of being sent
}

// Settings tells them. Anybody may ask. Cost: none.
func (s *Service) Settings() Settings {
	return Settings{
		Registration: s.cfg.Registration, Domains: slices.Clone(s.cfg.Domains), Terms: s.cfg.Terms,
		Providers: s.Social.Providers(), Mailbox: s.Mail.HasMailbox(),
	}
}

// FactorNeeded reports whether a role of the user wants a second factor. Cost: none.
func (s *Service) FactorNeeded(user string) bool { return s.Roles.HoldsAny(user, s.cfg.FactorRoles) }

// sync lets this node's policy catch up with a change of rights. The change is made, whatever comes now; a node that
// cannot catch up refuses what it does not know of, by itself.
func (s *Service) sync(ctx context.Context) { _ = s.Roles.Sync(ctx) }
