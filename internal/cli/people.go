package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
)

// UserCreateAdminCmd makes an administrator.
type UserCreateAdminCmd struct {
	Email string `arg:"" help:"Mail address of the administrator."`
	Name  string `help:"Display name." default:"Administrator"`
}

// Run makes the account, lets it hold the role of administrators, and prints the one-time link to choose a password with.
func (c *UserCreateAdminCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	u, link, err := s.Auth.CreateAdmin(ctx, account.CreateCmd{Email: c.Email, Name: c.Name}, func(ctx context.Context, u account.User) error {
		return grant(ctx, s, u, rbac.RoleAdmin)
	})
	if err != nil {
		return err
	}
	env.say("%s may do everything", u.Ref())
	return printLink(env, link)
}

// printLink prints a link that lets somebody choose a password, and nothing else on standard output.
func printLink(env *Env, link string) error {
	env.say("open this within an hour to choose a password; it is good once:")
	_, err := fmt.Fprintln(env.Out, link)
	return err
}

// NewPassword makes a password nobody can guess: 100 bits.
func NewPassword() string { return strings.ToLower(rand.Text()[:20]) }

// UserResetCmd lets somebody choose a new password.
type UserResetCmd struct {
	Email string `arg:"" help:"Mail address of the user."`
}

// Run prints the one-time link. Nobody else ever knows the password.
func (c *UserResetCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	u, err := s.Accounts.ByEmail(ctx, c.Email)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Email, err)
	}
	link, err := s.Auth.ResetLink(ctx, u)
	if err != nil {
		return err
	}
	return printLink(env, link)
}

// UserImportCmd brings users of another system along, with their passwords.
type UserImportCmd struct {
	File string `arg:"" type:"existingfile" help:"One JSON object in a line: email, name, username, hash. The hash is argon2id, bcrypt, scrypt or as Django stores it."`
}

// imported is one line of the file.
type imported struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Hash     string `json:"hash"`
}

// Run imports line by line. A line that is refused is told and does not keep the others from coming in; a user who is there
// already is left as they are, so the import can be run again.
func (c *UserImportCmd) Run(ctx context.Context, env *Env) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	made, refused := 0, 0
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := importOne(ctx, s, lines.Bytes()); err != nil {
			if ctx.Err() != nil {
				return err
			}
			refused++
			env.say("line %d: %v", n, err)
			continue
		}
		made++
	}
	env.say("%d imported, %d refused", made, refused)
	if err := lines.Err(); err != nil {
		return err
	}
	if refused > 0 {
		return errRefused
	}
	return nil
}

var errRefused = errors.New("some lines were refused")

func importOne(ctx context.Context, s *Services, line []byte) error {
	var in imported
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return errors.New("this is not a JSON object with email, name, username and hash") // the text may hold the hash
	}
	_, err := s.Auth.Import(ctx, account.ImportCmd{Email: in.Email, Name: in.Name, Username: in.Username, Hash: in.Hash})
	return err
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
		rows = append(rows, row{u.Ref().String(), u.Email(), u.Name, u.CreatedAt})
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
	return printTable(env.Out, cells)
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

func grant(ctx context.Context, s *Services, u account.User, key string) error {
	role, err := s.Roles.ByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("role %s: %w", key, err)
	}
	_, err = s.Roles.Grant(ctx, rbac.GrantCmd{Role: role.ID, Member: u.Ref()})
	return err
}
