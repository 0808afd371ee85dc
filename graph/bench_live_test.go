package graph

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // of the server that is measured, to see where its time goes
	"strings"
	"time"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/live"
)

// benchLiveEnv makes this test binary the server that `make bench-live` measures: sockets, hub, executor and schema of the
// product on a source that needs no database. Its value is how many channels there are, how often a second each of them
// tells something, and by how many bytes the messages are longer than they need be: "20 5 0".
const benchLiveEnv = "BACKENDBOOK_BENCH_LIVE"

// ticker is a live job that is always a little further.
type ticker struct{ now *job.Progress }

func (t *ticker) Load(context.Context) error { return nil }
func (t *ticker) Snapshot() any              { return t.now }

func (t *ticker) Apply(change any) any {
	p, ok := change.(*job.Progress)
	if !ok {
		return nil
	}
	t.now = p
	return p
}

// benchRoot answers subscriptions from tickers.
type benchRoot struct {
	*Resolver
	hub *live.Hub
}

func (r *benchRoot) Subscription() generated.SubscriptionResolver { return r }

func (r *benchRoot) Live(ctx context.Context, channels []model.ChannelInput, _ *string) (<-chan *live.Message, error) {
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		reqs[i] = live.Request{Label: c.Key, Open: func(context.Context) (live.Channel, error) {
			return live.Channel{
				Key: c.Key, Topics: []string{c.Key}, New: func() live.Source { return &ticker{now: &job.Progress{}} },
				Allowed: func(context.Context) error { return nil },
			}, nil
		}}
	}
	return subscribe(ctx, r.hub, "", reqs)
}

// serveBenchLive is the server process: it prints its address and serves until it is killed. Any token is good, for a
// user and a session of that name.
func serveBenchLive(load string) {
	var channels, pad int
	var rate float64
	if _, err := fmt.Sscan(load, &channels, &rate, &pad); err != nil {
		panic(err)
	}
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	hub := live.New(ctx, clock.System(), log, live.Config{})
	go hub.Run()
	srv := newServer(&benchRoot{Resolver: &Resolver{}, hub: hub}, noRights{}, proven{}, loader.Sources{}, Config{}, log, Hooks{})
	auth := func(_ context.Context, token string) (actor.Actor, time.Time, error) {
		return actor.Actor{User: token, Session: token}, time.Time{}, nil
	}
	srv.HandleStreams(NewSockets(srv, auth, newBook(), clock.System(), log, SocketConfig{}))
	http.Handle("/graphql", srv)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go tickBench(hub, channels, rate, strings.Repeat("x", pad))
	panic(http.Serve(l, nil))
}

// tickBench publishes to all channels at once, at the rate, as the servers do that it is compared with.
func tickBench(hub *live.Hub, channels int, rate float64, pad string) {
	period := time.Duration(float64(time.Second) / rate)
	next := time.Now()
	for n := int64(1); ; n++ {
		for i := range channels {
			c := fmt.Sprintf("c%d", i)
			hub.Publish(c, &job.Progress{Job: job.Job{ID: "imports-of-eu-west-" + c + pad, Done: time.Now().UnixMicro(), Total: n * 7}})
		}
		next = next.Add(period)
		time.Sleep(time.Until(next))
	}
}
