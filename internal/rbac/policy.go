package rbac

import (
	"hash/maphash"
	"maps"

	"github.com/backendbook/backendbook/internal/ref"
)

// The kinds of events, which are the kinds of changes.
const (
	kindRoleCreated   = "rbac.role.created"
	kindRoleUpdated   = "rbac.role.updated"
	kindGrantCreated  = "rbac.grant.created"
	kindGrantExtended = "rbac.grant.extended"
	kindGrantRevoked  = "rbac.grant.revoked"
)

// change is one step of the policy, from revision Rev-1 to Rev. It is the data of the event of that revision.
type change struct {
	kind  string
	Rev   int64  `bson:"rev"`
	Role  *Role  `bson:"role,omitempty"`
	Grant *Grant `bson:"grant,omitempty"`
}

// on is what the change is about.
func (c change) on() ref.Ref {
	if c.Role != nil {
		return c.Role.Ref()
	}
	return c.Grant.Ref()
}

// users are those whose rights the change may touch; nil for everybody.
func (c change) users() []string {
	if c.Grant != nil && c.Grant.Member.Type == ref.User {
		return []string{c.Grant.Member.ID}
	}
	return nil
}

// people is who holds what, in shards so that the change of one user copies little.
type people struct {
	seed   maphash.Seed
	shards [256]map[string][]hold
}

func (p *people) shard(user string) int {
	return int(maphash.String(p.seed, user) % uint64(len(p.shards)))
}

func (p *people) of(user string) []hold { return p.shards[p.shard(user)][user] }

// set changes a table that is being built.
func (p *people) set(user string, list []hold) {
	i := p.shard(user)
	if p.shards[i] == nil {
		p.shards[i] = map[string][]hold{}
	}
	if len(list) == 0 {
		delete(p.shards[i], user)
		return
	}
	p.shards[i][user] = list
}

func (p *people) with(user string, list []hold) *people {
	n := *p
	i := p.shard(user)
	n.shards[i] = maps.Clone(p.shards[i])
	n.set(user, list)
	return &n
}

// policy is everything a check needs, as of one revision. It is immutable.
type policy struct {
	rev    int64
	graph  *graph
	people *people
}

// build compiles what was read of the database. A grant of a role that is not there counts for nothing.
func build(cat *catalogue, rev int64, roles []Role, grants []Grant, now int64) *policy {
	p := &policy{rev: rev, graph: newGraph(cat), people: &people{seed: maphash.MakeSeed()}}
	for _, r := range roles {
		p.graph.setRole(r)
	}
	for _, g := range grants {
		h, ok := p.hold(g)
		if !ok {
			continue
		}
		if g.Member.Type == ref.User {
			p.people.set(g.Member.ID, putHold(p.people.of(g.Member.ID), h))
		} else if row, ok := p.graph.rows[g.Member.ID]; ok {
			p.graph.up[row] = putHold(p.graph.up[row], h)
		}
	}
	p.graph.compile(now)
	return p
}

func (p *policy) hold(g Grant) (hold, bool) {
	row, ok := p.graph.rows[g.Role]
	h := hold{grant: g.ID, role: row, until: never}
	if g.ExpiresAt != nil {
		h.until = g.ExpiresAt.UnixMilli()
	}
	return h, ok
}

// apply is the policy after the change; false when the change does not fit, so something must have been missed.
func (p *policy) apply(c change, now int64) (*policy, bool) {
	n := &policy{rev: c.Rev, graph: p.graph, people: p.people}
	if c.Role != nil {
		n.graph = p.graph.withRole(*c.Role, now)
		return n, true
	}
	if c.Grant == nil {
		return nil, false
	}
	h, ok := p.hold(*c.Grant)
	if !ok {
		return nil, false
	}
	edit := func(list []hold) []hold {
		if c.kind == kindGrantRevoked {
			return dropHold(list, h.grant)
		}
		return putHold(list, h)
	}
	member := c.Grant.Member
	if member.Type == ref.User {
		n.people = p.people.with(member.ID, edit(p.people.of(member.ID)))
		return n, true
	}
	row, ok := p.graph.rows[member.ID]
	if !ok {
		return nil, false
	}
	n.graph = p.graph.withHolds(row, edit(p.graph.up[row]), now)
	return n, true
}

// decide answers one check. It is the hot path: no lock, no allocation.
func (p *policy) decide(user string, perm uint32, now int64) Decision {
	held := p.people.of(user)
	for i := range held {
		if now < held[i].until && p.graph.row(p.graph.live, held[i].role).has(perm) {
			return Decision{Allowed: true, Reason: Allowed}
		}
	}
	for i := range held {
		if p.graph.row(p.graph.ever, held[i].role).has(perm) {
			return Decision{Reason: Expired}
		}
	}
	return Decision{Reason: NoGrant}
}

// rights is all permissions of a user.
func (p *policy) rights(user string, now int64) set {
	all := make(set, p.graph.cat.words())
	for _, h := range p.people.of(user) {
		if now < h.until {
			all.merge(p.graph.row(p.graph.live, h.role))
		}
	}
	return all
}
