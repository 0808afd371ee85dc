package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/internal/config"
)

// host gives the commands what they need of the process.
type host struct {
	cfg  *config.Loaded
	log  *slog.Logger // of the server
	calm *slog.Logger // of commands: a person is looking at the terminal for something else
	term io.Writer
}

// Serve implements [cli.Host].
func (h *host) Serve(ctx context.Context) (err error) {
	ctx = actor.With(ctx, actor.Actor{}) // requests descend from it, and must be nobody's until they say whose they are
	Tune(&h.cfg.Config)
	a, err := Build(ctx, &h.cfg.Config, h.log, Options{})
	if err != nil {
		return startError(ctx, err)
	}
	defer func() {
		err = errors.Join(err, a.Close(ctx))
		h.log.InfoContext(ctx, "stopped")
	}()
	if err := a.Listen(ctx); err != nil {
		return err
	}
	a.greet(h.term)
	return a.Run(ctx)
}

// startError is what kept the server from starting; being told to stop meanwhile is no failure.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the error only tells that the start was cut short
	}
	return fmt.Errorf("the server does not start: %w", err)
}

// greet tells a developer where to look. The passwords are shown here and nowhere else: not in the log.
func (a *App) greet(w io.Writer) {
	if a.cfg.IsProduction() {
		return
	}
	at := a.URL()
	var b strings.Builder
	fmt.Fprintf(&b, "\nBackend Book is running.\n  console    %s/\n  explorer   %s/explorer\n  GraphQL    %s/graphql\n", at, at, at)
	if internal := a.InternalURL(); internal != "" {
		fmt.Fprintf(&b, "  metrics    %s/metrics\n", internal)
	}
	b.WriteByte('\n')
	if len(a.made) > 0 {
		_ = cli.PrintSignIns(&b, a.made)
		b.WriteByte('\n')
	}
	_, _ = io.WriteString(w, b.String())
}

// Migrate implements [cli.Host].
func (h *host) Migrate(ctx context.Context, dryRun bool) (m cli.Migration, err error) {
	c, err := connect(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	r, err := c.db.Migrate(ctx, schema(), dryRun)
	return cli.Migration{Created: r.Created, Applied: r.Applied, Warnings: r.Warnings}, err
}

// Seed implements [cli.Host].
func (h *host) Seed(ctx context.Context) (made []cli.SignIn, err error) {
	c, err := openCore(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	return c.seed(ctx)
}

// Open implements [cli.Host].
func (h *host) Open(ctx context.Context) (*cli.Services, func(), error) {
	c, err := openCore(ctx, &h.cfg.Config, h.calm, Options{Attach: true})
	if err != nil {
		return nil, nil, err
	}
	release := func() {
		if err := c.close(ctx); err != nil {
			h.calm.WarnContext(ctx, "close_failed", "error", err.Error())
		}
	}
	if err := c.roles.LoadOnce(ctx); err != nil {
		release()
		return nil, nil, err
	}
	return &cli.Services{
		Accounts: c.accounts, Auth: c.auth, Roles: c.roles, Plans: c.plans, Analytics: c.analytics, Documents: c.documents, Jobs: c.jobs, Exports: c.exports,
		RotateKeys: c.rotateKeys,
	}, release, nil
}

// PrintConfig implements [cli.Host].
func (h *host) PrintConfig(w io.Writer) error { return h.cfg.Print(w) }

// WriteConfigDocs implements [cli.Host].
func (h *host) WriteConfigDocs(w io.Writer) error { return config.WriteDocs(w) }
