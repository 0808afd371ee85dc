package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/keyring"
)

const ringFile = "secret-keys"

// openRing gives the keys of the settings. In development without any, one is made at the first start and kept in the data
// folder, readable by its owner alone, so that what it has sealed still opens after a restart.
func openRing(cfg *config.Config) (*keyring.Ring, error) {
	if cfg.SecretKeys != "" {
		return keyring.Parse(cfg.SecretKeys)
	}
	name := filepath.Join(cfg.DataDir, ringFile)
	b, err := os.ReadFile(name) //nolint:gosec // the operator names the folder
	if err == nil {
		return keyring.Parse(strings.TrimSpace(string(b)))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key := keyring.NewKey("local")
	if err := makeOnce(name, key+"\n"); errors.Is(err, fs.ErrExist) { // another process was faster
		return openRing(cfg)
	} else if err != nil {
		return nil, err
	}
	return keyring.Parse(key)
}

// rotateKeys seals anew what older keys have sealed. Answers kept for idempotency keys are left: they are gone in a day.
func (c *core) rotateKeys(ctx context.Context) (int, error) {
	factors, err := c.factors.RotateKeys(ctx)
	if err != nil {
		return factors, err
	}
	mails, err := c.mail.RotateKeys(ctx)
	return factors + mails, err
}

// makeOnce writes a file that is not there yet, whole or not at all.
//
// Errors: fs.ErrExist.
func makeOnce(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ringFile+"-*") // readable by its owner alone
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), name) // unlike a rename, it replaces nothing
}
