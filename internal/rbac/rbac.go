package rbac

import (
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Permissions of this package.
const (
	PermRoleRead   = "rbac.role.read"
	PermRoleWrite  = "rbac.role.write"
	PermGrantWrite = "rbac.grant.write"
)

// Errors of roles and grants.
var (
	ErrCycle             = fault.Define(fault.Conflict, "RBAC_CYCLE", "the role would include itself")
	ErrDepth             = fault.Define(fault.Conflict, "RBAC_DEPTH", "roles may include one another at most 64 levels deep")
	ErrEscalation        = fault.Define(fault.Forbidden, "RBAC_ESCALATION", "you cannot give a right you do not hold")
	ErrKeyTaken          = fault.Define(fault.Conflict, "ROLE_KEY_TAKEN", "there is a role with this key already")
	ErrUnknownPermission = fault.Define(fault.Invalid, "UNKNOWN_PERMISSION", "there is no such permission")
	ErrLastAdmin         = fault.Define(fault.Conflict, "LAST_ADMIN", "the last administrator cannot lose the role")
	ErrStale             = fault.Define(fault.Unavailable, "POLICY_STALE", "this node has lost sight of the policy and refuses rather than guesses; try again")
)

// MaxDepth is how many levels of roles may include one another.
const MaxDepth = 64

// RoleAdmin is the key of the bootstrap role that holds every permission. Somebody always holds it.
const RoleAdmin = "admin"

// Permission is a right the code asks for.
type Permission struct {
	Key         string
	Description string
}

// Role is a set of permissions; grants to roles make a role include others.
type Role struct {
	ID          string    `bson:"_id"`
	Key         string    `bson:"key"`
	Name        string    `bson:"name"`
	Description string    `bson:"description"`
	Permissions []string  `bson:"permissions"`
	CreatedAt   time.Time `bson:"createdAt"`
}

// Ref is the role as a reference.
func (r Role) Ref() ref.Ref { return ref.New(ref.Role, r.ID) }

// Grant is an edge: Member, a user or a role, holds Role.
type Grant struct {
	ID        string     `bson:"_id"`
	Member    ref.Ref    `bson:"member"`
	Role      string     `bson:"role"`   // id of the role
	Source    string     `bson:"source"` // "manual", "bootstrap" or "plan:<membership id>"
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"`
	GrantedBy ref.Ref    `bson:"grantedBy"`
	CreatedAt time.Time  `bson:"createdAt"`
}

// Ref is the grant as a reference.
func (g Grant) Ref() ref.Ref { return ref.New(ref.Grant, g.ID) }

// Reason is why a decision came out as it did.
type Reason string

// The reasons.
const (
	Allowed   Reason = "ALLOWED"
	NoGrant   Reason = "NO_GRANT"
	Expired   Reason = "EXPIRED"
	Unknown   Reason = "UNKNOWN_PERMISSION"
	Anonymous Reason = "ANONYMOUS"
	Stale     Reason = "POLICY_STALE"
)

// Check is a question: may the caller use Permission, on an object or as such?
type Check struct {
	Permission string
	On         ref.Ref // zero for the permission as such
}

// Decision is the answer to a Check. The zero Decision is a refusal.
type Decision struct {
	Allowed bool
	Reason  Reason
}
