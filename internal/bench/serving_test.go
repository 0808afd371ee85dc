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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/app"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/bench/bare"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
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
		mux := http.NewServeMux()
		mux.Handle("/graphql", bare.Handler(db.Database()))
		mux.Handle("/metrics", promhttp.Handler())
		url := "http://" + l.Addr().String()
		fmt.Println(url, url)
		return http.Serve(l, mux)
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
	fmt.Println(a.URL(), a.InternalURL())
	return a.Run(ctx)
}

// BenchmarkServing measures four operations on this server with sessions, rights, limits, logs and metrics on, and on a bare
// gqlgen server that has none of them: a point read, a list of 50 with their owners, the making of a document (here with
// its event and the counting of a quota) and a list of 20 with owners, the newest 5 comments on each and their owners. The
// servers run in processes of their own, in turn. "cpu-ratio" is this server's CPU time for a request to the other's;
// "rps-ratio" its requests a second with 16 connections; "KiB/request" what it allocates. With PROFILE=DIR, CPU and
// allocation profiles of this server are saved there. With PEERS=DIR, a copy of the folder peers with its packages installed,
// Mercurius and Parse Server are measured as well: "cpu-to-mercurius" and "rps-to-parse".
func BenchmarkServing(b *testing.B) {
	database := "bb_bench_" + ref.NewID()
	f := seed(b, database)
	servers := map[string]*server{"bare": start(b, "bare", database), "product": start(b, "product", database)}
	startPeers(b, servers, database)
	article := map[string]any{"title": "New", "body": "text", "status": "fresh", "tags": []string{"a", "b"}}
	for _, op := range []struct {
		name          string
		product, bare request
		parse         request // Mercurius has the schema of bare
	}{
		{
			"point",
			request{`query($id: ID!) { node(id: $id) { ... on Document { id rev label createdAt } } }`, map[string]any{"id": "document:" + f.document}},
			request{`query($id: ID!) { document(id: $id) { id rev label createdAt } }`, map[string]any{"id": f.document}},
			request{`query($id: ID!) { article(id: $id) { objectId n title createdAt } }`, map[string]any{"id": f.document}},
		},
		{
			"list",
			request{`{ documents(type: "article", first: 50) { nodes { id rev label createdAt owner { id name } } } }`, nil},
			request{`query($type: String!) { documents(type: $type, first: 50) { id rev label createdAt owner { id name } } }`, map[string]any{"type": f.contentType}},
			request{`{ articles(first: 50) { edges { node { objectId n title createdAt owner { objectId name } } } } }`, nil},
		},
		{
			"create",
			request{
				`mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id label rev createdAt op } } }`,
				map[string]any{"in": map[string]any{"type": "article", "data": article}},
			},
			request{
				`mutation($type: String!, $owner: ID!, $data: Map!) { createDocument(type: $type, owner: $owner, data: $data) { id label rev createdAt } }`,
				map[string]any{"type": f.contentType, "owner": f.owner, "data": article},
			},
			request{`mutation($in: CreateArticleInput!) { createArticle(input: $in) { article { objectId n title createdAt } } }`, map[string]any{"in": map[string]any{"fields": article}}},
		},
		{
			"nested",
			request{`{ documents(type: "article", first: 20, filter: {status: {eq: "open"}}) { nodes { id label data owner { id name }
				backlinks(types: ["remark"], first: 5) { nodes { from { id label data owner { id name } } } } } } }`, nil},
			request{`query($type: String!) { documents(type: $type, first: 20, status: "open") { id label data owner { id name }
				comments(first: 5) { id label data owner { id name } } } }`, map[string]any{"type": f.contentType}},
			request{`{ articles(first: 20, where: {status: {equalTo: "open"}}) { edges { node { objectId title body n status tags { ... on Element { value } } owner { objectId name }
				comments { ... on Remark { objectId text owner { objectId name } } } } } } }`, nil},
		},
	} {
		b.Run(op.name, func(b *testing.B) {
			const rounds = 3
			var product, plain, mercurius, parse load
			for range rounds {
				plain.add(servers["bare"].measure(b, op.bare, nil))
				product.add(servers["product"].measure(b, op.product, f.tokens))
				if servers["mercurius"] != nil {
					mercurius.add(servers["mercurius"].measure(b, op.bare, nil))
					parse.add(servers["parse"].measure(b, op.parse, nil))
				}
			}
			servers["product"].profile(b, op.name, op.product, f.tokens)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(product.cpuPer1k()/plain.cpuPer1k(), "cpu-ratio")
			b.ReportMetric(product.rps()/plain.rps(), "rps-ratio")
			b.ReportMetric(product.cpuPer1k(), "cpu-s/1k")
			b.ReportMetric(plain.cpuPer1k(), "bare-cpu-s/1k")
			b.ReportMetric(product.kibPerRequest(), "KiB/request")
			b.ReportMetric(plain.kibPerRequest(), "bare-KiB/request")
			b.Logf("product %s\nbare    %s", product, plain)
			if mercurius.requests > 0 {
				b.ReportMetric(product.cpuPer1k()/mercurius.cpuPer1k(), "cpu-to-mercurius")
				b.ReportMetric(product.rps()/parse.rps(), "rps-to-parse")
				b.Logf("mercurius %s\nparse     %s", mercurius, parse)
			}
		})
	}
}

// fixture is what the operations need to know of the data.
type fixture struct {
	tokens                       []string // of users
	document, contentType, owner string
}

// seed makes 400 articles of about a kilobyte by 20 owners, and 3 remarks on each, through the API.
func seed(b *testing.B, database string) fixture {
	b.Helper()
	s := apptest.Start(b, apptest.Setup{Database: database})
	admin := s.SignIns()[0]
	c := s.Browser()
	c.Must(`mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`,
		map[string]any{"in": map[string]any{"identifier": admin.Email, "password": admin.Password}})
	define := func(key string, properties map[string]any) string {
		made := c.Must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`,
			map[string]any{"in": map[string]any{"key": key, "name": key, "schema": map[string]any{"type": "object", "properties": properties}}})
		return bareID(made, "defineContentType", "contentType")
	}
	text := map[string]any{"type": "string"}
	f := fixture{contentType: define("article", map[string]any{
		"title": text, "body": text, "n": map[string]any{"type": "integer"}, "status": map[string]any{"type": "string", "index": true},
		"tags": map[string]any{"type": "array", "items": text},
	})}
	define("remark", map[string]any{"text": text, "on": map[string]any{"type": "string", "reference": map[string]any{"to": []string{"article"}}}})
	boundless := func(user string) { // of documents
		c.Must(`mutation($in: OverrideFeatureInput!) { overrideFeature(input: $in) { membership { version } } }`, map[string]any{
			"in": map[string]any{"user": user, "feature": map[string]any{"feature": registry.FeatureDocuments, "limit": 10_000_000}, "reason": "benchmark"},
		})
	}
	me := func(c *apptest.Client) string {
		id, _ := c.Must(`{ me { user { id } } }`, nil)["me"].(map[string]any)["user"].(map[string]any)["id"].(string)
		return id
	}
	boundless(me(c))
	f.owner = strings.TrimPrefix(me(c), "user:")
	const create = `mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id owner { id } } } }`
	for owner := range 20 {
		u := s.Browser()
		email := u.Register("owner" + strconv.Itoa(owner))
		boundless(me(u))
		in := s.Browser().Must(`mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }`,
			map[string]any{"in": map[string]any{"identifier": email, "password": apptest.Password, "transport": "BEARER"}})
		token, _ := in["signIn"].(map[string]any)["result"].(map[string]any)["token"].(string)
		f.tokens = append(f.tokens, token)
		for n := range 20 {
			doc := u.Must(create, map[string]any{"in": map[string]any{"type": "article", "data": map[string]any{
				"title": "Article " + strconv.Itoa(n), "body": strings.Repeat("word ", 180), "n": n, "status": []string{"open", "shut"}[n%2], "tags": []string{"a", "b"},
			}}})
			f.document = bareID(doc, "createDocument", "document")
			for r := range 3 {
				u.Must(create, map[string]any{"in": map[string]any{"type": "remark", "data": map[string]any{
					"text": "Remark " + strconv.Itoa(r) + strings.Repeat(" word", 20), "on": "document:" + f.document,
				}}})
			}
		}
	}
	s.Cleanup()
	index(b, database)
	return f
}

// index gives the bare server the indexes that it needs for what this product has rows and slots of its own for.
func index(b *testing.B, database string) {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{URI: storetest.URI(b), Database: database}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close(b.Context())
	_, err = db.Database().Collection("documents").Indexes().CreateMany(b.Context(), []mongo.IndexModel{
		{Keys: bson.D{{Key: "data.on", Value: 1}}},
		{Keys: bson.D{{Key: "type", Value: 1}, {Key: "data.status", Value: 1}, {Key: "_id", Value: -1}}},
	})
	if err != nil {
		b.Fatal(err)
	}
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
	url      string
	internal string // where its metrics are
	pid      int
	headers  map[string]string // for a peer, which has no metrics
}

func start(b *testing.B, kind, database string) *server {
	b.Helper()
	return run(b, exec.Command(os.Args[0]), kind, database)
}

// startPeers starts the servers of other makers, if their packages are installed.
func startPeers(b *testing.B, servers map[string]*server, database string) {
	b.Helper()
	dir := os.Getenv("PEERS")
	if dir == "" {
		return
	}
	for _, kind := range []string{"mercurius", "parse"} {
		cmd := exec.Command("node", filepath.Join(dir, kind+".mjs"))
		cmd.Dir = b.TempDir() // for what they log
		s := run(b, cmd, kind, database)
		s.headers = map[string]string{"X-Parse-Application-Id": "app", "X-Parse-Session-Token": s.internal}
		servers[kind] = s
	}
}

// run starts a server process and reads from it where it is.
func run(b *testing.B, cmd *exec.Cmd, kind, database string) *server {
	b.Helper()
	cmd.Env = append(os.Environ(), kindEnv+"="+kind, uriEnv+"="+storetest.URI(b), dbEnv+"="+database, "NODE_ENV=production")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s := &server{pid: cmd.Process.Pid}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, _ := fmt.Sscan(lines.Text(), &s.url, &s.internal); n == 2 && strings.HasPrefix(s.url, "http://") { // Parse warns of this and that before
			return s
		}
	}
	b.Fatalf("%s server: %v", kind, lines.Err())
	return nil
}

// load is what was measured.
type load struct {
	requests  int
	cpu, wall float64 // seconds
	bytes     float64 // allocated
	latencies []time.Duration
}

func (l *load) add(o load) {
	l.requests += o.requests
	l.cpu += o.cpu
	l.wall += o.wall
	l.bytes += o.bytes
	l.latencies = append(l.latencies, o.latencies...)
}

func (l *load) cpuPer1k() float64      { return l.cpu / float64(l.requests) * 1000 }
func (l *load) kibPerRequest() float64 { return l.bytes / float64(l.requests) / 1024 }
func (l *load) rps() float64           { return float64(l.requests) / l.wall }

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
func (s *server) measure(b *testing.B, r request, tokens []string) load {
	b.Helper()
	body, err := json.Marshal(map[string]any{"query": r.query, "variables": r.variables})
	if err != nil {
		b.Fatal(err)
	}
	s.hammer(b, body, tokens, warmUp)
	before, bytes := cpuSeconds(b, s.pid), s.allocated(b)
	l := s.hammer(b, body, tokens, measured)
	l.cpu, l.bytes = cpuSeconds(b, s.pid)-before, s.allocated(b)-bytes
	return l
}

// allocated is how many bytes the process has allocated so far.
func (s *server) allocated(b *testing.B) float64 {
	b.Helper()
	if s.headers != nil {
		return 0
	}
	res, err := http.Get(s.internal + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	_, line, found := strings.Cut(string(text), "\ngo_memstats_alloc_bytes_total ")
	line, _, _ = strings.Cut(line, "\n")
	bytes, bad := strconv.ParseFloat(line, 64)
	if err != nil || !found || bad != nil {
		b.Fatal(err, found, bad)
	}
	return bytes
}

// profile saves profiles of the process under a load, if they are asked for.
func (s *server) profile(b *testing.B, name string, r request, tokens []string) {
	b.Helper()
	dir := os.Getenv("PROFILE")
	if dir == "" {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.measure(b, r, tokens) })
	for kind, path := range map[string]string{"cpu": "profile?seconds=2", "allocs": "allocs"} {
		res, err := http.Get(s.internal + "/debug/pprof/" + path)
		if err != nil {
			b.Error(err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+"."+kind), body, 0o644)
		}
		if err != nil {
			b.Error(err)
		}
		_ = res.Body.Close()
	}
	wg.Wait()
}

func (s *server) hammer(b *testing.B, body []byte, tokens []string, d time.Duration) load {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var all load
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range connections {
		token := ""
		if tokens != nil {
			token = tokens[i]
		}
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
	for name, value := range s.headers {
		req.Header.Set(name, value)
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
