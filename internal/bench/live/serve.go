package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/backendbook/backendbook/internal/bench/live/bare"
)

// serve is the process of a baseline: it prints its address and serves until it is killed.
func serve(kind string, o offer) error {
	var h http.Handler
	var publish func(tick)
	switch kind {
	case rawQueueServer, rawBatchServer:
		r := newRaw(kind == rawBatchServer)
		h, publish = r, r.publish
	case centrifugeServer, centrifugeDelayServer:
		var delay time.Duration
		if kind == centrifugeDelayServer {
			delay = 20 * time.Millisecond
		}
		var err error
		if h, publish, err = newCentrifuge(delay); err != nil {
			return err
		}
	case gqlgenServer:
		hub := &bare.Hub{}
		h = bare.Handler(hub)
		publish = func(t tick) {
			hub.Publish(&bare.Message{
				Channel: t.channel, Kind: "DELTA", Seq: t.seq, At: t.at, Data: &bare.Progress{ID: t.id, Done: t.done, Total: t.total},
			})
		}
	default:
		return fmt.Errorf("there is no server %q", kind)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go o.run(publish)
	return http.Serve(l, h)
}

// newCentrifuge is the library centrifuge with its JSON protocol, its buffers as small as the others'. With a delay it
// collects messages of a client for so long before it writes them.
func newCentrifuge(delay time.Duration) (http.Handler, func(tick), error) {
	node, err := centrifuge.New(centrifuge.Config{ClientChannelLimit: 1000})
	if err != nil {
		return nil, nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials: &centrifuge.Credentials{}, WriteDelay: delay, WriteWithTimer: delay > 0, QueueShrinkDelay: time.Second,
		}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, nil, err
	}
	publish := func(t tick) { _, _ = node.Publish(t.channel, t.appendJSON(nil)) }
	return centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		ReadBufferSize: 1024, UseWriteBufferPool: true, CheckOrigin: func(*http.Request) bool { return true },
	}), publish, nil
}
