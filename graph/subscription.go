package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/live"
)

// ErrNeedsSocket refuses a subscription that came as an ordinary request.
var ErrNeedsSocket = fault.Define(fault.Invalid, "SUBSCRIPTION_NEEDS_SOCKET", "subscriptions are served over WebSocket (graphql-transport-ws), or as text/event-stream")

// operation is one operation on a socket: a query or mutation that answers once, or a subscription.
//
// A subscription is executed once for each frame and form, not once for each subscriber. The frame comes from the hub to
// Deliver; the first subscriber of a form feeds it through gqlgen's executor and the bytes stay with the frame; the
// others only queue those bytes behind their own operation id.
type operation struct {
	sock   *socket
	id     string
	quoted string // id as JSON
	prefix string // of each next message
	ctx    context.Context
	cancel context.CancelFunc

	queriesOnly bool // it must not change anything: it came as a link does

	mu        sync.Mutex
	stream    *live.Stream
	responses graphql.ResponseHandler
	feed      chan *live.Message   // one frame on its way into the executor
	form      string               // subscribers of equal form get equal bytes
	lanes     map[string]*lane     // by the label of the channel
	last      atomic.Pointer[lane] // the one of the last message: most operations have no other
}

// lane is one channel of an operation on its way to the client.
type lane struct {
	label   string
	form    string // of the operation, and the label
	turn    uint64 // of the outbox, in which bytes were counted; owned by the outbox, as is the next
	waiting int    // bytes that waited then
}

type operationKey struct{}

// newOperation is called under the lock of the socket: it runs as who the socket is at that moment.
func newOperation(c *socket, id string) *operation {
	quoted, _ := json.Marshal(id)
	op := &operation{
		sock: c, id: id, quoted: string(quoted), prefix: `{"id":` + string(quoted) + `,"type":"next","payload":`,
		feed: make(chan *live.Message, 1), lanes: map[string]*lane{},
	}
	op.ctx, op.cancel = context.WithCancel(c.as)
	op.ctx = context.WithValue(op.ctx, operationKey{}, op)
	return op
}

// run executes the operation. For a subscription it returns as soon as that is under way.
func (op *operation) run(params *graphql.RawParams) {
	ctx := graphql.StartOperationTrace(op.ctx)
	oc, errs := op.sock.srv.exec.Prepare(ctx, params)
	if len(errs) == 0 && op.queriesOnly && oc.Operation.Operation == ast.Mutation {
		errs = gqlerror.List{Present(ctx, ErrMethod)}
	}
	if len(errs) > 0 {
		list, _ := json.Marshal(errs)
		op.sock.fail(op, list)
		return
	}
	responses := op.sock.srv.exec.Execute(ctx, oc)
	if oc.Operation.Operation != ast.Subscription {
		if r := responses(ctx); r != nil {
			op.sock.out.offer(&lane{}, op.prefix, encodeResponse(r), 1<<30)
			if op.sock.out.overfull(op.sock.srv.cfg.QueueBytes) {
				op.sock.close(closeSlow, "The answers are not being read")
			}
		}
		op.sock.finish(op.id, true)
		return
	}
	op.mu.Lock()
	stream := op.stream
	op.responses, op.form = responses, form(ctx, oc)
	op.mu.Unlock()
	if stream == nil { // the resolver refused: the first response says why
		if r := responses(ctx); r != nil {
			list, _ := json.Marshal(r.Errors)
			op.sock.fail(op, list)
		}
		return
	}
	stream.Start(op)
	if op.ctx.Err() != nil { // it was ended before there was something to close
		stream.Close()
	}
}

// subscribe is called by the resolver of a live field, inside run: it opens the stream whose frames the field will yield.
func subscribe(ctx context.Context, hub *live.Hub, id string, reqs []live.Request) (<-chan *live.Message, error) {
	op, ok := ctx.Value(operationKey{}).(*operation)
	if !ok {
		return nil, ErrNeedsSocket
	}
	stream, err := hub.Open(op.ctx, id, reqs) //nolint:contextcheck // the stream lives as long as the operation, ctx only while it is dispatched
	if err != nil {
		return nil, err
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	op.stream = stream
	return op.feed, nil
}

// Deliver implements live.Sink.
func (op *operation) Deliver(label string, f *live.Frame) bool {
	if op.ctx.Err() != nil {
		return true
	}
	to := op.lane(label)
	var own []byte
	body := f.Encoded(to.form, func() (shared []byte) {
		shared, own = op.render(&live.Message{Channel: label, Frame: f})
		return shared
	})
	if body == nil {
		body = own
	}
	if body == nil {
		return true // the operation has ended
	}
	srv := op.sock.srv
	if !op.sock.out.offer(to, op.prefix, body, srv.cfg.QueueBytes) {
		srv.refused.Add(1)
		return false
	}
	srv.delivered.Add(1)
	return true
}

// lane is that of a channel.
func (op *operation) lane(label string) *lane {
	if to := op.last.Load(); to != nil && to.label == label {
		return to
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	to := op.lanes[label]
	if to == nil {
		to = &lane{label: label, form: op.form + "\x00" + label}
		op.lanes[label] = to
	}
	op.last.Store(to)
	return to
}

// render executes the operation's selection for one message, for all of its form to share; or, when something went wrong, for
// itself alone. Channels of one operation may come at the same time. It gives nothing once the operation has ended: what is
// executed meanwhile may lack parts.
func (op *operation) render(m *live.Message) (shared, own []byte) {
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.ctx.Err() != nil {
		return nil, nil
	}
	op.feed <- m
	r := op.responses(op.ctx)
	switch {
	case r == nil: // the context ended meanwhile
		select {
		case <-op.feed:
		default:
		}
		return nil, nil
	case op.ctx.Err() != nil:
		return nil, nil
	case len(r.Errors) > 0:
		return nil, encodeResponse(r)
	default:
		return encodeResponse(r), nil
	}
}

// ready tells the hub that the socket takes messages again.
func (op *operation) ready() {
	if s := op.following(); s != nil {
		s.Ready()
	}
}

// end stops the operation. Nothing of it is sent afterwards.
func (op *operation) end() {
	op.cancel()
	if s := op.following(); s != nil {
		s.Close()
	}
}

// following is the stream of a subscription. It is used without the lock: the hub may be delivering meanwhile.
func (op *operation) following() *live.Stream {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.stream
}

// form names what the bytes of a message depend on besides the frame: the document, the operation, the variables used
// below the root field, and, unless every selected type is @shareable, who asks.
func form(ctx context.Context, oc *graphql.OperationContext) string {
	h := sha256.New()
	h.Write([]byte(oc.RawQuery))
	h.Write([]byte{0})
	h.Write([]byte(oc.OperationName))
	w := walk{vars: map[string]any{}, all: oc.Variables, shareable: true, seen: map[string]bool{}}
	for _, sel := range oc.Operation.SelectionSet {
		w.root(sel)
	}
	vars, err := json.Marshal(w.vars) // keys are sorted
	if err != nil {
		w.shareable = false
	}
	h.Write(vars)
	if !w.shareable {
		a := actor.From(ctx)
		h.Write([]byte("\x00" + a.User + "\x00" + a.Impersonator + "\x00" + a.Credential()))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// walk visits what a subscription selects.
type walk struct {
	all       map[string]any
	vars      map[string]any // those that matter
	shareable bool
	seen      map[string]bool // fragments
}

// root visits below a root field; its own arguments choose the channels, they do not shape the messages.
func (w *walk) root(sel ast.Selection) {
	switch sel := sel.(type) {
	case *ast.Field:
		w.directives(sel.Directives)
		w.set(sel.SelectionSet)
	case *ast.InlineFragment:
		for _, s := range sel.SelectionSet {
			w.root(s)
		}
	case *ast.FragmentSpread:
		for _, s := range sel.Definition.SelectionSet {
			w.root(s)
		}
	}
}

func (w *walk) set(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if d := sel.ObjectDefinition; d == nil || (d.Kind == ast.Object && d.Directives.ForName("shareable") == nil && sel.Name != "__typename") {
				w.shareable = false
			}
			w.arguments(sel.Arguments)
			w.directives(sel.Directives)
			w.set(sel.SelectionSet)
		case *ast.InlineFragment:
			w.directives(sel.Directives)
			w.set(sel.SelectionSet)
		case *ast.FragmentSpread:
			w.directives(sel.Directives)
			if !w.seen[sel.Name] {
				w.seen[sel.Name] = true
				w.set(sel.Definition.SelectionSet)
			}
		}
	}
}

func (w *walk) directives(list ast.DirectiveList) {
	for _, d := range list {
		w.arguments(d.Arguments)
	}
}

func (w *walk) arguments(list ast.ArgumentList) {
	for _, a := range list {
		w.value(a.Value)
	}
}

func (w *walk) value(v *ast.Value) {
	if v == nil {
		return
	}
	if v.Kind == ast.Variable {
		w.vars[v.Raw] = w.all[v.Raw]
	}
	for _, c := range v.Children {
		w.value(c.Value)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
