package app_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

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

// LIVE_SAME=5000 is the long form.
func sameSubscribers(t *testing.T) int {
	t.Helper()
	if asked := os.Getenv("LIVE_SAME"); asked != "" {
		n, err := strconv.Atoi(asked)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 300
}

// However many follow the same, the database is asked as for one: neither their coming nor a change costs more.
func TestEqualSubscribersCostNothing(t *testing.T) {
	t.Parallel()
	n := sameSubscribers(t)
	s := apptest.Start(t, apptest.Setup{Args: []string{"--graphql-user-sockets=" + strconv.Itoa(n+1)}})
	root := admin(t, s)
	defineNote(root)
	root.Must(defineTopicDoc, map[string]any{"in": map[string]any{"key": "news", "history": 3}})
	root.Must(`mutation($in: DefineMetricInput!) { defineMetric(input: $in) { metric { key } } }`, in(map[string]any{"key": "visits", "event": "visit"}))
	channels := []map[string]any{noteChannel("notes"), {"key": "news", "topic": map[string]any{"key": "news"}}, reportChannel("visits", "visits")}
	begin := func() *follower {
		f := follow(t, s, root.Token, channels...)
		for seen := map[string]bool{}; len(seen) < len(channels); {
			seen[f.until("the snapshots", func(m message) bool { return m.Kind == "SNAPSHOT" }).Channel] = true
		}
		return f
	}
	change := func(text string, all []*follower) float64 {
		before := commands(t, s)
		root.Must(createDoc, note(text))
		root.Must(publishDoc, published("news", text))
		for _, f := range all {
			seen := map[string]bool{}
			for !seen["notes"] || !seen["news"] {
				seen[f.until("the change", func(m message) bool { return m.Kind == "DELTA" }).Channel] = true
			}
		}
		return commands(t, s) - before
	}
	all := []*follower{begin()}
	change("warm", all)
	one := change("for one", all)
	before := commands(t, s)
	for len(all) < n {
		all = append(all, begin())
	}
	came := commands(t, s) - before
	many := change("for all", all)
	t.Logf("a change for one: %v commands, for %d: %v; their coming: %v", one, n, many, came)
	const slack = 30 // jobs, mails and schedules look around meanwhile
	if many > one+slack || came > slack {
		t.Errorf("a change costs %v commands for one and %v for %d, whose coming cost %v", one, many, n, came)
	}
}
