package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/backendbook/backendbook/internal/app"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const (
	storm    = 200                   // people who sign in at once
	lasting  = 9 * time.Second       // for so long
	again    = time.Second           // until one who was in, or was told to wait, comes again
	readers  = 8                     // who read all the while
	pause    = 40 * time.Millisecond // of a reader between two reads: others, not a race
	password = "correct horse battery staple"
)

// BenchmarkSignIn measures what 200 people who sign in at once do to everybody else: the 99th percentile of a read by id
// while they do, to that of the same reads before ("p99-ratio"), and by how many MiB the server's memory grows at most,
// where each hash takes 19 ("rss-MiB"). Each comes from an address of their own; passwords are hashed as in production.
// Nobody waits longer than a second for a hash: who would is told TOO_BUSY and comes again, so that all the while about
// 200 are waiting or hashing.
func BenchmarkSignIn(b *testing.B) {
	database := "bb_bench_" + ref.NewID()
	f := seed(b, database)
	people := populate(b, database)
	s := start(b, "product", database)
	read, err := json.Marshal(map[string]any{
		"query": `query($id: ID!) { node(id: $id) { ... on Document { id rev label createdAt } } }`, "variables": map[string]any{"id": "document:" + f.document},
	})
	if err != nil {
		b.Fatal(err)
	}
	s.read(b, read, f.tokens[0], time.Now().Add(time.Second))
	before := s.read(b, read, f.tokens[0], time.Now().Add(lasting))
	rss := s.rss(b)

	var in, busy atomic.Int64
	var peak atomic.Uint64
	var wg sync.WaitGroup
	end := time.Now().Add(lasting + time.Second)
	for i, email := range people {
		wg.Go(func() {
			for n := 0; ; n++ {
				time.Sleep(rand.N(again)) // nobody keeps time with anybody
				if time.Now().After(end) {
					return
				}
				if s.signIn(b, email, fmt.Sprintf("2001:db8:%x:%x::1", n, i)) {
					in.Add(1)
				} else {
					busy.Add(1)
				}
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(end) {
			peak.Store(max(peak.Load(), uint64(s.rss(b))))
			time.Sleep(pause)
		}
	})
	time.Sleep(time.Second) // until all are there
	during := s.read(b, read, f.tokens[0], end)
	wg.Wait()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(p99(during))/float64(p99(before)), "p99-ratio")
	b.ReportMetric(float64(peak.Load())-rss, "rss-MiB")
	b.ReportMetric(float64(in.Load())/(lasting+time.Second).Seconds(), "sign-ins/s")
	b.Logf("p99 of %d reads before %v, of %d during %v; %d signed in, %d were told TOO_BUSY",
		len(before), p99(before), len(during), p99(during), in.Load(), busy.Load())
}

// populate makes the people, with one hash as production makes it, and gives their addresses.
func populate(b *testing.B, database string) []string {
	b.Helper()
	salt := []byte("0123456789abcdef")
	b64 := base64.RawStdEncoding
	hash := "$argon2id$v=19$m=19456,t=2,p=1$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32))
	var lines bytes.Buffer
	people := make([]string, storm)
	for i := range people {
		people[i] = fmt.Sprintf("person%d@example.org", i)
		fmt.Fprintf(&lines, `{"email": %q, "name": "Person", "hash": %q}`+"\n", people[i], hash)
	}
	file := filepath.Join(b.TempDir(), "people.ndjson")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	var said bytes.Buffer
	code := app.Run(context.Background(), app.Process{
		Args: []string{"user", "import", file, "--mongodb-uri=" + storetest.URI(b), "--mongodb-database=" + database, "--secret-keys=" + keyring.NewKey("bench")},
		Out:  &said, Err: &said,
	})
	if code != 0 {
		b.Fatalf("import: %d %s", code, said.String())
	}
	return people
}

func p99(l []time.Duration) time.Duration {
	slices.Sort(l)
	return l[len(l)*99/100]
}

// read reads as a few people do, until end.
func (s *server) read(b *testing.B, body []byte, token string, end time.Time) []time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readers}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for time.Now().Before(end) {
				t := time.Now()
				if err := s.post(client, body, token); err != nil {
					b.Error(err)
					return
				}
				took := time.Since(t)
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
	return all
}

// crowd keeps connections for all who sign in.
var crowd = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: storm}, Timeout: 30 * time.Second}

// signIn signs in and reports whether that went well; being told TOO_BUSY is no failure.
func (s *server) signIn(b *testing.B, email, address string) bool {
	body, err := json.Marshal(map[string]any{
		"query":     `mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`,
		"variables": map[string]any{"in": map[string]any{"identifier": email, "password": password, "transport": "BEARER"}},
	})
	if err != nil {
		b.Error(err)
		return false
	}
	req, err := http.NewRequest(http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		b.Error(err)
		return false
	}
	req.Header.Set("X-Forwarded-For", address)
	req.Header.Set("Content-Type", "application/json")
	res, err := crowd.Do(req)
	if err != nil {
		b.Error(err)
		return false
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		b.Error(err)
	case bytes.Contains(answer, []byte("SignedIn")):
		return true
	case !bytes.Contains(answer, []byte("TOO_BUSY")):
		b.Errorf("answer %d: %.300s", res.StatusCode, answer)
	}
	return false
}

// rss is the memory a process has now, in MiB.
func (s *server) rss(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		b.Skip("needs /proc")
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
