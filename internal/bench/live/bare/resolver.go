package bare

import (
	"context"
	"net/http"
	"sync"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"
)

// Handler serves GraphQL over a hub.
func Handler(hub *Hub) http.Handler {
	srv := handler.New(NewExecutableSchema(Config{Resolvers: &resolver{hub}}))
	srv.AddTransport(transport.Websocket{})
	srv.AddTransport(transport.POST{})
	srv.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	return srv
}

// Hub brings messages to those who follow their channel. The zero hub is ready. It is safe for concurrent use.
type Hub struct {
	mu        sync.RWMutex
	followers map[string]map[chan *Message]struct{}
}

// buffered is how many messages wait for one subscriber before the next is lost.
const buffered = 64

// Publish gives a message to all who follow its channel, and never waits.
func (h *Hub) Publish(m *Message) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.followers[m.Channel] {
		select {
		case c <- m:
		default:
		}
	}
}

func (h *Hub) follow(ctx context.Context, channel string) <-chan *Message {
	c := make(chan *Message, buffered)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers == nil {
		h.followers = map[string]map[chan *Message]struct{}{}
	}
	if h.followers[channel] == nil {
		h.followers[channel] = map[chan *Message]struct{}{}
	}
	h.followers[channel][c] = struct{}{}
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.followers[channel], c)
	})
	return c
}

type resolver struct{ hub *Hub }

func (r *resolver) Query() QueryResolver               { return r }
func (r *resolver) Subscription() SubscriptionResolver { return r }

func (r *resolver) Ping(context.Context) (string, error) { return "pong", nil }

func (r *resolver) Live(ctx context.Context, channel string) (<-chan *Message, error) {
	return r.hub.follow(ctx, channel), nil
}
