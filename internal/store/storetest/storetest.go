// Package storetest gives tests a real MongoDB: one server for the whole run of `go test ./...`, shared by the test
// binaries of all packages, and one database for each test.
//
// The first binary that needs the server starts a supervisor process (itself, re-executed), which runs the same managed
// mongod as production code does and ends by itself when no test binary has used it for a while. The variable
// BACKENDBOOK_TEST_MONGODB_URI names another server to use instead.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Main runs the tests of a package. Each package whose tests need the server calls it: the supervisor is this very
// binary, started anew.
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
func Main(m *testing.M) {
	if dir := os.Getenv(supervisorEnv); dir != "" {
		idle, err := time.ParseDuration(os.Getenv(idleEnv))
		if err == nil {
			err = site{dir, idle}.supervise()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var uri = sync.OnceValues(attach)

// URI is the address of the server, credentials included.
func URI(t testing.TB) string {
	t.Helper()
	u, err := uri()
	if err != nil {
		t.Fatalf("test MongoDB: %v", err)
	}
	return u
}

// names maps a test's DB to the appName its fail points are scoped by.
var names sync.Map // *store.DB -> string

// DB is a new database on the server, dropped at the end of the test.
func DB(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, "bb_test_"+ref.NewID())
}

// Open is a connection of its own to a database: a second node of the same test, for example. The database is dropped at
// the end of the test.
func Open(t testing.TB, database string) *store.DB {
	t.Helper()
	name := ref.NewID()
	db, err := store.Open(context.Background(), store.Config{
		URI: URI(t), Database: database, AppName: name, Timeout: 30 * time.Second,
		StartWait: time.Minute, // all packages start at once, on few cores
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("test MongoDB: %v", err)
	}
	names.Store(db, name)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := db.Drop(ctx); err != nil {
			t.Logf("drop test database: %v", err)
		}
		db.Close(ctx)
		names.Delete(db)
	})
	return db
}

// Insert puts documents into a collection.
func Insert(t testing.TB, db *store.DB, coll string, docs ...any) {
	t.Helper()
	if _, err := db.Collection(coll).InsertMany(context.Background(), docs); err != nil {
		t.Fatalf("insert into %s: %v", coll, err)
	}
}

// Count counts the documents of a collection that match the filter, if one is given.
func Count(t testing.TB, db *store.DB, coll string, filter ...bson.D) int {
	t.Helper()
	match := bson.D{}
	if len(filter) > 0 {
		match = filter[0]
	}
	n, err := db.Collection(coll).CountDocuments(context.Background(), match)
	if err != nil {
		t.Fatalf("count %s: %v", coll, err)
	}
	return int(n)
}

// Name tells what fail points are to know a DB by that a test did not open itself: the appName its URI had.
func Name(t testing.TB, db *store.DB, appName string) {
	names.Store(db, appName)
	t.Cleanup(func() { names.Delete(db) })
}

// CutStreams keeps the change streams of this DB from hearing anything until restore is called, as if the network had lost just
// those: what else is asked is answered. It is a [FailPoint], so restore soon.
func CutStreams(t testing.TB, db *store.DB) (restore func()) {
	t.Helper()
	return FailPoint(t, db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"getMore", "aggregate"}}, {Key: "errorCode", Value: 43}, // CursorNotFound
	})
}

// FailPoint makes the server fail commands of this DB's connections, and of no other test's, until off is called or the
// test ends. mode is such as "alwaysOn" or bson.D{{"times", 2}}; data such as bson.D{{"failCommands", bson.A{"find"}},
// {"errorCode", 11600}}. See the server's failCommand fail point.
//
// It is one switch for the whole server, so tests that use it take turns, those of other packages included: call off as
// soon as the fault has done its work, and before the same test sets another one.
func FailPoint(t testing.TB, db *store.DB, mode any, data bson.D) (off func()) {
	t.Helper()
	name, ok := names.Load(db)
	if !ok {
		t.Fatal("fail point: this DB has no name of its own: see Name")
	}
	set := func(mode any, data bson.D) error {
		return db.Database().Client().Database("admin").RunCommand(context.Background(), bson.D{
			{Key: "configureFailPoint", Value: "failCommand"},
			{Key: "mode", Value: mode},
			{Key: "data", Value: append(slices.Clone(data), bson.E{Key: "appName", Value: name})},
		}).Err()
	}
	done, err := takeTurn(db)
	if err != nil {
		t.Fatalf("fail point: %v", err)
	}
	if err := set(mode, data); err != nil {
		done()
		t.Fatalf("fail point: %v", err)
	}
	off = sync.OnceFunc(func() {
		defer done()
		if err := set("off", bson.D{{Key: "failCommands", Value: bson.A{"hello"}}}); err != nil {
			t.Logf("fail point off: %v", err)
		}
	})
	t.Cleanup(off)
	return off
}

// turn is whose fail point is set in this process.
var turn struct {
	mu    sync.Mutex // held for the length of a turn
	owner atomic.Pointer[store.DB]
}

// takeTurn waits until no test of any process has a fail point set. A test that waits for itself is told so.
func takeTurn(db *store.DB) (done func(), err error) {
	if turn.owner.Load() == db {
		return nil, errors.New("this test has one set already: call its off first")
	}
	turn.mu.Lock()
	f, err := lock(filepath.Join(home, fmt.Sprintf("failpoint-%d.lock", os.Getuid())), exclusive)
	if err != nil {
		turn.mu.Unlock()
		return nil, err
	}
	turn.owner.Store(db)
	return func() {
		turn.owner.Store(nil)
		_ = f.Close()
		turn.mu.Unlock()
	}, nil
}

// Eventually waits until cond holds, asking often, and fails the test when it has not after within.
func Eventually(t testing.TB, within time.Duration, cond func() bool, msg string) {
	t.Helper()
	for end := time.Now().Add(within); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", within, msg)
		}
	}
}
