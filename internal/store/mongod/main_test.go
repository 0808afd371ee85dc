package mongod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"
)

// parentEnv makes the test binary play the owner of a data folder, so that a test can kill it.
const parentEnv = "BACKENDBOOK_MONGOD_TEST_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentEnv); dir != "" {
		s, err := Start(context.Background(), Config{DataDir: dir, AllowDownload: true}, slog.New(slog.DiscardHandler))
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("ready", s.URI())
		<-s.Done() // never: the test kills this process
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// start runs a server for one test; the binary comes from the machine's cache, or is fetched into it once.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := tryStart(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryStart(t *testing.T, cfg Config) (*Server, error) {
	t.Helper()
	if cfg.CacheDir == "" {
		cfg.AllowDownload = true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s, err := Start(ctx, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err == nil {
		t.Cleanup(func() { stop(t, s) })
	}
	return s, err
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

// client gives a collection over the public URI, the way the server uses it.
func client(t *testing.T, uri string) (things *mongo.Collection, done func()) {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetTimeout(15 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c.Database("app").Collection("things"), func() { disconnect(context.Background(), c) }
}

func put(t *testing.T, uri, id string) {
	t.Helper()
	things, done := client(t, uri)
	defer done()
	if _, err := things.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}}); err != nil {
		t.Fatalf("insert %s: %v", id, err)
	}
}

func mustHave(t *testing.T, uri string, ids ...string) {
	t.Helper()
	things, done := client(t, uri)
	defer done()
	n, err := things.CountDocuments(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil || int(n) != len(ids) {
		t.Fatalf("of %v %d are there, error %v", ids, n, err)
	}
}

// eventually polls: no test sleeps for a guessed time.
func eventually(t *testing.T, within time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s", within, what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// mustFail checks the sentinel and that the message names a way out.
func mustFail(t *testing.T, err, want error, says ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v\nwant %v", err, want)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error = %v\nwants %q in it", err, s)
		}
	}
}

func mustMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

// script writes an executable shell script.
func script(t *testing.T, path, body string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines is a log that a test can search while others write to it.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) has(all ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		found := 0
		for _, s := range all {
			if strings.Contains(line, s) {
				found++
			}
		}
		if found == len(all) {
			return true
		}
	}
	return false
}
