package rbac

import (
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

	PermObjectGrant    = "rbac.object.grant"
	PermPredicateWrite = "rbac.predicate.write"
	PermFieldWrite     = "rbac.field.write"
	PermEscalate       = "rbac.escalate" // as Kubernetes has it
	PermBind           = "rbac.bind"     // as Kubernetes has it
)

// Permissions describes them for the catalogue.
func Permissions() map[string]string {
	return map[string]string{
		PermRoleRead:   "list the roles and read what each may do",
		PermRoleWrite:  "make roles of permissions one holds oneself",
		PermGrantWrite: "let users and roles hold roles, and take them back, as far as one holds their permissions oneself",

		PermObjectGrant:    "let users and roles use a permission on an object one may use it on oneself, and answer who asks for one",
		PermPredicateWrite: "narrow permissions by predicates, and widen them again",
		PermFieldWrite:     "say who reads and writes which fields, and read and write all of them",
		PermEscalate:       "give roles permissions one does not hold",
		PermBind:           "grant roles whose permissions one does not hold",
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
	ErrUnbound           = fault.Define(fault.Invalid, "RBAC_UNBOUND_PARAM", "every parameter needs a binding: a value, or * for any")
	ErrValue             = fault.Define(fault.Invalid, "RBAC_BAD_VALUE", "this is no value of the parameter")
	ErrDependents        = fault.Define(fault.Conflict, "RBAC_DEPENDENTS", "others depend on it; with CASCADE they go too")
	ErrSystemRole        = fault.Define(fault.Conflict, "RBAC_SYSTEM_ROLE", "this role is the server's own and stays as it is")
	ErrRoleInUse         = fault.Define(fault.Conflict, "ROLE_IN_USE", "something else gives this role and must let go of it first")
	ErrNotSettable       = fault.Define(fault.Forbidden, "NOT_SETTABLE", "you cannot activate this role")
	ErrRevTimeout        = fault.Define(fault.Timeout, "REV_TIMEOUT", "this node has not reached that revision of the policy in time")
	ErrObjectGrants      = fault.Define(fault.Exhausted, "OBJECT_GRANT_LIMIT", "there are too many grants on single objects already")
	ErrPredicates        = fault.Define(fault.Exhausted, "PREDICATE_LIMIT", "the permission has as many predicates as it can have")
	ErrFields            = fault.Define(fault.Exhausted, "FIELD_RULE_LIMIT", "the type has as many field rules as it can have")
	ErrExpression        = fault.Define(fault.Invalid, "PREDICATE_INVALID", "this is not an expression")
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
	Params      []string // names, sorted
	Description string
}

// Role is a set of permissions; grants to roles make a role include others. Its key, id and parameters never change.
type Role struct {
	ID          string     `bson:"_id"`
	Key         string     `bson:"key"`
	Name        string     `bson:"name"`
	Description string     `bson:"description"`
	Params      []Param    `bson:"params,omitempty"`
	Permissions []Instance `bson:"permissions"` // "report.view(region=$region)": each parameter bound
	CreatedAt   time.Time  `bson:"createdAt"`
}

// Ref is the role as a reference.
func (r Role) Ref() ref.Ref { return ref.New(ref.Role, r.ID) }

// Grant is an edge: Member, a user or a role, holds Role. Its options are those of a membership in PostgreSQL 16.
type Grant struct {
	ID        string     `bson:"_id"`
	Member    ref.Ref    `bson:"member"`
	Role      string     `bson:"role"`                // id of the role
	Bind      Bindings   `bson:"bind"`                // of the role's parameters
	NoInherit bool       `bson:"noInherit,omitempty"` // the member has the rights only while the role is activated
	NoSet     bool       `bson:"noSet,omitempty"`     // the member cannot activate the role
	Admin     bool       `bson:"admin,omitempty"`     // the member may let others hold the role
	Source    string     `bson:"source"`              // "manual", "bootstrap", "default" or "plan:<membership id>"
	NotBefore *time.Time `bson:"notBefore,omitempty"` // before it does not count; nil for at once
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"` // from then on it counts no more; nil for never
	Reason    string     `bson:"reason,omitempty"`
	GrantedBy ref.Ref    `bson:"grantedBy"`
	Via       string     `bson:"via,omitempty"` // id of the grant by which the grantor was ADMIN; it goes when that goes
	CreatedAt time.Time  `bson:"createdAt"`
	Ended     bool       `bson:"ended,omitempty"` // its end has been told: see [Service.Sweep]
}

// Ref is the grant as a reference.
func (g Grant) Ref() ref.Ref { return ref.New(ref.Grant, g.ID) }

// Inherit reports whether the member has the rights of the role at once.
func (g Grant) Inherit() bool { return !g.NoInherit }

// Set reports whether the member can activate the role.
func (g Grant) Set() bool { return !g.NoSet }

// unconditional reports whether the grant counts now and for ever.
func (g Grant) unconditional(now time.Time) bool {
	return !g.NoInherit && g.ExpiresAt == nil && (g.NotBefore == nil || !g.NotBefore.After(now))
}

// Reason is why a decision came out as it did.
type Reason string

// The reasons.
const (
	Allowed         Reason = "ALLOWED"
	NoPath          Reason = "NO_PATH"            // no grant leads to the permission
	NotInherited    Reason = "NOT_INHERITED"      // only by a grant that does not inherit: a role to activate
	Expired         Reason = "EXPIRED"            // only by a grant that is over
	NotYet          Reason = "NOT_YET"            // only by a grant that is early
	ArgRequired     Reason = "ARG_REQUIRED"       // held for some values of a parameter, and none was named
	BindingMismatch Reason = "BINDING_MISMATCH"   // held for other values of a parameter
	Predicated      Reason = "PREDICATE"          // held, and a predicate says no
	Unknown         Reason = "UNKNOWN_PERMISSION" //
	Anonymous       Reason = "ANONYMOUS"
	Stale           Reason = "POLICY_STALE"
	OutOfScope      Reason = "OUT_OF_SCOPE" // the user holds it, and the access key in use is not good for it
)

// Check is a question: may the caller use Permission, on an object or as such? A parameter of the permission that is not in
// Args is that of the object: its id if the parameter is named like its type, else the attribute of that name.
type Check struct {
	Permission string
	On         ref.Ref // zero for the permission as such
	Args       map[string]string
}

// Decision is the answer to a Check. The zero Decision is a refusal.
type Decision struct {
	Allowed   bool
	Reason    Reason
	Predicate string // the name of the predicate that said no
	Rev       int64  // of the policy that answered; 0 when none did
}

// RoleSpec is a role as the code or a seed wants it: see [Service.Ensure].
type RoleSpec struct {
	Key         string
	Name        string
	Description string
	Params      []Param
	Permissions []Instance // of the catalogue, or [Every]
	Includes    []Instance // keys of roles, with their parameters bound
}

// CreateRoleCmd asks for a new role.
type CreateRoleCmd struct {
	Key         string     // 2 to 64 of a-z, 0-9, dot, dash and underscore; unique
	Name        string     // 1 to 100 characters
	Description string     // at most 500 characters
	Params      []Param    // at most MaxParams
	Permissions []Instance // of the catalogue

	id string // what the role is to have for an id; empty for a new one
}

// GrantCmd asks that Member hold Role.
type GrantCmd struct {
	Role      string   // id
	Member    ref.Ref  // a user or a role
	Bind      Bindings // of every parameter of the role
	NoInherit bool
	NoSet     bool
	Admin     bool
	NotBefore *time.Time // nil for at once
	ExpiresAt *time.Time // in the future and after NotBefore; nil for never
	Reason    string     // at most 500 characters
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
	if err := checkParams(c.Params); err != nil {
		return Role{}, err
	}
	return Role{
		ID: id, Key: c.Key, Name: c.Name, Description: c.Description,
		Params: c.Params, Permissions: normal(c.Permissions), CreatedAt: at,
	}, nil
}

// check refuses what can't be a grant at that time, before anything is read.
func (c GrantCmd) check(now time.Time) error {
	switch {
	case !isMember(c.Member):
		return fault.ErrInput.On("input.member").Saying("a user or a role can hold a role, and nothing else")
	case c.ExpiresAt != nil && !c.ExpiresAt.After(now):
		return fault.ErrInput.On("input.expiresAt").Saying("a grant must end in the future, or never")
	case c.ExpiresAt != nil && c.NotBefore != nil && !c.ExpiresAt.After(*c.NotBefore):
		return fault.ErrInput.On("input.expiresAt").Saying("a grant must end after it begins")
	case !fits(c.Reason, maxReason):
		return fault.ErrInput.On("input.reason").Saying("a reason is at most 500 characters")
	}
	return nil
}

// fits reports whether s is text of at most limit characters.
func fits(s string, limit int) bool { return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit }
