package actor

import (
	"testing"

	"github.com/backendbook/backendbook/internal/ref"
)

func TestContext(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	if a := From(ctx); !a.IsAnonymous() || !a.Ref().IsZero() {
		t.Errorf("an empty context has the actor %+v", a)
	}
	if RequestFrom(ctx) != (Request{}) {
		t.Error("an empty context has a request")
	}
	a := Actor{User: "u1", Session: "s1", Impersonator: "u2"}
	ctx = WithRequest(With(ctx, a), Request{ID: "r1", IP: "::1"})
	if From(ctx) != a || RequestFrom(ctx).ID != "r1" {
		t.Errorf("lost: %+v %+v", From(ctx), RequestFrom(ctx))
	}
	if a.Ref() != ref.New(ref.User, "u1") || System().Ref().Type != ref.System || System().IsAnonymous() {
		t.Error("Ref or IsAnonymous is wrong")
	}
}
