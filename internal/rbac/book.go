package rbac

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Book is the roles, the edges between them and the predicates as a file holds them: by keys, without ids and without people.
type Book struct {
	Roles      []Entry     `yaml:"roles"`
	Predicates []Condition `yaml:"predicates,omitempty"`
}

// Entry is one role of a [Book].
type Entry struct {
	Key         string     `yaml:"key"`
	Name        string     `yaml:"name"`
	Description string     `yaml:"description,omitempty"`
	Params      []Param    `yaml:"params,omitempty"`
	Permissions []Instance `yaml:"permissions,omitempty"`
	Includes    []Include  `yaml:"includes,omitempty"`
}

// Include is one edge of a [Book]: what a role includes, and how.
type Include struct {
	Role      Instance `yaml:"role"` // "viewer(region=EU)"
	NoInherit bool     `yaml:"noInherit,omitempty"`
	NoSet     bool     `yaml:"noSet,omitempty"`
	Admin     bool     `yaml:"admin,omitempty"`
}

// Condition is one predicate of a [Book].
type Condition struct {
	Permission  string `yaml:"permission"`
	Name        string `yaml:"name"`
	Expression  string `yaml:"expression"`
	Description string `yaml:"description,omitempty"`
}

// Export writes down the roles, by key, with what they include by grants without an end. Needs rbac.role.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) Export(ctx context.Context) (Book, error) {
	b, _, err := s.export(ctx)
	return b, err
}

// edge is a grant between roles with the keys of both.
type edge struct {
	grant  Grant
	member string
	Include
}

func (s *Service) export(ctx context.Context) (Book, []edge, error) {
	grants, err := s.Edges(ctx)
	if err != nil {
		return Book{}, nil, err
	}
	p, err := s.known()
	if err != nil {
		return Book{}, nil, err
	}
	edges := []edge{}
	for _, g := range grants {
		role, known := p.graph.rows[g.Role]
		member, alsoKnown := p.graph.rows[g.Member.ID]
		if known && alsoKnown && g.ExpiresAt == nil && g.NotBefore == nil {
			inc := Include{InstanceOf(p.graph.nodes[role].role.Key, g.Bind), g.NoInherit, g.NoSet, g.Admin}
			edges = append(edges, edge{g, p.graph.nodes[member].role.Key, inc})
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return strings.Compare(string(a.Role), string(b.Role)) })
	var b Book
	for key, row := range p.graph.keys {
		r := p.graph.nodes[row].role
		e := Entry{Key: key, Name: r.Name, Description: r.Description, Params: r.Params, Permissions: r.Permissions}
		for _, out := range edges {
			if out.member == key && !slices.Contains(e.Includes, out.Include) {
				e.Includes = append(e.Includes, out.Include)
			}
		}
		b.Roles = append(b.Roles, e)
	}
	slices.SortFunc(b.Roles, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	for perm := range s.cat.keys {
		for _, r := range p.predicates[uint32(perm)] {
			b.Predicates = append(b.Predicates, Condition{r.Permission, r.Name, r.Expression, r.Description})
		}
	}
	return b, edges, nil
}

// Changes are what it takes to make the policy as a book says.
type Changes struct {
	Ops   []Op
	Lines []string // a diff for people: "+" for what comes, "-" for what goes, "~" for what changes
}

// Compare tells what it takes to make the roles as the book says. What the book does not name stays, or goes with prune; the
// roles admin and member never do. Parameters of a role that is there cannot be changed. Needs rbac.role.read.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE; BAD_USER_INPUT for what names a role that is neither there nor in the book.
func (s *Service) Compare(ctx context.Context, want Book, prune bool) (Changes, error) {
	if err := s.Sync(ctx); err != nil {
		return Changes{}, err
	}
	have, edges, err := s.export(ctx)
	if err != nil {
		return Changes{}, err
	}
	p, err := s.known()
	if err != nil {
		return Changes{}, err
	}
	c := comparison{policy: p, ids: map[string]string{}, edges: edges}
	for key, row := range c.policy.graph.keys {
		c.ids[key] = c.policy.graph.nodes[row].role.ID
	}
	was := map[string]Entry{}
	for _, e := range have.Roles {
		was[e.Key] = e
	}
	for _, e := range want.Roles {
		old, there := was[e.Key]
		if err := c.role(e, old, there); err != nil {
			return Changes{}, err
		}
		delete(was, e.Key)
	}
	for _, e := range want.Roles {
		if err := c.includes(e, prune); err != nil {
			return Changes{}, err
		}
	}
	c.conditions(want.Predicates, prune)
	if prune {
		c.prune(was)
	}
	return c.Changes, nil
}

// comparison is one run of Compare.
type comparison struct {
	Changes
	policy *policy
	ids    map[string]string // of the roles that are there, or will be, by key
	edges  []edge
}

func (c *comparison) add(op Op, format string, args ...any) {
	c.Ops, c.Lines = append(c.Ops, op), append(c.Lines, fmt.Sprintf(format, args...))
}

func (c *comparison) role(e, old Entry, there bool) error {
	want := normal(e.Permissions)
	if !there {
		c.ids[e.Key] = ref.NewID()
		c.add(Op{CreateRole: &CreateRoleCmd{
			Key: e.Key, Name: e.Name, Description: e.Description, Params: e.Params, Permissions: want, id: c.ids[e.Key],
		}}, "+ role %s: %s", e.Key, words(want))
		return nil
	}
	if !slices.EqualFunc(e.Params, old.Params, func(a, b Param) bool {
		return a.Name == b.Name && a.Type == b.Type && slices.Equal(a.Values, b.Values)
	}) {
		return fault.ErrInput.Saying("the parameters of the role %s cannot be changed", e.Key)
	}
	if e.Key == RoleAdmin {
		return nil
	}
	up := UpdateRoleCmd{Role: c.ids[e.Key]}
	line := "~ role " + e.Key + ":"
	if e.Name != old.Name {
		up.Name, line = &e.Name, line+fmt.Sprintf(" name %q", e.Name)
	}
	if e.Description != old.Description {
		up.Description, line = &e.Description, line+fmt.Sprintf(" description %q", e.Description)
	}
	for _, i := range want {
		if !slices.Contains(old.Permissions, i) {
			up.Add, line = append(up.Add, i), line+" +"+string(i)
		}
	}
	for _, i := range old.Permissions {
		if !slices.Contains(want, i) {
			up.Remove, line = append(up.Remove, i), line+" -"+string(i)
		}
	}
	if !strings.HasSuffix(line, ":") {
		c.add(Op{UpdateRole: &up}, "%s", line)
	}
	return nil
}

// includes compares what a role includes: an edge with other options is changed, one that is missing comes, and with prune one
// that is not in the book goes.
func (c *comparison) includes(e Entry, prune bool) error {
	left := slices.Clone(c.edges)
	for _, inc := range e.Includes {
		key, bind := inc.Role.Split()
		id, known := c.ids[key]
		if !known {
			return fault.ErrInput.Saying("the role %s includes %s, which is not there", e.Key, key)
		}
		inc.Role = InstanceOf(key, bind)
		at := slices.IndexFunc(left, func(x edge) bool { return x.member == e.Key && x.Role == inc.Role })
		switch {
		case at < 0:
			c.add(Op{Grant: &GrantCmd{
				Role: id, Member: ref.New(ref.Role, c.ids[e.Key]), Bind: bind, NoInherit: inc.NoInherit, NoSet: inc.NoSet, Admin: inc.Admin,
			}}, "+ %s includes %s%s", e.Key, inc.Role, inc.options())
		case left[at].Include != inc:
			c.add(Op{Options: &OptionsCmd{Grant: left[at].grant.ID, NoInherit: inc.NoInherit, NoSet: inc.NoSet, Admin: inc.Admin, Mode: Cascade}},
				"~ %s includes %s%s", e.Key, inc.Role, inc.options())
		}
		left = slices.DeleteFunc(left, func(x edge) bool { return x.member == e.Key && x.Role == inc.Role })
	}
	for _, x := range left {
		if prune && x.member == e.Key {
			c.add(Op{Revoke: x.grant.ID}, "- %s includes %s", e.Key, x.Role)
		}
	}
	return nil
}

func (i Include) options() string {
	text := ""
	if i.NoInherit {
		text += " (not inherited)"
	}
	if i.NoSet {
		text += " (not to be activated)"
	}
	if i.Admin {
		text += " (admin)"
	}
	return text
}

func (c *comparison) conditions(want []Condition, prune bool) {
	seen := map[string]bool{}
	for _, w := range want {
		seen[w.Permission+"/"+w.Name] = true
		old, there := c.condition(w.Permission, w.Name)
		if !there || old.Expression != w.Expression || old.Description != w.Description {
			c.add(Op{Predicate: &PredicateCmd{w.Permission, w.Name, w.Expression, w.Description}}, "%s predicate %s of %s: %s",
				map[bool]string{true: "~", false: "+"}[there], w.Name, w.Permission, w.Expression)
		}
	}
	for _, rules := range c.policy.predicates {
		for _, r := range rules {
			if prune && !seen[r.Permission+"/"+r.Name] {
				c.add(Op{RemovePredicate: r.ID}, "- predicate %s of %s", r.Name, r.Permission)
			}
		}
	}
}

func (c *comparison) condition(permission, name string) (Predicate, bool) {
	perm, ok := c.policy.graph.cat.ids[permission]
	if !ok {
		return Predicate{}, false
	}
	i := slices.IndexFunc(c.policy.predicates[perm], func(r rule) bool { return r.Name == name })
	if i < 0 {
		return Predicate{}, false
	}
	return c.policy.predicates[perm][i].Predicate, true
}

// prune takes away roles that the book does not name.
func (c *comparison) prune(left map[string]Entry) {
	gone := make([]Entry, 0, len(left))
	for _, e := range left {
		if e.Key != RoleAdmin && e.Key != RoleMember {
			gone = append(gone, e)
		}
	}
	slices.SortFunc(gone, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	for _, e := range gone {
		c.add(Op{DeleteRole: c.ids[e.Key]}, "- role %s", e.Key)
	}
}

// Apply carries out changes, all or none, in one revision. Needs what each of them needs. Cost: that of the changes, 1 commit.
//
// Errors: those of the changes.
func (s *Service) Apply(ctx context.Context, ops []Op) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		for _, op := range ops {
			if err := t.try(ctx, op); err != nil {
				return err
			}
		}
		return nil
	})
}

func words(all []Instance) string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return strings.Join(out, " ")
}
