package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/mongod"
)

// frail is a server, as a process of its own, on a MongoDB that the test hurts.
type frail struct {
	t     *testing.T
	dir   string // of MongoDB
	uri   string
	p     *process
	token string
}

func newFrail(t *testing.T) *frail {
	t.Helper()
	if testing.Short() {
		t.Skip("starts mongod")
	}
	f := &frail{t: t, dir: t.TempDir()}
	m, err := mongod.Start(t.Context(), mongod.Config{DataDir: f.dir, AllowDownload: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Errorf("stop MongoDB: %v", err)
		}
	})
	f.uri = m.URI()
	f.p = serve(t, []string{"MONGODB_URI=" + f.uri, "BACKENDBOOK_DATA_DIR=" + t.TempDir()})
	t.Cleanup(func() { f.p.signal(syscall.SIGKILL); f.p.wait() })
	password := regexp.MustCompile(`admin@example\.com\s+(\S+)`).FindStringSubmatch(f.p.said())
	if password == nil {
		t.Fatalf("it tells no sign-in:\n%s", f.p.said())
	}
	var in struct {
		SignIn struct{ Result struct{ Token string } }
	}
	if code := f.ask(&in, 10*time.Second, fmt.Sprintf(`mutation { signIn(input: {identifier: "admin@example.com", password: %q, transport: BEARER})
		{ result { ... on SignedIn { token } } } }`, password[1])); code != "" {
		t.Fatalf("signIn: %s", code)
	}
	f.token = in.SignIn.Result.Token
	return f
}

// ask runs an operation and gives the code of its first error, "" for none, and "NO_ANSWER" where there is none.
func (f *frail) ask(into any, patience time.Duration, query string) (code string) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, f.p.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Request-Timeout", patience.String())
	if f.token != "" {
		req.Header.Set("Authorization", "Bearer "+f.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "NO_ANSWER"
	}
	defer func() { _ = res.Body.Close() }()
	answer := struct {
		Data   any
		Errors []struct{ Extensions struct{ Code string } }
	}{Data: into}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "NO_ANSWER"
	}
	if len(answer.Errors) > 0 {
		return answer.Errors[0].Extensions.Code
	}
	return ""
}

func (f *frail) status(path string) int {
	res, err := http.Get(f.p.url + path)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// hit sends MongoDB a signal.
func (f *frail) hit(s syscall.Signal) {
	f.t.Helper()
	all := mongods(f.t, f.dir)
	if len(all) != 1 {
		f.t.Fatalf("mongod: %v", all)
	}
	pid, err := strconv.Atoi(filepath.Base(filepath.Dir(all[0])))
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// publishers publish numbers, each once, until stop, which gives what came of each: acknowledged or in doubt.
func (f *frail) publishers() (acknowledged *atomic.Int64, stop func() map[int64]bool) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var next atomic.Int64
	acknowledged = &atomic.Int64{}
	outcome, end := map[int64]bool{}, make(chan struct{})
	for w := range 4 {
		topic := "t" + strconv.Itoa(w)
		if code := f.ask(nil, 10*time.Second, fmt.Sprintf(`mutation { defineTopic(input: {key: %q, history: 1000}) { topic { key } } }`, topic)); code != "" {
			f.t.Fatalf("defineTopic: %s", code)
		}
		all.Go(func() {
			for range 900 { // so that none is forgotten
				select {
				case <-end:
					return
				default:
				}
				n := next.Add(1)
				code := f.ask(nil, 2*time.Second, fmt.Sprintf(`mutation { publish(input: {topic: %q, data: {n: %d}}) { message { number } } }`, topic, n))
				mu.Lock()
				outcome[n] = code == ""
				mu.Unlock()
				if code == "" {
					acknowledged.Add(1)
					continue
				}
				time.Sleep(20 * time.Millisecond) // a client that is told to wait
			}
		})
	}
	return acknowledged, func() map[int64]bool {
		close(end)
		all.Wait()
		return outcome
	}
}

// TestPrimaryKilled: MongoDB is killed while four clients write. The node lives and serves again within seconds, so soon that its
// readiness may not have noticed, everything that was acknowledged is there, and nothing is there twice.
func TestPrimaryKilled(t *testing.T) {
	t.Parallel()
	f := newFrail(t)
	acknowledged, stop := f.publishers()
	until(t, "some are published", func() bool { return acknowledged.Load() > 100 })
	f.hit(syscall.SIGKILL)
	killed := time.Now()
	before := acknowledged.Load()
	if alive := f.status("/healthz"); alive != http.StatusOK {
		t.Errorf("/healthz is %d: the process would be restarted for the fault of another", alive)
	}
	until(t, "it serves again", func() bool { return f.status("/readyz") == http.StatusOK && acknowledged.Load() > before+50 })
	t.Logf("serves again after %s, %d acknowledged before", time.Since(killed).Round(time.Millisecond), before)
	t.Logf("%d without an answer that they are done", f.judge(stop())) // none where it is back within their deadlines
}

// judge holds what was published to what was acknowledged, and gives the number of those that were not.
func (f *frail) judge(outcome map[int64]bool) (doubtful int) {
	f.t.Helper()
	db := f.open()
	defer db.Close(f.t.Context())
	messages, err := store.Find[struct{ Data string }](f.t.Context(), db.Collection("topic_messages"), bson.D{})
	if err != nil {
		f.t.Fatal(err)
	}
	times := map[int64]int{}
	for _, m := range messages {
		var data struct{ N int64 }
		if err := json.Unmarshal([]byte(m.Data), &data); err != nil {
			f.t.Fatal(err)
		}
		times[data.N]++
	}
	for n, ok := range outcome {
		switch {
		case ok && times[n] != 1:
			f.t.Errorf("%d was acknowledged and is there %d times", n, times[n])
		case times[n] > 1:
			f.t.Errorf("%d was in doubt and is there %d times", n, times[n])
		case !ok:
			doubtful++
		}
	}
	return doubtful
}

// open is a way of the test's own to the database.
func (f *frail) open() *store.DB {
	f.t.Helper()
	db, err := store.Open(f.t.Context(), store.Config{URI: f.uri}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	return db
}

// TestStepDown: for a second there is no primary. Operations wait for the next one within their deadline: hardly one fails, nothing that was
// acknowledged is lost, and nothing is there twice.
func TestStepDown(t *testing.T) {
	t.Parallel()
	f := newFrail(t)
	db := f.open()
	defer db.Close(t.Context())
	acknowledged, stop := f.publishers()
	until(t, "some are published", func() bool { return acknowledged.Load() > 100 })
	admin := db.Database().Client().Database("admin")
	election := func() (id bson.ObjectID) {
		raw, err := admin.RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		id, _ = raw.Lookup("electionId").ObjectIDOK()
		return id
	}
	first := election()
	down := bson.D{{Key: "replSetStepDown", Value: 1}, {Key: "secondaryCatchUpPeriodSecs", Value: 0}, {Key: "force", Value: true}}
	if err := admin.RunCommand(t.Context(), down).Err(); err != nil {
		t.Fatal(err)
	}
	before := acknowledged.Load()
	until(t, "it goes on", func() bool { return acknowledged.Load() > before+200 })
	if election() == first {
		t.Error("nobody stepped down")
	}
	outcome := stop()
	doubtful := f.judge(outcome)
	t.Logf("%d of %d were not acknowledged", doubtful, len(outcome))
	if doubtful*100 > len(outcome) {
		t.Errorf("%d of %d failed: more than one in a hundred", doubtful, len(outcome))
	}
}

// TestDatabaseStopped: while MongoDB is there and does nothing, every call ends by its deadline with a code that says so, whether its
// session is in memory or is to be read, and soon after it goes on all is well.
func TestDatabaseStopped(t *testing.T) {
	t.Parallel()
	f := newFrail(t)
	const (
		patience = time.Second
		call     = `mutation { defineTopic(input: {key: "x"}) { topic { key } } }`
	)
	for _, session := range []string{"to be read", "in memory"} {
		f.hit(syscall.SIGSTOP)
		goOn := sync.OnceFunc(func() { f.hit(syscall.SIGCONT) })
		t.Cleanup(goOn) // else it could not be stopped
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				begin := time.Now()
				code := f.ask(nil, patience, call)
				if took := time.Since(begin); took > patience+2*time.Second {
					t.Errorf("session %s: a call of %s took %s", session, patience, took)
				}
				if !slices.Contains([]string{"DEADLINE_EXCEEDED", "UNAVAILABLE", "OUTCOME_UNKNOWN", "CONTENDED", "POLICY_STALE", "DATABASE_DOWN"}, code) {
					t.Errorf("session %s: a call on a database that does nothing: %q", session, code)
				}
			})
		}
		all.Wait()
		until(t, "it says that it is not ready", func() bool { return f.status("/readyz") == http.StatusServiceUnavailable })
		if alive := f.status("/healthz"); alive != http.StatusOK {
			t.Errorf("/healthz is %d", alive)
		}
		goOn()
		begin := time.Now()
		until(t, "all is well", func() bool { return f.status("/readyz") == http.StatusOK && f.ask(nil, patience, call) == "" })
		t.Logf("session %s: well again after %s", session, time.Since(begin).Round(time.Millisecond))
	}
}
