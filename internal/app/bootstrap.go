package app

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// freeDocuments is how many documents a user of the default plan may own.
const freeDocuments = 20

// freeBytes is how many bytes of attachments they may own.
const freeBytes = 100 << 20

// bootstrap makes what no database of ours is without: the role of administrators, the role every user has, and the
// default plan. What is there already stays as an administrator left it, but for the administrators' role, which always
// holds every permission.
func (c *core) bootstrap(ctx context.Context) error {
	ctx = actor.With(ctx, actor.System())
	roles := []rbac.RoleSpec{{
		Key: rbac.RoleAdmin, Name: "Administrator", Description: "May do everything.", Permissions: []rbac.Instance{rbac.Every},
	}}
	switch _, err := c.roles.ByKey(ctx, rbac.RoleMember); {
	case errors.Is(err, fault.ErrNotFound):
		roles = append(roles, rbac.RoleSpec{
			Key: rbac.RoleMember, Name: "Member", Description: "What every user may do.",
			Permissions: []rbac.Instance{registry.PermRead, registry.PermCreate, analytics.PermView + "(metric=*)"},
		})
	case err != nil:
		return err
	}
	if err := c.roles.Ensure(ctx, roles); err != nil {
		return err
	}
	if err := c.ensureProductMetrics(ctx); err != nil {
		return err
	}
	if all, err := c.plans.All(ctx); err != nil || len(all) > 0 {
		return err
	}
	_, err := c.plans.Apply(ctx, plan.ApplyCmd{Book: plan.Book{Plans: []plan.BookPlan{{
		Key: "free", Name: "Free", Default: true,
		Features: []plan.Rule{{Feature: registry.FeatureDocuments, Limit: new(int64(freeDocuments))}, {Feature: attachment.FeatureBytes, Limit: new(int64(freeBytes))}, {Feature: featureKeys, On: true}},
	}}}})
	return err
}

// seed makes the demo if the settings say so, else in development the first administrator of an empty database. It gives
// the sign-ins that were made.
func (c *core) seed(ctx context.Context) ([]cli.SignIn, error) {
	ctx = actor.With(ctx, actor.System())
	if c.cfg.Demo.Enabled {
		made, err := c.demo.Seed(ctx)
		all := make([]cli.SignIn, len(made))
		for i, m := range made {
			all[i] = cli.SignIn{Email: m.Email, Password: m.Password, Role: m.Role}
		}
		return all, err
	}
	if c.cfg.IsProduction() {
		return nil, nil
	}
	one := 1
	if users, err := c.accounts.List(ctx, page.Args{First: &one}); err != nil || len(users.Items) > 0 {
		return nil, err
	}
	return c.firstAdmin(ctx)
}

const firstEmail = "admin@example.com"

func (c *core) firstAdmin(ctx context.Context) ([]cli.SignIn, error) {
	password := cli.NewPassword()
	u, err := c.auth.Create(ctx, account.CreateCmd{Email: firstEmail, Name: "Administrator", Password: password})
	if errors.Is(err, account.ErrEmailTaken) { // another node was faster
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	role, err := c.roles.ByKey(ctx, rbac.RoleAdmin)
	if err != nil {
		return nil, err
	}
	if _, err := c.roles.Grant(ctx, rbac.GrantCmd{Role: role.ID, Member: ref.New(ref.User, u.ID)}); err != nil {
		return nil, err
	}
	return []cli.SignIn{{Email: firstEmail, Password: password, Role: rbac.RoleAdmin}}, nil
}
