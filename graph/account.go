package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/webauth"
)

// transport is how the secret of a new session travels.
func transport(t model.SessionTransport) webauth.Transport {
	if t == model.SessionTransportBearer {
		return webauth.Bearer
	}
	return webauth.Cookie
}

// signedIn is the outcome of a sign-in.
func signedIn(in webauth.SignedIn) model.SignedIn {
	out := model.SignedIn{User: in.User, Session: in.Session}
	if in.Token != "" {
		out.Token = &in.Token
	}
	return out
}

// justSignedIn reports whether the object whose field is being resolved is the user or the session of a SignedIn: the
// request began as somebody else, or nobody, but its sender is that user now.
func justSignedIn(ctx context.Context) bool {
	f := graphql.GetFieldContext(ctx)
	return f != nil && f.Parent != nil && f.Parent.Object == "SignedIn"
}

// asReader is ctx as the one who reads the fields of u.
func asReader(ctx context.Context, u *account.User) context.Context {
	if justSignedIn(ctx) {
		return actor.With(ctx, actor.Actor{User: u.ID})
	}
	return ctx
}
