package graph

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/token"
	"github.com/backendbook/backendbook/internal/trace"
)

// The transport below is our own, on gqlgen's executor: gqlgen's executes, encodes and writes once for each subscriber,
// has no bound on what a slow client makes it keep, and misses close codes of the protocol. The protocol is
// graphql-transport-ws, https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md.

const subprotocol = "graphql-transport-ws"

// Close codes of the protocol, and 4290 of our own: the client did not read what it asked for. Reference clients do not
// reconnect by themselves after 4400 to 4499 but 4290 is outside their list, so they do.
const (
	closeRestart         = 1012
	closeSlow            = 4290
	closeBadRequest      = 4400
	closeUnauthorized    = 4401
	closeForbidden       = 4403
	closeTurned          = 4205
	closeBadSubprotocol  = 4406
	closeInitTimeout     = 4408
	closeDuplicate       = 4409
	closeTooMany         = 4429
	closeInternal        = 4500
	subprotocolRejection = "Subprotocol not acceptable"
)

// SocketConfig tunes the WebSocket transport. Zero values mean the defaults written beside them.
type SocketConfig struct {
	InitTimeout    time.Duration // until connection_init, default 5 s
	PingEvery      time.Duration // of WebSocket pings, default 25 s; a peer silent for two of them is gone
	WriteTimeout   time.Duration // for one write, default 10 s: a client that does not read is cut then
	MessageBytes   int64         // largest message of a client, decompressed too, default 64 KiB
	Compression    bool          // permessage-deflate (RFC 7692) with clients that offer it: less to send, more to compute
	QueueBytes     int           // what may wait for one client, default 256 KiB
	ExpiryWarning  time.Duration // how long before its end a socket is told of it, default 60 s
	PublicURL      string        // the origin of the server's own pages; empty in development: then the one that agrees with the Host header
	AllowedOrigins []string      // scheme://host[:port] of other pages that may connect

	Operations  int // at once on one socket, default 100
	Sockets     int // at once on this node, default 20,000
	UserSockets int // at once of one user on this node, default 20
	// SocketsOf is how many of these the plan of a user allows; nil for all of them. It must answer from memory, or soon.
	SocketsOf         func(ctx context.Context, user string) int
	PendingPerAddress int // not acknowledged yet, at once from one network address, an IPv6 one by its /64; default 500
	MessagesPerSecond int // of one client, default 100; twice as many at once
}

func (c SocketConfig) withDefaults() SocketConfig {
	c.InitTimeout = cmp.Or(c.InitTimeout, 5*time.Second)
	c.PingEvery = cmp.Or(c.PingEvery, 25*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 10*time.Second)
	c.ExpiryWarning = cmp.Or(c.ExpiryWarning, time.Minute)
	c.MessageBytes = cmp.Or(c.MessageBytes, 64<<10)
	c.QueueBytes = cmp.Or(c.QueueBytes, 256<<10)
	c.Operations = cmp.Or(c.Operations, 100)
	c.Sockets = cmp.Or(c.Sockets, 20_000)
	c.UserSockets = cmp.Or(c.UserSockets, 20)
	c.PendingPerAddress = cmp.Or(c.PendingPerAddress, 500)
	c.MessagesPerSecond = cmp.Or(c.MessagesPerSecond, 100)
	return c
}

// operations is what the sockets need of [Server].
type operations interface {
	Prepare(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List)
	Execute(ctx context.Context, op *graphql.OperationContext) graphql.ResponseHandler
}

// Authenticate turns a token into who is asking. until is when the token ends by itself; zero: as long as its session.
type Authenticate func(ctx context.Context, token string) (a actor.Actor, until time.Time, err error)

// SessionWatch tells of the ends of sessions, access keys among them.
type SessionWatch interface {
	// Watch gives a channel that is closed when the session ends, within a second if it has ended before; stop lets go of it.
	Watch(session string) (ended <-chan struct{}, stop func())
	// UntilOf is when a watched session ends if nothing happens. It must answer from memory.
	UntilOf(session string) (until time.Time, known bool)
}

// Sockets serves GraphQL over WebSocket. It is safe for concurrent use.
type Sockets struct {
	exec     operations
	auth     Authenticate
	sessions SessionWatch
	now      clock.Clock
	log      *slog.Logger
	cfg      SocketConfig
	upgrader websocket.Upgrader
	pending  tally // sockets that are not acknowledged, by network address
	users    tally // sockets that are, by who has them

	mu       sync.Mutex
	open     map[*socket]struct{}
	beating  bool // beat comes again
	draining bool
	running  sync.WaitGroup

	delivered, refused, slow atomic.Int64
}

// SocketStats counts what the sockets do, for metrics.
type SocketStats struct {
	Open      int   // now
	Delivered int64 // messages queued since the start
	Refused   int64 // messages a full queue refused
	Slow      int64 // sockets cut for not reading
}

// NewSockets makes the transport. The ends of tokens are by now, the waiting for peers by the machine's clock.
func NewSockets(exec operations, auth Authenticate, sessions SessionWatch, now clock.Clock, log *slog.Logger, cfg SocketConfig) *Sockets {
	return &Sockets{
		exec: exec, auth: auth, sessions: sessions, now: now, log: log, cfg: cfg.withDefaults(), open: map[*socket]struct{}{},
		upgrader: websocket.Upgrader{
			ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
			Subprotocols: []string{subprotocol}, EnableCompression: cfg.Compression,
			CheckOrigin: func(*http.Request) bool { return true }, // checked before, with a coded answer
		},
	}
}

// Stats tells what the sockets are doing.
func (s *Sockets) Stats() SocketStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SocketStats{Open: len(s.open), Delivered: s.delivered.Load(), Refused: s.refused.Load(), Slow: s.slow.Load()}
}

// ServeHTTP upgrades the request and returns; the socket lives on in goroutines of its own, which frees the stack and the
// buffers of the request. A page of another origin, an address with too many sockets that say nothing, and a full or
// draining server are refused before the upgrade, with 403, 429 and 503.
func (s *Sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.originAllowed(r) {
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	if s.full(w) {
		return
	}
	address := throttle.Network(actor.RequestFrom(r.Context()).IP)
	if !s.pending.take(address, s.cfg.PendingPerAddress) {
		w.Header().Set("Retry-After", strconv.Itoa(int(s.cfg.InitTimeout/time.Second)+1))
		http.Error(w, "too many sockets wait for connection_init", http.StatusTooManyRequests)
		return
	}
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.pending.give(address)
		return // Upgrade has answered
	}
	c := newSocket(trace.Apart(context.WithoutCancel(r.Context())), s, webSocket{ws, s.cfg.Compression && wantsDeflate(r.Header)})
	c.ws = ws
	c.address = address
	c.token, _ = token.Bearer(r.Header.Get("Authorization"))
	if !s.add(c) {
		s.pending.give(address)
		c.cancel()
		c.ping.Stop()
		_ = ws.Close()
		return
	}
	if ws.Subprotocol() != subprotocol {
		c.close(closeBadSubprotocol, subprotocolRejection)
	}
	go s.run(c) //nolint:contextcheck // a socket outlives the context of the request that opened it
}

// full reports whether there can be no more sockets now, and answers so.
func (s *Sockets) full(w http.ResponseWriter) bool {
	s.mu.Lock()
	full := s.draining || len(s.open) >= s.cfg.Sockets
	s.mu.Unlock()
	if full {
		w.Header().Set("Retry-After", "2")
		http.Error(w, "no more sockets now", http.StatusServiceUnavailable)
	}
	return full
}

// run is the life of a socket. It has a context of its own: that of the request ends with the upgrade.
func (s *Sockets) run(c *socket) {
	defer s.running.Done()
	c.serve()
	s.remove(c)
}

func (s *Sockets) add(c *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.open[c] = struct{}{}
	s.running.Add(1)
	if !s.beating {
		s.beating = true
		time.AfterFunc(beatEvery, s.beat)
	}
	return true
}

func (s *Sockets) remove(c *socket) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
}

// originAllowed decides who may open a socket. A browser always sends Origin; without one the request is no page's, and
// may come if it carries no cookie that a page could abuse. The Host header is what the sender says it is: it counts
// only in development, where the server does not know its own address.
func (s *Sockets) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return r.Header.Get("Cookie") == ""
	case s.cfg.PublicURL == "" && (origin == "http://"+r.Host || origin == "https://"+r.Host):
		return true
	default:
		return origin == s.cfg.PublicURL || slices.Contains(s.cfg.AllowedOrigins, origin)
	}
}

// Drain closes every socket with 1012 and a hint when to come back, spread over a few seconds so that they do not come all
// at once, and waits until they are gone or ctx ends.
func (s *Sockets) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	for c := range s.open {
		c.close(closeRestart, `{"reconnectInMs":`+strconv.Itoa(500+rand.IntN(4500))+`}`)
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		s.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
		s.mu.Lock()
		for c := range s.open {
			_ = c.wire.Close()
		}
		s.mu.Unlock()
		<-gone
	}
}
