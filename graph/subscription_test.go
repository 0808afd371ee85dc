package graph

import (
	"context"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/live"
)

// TestWhatIsCutShortIsNotShared: the bytes of a message that was executed for a client who left meanwhile, or that lack a part,
// must not become those of all others.
func TestWhatIsCutShortIsNotShared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(leave func()) *graphql.Response
		shared bool
		own    bool
	}{
		"whole":       {func(func()) *graphql.Response { return &graphql.Response{Data: []byte(`{}`)} }, true, false},
		"left":        {func(leave func()) *graphql.Response { leave(); return &graphql.Response{Data: []byte(`null`)} }, false, false},
		"left early":  {func(leave func()) *graphql.Response { leave(); return nil }, false, false},
		"with errors": {func(func()) *graphql.Response { return &graphql.Response{Errors: gqlerror.List{{Message: "x"}}} }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			op := &operation{ctx: ctx, feed: make(chan *live.Message, 1)}
			op.responses = func(context.Context) *graphql.Response {
				<-op.feed
				return c.answer(leave)
			}
			shared, own := op.render(&live.Message{Frame: &live.Frame{}})
			if (shared != nil) != c.shared || (own != nil) != c.own {
				t.Errorf("shared %s, own %s", shared, own)
			}
		})
	}
}
