package app_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// commands is how many reads and writes the server has asked MongoDB for so far. What it asks for by the clock is left out:
// getMore of its change streams, and the updates of leases and of its own health.
func commands(t *testing.T, s *apptest.Server) (n float64) {
	t.Helper()
	_, body, _ := get(t, s.InternalURL()+"/metrics")
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		command, is := strings.CutPrefix(name, `backendbook_mongodb_command_seconds_count{command="`)
		if !is || !strings.HasPrefix(command, "find\"") && !strings.HasPrefix(command, "aggregate\"") && !strings.HasPrefix(command, "insert\"") {
			continue
		}
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// howMany is what the environment says, for the long form of a test.
func howMany(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	if asked := os.Getenv(variable); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return otherwise
}

// crowd are many who follow three channels of an administrator's on one server.
type crowd struct {
	t        *testing.T
	s        *apptest.Server
	root     *apptest.Client
	channels []map[string]any
	anew     atomic.Int64 // how many were told a report as a whole again
}

const slack = 30 // commands: jobs, mails and schedules look around meanwhile

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--graphql-user-sockets=" + strconv.Itoa(2*n+1)}})
	root := admin(t, s)
	defineNote(root)
	root.Must(defineTopicDoc, map[string]any{"in": map[string]any{"key": "news", "history": 3}})
	root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{"key": "visits", "event": "visit"}))
	return &crowd{t: t, s: s, root: root, channels: []map[string]any{noteChannel("notes"), {"key": "news", "topic": map[string]any{"key": "news"}}, reportChannel("visits", "visits")}}
}

// comes is one more, who has seen all beginnings; it gives the cursors of those.
func (c *crowd) comes() (*follower, map[string]string) {
	c.t.Helper()
	f := follow(c.t, c.s, c.root.Token, c.channels...)
	cursors := map[string]string{}
	for len(cursors) < len(c.channels) {
		m := f.until("the snapshots", func(m message) bool { return m.Kind == "SNAPSHOT" })
		cursors[m.Channel] = m.Cursor
	}
	return f, cursors
}

// change is told to all; it gives how many commands that took.
func (c *crowd) change(text string, all []*follower) float64 {
	c.t.Helper()
	before := commands(c.t, c.s)
	c.root.Must(createDoc, note(text))
	c.root.Must(publishDoc, published("news", text))
	for _, f := range all {
		seen := map[string]bool{}
		for !seen["notes"] || !seen["news"] {
			seen[f.until("the change", func(m message) bool { return m.Kind == "DELTA" }).Channel] = true
		}
	}
	return commands(c.t, c.s) - before
}

// However many follow the same, the database is asked as for one: neither their coming nor a change costs more.
// LIVE_SAME=5000 is the long form.
func TestEqualSubscribersCostNothing(t *testing.T) {
	t.Parallel()
	n := howMany(t, "LIVE_SAME", 300)
	c := newCrowd(t, n)
	f, _ := c.comes()
	all := []*follower{f}
	c.change("warm", all)
	one := c.change("for one", all)
	before := commands(t, c.s)
	for len(all) < n {
		f, _ := c.comes()
		all = append(all, f)
	}
	came := commands(t, c.s) - before
	many := c.change("for all", all)
	t.Logf("a change for one: %v commands, for %d: %v; their coming: %v", one, n, many, came)
	if many > one+slack || came > slack {
		t.Errorf("a change costs %v commands for one and %v for %d, whose coming cost %v", one, many, n, came)
	}
}

// A crowd whose sockets are all cut comes back at once: each goes on where it was and is told exactly what it missed, and the
// database is not asked for each. LIVE_STORM=1000 is the long form; it logs how long all of it took.
func TestStormGoesOn(t *testing.T) {
	t.Parallel()
	n := howMany(t, "LIVE_STORM", 200)
	c := newCrowd(t, n)
	stays, _ := c.comes()
	cursors := make([]map[string]string, n)
	for i := range cursors {
		var f *follower
		f, cursors[i] = c.comes()
		_ = f.ws.NetConn().Close()
	}
	c.change("missed", []*follower{stays})
	before, began := commands(t, c.s), time.Now()
	var coming sync.WaitGroup
	for i, at := range cursors {
		coming.Go(func() { c.goesOn(fmt.Sprintf("127.0.0.%d", 1+i%200), at) }) // one address may have 500 that say nothing yet
	}
	coming.Wait()
	cost := commands(t, c.s) - before
	t.Logf("%d came back in %v with %v commands", n, time.Since(began).Round(time.Millisecond), cost)
	if cost > slack || c.anew.Load() > int64(n/10) {
		t.Errorf("%v commands for %d who came back, %d of whom were told a report anew", cost, n, c.anew.Load())
	}
}

// goesOn comes back with cursors, and expects what the crowd has missed, once.
func (c *crowd) goesOn(address string, cursors map[string]string) {
	channels := make([]map[string]any, len(c.channels))
	for i, channel := range c.channels {
		channels[i] = maps.Clone(channel)
		channels[i]["after"] = cursors[channel["key"].(string)]
	}
	f := followFrom(c.t, c.s, address, c.root.Token, channels...)
	begins, told := map[string]string{}, map[string]int{}
	f.until("what was missed", func(m message) bool {
		if begins[m.Channel] == "" {
			begins[m.Channel] = m.Kind
		}
		told[m.Channel] += strings.Count(fmt.Sprint(m.Data), "missed")
		return told["notes"] > 0 && told["news"] > 0 && begins["visits"] != ""
	})
	if begins["visits"] == "RESYNC" { // it was computed anew meanwhile, for its metric was new when the first came
		c.anew.Add(1)
		begins["visits"] = "RESUMED"
	}
	if want := map[string]string{"notes": "RESUMED", "news": "RESUMED", "visits": "RESUMED"}; !maps.Equal(begins, want) || told["notes"] != 1 || told["news"] != 1 {
		c.t.Errorf("begins with %v, and what was missed is told %v times", begins, told)
	}
	_ = f.ws.NetConn().Close()
}
