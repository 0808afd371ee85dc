package mail

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// node is one process: a service on a database that others may share, and a clock to be moved.
type node struct {
	*Service
	db    *store.DB
	clock *clock.Manual
	cfg   Config
	logs  *logs
}

// devConfig has no SMTP host: mails stay in the mailbox.
func devConfig() Config { return Config{PublicURL: "https://book.example"} }

func setUp(t testing.TB, cfg Config) node {
	t.Helper()
	db := storetest.DB(t)
	migrate(t, db)
	return newNode(t, db, clock.NewManual(t0), keyring.Random(), cfg)
}

// migrate makes the collection without the index that deletes: the server has the time of day, by which everything that
// happens at t0 expired long ago.
func migrate(t testing.TB, db *store.DB) {
	t.Helper()
	cols := Collections()
	cols[0].Indexes = slices.DeleteFunc(cols[0].Indexes, func(ix store.Index) bool { return ix.Expires })
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
}

// newNode is quick: it polls each 5 ms, and stops within 20.
func newNode(t testing.TB, db *store.DB, c *clock.Manual, ring *keyring.Ring, cfg Config) node {
	t.Helper()
	seen := &logs{}
	s, err := New(db, c.Now, slog.New(slog.NewTextHandler(seen, &slog.HandlerOptions{Level: slog.LevelDebug})), ring, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.pace.poll, s.pace.eager, s.pace.grace = 5*time.Millisecond, time.Millisecond, 20*time.Millisecond
	return node{s, db, c, cfg, seen}
}

// peer is another process on the same database, at the same time of day.
func (n node) peer(t testing.TB) node {
	p := newNode(t, n.db, n.clock, n.ring, n.cfg)
	if n.smtp != nil {
		p.smtp.roots = n.smtp.roots
	}
	return p
}

// run lets the node deliver until the end of the test or until stop, which waits for it, is called.
func (n node) run(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func signIn(to string) Message {
	return Message{To: to, Locale: "en", Template: "sign_in", Data: map[string]any{
		"Name": "Ada", "Code": "482913", "Link": "bbl_theSecret", "Minutes": 15,
	}}
}

func (n node) queue(t testing.TB, m Message) {
	t.Helper()
	if err := n.Queue(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// only is the one letter in the outbox.
func (n node) only(t testing.TB) letter {
	t.Helper()
	all, err := store.Find[letter](t.Context(), n.db.Collection(collection), bson.D{})
	if err != nil || len(all) != 1 {
		t.Fatalf("the outbox has %d letters, %v; want 1", len(all), err)
	}
	return all[0]
}

func (n node) inState(t testing.TB, state string) int {
	t.Helper()
	return storetest.Count(t, n.db, collection, bson.D{{Key: "state", Value: state}})
}

// await waits until that many letters are in a state.
func (n node) await(t testing.TB, state string, count int) {
	t.Helper()
	storetest.Eventually(t, 20*time.Second, func() bool { return n.inState(t, state) == count }, "letters are "+state)
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
