package rbac

import (
	"maps"
	"math"
	"slices"

	"github.com/backendbook/backendbook/internal/ref"
)

// The kinds of events, which are the kinds of changes.
const (
	kindRoleCreated      = "rbac.role.created"
	kindRoleUpdated      = "rbac.role.updated"
	kindRoleDeleted      = "rbac.role.deleted"
	kindGrantCreated     = "rbac.grant.created"
	kindGrantExtended    = "rbac.grant.extended"
	kindGrantChanged     = "rbac.grant.changed"
	kindGrantRevoked     = "rbac.grant.revoked"
	kindGrantCascaded    = "rbac.grant.cascaded"
	kindObjectRequested  = "rbac.object_grant.requested"
	kindObjectApproved   = "rbac.object_grant.approved"
	kindObjectRevoked    = "rbac.object_grant.revoked"
	kindPredicateSet     = "rbac.predicate.set"
	kindPredicateRemoved = "rbac.predicate.removed"
	kindFieldSet         = "rbac.field.set"
	kindFieldRemoved     = "rbac.field.removed"
)

// kindExpired tells that a grant is over. It is no change: what is over has not counted since its end.
const kindExpired = "rbac.grant.expired"

// change is one part of the step of the policy from revision Rev-1 to Rev. It is the data of an event.
type change struct {
	kind      string
	Rev       int64        `bson:"rev"`
	Part      int          `bson:"part"`                // from 0
	Parts     int          `bson:"parts"`               // how many changes make up the step
	Cause     string       `bson:"cause,omitempty"`     // global id of what this part follows from
	Escalated bool         `bson:"escalated,omitempty"` // it gave what the actor did not hold, by leave of [PermEscalate] or [PermBind]
	Role      *Role        `bson:"role,omitempty"`
	Grant     *Grant       `bson:"grant,omitempty"`
	Object    *ObjectGrant `bson:"object,omitempty"`
	Predicate *Predicate   `bson:"predicate,omitempty"`
	Field     *FieldRule   `bson:"field,omitempty"`
}

// on is what the change is about.
func (c change) on() ref.Ref {
	switch {
	case c.Role != nil:
		return c.Role.Ref()
	case c.Grant != nil:
		return c.Grant.Ref()
	case c.Object != nil:
		return c.Object.Ref()
	case c.Predicate != nil:
		return c.Predicate.Ref()
	default:
		return c.Field.Ref()
	}
}

// users are those whose rights the changes may touch; nil for everybody.
func users(changes []change) []string {
	all := make([]string, 0, len(changes))
	for _, c := range changes {
		switch {
		case c.Grant != nil && c.Grant.Member.Type == ref.User:
			all = append(all, c.Grant.Member.ID)
		case c.Object != nil && c.Object.Subject.Type == ref.User:
			all = append(all, c.Object.Subject.ID)
		default:
			return nil
		}
	}
	return all
}

// person is what one user holds, made so that most checks look at no more than these few bytes.
type person struct {
	plain [2]uint32 // rows, plus one, of the first holds of roles without parameters that always count; 0 for none
	only  bool      // there is nothing besides
	timed bool      // something of it begins or ends
	*held
}

// held is all that one user holds. It is immutable.
type held struct {
	holds   []hold       // by grant id
	objects []objectHold // in the order of objectHold.compare
}

// asPerson is the holder of these.
func asPerson(h held) person {
	p := person{held: &h}
	p.timed = slices.ContainsFunc(h.holds, func(h hold) bool { return h.from != math.MinInt64 || h.until != never }) ||
		slices.ContainsFunc(h.objects, func(o objectHold) bool { return o.until != never })
	n := 0
	for _, one := range h.holds {
		if n < len(p.plain) && one.flags&noInherit == 0 && one.from == math.MinInt64 && one.until == never && one.bind == nil {
			p.plain[n] = one.role + 1
			n++
		}
	}
	p.only = n == len(h.holds) && len(h.objects) == 0
	return p
}

// nobody holds nothing.
var nobody = asPerson(held{})

// people is who holds what, in shards so that the change of one user copies little.
type people struct {
	shards [1024]map[string]person
}

// shard is FNV-1a of the last four bytes: the end of an id of ours is random.
func (p *people) shard(user string) uint32 {
	h := uint32(2166136261)
	for i := max(0, len(user)-4); i < len(user); i++ {
		h = (h ^ uint32(user[i])) * 16777619
	}
	return h >> 22
}

func (p *people) of(user string) person {
	if who, ok := p.shards[p.shard(user)][user]; ok {
		return who
	}
	return nobody
}

// set changes a table that is being built.
func (p *people) set(user string, who held) {
	i := p.shard(user)
	if p.shards[i] == nil {
		p.shards[i] = map[string]person{}
	}
	if len(who.holds)+len(who.objects) == 0 {
		delete(p.shards[i], user)
		return
	}
	p.shards[i][user] = asPerson(who)
}

func (p *people) with(user string, who held) *people {
	n := *p
	i := p.shard(user)
	n.shards[i] = maps.Clone(p.shards[i])
	n.set(user, who)
	return &n
}

// policy is everything a check needs, as of one revision. It is immutable.
type policy struct {
	rev        int64
	graph      *graph
	people     *people
	predicates map[uint32][]rule       // by permission
	fields     map[ref.Ref][]FieldRule // by what the fields are of
}

// stored is the policy as the database has it.
type stored struct {
	rev        int64
	roles      []Role
	grants     []Grant
	objects    []ObjectGrant
	predicates []Predicate
	fields     []FieldRule
}

// build compiles what was read of the database. A grant of a role that is not there counts for nothing.
func build(cat *catalogue, all stored, now int64) *policy {
	p := &policy{
		rev: all.rev, graph: newGraph(cat), people: &people{},
		predicates: map[uint32][]rule{}, fields: map[ref.Ref][]FieldRule{},
	}
	for _, r := range all.roles {
		p.graph.setRole(r)
	}
	up := map[uint32][]hold{}
	for i := range all.grants {
		g := &all.grants[i]
		h, ok := p.hold(g)
		if !ok {
			continue
		}
		if g.Member.Type == ref.User {
			who := *p.people.of(g.Member.ID).held
			who.holds = putHold(who.holds, h)
			p.people.set(g.Member.ID, who)
		} else if row, ok := p.graph.rows[g.Member.ID]; ok {
			up[row] = putHold(up[row], h)
		}
	}
	p.graph.link(up)
	for i := range all.objects {
		p.buildObject(&all.objects[i])
	}
	for _, one := range all.predicates {
		p.predicates = withRule(p.predicates, cat, one)
	}
	for _, f := range all.fields {
		p.fields[f.On] = putField(p.fields[f.On], f)
	}
	p.graph.compile(now)
	return p
}

// buildObject puts a grant on an object into a policy that is being built.
func (p *policy) buildObject(o *ObjectGrant) {
	h, ok := p.objectHold(o)
	if !ok || o.Status != Approved {
		return
	}
	if o.Subject.Type == ref.User {
		who := *p.people.of(o.Subject.ID).held
		who.objects = putObject(who.objects, h)
		p.people.set(o.Subject.ID, who)
	} else if row, ok := p.graph.rows[o.Subject.ID]; ok {
		n := p.graph.nodes[row]
		n.objects = putObject(n.objects, h)
	}
}

// hold is the grant as its member keeps it; false when its role is not there.
func (p *policy) hold(g *Grant) (hold, bool) {
	row, ok := p.graph.rows[g.Role]
	if !ok {
		return hold{}, false
	}
	h := hold{grant: g.ID, role: row, from: math.MinInt64, until: never}
	if g.NotBefore != nil {
		h.from = g.NotBefore.UnixMilli()
	}
	if g.ExpiresAt != nil {
		h.until = g.ExpiresAt.UnixMilli()
	}
	for flag, on := range map[uint8]bool{noInherit: g.NoInherit, noSet: g.NoSet, withAdmin: g.Admin} {
		if on {
			h.flags |= flag
		}
	}
	if params := p.graph.nodes[row].params; len(params) > 0 {
		var holder []string
		if g.Member.Type == ref.Role {
			if member, ok := p.graph.rows[g.Member.ID]; ok {
				holder = p.graph.nodes[member].params
			}
		}
		h.bind = new(slotsOf(g.Bind, params, holder))
	}
	return h, true
}

// apply is the policy after the changes of one step; false when they do not fit, so something must have been missed.
func (p *policy) apply(changes []change, now int64) (*policy, bool) {
	n := p
	for _, c := range changes {
		next := *n
		next.rev = c.Rev
		if !next.put(c, now) {
			return nil, false
		}
		n = &next
	}
	return n, true
}

// put changes a copy of a policy.
func (p *policy) put(c change, now int64) bool {
	switch {
	case c.Role != nil && c.kind == kindRoleDeleted:
		p.graph = p.graph.withoutRole(*c.Role, now)
	case c.Role != nil:
		p.graph = p.graph.withRole(*c.Role, now)
	case c.Grant != nil:
		return p.putGrant(c, now)
	case c.Object != nil:
		return p.putObjectGrant(c, now)
	case c.Predicate != nil && c.kind == kindPredicateRemoved:
		p.predicates = withoutRule(p.predicates, *c.Predicate)
	case c.Predicate != nil:
		p.predicates = withRule(p.predicates, p.graph.cat, *c.Predicate)
	case c.Field != nil:
		p.fields = maps.Clone(p.fields)
		list := dropField(p.fields[c.Field.On], c.Field.Path)
		if c.kind != kindFieldRemoved {
			list = putField(list, *c.Field)
		}
		p.fields[c.Field.On] = list
	default:
		return false
	}
	return true
}

func (p *policy) putGrant(c change, now int64) bool {
	h, ok := p.hold(c.Grant)
	if !ok {
		return false
	}
	edit := func(list []hold) []hold {
		if c.kind == kindGrantRevoked || c.kind == kindGrantCascaded {
			return dropHold(list, h.grant)
		}
		return putHold(list, h)
	}
	member := c.Grant.Member
	if member.Type == ref.User {
		who := *p.people.of(member.ID).held
		who.holds = edit(who.holds)
		p.people = p.people.with(member.ID, who)
		return true
	}
	row, ok := p.graph.rows[member.ID]
	if ok {
		p.graph = p.graph.withHolds(row, edit(p.graph.nodes[row].up), now)
	}
	return ok
}

func (p *policy) putObjectGrant(c change, now int64) bool {
	h, ok := p.objectHold(c.Object)
	if !ok {
		return true // a permission of another release
	}
	edit := func(list []objectHold) []objectHold {
		if c.Object.Status == Approved && c.kind != kindObjectRevoked {
			return putObject(list, h)
		}
		return dropObject(list, h)
	}
	subject := c.Object.Subject
	if subject.Type == ref.User {
		who := *p.people.of(subject.ID).held
		who.objects = edit(who.objects)
		p.people = p.people.with(subject.ID, who)
		return true
	}
	row, ok := p.graph.rows[subject.ID]
	if ok {
		p.graph = p.graph.withObjects(row, edit(p.graph.nodes[row].objects), now)
	}
	return ok
}
