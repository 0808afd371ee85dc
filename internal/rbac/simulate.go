package rbac

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Op is one change to try out: exactly one of its fields is set.
type Op struct {
	Grant      *GrantCmd
	Revoke     string // id of a grant; what depends on it goes too
	Options    *OptionsCmd
	CreateRole *CreateRoleCmd
	UpdateRole *UpdateRoleCmd
	DeleteRole string // id of a role; its grants go too

	Predicate       *PredicateCmd
	RemovePredicate string // id
}

// Bounds of a simulation.
const (
	MaxOps   = 100
	maxDiffs = 1000 // users told of
)

// Diff is what a change would mean to one user.
type Diff struct {
	User  string
	Gains []Instance
	Loses []Instance
}

// Simulation is what changes would mean.
type Simulation struct {
	Rev      int64  // of the policy it was tried on
	Diffs    []Diff // users whose rights would change, by id
	Complete bool   // no more users would be touched than Diffs tells
}

// errSimulated ends the transaction of a simulation, so that nothing of it stays.
var errSimulated = errors.New("only tried")

// Simulate tells who would gain and who would lose what by these changes, one after the other: they are carried out under the
// rules of the real ones, for the caller, in a transaction that is never committed. Needs rbac.role.read besides what the
// changes need. Cost: that of the changes, and a look at every user in memory.
//
// Errors: those of the changes; BAD_USER_INPUT.
func (s *Service) Simulate(ctx context.Context, ops []Op) (Simulation, error) {
	if err := s.Require(ctx, PermRoleRead, ref.Ref{}); err != nil {
		return Simulation{}, err
	}
	if len(ops) == 0 || len(ops) > MaxOps {
		return Simulation{}, fault.ErrInput.On("input.ops").Saying("1 to %d changes can be simulated at once", MaxOps)
	}
	if err := s.Sync(ctx); err != nil {
		return Simulation{}, err
	}
	var out Simulation
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.known()
		if err != nil {
			return err
		}
		t := &turn{s: s, view: before}
		for _, op := range ops {
			if err := t.try(ctx, op); err != nil {
				return err
			}
		}
		if t.view == nil {
			return ErrStale
		}
		out = compare(before, t.view, s.now().UnixMilli())
		return errSimulated
	})
	if errors.Is(err, errSimulated) {
		err = nil
	}
	return out, err
}

func (t *turn) try(ctx context.Context, op Op) (err error) {
	switch {
	case op.Grant != nil:
		_, err = t.grantRole(ctx, *op.Grant)
	case op.Revoke != "":
		_, err = t.revoke(ctx, op.Revoke, Cascade)
	case op.Options != nil:
		_, err = t.setOptions(ctx, *op.Options)
	case op.CreateRole != nil:
		_, err = t.createRole(ctx, *op.CreateRole)
	case op.UpdateRole != nil:
		_, err = t.updateRole(ctx, *op.UpdateRole)
	case op.DeleteRole != "":
		_, err = t.deleteRole(ctx, op.DeleteRole, Cascade)
	case op.Predicate != nil:
		_, err = t.setPredicate(ctx, *op.Predicate)
	case op.RemovePredicate != "":
		err = t.removePredicate(ctx, op.RemovePredicate)
	default:
		err = fault.ErrInput.On("input.ops").Saying("a change must say what it is")
	}
	return err
}

// compare tells whose rights differ between two policies.
func compare(before, after *policy, now int64) Simulation {
	out := Simulation{Rev: before.rev, Diffs: []Diff{}, Complete: true}
	for _, user := range touched(before, after) {
		a, b := before.people.of(user), after.people.of(user)
		had, has := before.rights(&a, now), after.rights(&b, now)
		d := Diff{User: user, Gains: instances(before.missing(had, has, nil, nil)), Loses: instances(after.missing(has, had, nil, nil))}
		if len(d.Gains)+len(d.Loses) == 0 {
			continue
		}
		if len(out.Diffs) == maxDiffs {
			out.Complete = false
			break
		}
		out.Diffs = append(out.Diffs, d)
	}
	return out
}

// touched is the users who hold something else, or something that gives something else; sorted.
func touched(before, after *policy) []string {
	changed := func(row uint32) bool {
		return int(row) < len(before.graph.nodes) && before.graph.nodes[row].live != after.graph.nodes[row].live
	}
	found := map[string]struct{}{}
	for i := range before.people.shards {
		a, b := before.people.shards[i], after.people.shards[i]
		for user, who := range a {
			now, stays := b[user]
			if !stays || !sameHolds(who.holds, now.holds) || slices.ContainsFunc(who.holds, func(h hold) bool { return changed(h.role) }) {
				found[user] = struct{}{}
			}
		}
		for user := range b {
			if _, known := a[user]; !known {
				found[user] = struct{}{}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), strings.Compare)
}

func sameHolds(a, b []hold) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func instances(words []string) []Instance {
	all := make([]Instance, len(words))
	for i, w := range words {
		all[i] = Instance(w)
	}
	slices.Sort(all)
	return all
}
