package cli

import (
	"context"
	"fmt"
)

// RotateKeysCmd seals anew what older keys have sealed.
type RotateKeysCmd struct{}

// Run does it, and prints how many things that were.
func (c *RotateKeysCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	n, err := s.RotateKeys(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Out, n)
	return err
}
