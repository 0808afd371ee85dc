package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	storm   = 200                   // sign-ins at once
	readers = 8                     // who read meanwhile
	pause   = 10 * time.Millisecond // of a reader between two reads: others, not a race
	quiet   = 3 * time.Second
)

// BenchmarkSignIn measures what 200 people who sign in at once do to everybody else: the 99th percentile of a read by id
// while they do, to that of the same reads before ("p99-ratio"), and by how many MiB the server's memory grows, where each
// hash takes 19 ("rss-MiB"). Passwords are hashed as in production. Nobody waits longer than a second for a hash; who
// would is told TOO_BUSY and comes again.
func BenchmarkSignIn(b *testing.B) {
	database := "bb_bench_signin"
	f := seed(b, database)
	s := start(b, "product", database)
	read, err := json.Marshal(map[string]any{
		"query": `query($id: ID!) { node(id: $id) { ... on Document { id rev label createdAt } } }`, "variables": map[string]any{"id": "document:" + f.document},
	})
	if err != nil {
		b.Fatal(err)
	}
	s.signIn(b, f) // the first one makes the hash of the cheap one that the seed has made
	s.read(b, read, f.token, time.Now().Add(time.Second))
	var before, during []time.Duration
	var in, busy int64
	rss := s.rss(b)
	peak := rss
	for range 3 {
		before = append(before, s.read(b, read, f.token, time.Now().Add(quiet))...)
		end := time.Now().Add(quiet)
		var wg sync.WaitGroup
		var ok, refused atomic.Int64
		for range storm {
			wg.Go(func() {
				for time.Now().Before(end) {
					if s.signIn(b, f) {
						ok.Add(1)
					} else {
						refused.Add(1)
					}
				}
			})
		}
		during = append(during, s.read(b, read, f.token, end)...)
		peak = max(peak, s.rss(b))
		wg.Wait()
		in, busy = in+ok.Load(), busy+refused.Load()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(p99(during))/float64(p99(before)), "p99-ratio")
	b.ReportMetric(peak-rss, "rss-MiB")
	b.ReportMetric(float64(in)/9, "sign-ins/s")
	b.Logf("p99 of %d reads before %v, of %d during %v; %d signed in, %d were told TOO_BUSY", len(before), p99(before), len(during), p99(during), in, busy)
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
func (s *server) signIn(b *testing.B, f fixture) bool {
	body, err := json.Marshal(map[string]any{
		"query":     `mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`,
		"variables": map[string]any{"in": map[string]any{"identifier": f.email, "password": f.password, "transport": "BEARER"}},
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
