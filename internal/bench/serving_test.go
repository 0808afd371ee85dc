package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/bench/bare"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const (
	kindEnv = "BACKENDBOOK_BENCH_SERVER" // which server this process is; empty for the benchmark itself
	uriEnv  = "BACKENDBOOK_BENCH_URI"
	dbEnv   = "BACKENDBOOK_BENCH_DATABASE"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(kindEnv); kind != "" {
		if err := serve(kind, os.Getenv(uriEnv), os.Getenv(dbEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	storetest.Main(m)
}

// serve is a server process: it prints its address and serves until it is killed.
func serve(kind, uri, database string) error {
	ctx := context.Background()
	if kind == "bare" {
		db, err := store.Open(ctx, store.Config{URI: uri, Database: database}, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println("http://" + l.Addr().String())
		return http.Serve(l, bare.Handler(db.Database()))
	}
	loaded, err := config.Load(config.Input{Out: io.Discard, Args: []string{
		"--listen=127.0.0.1:0", "--internal-listen=127.0.0.1:0", "--mongodb-uri=" + uri, "--mongodb-database=" + database,
		"--secret-keys=" + keyring.NewKey("bench"), "--trusted-proxies=1",
	}})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // lines are made, as in production, but go nowhere
	app.Tune(&loaded.Config)
	a, err := app.Build(ctx, &loaded.Config, app.WithRequest(log), app.Options{})
	if err != nil {
		return err
	}
	if err := a.Listen(ctx); err != nil {
		return err
	}
	if f := os.Getenv("BENCH_URL_FILE"); f != "" {
		_ = os.WriteFile(f, []byte(a.InternalURL()), 0o644)
	}
	fmt.Println(a.URL())
	return a.Run(ctx)
}

// BenchmarkServing measures a read of one document by id and a list of 50 with their owners, on this server with sessions,
// rights, limits, logs and metrics on, and on a bare gqlgen server that has none of them. The servers run in processes of
// their own, in turn. "cpu-ratio" is this server's CPU time for a request to the other's; "rps-ratio" its requests a
// second with 16 connections.
func BenchmarkServing(b *testing.B) {
	database := "bb_bench_" + ref.NewID()
	f := seed(b, database)
	servers := map[string]*server{"bare": start(b, "bare", database), "product": start(b, "product", database)}
	for _, op := range []struct {
		name          string
		product, bare request
	}{
		{
			"point",
			request{`query($id: ID!) { node(id: $id) { ... on Document { id rev label createdAt } } }`, map[string]any{"id": "document:" + f.document}},
			request{`query($id: ID!) { document(id: $id) { id rev label createdAt } }`, map[string]any{"id": f.document}},
		},
		{
			"list",
			request{`{ documents(type: "article", first: 50) { nodes { id rev label createdAt owner { id name } } } }`, nil},
			request{`query($type: String!) { documents(type: $type, first: 50) { id rev label createdAt owner { id name } } }`, map[string]any{"type": f.contentType}},
		},
	} {
		b.Run(op.name, func(b *testing.B) {
			const rounds = 3
			var product, plain load
			for range rounds {
				plain.add(servers["bare"].measure(b, op.bare, ""))
				product.add(servers["product"].measure(b, op.product, f.token))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(product.cpuPer1k()/plain.cpuPer1k(), "cpu-ratio")
			b.ReportMetric(product.rps()/plain.rps(), "rps-ratio")
			b.ReportMetric(product.cpuPer1k(), "cpu-s/1k")
			b.ReportMetric(plain.cpuPer1k(), "bare-cpu-s/1k")
			b.Logf("product %s\nbare    %s", product, plain)
		})
	}
}

// fixture is what the operations need to know of the data.
type fixture struct{ token, document, contentType string }

// seed makes 400 articles of about a kilobyte by 20 owners, through the API.
func seed(b *testing.B, database string) fixture {
	b.Helper()
	s := apptest.Start(b, apptest.Setup{Database: database})
	admin := s.SignIns()[0]
	c := s.Browser()
	c.Must(`mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`,
		map[string]any{"in": map[string]any{"identifier": admin.Email, "password": admin.Password}})
	schema := map[string]any{"type": "object", "properties": map[string]any{
		"title": map[string]any{"type": "string"}, "body": map[string]any{"type": "string"}, "n": map[string]any{"type": "integer"},
	}}
	made := c.Must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`,
		map[string]any{"in": map[string]any{"key": "article", "name": "Article", "schema": schema}})
	f := fixture{contentType: bareID(made, "defineContentType", "contentType")}
	for owner := range 20 {
		u := s.Browser()
		u.Register("owner" + strconv.Itoa(owner))
		for n := range 20 {
			doc := u.Must(`mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, map[string]any{
				"in": map[string]any{"type": "article", "data": map[string]any{"title": "Article " + strconv.Itoa(n), "body": strings.Repeat("word ", 180), "n": n}},
			})
			f.document = bareID(doc, "createDocument", "document")
		}
	}
	in := c.Must(`mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }`,
		map[string]any{"in": map[string]any{"identifier": admin.Email, "password": admin.Password, "transport": "BEARER"}})
	f.token, _ = in["signIn"].(map[string]any)["result"].(map[string]any)["token"].(string)
	s.Cleanup()
	return f
}

// bareID is the id in a payload, without its type.
func bareID(data map[string]any, field, object string) string {
	id, _ := data[field].(map[string]any)[object].(map[string]any)["id"].(string)
	_, id, _ = strings.Cut(id, ":")
	return id
}

type request struct {
	query     string
	variables map[string]any
}

type server struct {
	url string
	pid int
}

func start(b *testing.B, kind, database string) *server {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), kindEnv+"="+kind, uriEnv+"="+storetest.URI(b), dbEnv+"="+database)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%s server: %v", kind, err)
	}
	return &server{url: strings.TrimSpace(url), pid: cmd.Process.Pid}
}

// load is what was measured.
type load struct {
	requests  int
	cpu, wall float64 // seconds
	latencies []time.Duration
}

func (l *load) add(o load) {
	l.requests += o.requests
	l.cpu += o.cpu
	l.wall += o.wall
	l.latencies = append(l.latencies, o.latencies...)
}

func (l *load) cpuPer1k() float64 { return l.cpu / float64(l.requests) * 1000 }
func (l *load) rps() float64      { return float64(l.requests) / l.wall }

// String implements fmt.Stringer.
func (l load) String() string {
	slices.Sort(l.latencies)
	return fmt.Sprintf("%6.0f requests/s, p50 %v, p99 %v, %.3f CPU-s per 1,000", l.rps(),
		l.latencies[len(l.latencies)/2].Round(10*time.Microsecond), l.latencies[len(l.latencies)*99/100].Round(10*time.Microsecond), l.cpuPer1k())
}

const (
	connections = 16
	warmUp      = 500 * time.Millisecond
	measured    = 2 * time.Second
)

// measure sends one request over and over on each of the connections.
func (s *server) measure(b *testing.B, r request, token string) load {
	b.Helper()
	body, err := json.Marshal(map[string]any{"query": r.query, "variables": r.variables})
	if err != nil {
		b.Fatal(err)
	}
	s.hammer(b, body, token, warmUp)
	before := cpuSeconds(b, s.pid)
	l := s.hammer(b, body, token, measured)
	l.cpu = cpuSeconds(b, s.pid) - before
	return l
}

func (s *server) hammer(b *testing.B, body []byte, token string, d time.Duration) load {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all load
	var wg sync.WaitGroup
	begin := time.Now()
	for range connections {
		wg.Go(func() {
			var mine []time.Duration
			for time.Since(begin) < d {
				t := time.Now()
				if err := s.post(client, body, token); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(t))
			}
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, mine...)
		})
	}
	wg.Wait()
	all.wall, all.requests = time.Since(begin).Seconds(), len(all.latencies)
	return all
}

func (s *server) post(client *http.Client, body []byte, token string) error {
	req, err := http.NewRequest(http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(`"errors"`)) || len(answer) < 100 {
		return fmt.Errorf("answer %d: %.300s", res.StatusCode, answer)
	}
	return nil
}

// cpuSeconds is what a process has used so far, by /proc.
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("needs /proc")
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // clock ticks are hundredths of a second on Linux
}
