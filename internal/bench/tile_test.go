package bench

import (
	"encoding/json"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
)

// promisedTile is how late an event may be in a report that is followed on another node, for all but one in a hundred: the
// time between two commits of the folder, and 150 ms.
const promisedTile = 100*time.Millisecond + 150*time.Millisecond

// BenchmarkTile measures how long after the begin of track on one node a socket of another has a report with the event in
// it ("tile-ratio": the 99th percentile to what is promised; below 1 is kept), while 2,000 other events a second come in.
func BenchmarkTile(b *testing.B) {
	const rounds = 300
	here := apptest.Start(b, apptest.Setup{})
	there := apptest.Start(b, apptest.Setup{Database: here.Database})
	first := here.SignIns()[0]
	root := here.Browser()
	var in struct {
		SignIn struct{ Result struct{ Token string } }
	}
	root.Read(&in, `mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }`,
		map[string]any{"in": map[string]any{"identifier": first.Email, "password": first.Password, "transport": "BEARER"}})
	root.Token = in.SignIn.Result.Token
	root.Must(`mutation { a: defineMetric(input: {key: "tile", event: "tile", dimensions: ["page"]}) { metric { key } }
	  b: defineMetric(input: {key: "noise", event: "noise", dimensions: ["page"]}) { metric { key } } }`, nil)
	for elsewhere := root.At(there); ; { // until the other node knows them
		var got struct{ Metrics []struct{ Key string } }
		if elsewhere.Read(&got, `{ metrics { key } }`, nil); len(got.Metrics) >= 2 {
			break
		}
	}
	ws := connect(b, there, root.Token)
	seen := make(chan int64, 10_000)
	if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"id":"1","type":"subscribe","payload":{"query":"subscription { live(channels: [{key: \"t\", report: {metric: \"tile\", step: DAY, last: 2}}]) { data { ... on Report { totals { count } } ... on ReportDelta { newTotals: totals { count } } } } }"}}`)); err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			var m struct {
				Payload struct {
					Data struct {
						Live struct {
							Data struct{ Totals, NewTotals []struct{ Count int64 } }
						}
					}
				}
			}
			_, raw, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if json.Unmarshal(raw, &m) != nil {
				continue
			}
			now := m.Payload.Data.Live.Data
			switch totals := slices.Concat(now.Totals, now.NewTotals); {
			case len(totals) == 1:
				seen <- totals[0].Count
			case now.Totals != nil: // of nothing there is no total
				seen <- 0
			}
		}
	}()
	if n := <-seen; n != 0 {
		b.Fatalf("%d events before the first", n)
	}
	var stop atomic.Bool
	noise := make(chan struct{})
	go func() {
		defer close(noise)
		for !stop.Load() {
			began := time.Now()
			track(root, "noise", 200)
			time.Sleep(100*time.Millisecond - time.Since(began))
		}
	}()
	sent := int64(0)
	for b.Loop() {
		var took []time.Duration
		for range rounds {
			began := time.Now()
			track(root, "tile", 1)
			for sent++; <-seen < sent; {
			}
			took = append(took, time.Since(began))
		}
		b.ReportMetric(float64(p99(took))/float64(promisedTile), "tile-ratio")
		b.ReportMetric(float64(p99(took).Milliseconds()), "p99-ms")
	}
	stop.Store(true)
	<-noise
}

func track(c *apptest.Client, name string, n int) {
	events := make([]any, n)
	for i := range events {
		events[i] = map[string]any{"id": ref.NewID(), "name": name, "dims": map[string]any{"page": strconv.Itoa(i % 20)}}
	}
	c.Must(`mutation($in: TrackInput!) { track(input: $in) { accepted } }`, map[string]any{"in": map[string]any{"events": events}})
}
