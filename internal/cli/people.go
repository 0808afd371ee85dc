package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// UserCreateAdminCmd makes an administrator.
type UserCreateAdminCmd struct {
	Email         string `arg:"" help:"Mail address to sign in with."`
	Name          string `help:"Display name." default:"Administrator"`
	PasswordStdin bool   `help:"Read the password from standard input, one line. Otherwise one is made and printed."`
}

// Run makes the account and lets it hold the role of administrators.
func (c *UserCreateAdminCmd) Run(ctx context.Context, env *Env) error {
	password, made, err := readPassword(env.In, c.PasswordStdin)
	if err != nil {
		return err
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	u, err := s.Auth.Create(ctx, account.CreateCmd{Email: c.Email, Name: c.Name, Password: password})
	if errors.Is(err, account.ErrEmailTaken) {
		return fmt.Errorf("%w: to make its owner an administrator, say `role grant %s %s`", err, c.Email, rbac.RoleAdmin)
	}
	if err != nil {
		return err
	}
	if err := grant(ctx, s, u, rbac.RoleAdmin); err != nil {
		return err
	}
	env.say("made %s", u.Ref())
	if made {
		return PrintSignIns(env.Out, []SignIn{{c.Email, password, rbac.RoleAdmin}})
	}
	return nil
}

// NewPassword makes a password nobody can guess: 100 bits.
func NewPassword() string { return strings.ToLower(rand.Text()[:20]) }

// readPassword reads one line, or makes a password.
func readPassword(in io.Reader, fromIn bool) (password string, made bool, err error) {
	if !fromIn {
		return NewPassword(), true, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if password = strings.TrimRight(line, "\r\n"); password == "" {
		return "", false, usage("standard input holds no password")
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return password, false, err
}

// UserSetPasswordCmd sets a password.
type UserSetPasswordCmd struct {
	Email         string `arg:"" help:"Mail address of the user."`
	PasswordStdin bool   `help:"Read the password from standard input, one line. Otherwise one is made and printed."`
}

// Run sets it and ends the user's sessions.
func (c *UserSetPasswordCmd) Run(ctx context.Context, env *Env) error {
	password, made, err := readPassword(env.In, c.PasswordStdin)
	if err != nil {
		return err
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	u, err := s.Accounts.ByEmail(ctx, c.Email)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Email, err)
	}
	if err := s.Auth.SetPassword(ctx, u.ID, password); err != nil {
		return err
	}
	env.say("set; all sessions of %s have ended", u.Ref())
	if made {
		return PrintSignIns(env.Out, []SignIn{{c.Email, password, ""}})
	}
	return nil
}

// UserListCmd lists users.
type UserListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (c *UserListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	type row struct {
		ID, Email, Name string
		CreatedAt       time.Time
	}
	rows := []row{}
	err = pages(ctx, s.Accounts.List, func(u account.User) {
		rows = append(rows, row{u.Ref().String(), u.Email, u.Name, u.CreatedAt})
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, rows)
	}
	cells := [][]string{{"ID", "MAIL ADDRESS", "NAME", "SINCE"}}
	for _, r := range rows {
		cells = append(cells, []string{r.ID, r.Email, r.Name, r.CreatedAt.Format(time.DateOnly)})
	}
	return table(env.Out, cells)
}

// pages reads a list to its end.
func pages[T any](ctx context.Context, list func(context.Context, page.Args) (page.Page[T], error), each func(T)) error {
	size := page.MaxSize
	args := page.Args{First: &size}
	for {
		p, err := list(ctx, args)
		if err != nil {
			return err
		}
		for _, v := range p.Items {
			each(v)
		}
		if !p.HasNext {
			return nil
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
}

// RoleGrantCmd grants a role.
type RoleGrantCmd struct {
	Email string `arg:"" help:"Mail address of the user."`
	Role  string `arg:"" help:"Key of the role."`
}

// Run grants it.
func (c *RoleGrantCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	u, err := s.Accounts.ByEmail(ctx, c.Email)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Email, err)
	}
	if err := grant(ctx, s, u, c.Role); err != nil {
		return err
	}
	env.say("%s holds %s", u.Ref(), c.Role)
	return nil
}

func grant(ctx context.Context, s *Services, u account.User, key string) error {
	role, err := s.Roles.ByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("role %s: %w", key, err)
	}
	_, err = s.Roles.Grant(ctx, rbac.GrantCmd{Role: role.ID, Member: ref.New(ref.User, u.ID)})
	return err
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
		cells = append(cells, []string{r.Key, r.Name, strings.Join(r.Permissions, " ")})
	}
	return table(env.Out, cells)
}

// PlanListCmd lists plans.
type PlanListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (c *PlanListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	all, err := s.Plans.All(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, all)
	}
	cells := [][]string{{"KEY", "NAME", "PRICE", "LIMITS"}}
	for _, p := range all {
		var limits []string
		for _, l := range p.Limits {
			most := "any"
			if l.Limit != nil {
				most = strconv.FormatInt(*l.Limit, 10)
			}
			limits = append(limits, l.Feature+"="+most)
		}
		key := p.Key
		if p.Default {
			key += " (default)"
		}
		cells = append(cells, []string{key, p.Name, fmt.Sprintf("%d.%02d %s", p.Price.AmountMinor/100, p.Price.AmountMinor%100, p.Price.Currency), strings.Join(limits, " ")})
	}
	return table(env.Out, cells)
}
