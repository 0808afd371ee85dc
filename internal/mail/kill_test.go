package mail

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// victimEnv tells this binary that it is the process to be killed, and what it needs.
const victimEnv = "BACKENDBOOK_TEST_MAIL_VICTIM"

type orders struct {
	URI, Database, Keys string
	Config              Config
}

// TestVictim is the process that is killed; on its own it is no test.
func TestVictim(t *testing.T) {
	t.Parallel()
	raw := os.Getenv(victimEnv)
	if raw == "" {
		t.Skip("only as a child of TestKilledWhileSending")
	}
	var o orders
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Config{URI: o.URI, Database: o.Database}, log)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Parse(o.Keys)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(db, clock.NewManual(t0).Now, log, ring, o.Config)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t.Context())
}

// A process is killed after the mail server has the whole mail and before it has said so. The mail is lost to nobody: the
// next process sends it once the lease is over, under the same Message-ID, so that a server or a client that kept the
// first one can tell.
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	reached, hold := make(chan struct{}, 1), make(chan struct{})
	server.answer(nil, nil, func() error {
		reached <- struct{}{}
		<-hold
		return nil // the first server keeps it, though nobody hears that
	})
	keys := keyring.NewKey("k1")
	ring, err := keyring.Parse(keys)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.DB(t)
	migrate(t, db)
	n := newNode(t, db, clock.NewManual(t0), ring, server.config(plainTCP))
	n.queue(t, signIn("ada@example.org"))

	raw, err := json.Marshal(orders{storetest.URI(t), db.Database().Name(), keys, n.cfg})
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
	victim.Env = append(os.Environ(), victimEnv+"="+string(raw))
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-time.After(30 * time.Second):
		t.Error("the victim sends nothing")
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the victim ended with %v", err)
	}
	close(hold)
	server.await(t, 1)
	server.answer(nil, nil, nil)

	n.run(t)
	if l := n.only(t); l.State != stateWaiting || l.Tries != 1 {
		t.Errorf("after the kill the letter is %s, %d tries", l.State, l.Tries)
	}
	n.clock.Advance(n.pace.lease)
	n.await(t, stateSent, 1)
	got := server.got()
	if len(got) != 2 {
		t.Fatalf("%d mails arrived", len(got))
	}
	if a, b := parse(t, got[0].Raw).Get("Message-Id"), parse(t, got[1].Raw).Get("Message-Id"); a != b || a == "" {
		t.Errorf("message ids %s and %s", a, b)
	}
}
