package rbac

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Permissions of this package.
const (
	PermRoleRead   = "rbac.role.read"
	PermRoleWrite  = "rbac.role.write"
	PermGrantWrite = "rbac.grant.write"
)

// Permissions describes them for the catalogue.
func Permissions() map[string]string {
	return map[string]string{
		PermRoleRead:   "list the roles and read what each may do",
		PermRoleWrite:  "make roles of permissions one holds oneself",
		PermGrantWrite: "let users and roles hold roles, and take them back, as far as one holds their permissions oneself",
	}
}

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

// Keys of the roles this package knows by name. Both are made by [Service.Ensure].
const (
	RoleAdmin  = "admin"  // holds every permission; some user always holds it without an end
	RoleMember = "member" // held by every user from the start: see [Service.GrantDefault]
)

// Every is, as a permission of a role, the word for all permissions there are, those of later releases included. Only
// [Service.Ensure] can write it.
const Every = "*"

// Sources of grants. A plan's is "plan:" and the id of the membership.
const (
	SourceManual    = "manual"    // [Service.Grant]
	SourceBootstrap = "bootstrap" // [Service.Ensure]
	SourceDefault   = "default"   // [Service.GrantDefault]
)

// MaxChecks is how many questions one request may ask at once.
const MaxChecks = 100

// Permission is a right the code asks for.
type Permission struct {
	Key         string
	Description string
}

// Role is a set of permissions; grants to roles make a role include others. Its key and id never change.
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
	Role      string     `bson:"role"`                // id of the role
	Source    string     `bson:"source"`              // "manual", "bootstrap", "default" or "plan:<membership id>"
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"` // from then on it counts no more; nil for never
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

	OutOfScope Reason = "OUT_OF_SCOPE" // the user holds it, and the access key in use is not good for it
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

// RoleSpec is a role as the code or a seed wants it: see [Service.Ensure].
type RoleSpec struct {
	Key         string
	Name        string
	Description string
	Permissions []string // keys of the catalogue, or [Every]
	Includes    []string // keys of roles
}

// CreateRoleCmd asks for a new role.
type CreateRoleCmd struct {
	Key         string   // 2 to 64 of a-z, 0-9, dot, dash and underscore; unique
	Name        string   // 1 to 100 characters
	Description string   // at most 500 characters
	Permissions []string // keys of the catalogue
}

// GrantCmd asks that Member hold Role.
type GrantCmd struct {
	Role      string     // id
	Member    ref.Ref    // a user or a role
	ExpiresAt *time.Time // in the future; nil for never
}

// Bounds of a role's texts.
const (
	maxName        = 100
	maxDescription = 500
)

// role checks the texts and makes the role; the permissions are the catalogue's business.
func (c CreateRoleCmd) role(id string, at time.Time) (Role, error) {
	switch {
	case !ref.IsKey(c.Key):
		return Role{}, fault.ErrInput.On("input.key").Saying("a role's key is 2 to 64 of a-z, 0-9, dot, dash and underscore")
	case strings.TrimSpace(c.Name) == "" || !fits(c.Name, maxName):
		return Role{}, fault.ErrInput.On("input.name").Saying("a role's name is 1 to 100 characters")
	case !fits(c.Description, maxDescription):
		return Role{}, fault.ErrInput.On("input.description").Saying("a role's description is at most 500 characters")
	}
	return Role{
		ID: id, Key: c.Key, Name: c.Name, Description: c.Description,
		Permissions: canonical(c.Permissions), CreatedAt: at,
	}, nil
}

// check refuses what can't be a grant at that time, before anything is read.
func (c GrantCmd) check(now time.Time) error {
	switch {
	case c.Member.Type != ref.User && c.Member.Type != ref.Role || c.Member.ID == "":
		return fault.ErrInput.On("input.member").Saying("a user or a role can hold a role, and nothing else")
	case c.ExpiresAt != nil && !c.ExpiresAt.After(now):
		return fault.ErrInput.On("input.expiresAt").Saying("a grant must end in the future, or never")
	}
	return nil
}

// outlasts reports whether the grant lasts at least until then; nil is for ever.
func (g Grant) outlasts(then *time.Time) bool {
	return g.ExpiresAt == nil || then != nil && !then.After(*g.ExpiresAt)
}

// canonical is the keys in order, each once.
func canonical(keys []string) []string {
	sorted := slices.Sorted(slices.Values(keys))
	return append([]string{}, slices.Compact(sorted)...)
}

// fits reports whether s is text of at most limit characters.
func fits(s string, limit int) bool { return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit }
