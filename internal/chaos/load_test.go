package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ask is one kind of operation of the mixed traffic.
type ask struct {
	name   string
	weight int // of 1,000
	query  string
	vars   func(w *world, n int) map[string]any
}

func inOf(v map[string]any) map[string]any { return map[string]any{"in": v} }

// asks are what users of a product do, more or less.
var asks = []ask{
	{"list of 20 documents with owners", 350, `{ documents(type: "note", first: 20) { nodes { id label createdAt owner { name } } } }`, nil},
	{"one document", 300, `query($id: ID!) { node(id: $id) { ... on Document { id label data } } }`, func(w *world, _ int) map[string]any { return map[string]any{"id": w.document} }},
	{"who am I", 130, `{ me { user { name } permissions } }`, nil},
	{"track 10 events", 80, `mutation($in: TrackInput!) { track(input: $in) { accepted } }`, func(_ *world, n int) map[string]any {
		events := make([]any, 10)
		for i := range events {
			events[i] = map[string]any{"id": fmt.Sprintf("load-%09d-%d", n, i), "name": "load", "dims": map[string]any{"place": strconv.Itoa(n % 7)}}
		}
		return inOf(map[string]any{"events": events})
	}},
	{"create a document", 80, `mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`, func(_ *world, n int) map[string]any {
		return inOf(map[string]any{"type": "note", "data": map[string]any{"text": "load " + strconv.Itoa(n)}})
	}},
	{"report of a day", 30, `{ report(input: {metric: "load", step: HOUR, last: 24, by: "place"}) { points { key count } } }`, nil},
	{"publish", 25, `mutation($in: PublishInput!) { publish(input: $in) { message { number } } }`, func(_ *world, n int) map[string]any {
		return inOf(map[string]any{"topic": "chaos", "data": map[string]any{"n": n}})
	}},
	{"sign in", 5, `mutation($in: SignInInput!) { signIn(input: $in) { result { __typename } } }`, func(*world, int) map[string]any {
		return inOf(map[string]any{"identifier": "guest@example.org", "password": password, "transport": "BEARER"})
	}},
}

// mix chooses by weight.
func mix() *ask {
	n := rand.IntN(1000)
	for i := range asks {
		if n -= asks[i].weight; n < 0 {
			return &asks[i]
		}
	}
	return &asks[0]
}

// measured is what came of the traffic.
type measured struct {
	mu     sync.Mutex
	took   map[string][]time.Duration
	failed map[string]int
	sent   atomic.Int64
}

func (m *measured) note(name string, took time.Duration, failure string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took[name] = append(m.took[name], took)
	if failure != "" {
		m.failed[name+": "+failure]++
	}
}

// drive sends operations at a rate, whether or not answers come, until stop.
func (w *world) drive(perSecond *atomic.Int64, m *measured, stop <-chan struct{}) {
	var under sync.WaitGroup
	defer under.Wait()
	for next := time.Now(); ; {
		select {
		case <-stop:
			return
		case <-time.After(time.Until(next)):
		}
		next = next.Add(time.Second / time.Duration(perSecond.Load()))
		under.Go(func() {
			a, n := mix(), int(m.sent.Add(1))
			var vars map[string]any
			if a.vars != nil {
				vars = a.vars(w, n)
			}
			from := w.root
			if a.name == "sign in" { // it ends the session it is asked with
				from = &caller{http: w.client}
			}
			began := time.Now()
			r, _, err := from.do(w.any(), a.query, vars, "")
			failure := r.code()
			if err != nil {
				failure = err.Error()
			}
			m.note(a.name, time.Since(began), failure)
		})
	}
}

// ticks are what a process has used of the processors so far, in hundredths of a second.
func ticks(pid int) (own float64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return user + system
}

// machine is how long all processors have worked, and how long there have been any.
func machine() (busy, all float64) {
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line)[1:] {
		n, _ := strconv.ParseFloat(f, 64)
		if all += n; i != 3 && i != 4 { // idle, and waiting for a disk
			busy += n
		}
	}
	return busy, all
}

// settle finds the rate at which the machine is about so busy.
func settle(perSecond *atomic.Int64, share float64) {
	for range 12 {
		busy, all := machine()
		time.Sleep(4 * time.Second) // the length of the measurement
		b, a := machine()
		at := (b - busy) / (a - all)
		perSecond.Store(int64(float64(perSecond.Load()) * min(2, 1+(share/at-1)*0.7)))
	}
}

// TestLoad holds mixed traffic at a rate that keeps the machine 70 % busy, server, MongoDB and client together, for as long as LOAD says:
// `make load`. It fails when anything fails, or memory grows without end, and prints a table.
func TestLoad(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("LOAD"))
	if err != nil {
		t.Skip("LOAD says for how long")
	}
	w := newWorld(t, 1, 1)
	w.must(w.root, `mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, map[string]any{"key": "load", "event": "load", "dimensions": []any{"place"}})
	for range 200 {
		w.document = text(w.must(w.root, asks[4].query, map[string]any{"type": "note", "data": map[string]any{"text": strings.Repeat("word ", 40)}}), "createDocument", "document", "id")
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range 20 {
		f := &follower{w: w}
		running.Go(func() { f.follow(stop) })
	}
	var perSecond atomic.Int64
	perSecond.Store(50)
	warm := &measured{took: map[string][]time.Duration{}, failed: map[string]int{}}
	warmed := make(chan struct{})
	running.Go(func() { w.drive(&perSecond, warm, warmed) })
	settle(&perSecond, 0.7)
	close(warmed)

	m := &measured{took: map[string][]time.Duration{}, failed: map[string]int{}}
	server, database := w.servers[0], w.set.members[0]
	server0, database0, heap0 := ticks(server.cmd.Process.Pid), ticks(database.cmd.Process.Pid), server.gauges()
	busy0, all0 := machine()
	began := time.Now()
	running.Go(func() { w.drive(&perSecond, m, stop) })
	time.Sleep(long) // the length of the load
	busy1, all1 := machine()
	seconds := time.Since(began).Seconds()
	own, theirs, heap1 := ticks(server.cmd.Process.Pid)-server0, ticks(database.cmd.Process.Pid)-database0, server.gauges()
	close(stop)
	running.Wait()
	m.table(t)
	sent := float64(m.sent.Load())
	t.Logf("%.0f operations a second for %.0f s at %.0f %% of %.0f processors: server %.2f ms of processor an operation, MongoDB %.2f ms; heap %.0f MiB, then %.0f MiB; goroutines %.0f, then %.0f",
		sent/seconds, seconds, 100*(busy1-busy0)/(all1-all0), (all1-all0)/100/seconds, own*10/sent, theirs*10/sent,
		heap0["go_memstats_heap_inuse_bytes"]/(1<<20), heap1["go_memstats_heap_inuse_bytes"]/(1<<20), heap0["go_goroutines"], heap1["go_goroutines"])
	if heap1["go_memstats_heap_inuse_bytes"] > 3*heap0["go_memstats_heap_inuse_bytes"]+200<<20 {
		t.Error("memory grows")
	}
}

// table prints how long operations took, and fails for each that failed.
func (m *measured) table(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| operation | times | p50, ms | p99, ms | most, ms |\n|---|---|---|---|---|\n")
	var all []time.Duration
	line := func(name string, took []time.Duration) {
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		fmt.Fprintf(&b, "| %s | %d | %.1f | %.1f | %.0f |\n", name, len(took), ms(took[len(took)/2]), ms(took[len(took)*99/100]), ms(took[len(took)-1]))
	}
	for _, a := range asks {
		if took := m.took[a.name]; len(took) > 0 {
			line(a.name, took)
			all = append(all, took...)
		}
	}
	line("all", all)
	t.Log("\n" + b.String())
	for what, n := range m.failed {
		t.Errorf("%d times %s", n, what)
	}
}
