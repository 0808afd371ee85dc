package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// world is a whole server with an administrator, and its log.
type world struct {
	*apptest.Server
	t     testing.TB
	admin *apptest.Client
	log   *operationLog
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, log: &operationLog{}}
	w.Server = apptest.Start(t, apptest.Setup{Log: w.log})
	w.admin = w.Browser()
	in := w.SignIns()
	if len(in) != 1 {
		t.Fatalf("%d sign-ins were made", len(in))
	}
	w.admin.Must(`mutation ($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`, map[string]any{
		"in": map[string]any{"identifier": in[0].Email, "password": in[0].Password},
	})
	return w
}

// user is a new user's browser.
func (w *world) user(name string) *apptest.Client {
	c := w.Browser()
	c.Register(name)
	return c
}

// finds sends an operation that must not fail and gives its data and how many reads it took.
func (w *world) finds(c *apptest.Client, query string, vars map[string]any) (data map[string]any, finds int) {
	w.t.Helper()
	mark := w.log.next()
	data = c.Must("query "+mark+" "+query, vars)
	storetest.Eventually(w.t, waitLong, func() bool {
		finds = w.log.finds(mark)
		return finds >= 0
	}, "the operation is in the log")
	return data, finds
}

// operationLog keeps the events of operations.
type operationLog struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	marks int
}

func (l *operationLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes.Contains(p, []byte(`"graphql_operation"`)) {
		l.buf.Write(p)
	}
	return len(p), nil
}

// next is a name no operation had before.
func (l *operationLog) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks++
	return fmt.Sprint("Marked", l.marks)
}

// finds is how many reads the operation of that name took; -1 while it is not in the log.
func (l *operationLog) finds(mark string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var e struct {
			Operation string
			Finds     int
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Operation == mark {
			return e.Finds
		}
	}
	return -1
}

// at takes a value out of an answer by keys and indices.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// text is at for a text that must be there.
func (w *world) text(v any, path ...any) string {
	w.t.Helper()
	s, ok := at(v, path...).(string)
	if !ok || s == "" {
		w.t.Fatalf("no text at %v in %v", path, v)
	}
	return s
}
