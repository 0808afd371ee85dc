package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/fault"
)

// Transport says how the secret of a new session reaches the client.
type Transport uint8

// The transports.
const (
	Cookie Transport = iota // by the TokenSink of the context
	Bearer                  // in the answer
)

// TokenSink gives the secret of a session to the client out of band, by setting a cookie; an empty token clears it.
type TokenSink func(token string)

type sinkKey struct{}

// WithTokenSink puts a sink into the context; a nil one takes away what was there, for a transport that has no headers
// to set any more.
func WithTokenSink(ctx context.Context, s TokenSink) context.Context {
	return context.WithValue(ctx, sinkKey{}, s)
}

// TokenSinkFrom is the sink of the context, or nil.
func TokenSinkFrom(ctx context.Context) TokenSink {
	s, _ := ctx.Value(sinkKey{}).(TokenSink)
	return s
}

// check refuses a transport that the request has no means for.
//
// Errors: BAD_USER_INPUT.
func (t Transport) check(ctx context.Context) error {
	if t == Cookie && TokenSinkFrom(ctx) == nil {
		return fault.ErrInput.On("input.transport").Saying("a cookie cannot be set over this connection: use the transport BEARER")
	}
	return nil
}
