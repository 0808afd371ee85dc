package graph

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/live"
)

// BenchmarkBroadcast compares this server with the least a server can do on gorilla/websocket: a loop that writes ready
// bytes. Both publish the same message 20 times a second to 1,000 sockets, each server in a process of its own, in turn.
// What counts is how many messages one second of the server's CPU delivers; "ratio" is this server's to the other's.
func BenchmarkBroadcast(b *testing.B) {
	const rounds = 3
	sum := map[string]float64{}
	for range rounds {
		for _, kind := range []string{"raw", "product"} {
			perCPU, lost := broadcast(b, kind, 1000, 5*time.Second)
			sum[kind] += perCPU / rounds
			if lost > 0 {
				b.Errorf("%s lost %d messages", kind, lost)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sum["raw"], "raw-msgs/cpu-s")
	b.ReportMetric(sum["product"], "msgs/cpu-s")
	b.ReportMetric(sum["product"]/sum["raw"], "ratio")
}

const (
	broadcastEnv  = "BACKENDBOOK_BROADCAST"
	broadcastRate = 20 // a second
)

// broadcast measures one server with n sockets.
func broadcast(b *testing.B, kind string, n int, d time.Duration) (perCPU float64, lost int64) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), broadcastEnv+"="+kind, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	var got, gaps atomic.Int64
	var ready, done sync.WaitGroup
	for range n {
		ws, resp, err := (&websocket.Dialer{Subprotocols: []string{subprotocol}}).Dial("ws://"+strings.TrimSpace(addr)+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
		ready.Add(1)
		done.Go(func() { listen(ws, ready.Done, &got, &gaps) })
		b.Cleanup(func() { _ = ws.Close() })
	}
	ready.Wait()
	before, cpu := got.Load(), cpuSeconds(b, cmd.Process.Pid)
	time.Sleep(d)
	delivered, used := got.Load()-before, cpuSeconds(b, cmd.Process.Pid)-cpu
	_ = cmd.Process.Kill()
	done.Wait()
	b.Logf("%s: %d sockets, %.0f msgs/s, server %.2f CPU-s", kind, n, float64(delivered)/d.Seconds(), used)
	return float64(delivered) / used, gaps.Load()
}

// listen signs in, subscribes and counts. A number that is not one more than the last counts as a gap.
func listen(ws *websocket.Conn, ready func(), got, gaps *atomic.Int64) {
	once := sync.OnceFunc(ready)
	defer once()
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init","payload":{"authorization":"Bearer u"}}`))
	_, _, _ = ws.ReadMessage()
	_ = ws.WriteMessage(websocket.TextMessage, []byte(subscribeTo("1", "a")))
	last := 0
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		once()
		got.Add(1)
		_, rest, _ := strings.Cut(string(data), `"seq":`)
		num, _, _ := strings.Cut(rest, ",")
		seq, _ := strconv.Atoi(num)
		if last != 0 && seq != last+1 {
			gaps.Add(1)
		}
		last = seq
	}
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

// serveBroadcast is the server process. It does not return.
func serveBroadcast(kind string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	var h http.Handler
	if kind == "raw" {
		h = rawBroadcast()
	} else {
		h = productBroadcast()
	}
	panic(http.Serve(l, h))
}

func productBroadcast() http.Handler {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	hub := live.New(ctx, clock.System(), log, live.Config{})
	go hub.Run()
	srv := newServer(&testRoot{Resolver: &Resolver{}, hub: hub}, noRights{}, proven{}, loader.Sources{}, Config{}, log, Hooks{})
	auth := func(_ context.Context, token string) (actor.Actor, time.Time, error) {
		return actor.Actor{User: token, Session: "s"}, time.Time{}, nil
	}
	go func() {
		for i := int64(1); ; i++ {
			time.Sleep(time.Second / broadcastRate)
			hub.Publish("a", published{n: i, pad: broadcastPad})
		}
	}()
	return NewSockets(srv, auth, newBook(), clock.System(), log, SocketConfig{UserSockets: 10_000})
}

const broadcastPad = ""

// rawBroadcast is the ceiling: the protocol's framing on gorilla/websocket, no GraphQL, ready wire frames in a queue for
// each socket, and one write for all that waits.
func rawBroadcast() http.Handler {
	type conn struct {
		ws    *websocket.Conn
		mu    sync.Mutex
		cond  *sync.Cond
		queue [][]byte
	}
	var mu sync.Mutex
	conns := map[*conn]struct{}{}
	write := func(c *conn) {
		var queue [][]byte
		var buf []byte
		for {
			c.mu.Lock()
			for len(c.queue) == 0 {
				c.cond.Wait()
			}
			queue, c.queue = c.queue, queue[:0]
			c.mu.Unlock()
			buf = buf[:0]
			for _, f := range queue {
				buf = append(buf, f...)
			}
			if _, err := c.ws.NetConn().Write(buf); err != nil {
				return
			}
		}
	}
	put := func(c *conn, f []byte) {
		c.mu.Lock()
		c.queue = append(c.queue, f)
		c.mu.Unlock()
		c.cond.Signal()
	}
	go func() {
		for i := 1; ; i++ {
			time.Sleep(time.Second / broadcastRate)
			body := fmt.Sprintf(`{"data":{"live":{"channel":"a","kind":"DELTA","seq":%d,"firstSeq":%d,"data":{"__typename":"ReportDelta","points":[{"key":"","count":%d}]},"error":null}}}`, i, i, i)
			f := webSocket{}.frame(nil, chunk{opcode: websocket.TextMessage, prefix: `{"id":"1","type":"next","payload":`, body: []byte(body)})
			mu.Lock()
			for c := range conns {
				put(c, f)
			}
			mu.Unlock()
		}
	}()
	up := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{}, Subprotocols: []string{subprotocol}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &conn{ws: ws}
		c.cond = sync.NewCond(&c.mu)
		go write(c)
		go func() {
			for {
				var m struct{ Type string }
				_, data, err := ws.ReadMessage()
				if err != nil || json.Unmarshal(data, &m) != nil {
					return
				}
				switch m.Type {
				case "connection_init":
					put(c, webSocket{}.frame(nil, chunk{opcode: websocket.TextMessage, body: []byte(`{"type":"connection_ack"}`)}))
				case "subscribe":
					mu.Lock()
					conns[c] = struct{}{}
					mu.Unlock()
				}
			}
		}()
	})
}
