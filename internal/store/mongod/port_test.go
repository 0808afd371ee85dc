//go:build !windows

package mongod

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"
)

func TestPortTakenMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		serve func(net.Listener)
	}{
		{"by a program that closes", func(l net.Listener) {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				_ = c.Close()
			}
		}},
		{"by a program that never answers", func(net.Listener) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := start(t, Config{DataDir: dir})
			put(t, s.URI(), "kept")
			stop(t, s)
			l, err := net.Listen("tcp4", s.st.host())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go tc.serve(l)
			// mongod by itself waits 31 s for an answer from the old port; ours must not.
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
			defer cancel()
			moved, err := Start(ctx, Config{DataDir: dir}, slog.New(slog.NewTextHandler(t.Output(), nil)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stop(t, moved) })
			if moved.URI() == s.URI() {
				t.Error("the URI names the taken port")
			}
			mustHave(t, moved.URI(), "kept")
		})
	}
}

func TestLostStateIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Config{DataDir: dir})
	put(t, s.URI(), "kept")
	stop(t, s)
	if err := os.Remove(s.dir.state()); err != nil {
		t.Fatal(err)
	}
	again := start(t, Config{DataDir: dir})
	if again.st.Password == s.st.Password {
		t.Error("the password is the old one")
	}
	mustHave(t, again.URI(), "kept")
}
