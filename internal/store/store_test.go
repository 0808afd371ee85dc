package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

type row struct {
	ID string `bson:"_id"`
	N  int    `bson:"n"`
	K  string `bson:"k"`
}

// x is the document most tests work on.
func x() bson.D { return bson.D{{Key: "_id", Value: "x"}} }

// inc adds one to n.
func inc() bson.D { return bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}} }

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	good := storetest.URI(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nobody.Close() }()
	userinfo := good[len("mongodb://"):strings.Index(good, "@")]
	for _, tc := range []struct {
		name, uri string
		want      error
	}{
		{"nobody answers", "mongodb://" + nobody.Addr().String() + "/?directConnection=true", store.ErrUnreachable},
		{"a wrong password", strings.Replace(good, userinfo, userinfo+"x", 1), store.ErrCredentials},
		{"no password", strings.Replace(good, userinfo+"@", "", 1), store.ErrCredentials},
		{"a standalone server", standalone(t), store.ErrStandalone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), store.Config{URI: tc.uri, StartWait: 2 * time.Second}, slog.New(slog.DiscardHandler))
			if !errors.Is(err, tc.want) {
				t.Fatalf("Open() = %v, want %v", err, tc.want)
			}
			if _, password, _ := strings.Cut(userinfo, ":"); strings.Contains(err.Error(), password) {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// standalone starts a mongod without a replica set: the same binary the test server runs.
func standalone(t *testing.T) string {
	t.Helper()
	raw, err := storetest.DB(t).Database().Client().Database("admin").RunCommand(t.Context(), bson.D{{Key: "getCmdLineOpts", Value: 1}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir := t.TempDir()
	binary, err := filepath.EvalSymlinks(raw.Lookup("argv", "0").StringValue())
	if err != nil {
		t.Skip("the test server runs on another machine")
	}
	cmd := exec.Command(binary, "--dbpath", dir, "--port", strconv.Itoa(port), "--bind_ip", "127.0.0.1", "--nounixsocket",
		"--logpath", filepath.Join(dir, "log"), "--wiredTigerCacheSizeGB", "0.25")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	storetest.Eventually(t, 30*time.Second, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, "the standalone server listens")
	return "mongodb://" + addr + "/"
}

func TestDeadlineReachesTheServer(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	storetest.FailPoint(t, db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"find"}}, {Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 2000},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := store.FindByID[row](ctx, db.Collection("c"), "x")
	if !errors.Is(err, fault.ErrTimeout) || time.Since(begin) > 1500*time.Millisecond {
		t.Errorf("after %v: %v, want DEADLINE_EXCEEDED at once", time.Since(begin), err)
	}
}

// Every read tells the server how long it may take, so that it stops by itself.
func TestReadsCarryMaxTimeMS(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	c := db.Collection("c")
	storetest.Insert(t, db, "c", row{ID: "x"})
	if err := db.Database().RunCommand(t.Context(), bson.D{{Key: "profile", Value: 2}}).Err(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	_, err1 := store.FindByID[row](ctx, c, "x")
	_, err2 := store.Find[row](ctx, c, bson.D{})
	_, err3 := store.FindPage[row](ctx, c, bson.D{}, page.Window{Size: 1}, store.Key{Field: "_id"})
	_, err4 := store.Aggregate[row](ctx, c, bson.A{bson.D{{Key: "$match", Value: bson.D{}}}})
	_, err5 := c.UpdateOne(ctx, x(), inc())
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	if err := db.Database().RunCommand(t.Context(), bson.D{{Key: "profile", Value: 0}}).Err(); err != nil {
		t.Fatal(err)
	}
	seen, err := store.Find[struct {
		Op      string   `bson:"op"`
		Command bson.Raw `bson:"command"`
	}](t.Context(), db.Collection("system.profile"), bson.D{{Key: "ns", Value: db.Database().Name() + ".c"}})
	if err != nil || len(seen) != 5 {
		t.Fatalf("profiled %d commands, %v", len(seen), err)
	}
	for _, s := range seen {
		if s.Op == "update" {
			continue // the profiler shows a write without the envelope that carries it; the driver sets it there itself
		}
		if ms, ok := s.Command.Lookup("maxTimeMS").AsInt64OK(); !ok || ms < 1 || ms > 7000 {
			t.Errorf("%s without a bound: %v", s.Op, s.Command)
		}
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	storetest.Insert(t, db, "c", row{ID: "x"})
	_, dup := db.Collection("c").InsertOne(t.Context(), row{ID: "x"})
	if !store.IsDuplicate(store.Translate(dup)) || !store.DuplicateOf(dup, "_id_") || store.DuplicateOf(dup, "_id") {
		t.Errorf("a duplicate key is %v", dup)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.FindByID[row](ctx, db.Collection("c"), "x"); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("a cancelled find is %v", err)
	}
	if _, err := store.FindByID[row](t.Context(), db.Collection("c"), "none"); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("no document is %v", err)
	}
	if store.Translate(nil) != nil {
		t.Error("Translate(nil) is an error")
	}
	broken := mongo.CommandError{Message: "connection reset", Labels: []string{"NetworkError"}}
	if err := store.Translate(broken); !errors.Is(err, fault.ErrUnavailable) || !errors.As(err, &mongo.CommandError{}) {
		t.Errorf("a broken connection is %v", err)
	}
}

func TestFindPageBothWays(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	want := make([]string, 25)
	for i := range want {
		want[i] = fmt.Sprintf("%02d", i)
		storetest.Insert(t, db, "c", row{ID: want[i], K: strconv.Itoa(i / 7)}) // k is not unique, k with _id is
	}
	at := func(r row) page.Cursor { return page.Cursor{r.K, r.ID} }
	keys := []store.Key{{Field: "k"}, {Field: "_id"}}
	size := 4
	walk := func(next func(p page.Page[row]) (page.Args, bool), args page.Args) []string {
		var got []string
		for more := true; more; {
			w, err := args.Check(2)
			if err != nil {
				t.Fatal(err)
			}
			read, err := store.FindPage[row](t.Context(), db.Collection("c"), bson.D{}, w, keys...)
			if err != nil {
				t.Fatal(err)
			}
			p := page.Fold(w, read, at)
			var ids []string
			for _, r := range p.Items {
				ids = append(ids, r.ID)
			}
			if args.Last != nil {
				got = append(ids, got...)
			} else {
				got = append(got, ids...)
			}
			args, more = next(p)
		}
		return got
	}
	forward := walk(func(p page.Page[row]) (page.Args, bool) {
		return page.Args{First: &size, After: &p.Cursors[len(p.Cursors)-1]}, p.HasNext
	}, page.Args{First: &size})
	backward := walk(func(p page.Page[row]) (page.Args, bool) {
		return page.Args{Last: &size, Before: &p.Cursors[0]}, p.HasPrevious
	}, page.Args{Last: &size})
	if fmt.Sprint(forward) != fmt.Sprint(want) || fmt.Sprint(backward) != fmt.Sprint(want) {
		t.Errorf("forward  %v\nbackward %v\nwant     %v", forward, backward, want)
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	ctx, n := store.WithCounter(t.Context())
	for range 3 {
		_, _ = store.FindByID[row](ctx, db.Collection("c"), "x")
	}
	_, _ = store.FindByIDs(ctx, db.Collection("c"), []string{"a", "b"}, func(r row) string { return r.ID })
	_, _ = store.FindByIDs(ctx, db.Collection("c"), nil, func(r row) string { return r.ID }) // asks nobody
	if n.Count("find") != 4 || n.Total() != 4 {
		t.Errorf("counted %d finds of %d commands, want 4 of 4", n.Count("find"), n.Total())
	}
}

// TestReq68ReadsGoToThePrimary: whatever the connection string would rather have, reads go to the primary, and writes are
// acknowledged.
func TestReq68ReadsGoToThePrimary(t *testing.T) {
	t.Parallel()
	uri, options, _ := strings.Cut(storetest.URI(t), "?")
	weak := uri + "?" + options + "&readPreference=secondary&readConcernLevel=local&w=0&journal=false"
	db, err := store.Open(t.Context(), store.Config{URI: weak, Database: "bb_test_" + ref.NewID()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = db.Drop(context.Background())
		db.Close(context.Background())
	})
	coll := db.Database().Collection("rows")
	if res, err := coll.InsertOne(t.Context(), row{ID: "x", N: 1}); err != nil || !res.Acknowledged {
		t.Fatalf("a write nobody has acknowledged: %+v, %v", res, err)
	}
	// There is no secondary: a read that prefers one would find nobody.
	if got, err := store.FindByID[row](t.Context(), coll, "x"); err != nil || got.N != 1 {
		t.Errorf("FindByID() = %+v, %v", got, err)
	}
}
