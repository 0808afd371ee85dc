package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/backendbook/backendbook/internal/webauth"
)

// MailDeadCmd lists mails that were given up.
type MailDeadCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists them, the newest first, without what they say.
func (c *MailDeadCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	dead := []webauth.DeadMail{}
	if err := pages(ctx, s.Auth.DeadMails, func(l webauth.DeadMail) { dead = append(dead, l) }); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, dead)
	}
	cells := [][]string{{"ID", "TO", "TEMPLATE", "TRIES", "GIVEN UP", "BECAUSE"}}
	for _, l := range dead {
		cells = append(cells, []string{l.ID, l.To, l.Template, strconv.Itoa(l.Tries), l.DeadAt.Format(time.DateTime), l.Error})
	}
	return printTable(env.Out, cells)
}

// MailRetryCmd sends a mail that was given up after all.
type MailRetryCmd struct {
	ID string `arg:"" help:"Id of the mail, as mail dead prints it."`
}

// Run puts it back into the outbox; a server that runs sends it.
func (c *MailRetryCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := s.Auth.RetryMail(ctx, c.ID); err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	env.say("back in the outbox")
	return nil
}
