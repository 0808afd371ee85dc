package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// load is what the clients do.
type load struct {
	sockets  int
	channels int           // that each socket follows, or that there are, see spread
	spread   bool          // each socket follows one channel, another than the others
	together bool          // all channels of a socket in one operation, where a server can
	stalled  int           // so many more sockets subscribe and never read
	window   time.Duration // that is measured
}

// dialers is how many sockets are opened at once.
const dialers = 64

// settle is how long messages flow before the window, and how long those of the window have to arrive.
const (
	settle = 700 * time.Millisecond
	late   = 300 * time.Millisecond
)

// outcome is what came of it.
type outcome struct {
	delivered     int // in the window
	lost, doubled int
	failed        int    // sockets that could not connect, or were closed
	why           string // the first of them failed, or the first error message
	shed          int    // sockets that the server has closed
	seconds       float64
	cpu           float64   // seconds of the server's
	before, after int64     // bytes the server holds resident
	latency       []float64 // in milliseconds, sorted
}

// p99 is the latency that one message in a hundred exceeds.
func (o outcome) p99() float64 {
	if len(o.latency) == 0 {
		return 0
	}
	return o.latency[len(o.latency)*99/100]
}

// perCPU is how many messages one second of the server's CPU delivers.
func (o outcome) perCPU() float64 { return float64(o.delivered) / o.cpu }

// client is one socket.
type client struct {
	ws   *websocket.Conn
	last map[string]int // by channel

	delivered, lost, doubled int
	latency                  []float64
	failure                  error
}

// phase tells the clients how far the run is.
type phase struct{ measuring, over atomic.Bool }

// run puts a server under load and takes its measure.
func (l load) run(s *server) (outcome, error) {
	var o outcome
	var ph phase
	var err error
	if o.before, err = s.resident(); err != nil {
		return o, err
	}
	idle, err := s.sockets()
	if err != nil {
		return o, err
	}
	clients, stalled := make([]*client, l.sockets), make([]*client, l.stalled)
	l.open(s, stalled, true)
	l.open(s, clients, false)
	var reading sync.WaitGroup
	for _, c := range clients {
		if c.failure == nil {
			reading.Go(func() { c.failure = c.read(s.protocol, &ph) })
		}
	}
	time.Sleep(settle)
	cpu, err := s.cpu()
	if err != nil {
		return o, err
	}
	begin := time.Now()
	ph.measuring.Store(true)
	go s.save("profile", fmt.Sprintf("?seconds=%d", max(1, int(l.window.Seconds()))))
	time.Sleep(l.window)
	ph.measuring.Store(false)
	o.seconds = time.Since(begin).Seconds()
	end, err := s.cpu()
	if err != nil {
		return o, err
	}
	o.cpu = end - cpu
	if o.after, err = s.resident(); err != nil {
		return o, err
	}
	time.Sleep(late)
	s.save("heap", "")
	ph.over.Store(true)
	open, err := s.sockets()
	if err != nil {
		return o, err
	}
	o.shed = idle + l.sockets + l.stalled - open
	for _, c := range slices.Concat(clients, stalled) {
		if c.ws != nil {
			_ = c.ws.NetConn().Close()
		}
	}
	reading.Wait()
	o.add(clients)
	return o, nil
}

func (o *outcome) add(clients []*client) {
	for _, c := range clients {
		o.delivered += c.delivered
		o.lost += c.lost
		o.doubled += c.doubled
		o.latency = append(o.latency, c.latency...)
		if c.failure != nil {
			o.failed++
			o.why = c.failure.Error()
		}
	}
	slices.Sort(o.latency)
}

// open connects and subscribes.
func (l load) open(s *server, clients []*client, stalled bool) {
	var wg sync.WaitGroup
	free := make(chan struct{}, dialers)
	for i := range clients {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			c := &client{last: map[string]int{}}
			c.failure = c.connect(s, l, i, stalled)
			clients[i] = c
		})
	}
	wg.Wait()
}

func (c *client) connect(s *server, l load, i int, stalled bool) error {
	d := websocket.Dialer{HandshakeTimeout: 20 * time.Second, ReadBufferSize: 2048, WriteBufferSize: 512, NetDialContext: dial(stalled)}
	user := "u" + strconv.Itoa(i)
	if stalled {
		user = "stalled" + strconv.Itoa(i)
	}
	hello := `{"type":"connection_init","payload":{"authorization":"Bearer ` + user + `"}}`
	if s.protocol == centrifugeProtocol {
		hello = `{"id":1,"connect":{}}`
	} else {
		d.Subprotocols = []string{"graphql-transport-ws"}
	}
	ws, resp, err := d.Dial(s.url, http.Header{})
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return err
	}
	c.ws = ws
	if err := c.send(hello); err != nil {
		return err
	}
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, b, err := ws.ReadMessage(); err != nil || !bytes.Contains(b, []byte(`connect`)) {
		return fmt.Errorf("not acknowledged: %s, %w", b, err)
	}
	_ = ws.SetReadDeadline(time.Time{})
	for _, m := range l.subscriptions(s, i) {
		if err := c.send(m); err != nil {
			return err
		}
	}
	return nil
}

// subscriptions are the messages by which socket i says what it follows.
func (l load) subscriptions(s *server, i int) []string {
	var channels []string
	if l.spread {
		channels = []string{strconv.Itoa(i % l.channels)}
	} else {
		for n := range l.channels {
			channels = append(channels, strconv.Itoa(n))
		}
	}
	var messages []string
	if l.together {
		return append(messages, s.subscription("1", channels...))
	}
	for n, ch := range channels {
		messages = append(messages, s.subscription(strconv.Itoa(n+1), ch))
	}
	return messages
}

func (c *client) send(s string) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(20 * time.Second))
	return c.ws.WriteMessage(websocket.TextMessage, []byte(s))
}

// read takes messages until the end of the run. An end before that, and an error message, are failures.
func (c *client) read(protocol string, ph *phase) error {
	var buf bytes.Buffer
	for {
		_, r, err := c.ws.NextReader()
		if err == nil {
			buf.Reset()
			_, err = buf.ReadFrom(r)
		}
		switch {
		case err != nil && ph.over.Load():
			return nil
		case err != nil:
			return err
		}
		for line := range bytes.SplitSeq(buf.Bytes(), []byte("\n")) { // centrifuge puts several into one frame
			if err := c.take(protocol, line, ph); err != nil {
				return err
			}
		}
	}
}

// take looks at one message. Its number must be one more than that of the message before in its channel.
func (c *client) take(protocol string, m []byte, ph *phase) error {
	channel, number := after(m, `"channel":"`, '"'), after(m, `"seq":`, ',')
	if channel == nil || number == nil {
		switch {
		case protocol == centrifugeProtocol && string(m) == "{}":
			return c.send("{}")
		case bytes.Contains(m, []byte(`"error`)) || bytes.Contains(m, []byte(`"complete"`)):
			return errors.New(string(m))
		}
		return nil
	}
	seq, err := strconv.Atoi(string(number))
	if err != nil {
		return err
	}
	switch last, begun := c.last[string(channel)]; {
	case begun && seq <= last:
		c.doubled++
		return nil
	case begun && seq > last+1:
		c.lost += seq - last - 1
	}
	c.last[string(channel)] = seq
	if !ph.measuring.Load() {
		return nil
	}
	c.delivered++
	us, err := strconv.ParseInt(string(after(m, `"done":`, ',')), 10, 64)
	if err != nil {
		return fmt.Errorf("no time in %s", m)
	}
	if us > 0 { // else the state before the first message
		c.latency = append(c.latency, float64(time.Now().UnixMicro()-us)/1000)
	}
	return nil
}

// after is what stands in m between a key and the character that ends its value; nil if the key is not there.
func after(m []byte, key string, end byte) []byte {
	_, rest, found := bytes.Cut(m, []byte(key))
	if !found {
		return nil
	}
	if i := bytes.IndexByte(rest, end); i >= 0 {
		return rest[:i]
	}
	return nil
}

// dial connects, for a socket that is to stall with a small buffer, so that it is soon full.
func dial(stalled bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	if stalled {
		d.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }); e != nil {
				return e
			}
			return err
		}
	}
	return d.DialContext
}

// subscription is the message that subscribes.
func (s *server) subscription(id string, channels ...string) string {
	ch := "c" + channels[0]
	switch s.kind {
	case productServer:
		var list []string
		for _, c := range channels {
			list = append(list, `{"key":"c`+c+`","job":"job:c`+c+`"}`)
		}
		return `{"id":"` + id + `","type":"subscribe","payload":{"query":"subscription($c:[ChannelInput!]!){ live(channels:$c){ channel kind seq at data { ... on JobProgress { id done total } } } }","variables":{"c":[` + strings.Join(list, ",") + `]}}}`
	case centrifugeServer, centrifugeDelayServer:
		return `{"id":1` + id + `,"subscribe":{"channel":"` + ch + `"}}`
	default:
		return `{"id":"` + id + `","type":"subscribe","payload":{"query":"subscription($c:String!){ live(channel:$c){ channel kind seq at data { ... on Progress { id done total } } } }","variables":{"c":"` + ch + `"}}}`
	}
}
