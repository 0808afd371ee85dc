package store

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/trace"
)

// Counter counts the commands sent on behalf of one context.
type Counter = trace.Work

// WithCounter gives a context whose commands are counted, so that a test can tell how many finds something cost.
func WithCounter(ctx context.Context) (context.Context, *Counter) { return trace.Watch(ctx) }

// monitor notes commands in the [trace.Work] and the span of their context, and reports their durations. Of the commands' bodies it
// looks at nothing but the name of the collection: the rest is user data.
type monitor struct {
	cfg Config

	mu   sync.Mutex
	open map[int64]bson.Raw // by request: the commands under way that somebody watches
}

func newMonitor(cfg Config) *event.CommandMonitor {
	m := &monitor{cfg: cfg, open: map[int64]bson.Raw{}}
	return &event.CommandMonitor{
		Started:   m.started,
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) { m.ended(ctx, &e.CommandFinishedEvent, nil) },
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			m.ended(ctx, &e.CommandFinishedEvent, e.Failure)
		},
	}
}

func (m *monitor) started(ctx context.Context, e *event.CommandStartedEvent) {
	work := trace.WorkOf(ctx)
	if work == nil && !m.cfg.Tracer.Watches(ctx) {
		return
	}
	if work != nil {
		work.Sent(e.CommandName)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[e.RequestID] = e.Command // the driver has made it for us
}

func (m *monitor) ended(ctx context.Context, e *event.CommandFinishedEvent, failure error) {
	if m.cfg.Observe != nil {
		m.cfg.Observe(e.CommandName, e.Duration, failure != nil)
	}
	work, spans := trace.WorkOf(ctx), m.cfg.Tracer.Watches(ctx)
	if work == nil && !spans {
		return
	}
	m.mu.Lock()
	body := m.open[e.RequestID]
	delete(m.open, e.RequestID)
	m.mu.Unlock()
	c := trace.Command{Name: e.CommandName, Database: e.DatabaseName, Collection: collectionOf(e.CommandName, body), Took: e.Duration, Failed: failure != nil}
	if spans {
		m.cfg.Tracer.Did(ctx, c, failureCode(failure))
	}
	if work != nil {
		if e.CommandName == "find" || e.CommandName == "aggregate" {
			c.Body = body
		}
		work.Ended(c)
	}
}

// collectionOf reads the name of the collection out of a command; empty for one that has none.
func collectionOf(name string, command bson.Raw) string {
	if name == "getMore" {
		name = "collection"
	}
	c, _ := command.Lookup(name).StringValueOK()
	return c
}

// failureCode is the server's number for a failure, or a word of ours: its text may quote a document.
func failureCode(failure error) string {
	switch n := code(failure); {
	case failure == nil:
		return ""
	case n != 0:
		return strconv.Itoa(n)
	case errors.Is(failure, context.Canceled):
		return "canceled"
	case mongo.IsTimeout(failure):
		return "timeout"
	case mongo.IsNetworkError(failure):
		return "network"
	}
	return "failed"
}
