package mongod

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

const setName = "bb0"

// state is what a later start, or another process on the folder, must know. It holds the password, hence 0600.
type state struct {
	PID      int    `json:"pid"`   // of mongod; 0 when it does not run
	Owner    int    `json:"owner"` // of the process that supervises it; 0 when it does not run
	Port     int    `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Version  string `json:"version"`
}

// host is the address of the child, also its name in the replica set's configuration.
func (s state) host() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s state) uri() string {
	u := url.URL{
		Scheme: "mongodb", User: url.UserPassword(s.User, s.Password), Host: s.host(), Path: "/",
		RawQuery: "replicaSet=" + setName,
	}
	return u.String()
}

// loadState reads state.json, or makes up a new state if there is none. A lost file is no harm: the new user is then
// created with the key's authority (see replset.enter).
func loadState(ctx context.Context, f folder) (state, error) {
	st, err := readState(f)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return st, err
	}
	st.User = "bb_" + strings.ToLower(rand.Text()[:10])
	st.Password = rand.Text() + rand.Text()
	st.Port, err = freePort(ctx)
	return st, err
}

func readState(f folder) (state, error) {
	var st state
	raw, err := os.ReadFile(f.state())
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal(raw, &st); err != nil {
		return st, fmt.Errorf("%s is damaged, delete it to have new credentials made: %w", f.state(), err)
	}
	return st, nil
}

func saveState(f folder, st state) error {
	raw, err := json.MarshalIndent(st, "", "  ") //nolint:gosec // the one place the password is kept, 0600
	if err != nil {
		return err
	}
	return writeFile(f.state(), append(raw, '\n'), 0o600)
}

// loadKey reads the replica set's key, or makes one. Whoever holds it is root, so only the owner may read it; mongod
// itself refuses a key that others can read.
func loadKey(f folder) (string, error) {
	raw, err := os.ReadFile(f.key())
	switch {
	case err == nil && len(raw) >= 6: // mongod's own minimum
		return string(raw), os.Chmod(f.key(), 0o400)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w (%w)", ErrNotWritable, err)
	}
	key := rand.Text() + rand.Text() + rand.Text()
	return key, writeFile(f.key(), []byte(key), 0o400)
}

// The range lies below the ports that Linux, macOS and Windows hand out by themselves, so that a port which was ours
// yesterday is seldom taken today.
const firstPort, ports = 20000, 10000

// freePort finds a port nobody listens on. Another process may take it before mongod does; the start loop then asks again.
func freePort(ctx context.Context) (int, error) {
	var last error
	for range 100 {
		port := firstPort + mathrand.IntN(ports)
		if last = probe(ctx, port); last == nil {
			return port, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return 0, fmt.Errorf("%w (100 of %d to %d were tried: %w)", ErrPortTaken, firstPort, firstPort+ports-1, last)
}

// probe reports whether the port can be listened on now.
func probe(ctx context.Context, port int) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}
