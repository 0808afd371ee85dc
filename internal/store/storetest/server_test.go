//go:build !windows

package storetest

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/store"
)

func TestOneServerForManyUsersWhichEndsAfterThem(t *testing.T) {
	t.Parallel()
	s := site{t.TempDir(), 300 * time.Millisecond}
	const n = 4
	uris, uses := make([]string, n), make([]*os.File, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if uris[i], uses[i], err = s.attach(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, u := range uris {
		if u != uris[0] {
			t.Fatal("two users were given different servers")
		}
	}
	mustAnswer(t, uris[0])

	// A supervisor that is killed takes its server with it; the next user has a new one.
	owner, _ := processes(t, s)
	if err := syscall.Kill(owner, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 5*time.Second, supervisor{owner}.ended, "the supervisor is killed")
	again, use, err := s.attach()
	if err != nil {
		t.Fatal(err)
	}
	mustAnswer(t, again)

	owner, server := processes(t, s)
	for _, f := range append(uses, use) {
		_ = f.Close()
	}
	Eventually(t, 20*time.Second, supervisor{owner}.ended, "the supervisor ends when it is not used")
	if err := syscall.Kill(server, 0); err == nil && !zombie(server) {
		t.Errorf("mongod (process %d) outlives its supervisor", server)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(left) != 4 { // three locks and the log
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRemovingTheFolderEndsTheServer(t *testing.T) {
	t.Parallel()
	s := site{filepath.Join(t.TempDir(), "site"), time.Hour}
	_, use, err := s.attach()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = use.Close() }()
	owner, _ := processes(t, s)
	Eventually(t, 10*time.Second, func() bool { return os.RemoveAll(s.dir) == nil }, "the folder is removed")
	Eventually(t, 20*time.Second, supervisor{owner}.ended, "the supervisor ends with its folder")
}

func mustAnswer(t *testing.T, uri string) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URI: uri}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	db.Close(context.WithoutCancel(t.Context()))
}

// processes gives the supervisor and the mongod of a site.
func processes(t *testing.T, s site) (owner, server int) {
	t.Helper()
	states, err := filepath.Glob(filepath.Join(s.dir, "data-*", "state.json"))
	if err != nil || len(states) != 1 {
		t.Fatalf("the site has %d servers, %v", len(states), err)
	}
	raw, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	var st struct{ PID, Owner int }
	if err := json.Unmarshal(raw, &st); err != nil || st.PID == 0 || st.Owner == 0 {
		t.Fatalf("state %+v, %v", st, err)
	}
	return st.Owner, st.PID
}

// zombie tells a process that only waits to be reaped; nobody reaps orphans in some containers.
func zombie(pid int) bool {
	raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, _ := strings.Cut(string(raw), ") ")
	return strings.HasPrefix(rest, "Z")
}
