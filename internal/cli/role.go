package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// RoleGrantCmd grants a role.
type RoleGrantCmd struct {
	Member    string    `arg:"" help:"Mail address of a user, or role: and the key of a role."`
	Role      string    `arg:"" help:"Key of the role; with its parameters, such as 'report-viewer(region=EU)', * for any value."`
	NoInherit bool      `help:"The member has the rights only while the role is activated."`
	NoSet     bool      `help:"The member cannot activate the role."`
	Admin     bool      `help:"The member may let others hold the role."`
	Until     time.Time `help:"When it ends, such as 2027-01-01T00:00:00Z; never if not given."`
	Reason    string    `help:"Why, for those who ask later."`
}

// Run grants it.
func (c *RoleGrantCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	member, err := memberOf(ctx, s, c.Member)
	if err != nil {
		return err
	}
	key, bind := rbac.Instance(c.Role).Split()
	role, err := roleOf(ctx, s, key)
	if err != nil {
		return err
	}
	g := rbac.GrantCmd{Role: role.ID, Member: member, Bind: bind, NoInherit: c.NoInherit, NoSet: c.NoSet, Admin: c.Admin, Reason: c.Reason}
	if !c.Until.IsZero() {
		g.ExpiresAt = new(c.Until.UTC())
	}
	made, err := s.Roles.Grant(ctx, g)
	if err != nil {
		return inWords(err)
	}
	env.say("%s holds %s by %s", member, c.Role, made.Ref())
	return nil
}

// RoleRevokeCmd takes a role back.
type RoleRevokeCmd struct {
	Member  string `arg:"" help:"Mail address of a user, or role: and the key of a role."`
	Role    string `arg:"" help:"Key of the role; with its parameters if only that grant is meant."`
	Cascade bool   `help:"Also take back what the member granted as an admin of the role."`
}

// Run revokes every grant of the role to the member.
func (c *RoleRevokeCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	member, err := memberOf(ctx, s, c.Member)
	if err != nil {
		return err
	}
	key, bind := rbac.Instance(c.Role).Split()
	role, err := roleOf(ctx, s, key)
	if err != nil {
		return err
	}
	grants, err := s.Roles.GrantsOf(ctx, member)
	if err != nil {
		return err
	}
	mode, found := rbac.Restrict, false
	if c.Cascade {
		mode = rbac.Cascade
	}
	for _, g := range grants {
		if g.Role != role.ID || bind != "" && g.Bind != bind {
			continue
		}
		found = true
		gone, err := s.Roles.Revoke(ctx, g.ID, mode)
		if err != nil {
			return inWords(err)
		}
		for _, id := range gone.Grants {
			env.say("%s is gone", ref.New(ref.Grant, id))
		}
		if len(gone.StillHeld) > 0 {
			env.say("still held by %s", strings.Join(gone.StillHeld, ", "))
		}
	}
	if !found {
		return fmt.Errorf("%s holds %s by no grant: %w", member, c.Role, fault.ErrNotFound)
	}
	return nil
}

// RoleListCmd lists roles.
type RoleListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (c *RoleListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	roles := []rbac.Role{}
	if err := pages(ctx, s.Roles.List, func(r rbac.Role) { roles = append(roles, r) }); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, roles)
	}
	cells := [][]string{{"KEY", "NAME", "PERMISSIONS OF ITS OWN"}}
	for _, r := range roles {
		cells = append(cells, []string{r.Key, r.Name, join(r.Permissions)})
	}
	return printTable(env.Out, cells)
}

// RoleExplainCmd explains a decision.
type RoleExplainCmd struct {
	Email      string `arg:"" help:"Mail address of the user."`
	Permission string `arg:"" help:"Key of the permission; with its arguments, such as 'report.view(region=EU)'."`
	On         string `help:"Global id of the object it is asked for."`
	JSON       bool   `help:"Print JSON."`
}

// Run prints the answer and the way to it; a refusal is exit code 1, like the test of a file.
func (c *RoleExplainCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	user, err := memberOf(ctx, s, c.Email)
	if err != nil {
		return err
	}
	key, bind := rbac.Instance(c.Permission).Split()
	check := rbac.Check{Permission: key, Args: bind.Map()}
	if c.On != "" {
		if check.On, err = ref.Parse(c.On); err != nil {
			return usage("--on: %v", err)
		}
	}
	e, err := s.Roles.Explain(ctx, user.ID, check)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(env.Out, e)
	} else {
		_, err = fmt.Fprintf(env.Out, "%s\n%s\n", map[bool]string{true: "ALLOW", false: "DENY"}[e.Allowed], e.Text())
	}
	if err == nil && !e.Allowed {
		err = errDenied
	}
	return err
}

var errDenied = errors.New("denied")

// RoleExportCmd writes the roles down.
type RoleExportCmd struct{}

// Run prints them.
func (c *RoleExportCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	book, err := s.Roles.Export(ctx)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(book)
	if err != nil {
		return err
	}
	_, err = env.Out.Write(text)
	return err
}

// bookFile is a file of roles and what of it is meant.
type bookFile struct {
	File  string `arg:"" type:"existingfile" help:"A YAML file as 'role export' prints it."`
	Prune bool   `help:"Also take away roles, edges and predicates that the file does not name; the roles admin and member stay."`
}

// compare reads the file and tells the difference.
func (c *bookFile) compare(ctx context.Context, s *Services) (rbac.Changes, error) {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return rbac.Changes{}, err
	}
	var book rbac.Book
	if err := yaml.UnmarshalWithOptions(text, &book, yaml.Strict()); err != nil {
		return rbac.Changes{}, usage("%s: %s", c.File, yaml.FormatError(err, false, true))
	}
	return s.Roles.Compare(ctx, book, c.Prune)
}

// RoleImportCmd makes the roles as a file says.
type RoleImportCmd struct {
	bookFile

	DryRun bool `help:"Only print the difference."`
}

// Run prints the difference and carries it out.
func (c *RoleImportCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	changes, err := c.compare(ctx, s)
	if err != nil {
		return inWords(err)
	}
	for _, line := range changes.Lines {
		if _, err := fmt.Fprintln(env.Out, line); err != nil {
			return err
		}
	}
	switch {
	case len(changes.Ops) == 0:
		env.say("nothing differs")
		return nil
	case c.DryRun:
		env.say("nothing was changed")
		return nil
	}
	if err := s.Roles.Apply(ctx, changes.Ops); err != nil {
		return inWords(err)
	}
	env.say("%d changes, revision %d", len(changes.Ops), s.Roles.Rev())
	return nil
}

// RoleSimulateCmd tells what an import would mean to people.
type RoleSimulateCmd struct {
	bookFile

	JSON bool `help:"Print JSON."`
}

// Run prints who would gain and lose what.
func (c *RoleSimulateCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	changes, err := c.compare(ctx, s)
	if err != nil {
		return inWords(err)
	}
	if len(changes.Ops) == 0 {
		env.say("nothing differs")
		return nil
	}
	sim, err := s.Roles.Simulate(ctx, changes.Ops)
	if err != nil {
		return inWords(err)
	}
	if c.JSON {
		return printJSON(env.Out, sim)
	}
	ids := make([]string, len(sim.Diffs))
	for i, d := range sim.Diffs {
		ids[i] = d.User
	}
	people, err := s.Accounts.ByIDs(ctx, ids)
	if err != nil {
		return err
	}
	cells := [][]string{{"USER", "NAME", "GAINS", "LOSES"}}
	for _, d := range sim.Diffs {
		cells = append(cells, []string{ref.New(ref.User, d.User).String(), people[d.User].Name, join(d.Gains), join(d.Loses)})
	}
	if !sim.Complete {
		env.say("there are more than these %d users", len(sim.Diffs))
	}
	return printTable(env.Out, cells)
}

// memberOf is the user with a mail address, or the role of "role:key".
func memberOf(ctx context.Context, s *Services, name string) (ref.Ref, error) {
	if key, isRole := strings.CutPrefix(name, "role:"); isRole {
		r, err := roleOf(ctx, s, key)
		return r.Ref(), err
	}
	u, err := s.Accounts.ByEmail(ctx, name)
	if err != nil {
		return ref.Ref{}, fmt.Errorf("%s: %w", name, err)
	}
	return u.Ref(), nil
}

func roleOf(ctx context.Context, s *Services, key string) (rbac.Role, error) {
	r, err := s.Roles.ByKey(ctx, key)
	if err != nil {
		return r, fmt.Errorf("role %s: %w", key, err)
	}
	return r, nil
}

// inWords puts the details of a refusal beside it: the path of a cycle, what is missing, who depends on it.
func inWords(err error) error {
	f := fault.From(err)
	if len(f.Details) == 0 {
		return err
	}
	return fmt.Errorf("%w: %v", err, f.Details)
}

// join writes permissions one beside the other.
func join(all []rbac.Instance) string {
	words := make([]string, len(all))
	for i, one := range all {
		words[i] = string(one)
	}
	return strings.Join(words, " ")
}
