package rbac

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// GrantStatus is whether a grant on an object counts.
type GrantStatus string

// The states of a grant on an object. One that is refused or revoked is deleted.
const (
	Requested GrantStatus = "REQUESTED" // asked for, and counts for nothing
	Approved  GrantStatus = "APPROVED"
)

// Bounds of grants on single objects.
const (
	MaxObjectGrants = 10_000 // of one user or role
	maxRequests     = 100    // of one user that wait for an answer
	maxReason       = 500    // characters
)

// ObjectGrant lets a user or a role use one permission on one object, whatever its parameters. It goes with the object.
type ObjectGrant struct {
	ID         string      `bson:"_id"`
	Subject    ref.Ref     `bson:"subject"`    // a user or a role
	Permission string      `bson:"permission"` // key
	On         ref.Ref     `bson:"on"`
	Status     GrantStatus `bson:"status"`
	Reason     string      `bson:"reason"`
	ExpiresAt  *time.Time  `bson:"expiresAt,omitempty"` // nil for never
	GrantedBy  ref.Ref     `bson:"grantedBy"`           // who granted or requested it
	ApprovedBy ref.Ref     `bson:"approvedBy"`          // zero while it is REQUESTED
	CreatedAt  time.Time   `bson:"createdAt"`
}

// Ref is the grant as a reference.
func (o ObjectGrant) Ref() ref.Ref { return ref.New(ref.ObjectGrant, o.ID) }

// ObjectGrantCmd asks that Subject may use Permission on an object.
type ObjectGrantCmd struct {
	Subject    ref.Ref // a user or a role; of a request it is the caller
	Permission string
	On         ref.Ref
	Reason     string     // at most 500 characters
	ExpiresAt  *time.Time // in the future; nil for never
}

func (c ObjectGrantCmd) check(cat *catalogue, now time.Time) error {
	switch _, known := cat.ids[c.Permission]; {
	case !known:
		return unknown(c.Permission).On("input.permission")
	case c.On.Type == "" || c.On.ID == "":
		return fault.ErrInput.On("input.on").Saying("a grant on an object needs an object")
	case !isMember(c.Subject):
		return fault.ErrInput.On("input.subject").Saying("a user or a role can be granted something, and nothing else")
	case !fits(c.Reason, maxReason):
		return fault.ErrInput.On("input.reason").Saying("a reason is at most 500 characters")
	case c.ExpiresAt != nil && !c.ExpiresAt.After(now):
		return fault.ErrInput.On("input.expiresAt").Saying("a grant must end in the future, or never")
	}
	return nil
}

// objectHold is a grant on an object as the snapshot keeps it: in the list of its subject.
type objectHold struct {
	perm  uint32
	on    ref.Ref
	grant string
	until int64
}

func (o *objectHold) compare(x *objectHold) int {
	return cmp.Or(cmp.Compare(o.perm, x.perm), strings.Compare(o.on.Type, x.on.Type), strings.Compare(o.on.ID, x.on.ID))
}

func findObject(list []objectHold, h objectHold) (int, bool) {
	return slices.BinarySearchFunc(list, h, func(a, b objectHold) int { return a.compare(&b) })
}

func putObject(list []objectHold, h objectHold) []objectHold {
	i, found := findObject(list, h)
	if list = slices.Clone(list); found {
		list[i] = h
		return list
	}
	return slices.Insert(list, i, h)
}

func dropObject(list []objectHold, h objectHold) []objectHold {
	if i, found := findObject(list, h); found {
		return slices.Delete(slices.Clone(list), i, i+1)
	}
	return list
}

func (p *policy) objectHold(o *ObjectGrant) (objectHold, bool) {
	perm, ok := p.graph.cat.ids[o.Permission]
	h := objectHold{perm: perm, on: o.On, grant: o.ID, until: never}
	if o.ExpiresAt != nil {
		h.until = o.ExpiresAt.UnixMilli()
	}
	return h, ok
}

// GrantObject lets a user or a role use a permission on an object, or for longer than they may already. Needs
// rbac.object.grant and the permission itself, both on that object. The event rbac.object_grant.approved commits with it.
// Cost: 3 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT, UNKNOWN_PERMISSION, NOT_FOUND, RBAC_ESCALATION,
// OBJECT_GRANT_LIMIT, OUTCOME_UNKNOWN.
func (s *Service) GrantObject(ctx context.Context, c ObjectGrantCmd) (ObjectGrant, error) {
	if err := c.check(s.cat, s.now()); err != nil {
		return ObjectGrant{}, err
	}
	if err := s.mayShare(ctx, c.Permission, c.On); err != nil {
		return ObjectGrant{}, err
	}
	var o ObjectGrant
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		if err := s.memberExists(ctx, c.Subject); err != nil {
			return blame(err, "input.subject")
		}
		o, err = t.putObject(ctx, c, Approved)
		return err
	})
	return o, err
}

// RequestObject asks for a permission on an object for the caller; somebody approves it, or nobody does. A request that
// waits already, and a grant there is, are the answer. Cost: 3 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, BAD_USER_INPUT, UNKNOWN_PERMISSION, OBJECT_GRANT_LIMIT, OUTCOME_UNKNOWN.
func (s *Service) RequestObject(ctx context.Context, c ObjectGrantCmd) (ObjectGrant, error) {
	me := actor.From(ctx)
	if me.User == "" {
		return ObjectGrant{}, fault.ErrUnauthenticated
	}
	c.Subject = me.Ref()
	if err := c.check(s.cat, s.now()); err != nil {
		return ObjectGrant{}, err
	}
	var o ObjectGrant
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		waiting, err := s.store.countRequests(ctx, c.Subject)
		if err != nil {
			return err
		}
		if waiting >= maxRequests {
			return ErrObjectGrants.With("limit", maxRequests)
		}
		o, err = t.putObject(ctx, c, Requested)
		return err
	})
	return o, err
}

// ApproveObject makes a request a grant. Needs what [Service.GrantObject] needs; nobody approves their own request. The event
// rbac.object_grant.approved commits with it. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION, OUTCOME_UNKNOWN.
func (s *Service) ApproveObject(ctx context.Context, id string) (ObjectGrant, error) {
	var o ObjectGrant
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		if o, err = s.store.objectGrant(ctx, id); err != nil {
			return err
		}
		if err := s.mayShare(ctx, o.Permission, o.On); err != nil {
			return err
		}
		if me := actor.From(ctx); !me.System && o.Subject == me.Ref() {
			return fault.ErrForbidden
		}
		if o.Status == Approved {
			return nil
		}
		o.Status, o.ApprovedBy = Approved, actor.From(ctx).Ref()
		if err := s.store.replaceObjectGrant(ctx, o); err != nil {
			return err
		}
		t.record(change{kind: kindObjectApproved, Object: &o})
		return nil
	})
	return o, err
}

// RevokeObject takes back a grant on an object, or refuses a request. Its subject may, and whoever may grant it. The event
// rbac.object_grant.revoked commits with it. Cost: 2 reads, 3 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, NOT_FOUND, RBAC_ESCALATION, OUTCOME_UNKNOWN.
func (s *Service) RevokeObject(ctx context.Context, id string) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		o, err := s.store.objectGrant(ctx, id)
		if err != nil {
			return err
		}
		if me := actor.From(ctx).Ref(); me.IsZero() || o.Subject != me {
			if err := s.mayShare(ctx, o.Permission, o.On); err != nil {
				return err
			}
		}
		return t.dropObject(ctx, o)
	})
}

// ForgetObject takes back all grants on objects that are deleted. It joins the caller's transaction and asks nobody's leave.
// After the commit the caller calls [Service.Sync]. Cost: 1 read, and 2 writes for each grant.
func (s *Service) ForgetObject(ctx context.Context, objects ...ref.Ref) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		all, err := s.store.objectGrantsOn(ctx, objects, 0)
		if err != nil {
			return err
		}
		for _, o := range all {
			if err := t.dropObject(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// ObjectGrants reads what is granted and requested on an object, the oldest first, at most 1,000. Needs rbac.object.grant on
// it. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) ObjectGrants(ctx context.Context, on ref.Ref) ([]ObjectGrant, error) {
	if err := s.Require(ctx, PermObjectGrant, on); err != nil {
		return nil, err
	}
	return s.store.objectGrantsOn(ctx, []ref.Ref{on}, maxListed)
}

// mayShare refuses who may not grant a permission on an object.
func (s *Service) mayShare(ctx context.Context, permission string, on ref.Ref) error {
	if err := s.Require(ctx, PermObjectGrant, on); err != nil {
		return err
	}
	err := s.Require(ctx, permission, on)
	if errors.Is(err, fault.ErrForbidden) {
		return ErrEscalation.With("missing", []string{permission})
	}
	return err
}

// putObject stores a grant on an object; one of the same subject and permission is made to last as long.
func (t *turn) putObject(ctx context.Context, c ObjectGrantCmd, status GrantStatus) (ObjectGrant, error) {
	by := actor.From(ctx).Ref()
	o, found, err := t.s.store.objectGrantOf(ctx, c.Subject, c.Permission, c.On)
	switch {
	case err != nil:
		return o, err
	case found && (status == Requested || o.Status == Approved && lasts(o.ExpiresAt, c.ExpiresAt)):
		return o, nil
	case !found:
		held, err := t.s.store.countObjectGrants(ctx, c.Subject)
		if err != nil {
			return o, err
		}
		if held >= MaxObjectGrants {
			return o, ErrObjectGrants.With("limit", MaxObjectGrants)
		}
		o = ObjectGrant{ID: ref.NewID(), Subject: c.Subject, Permission: c.Permission, On: c.On, GrantedBy: by, CreatedAt: t.s.now()}
	}
	o.Status, o.Reason, o.ExpiresAt = status, c.Reason, c.ExpiresAt
	kind := kindObjectRequested
	if status == Approved {
		o.ApprovedBy, kind = by, kindObjectApproved
	}
	t.record(change{kind: kind, Object: &o})
	return o, t.s.store.replaceObjectGrant(ctx, o)
}

func (t *turn) dropObject(ctx context.Context, o ObjectGrant) error {
	t.record(change{kind: kindObjectRevoked, Object: &o})
	return t.s.store.deleteObjectGrant(ctx, o.ID)
}

// isMember reports whether something can hold roles and grants.
func isMember(r ref.Ref) bool { return (r.Type == ref.User || r.Type == ref.Role) && r.ID != "" }

// lasts reports whether what ends then lasts at least until another time; nil is for ever.
func lasts(end, then *time.Time) bool { return end == nil || then != nil && !then.After(*end) }
