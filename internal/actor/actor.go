// Package actor says who is asking: the principal of a request and the facts about the request that audit and logs need.
// It travels in the context from the interface layer down to the event log.
package actor

import (
	"context"

	"github.com/backendbook/backendbook/internal/ref"
)

// Actor is the principal of one request, one socket or one job. The zero Actor is an anonymous visitor.
type Actor struct {
	User         string // id of the user whose rights apply; empty when anonymous
	Session      string // id of the session; empty for keys, jobs and the command line
	Key          string // id of the access key a program came with; empty for people
	Scope        *Scope // the only permissions of the user that this request may use; nil for all of them
	Role         string // the role the user has activated, as rbac writes it, and that replaces all they hold; empty for none
	Impersonator string // id of the user who acts as User; empty when nobody does
	ReadOnly     bool   // an impersonator who may only look
	Visitor      string // who keeps data here without being signed in: digest of the visitor's cookie in hex; empty for none
	System       bool   // the server itself or an operator at the command line: may do everything, and is audited as such
}

// Request is what is known about the request an actor makes.
type Request struct {
	ID        string // request id, the one in the logs and in X-Request-Id
	Operation string // GraphQL operation name, HTTP route or command
	IP        string // address of the peer, after trusted proxies
	UserAgent string // cut to 256 bytes
}

// System is the server itself.
func System() Actor { return Actor{System: true} }

// IsAnonymous reports whether nobody is signed in.
func (a Actor) IsAnonymous() bool { return a.User == "" && !a.System }

// IsPerson reports whether somebody is signed in with a session. What a person may do to their own account, a key may not.
func (a Actor) IsPerson() bool { return a.User != "" && a.Session != "" && a.Key == "" }

// IsSelf reports whether a person is here themself: nobody acts as them.
func (a Actor) IsSelf() bool { return a.IsPerson() && a.Impersonator == "" }

// Credential is the id of what the request came with, a session or a key; empty without one.
func (a Actor) Credential() string {
	if a.Key != "" {
		return a.Key
	}
	return a.Session
}

// Ref is the principal as a reference: a user, the system, or nothing for an anonymous visitor.
func (a Actor) Ref() ref.Ref {
	switch {
	case a.System:
		return ref.New(ref.System, ref.System)
	case a.User != "":
		return ref.New(ref.User, a.User)
	default:
		return ref.Ref{}
	}
}

type (
	actorKey   struct{}
	requestKey struct{}
)

// With puts the actor into the context.
func With(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, actorKey{}, a) }

// From is the actor of the context; anonymous when none was put there.
func From(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// WithRequest puts the facts of the request into the context.
func WithRequest(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestFrom gives the facts of the request; the zero Request when none were put there.
func RequestFrom(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}
