package event

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A follower of the log alone hears each fact, of no collection, and of no loss.
func TestFollowEvents(t *testing.T) {
	t.Parallel()
	var heard []string
	type key struct{}
	f := FollowEvents("ears", func(ctx context.Context, e Event) {
		if ctx.Value(key{}) != "the tail's" {
			t.Error("the context is another one")
		}
		heard = append(heard, e.Kind)
	})
	if f.Name != "ears" || f.Collection != "" || f.OnChange != nil || f.OnLost != nil {
		t.Errorf("FollowEvents() = %+v", f)
	}
	ctx := context.WithValue(t.Context(), key{}, "the tail's")
	f.OnEvent(ctx, Event{Kind: "one"}, bson.Timestamp{T: 1})
	f.OnEvent(ctx, Event{Kind: "two"}, bson.Timestamp{T: 2})
	if len(heard) != 2 || heard[0] != "one" || heard[1] != "two" {
		t.Errorf("heard %v", heard)
	}
}
