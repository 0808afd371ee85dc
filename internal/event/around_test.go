package event

import (
	"context"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// TestAround: what was done to a user and by them, of the domains asked for and of no other, newest first in pages.
func TestAround(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	me, other := ref.New(ref.User, ref.NewID()), ref.New(ref.User, ref.NewID())
	for _, e := range []struct {
		kind string
		by   ref.Ref
		on   ref.Ref
	}{
		{"account.password.set", other, me},
		{"session.session.started", me, ref.New(ref.Session, ref.NewID())},
		{"registry.document.created", me, ref.New(ref.Document, ref.NewID())},
		{"accounting.books.closed", me, me},
		{"account.user.updated", other, other},
		{"account.user.updated", me, me},
	} {
		ctx := actor.With(t.Context(), actor.Actor{User: e.by.ID})
		if err := db.InTx(ctx, func(ctx context.Context) error { return log.Append(ctx, e.kind, e.on, nil) }); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	args := page.Args{First: new(2)}
	for {
		p, err := log.Around(t.Context(), me.ID, []string{"account", "session"}, args)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Items {
			got = append(got, e.Kind)
		}
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	if want := []string{"account.user.updated", "session.session.started", "account.password.set"}; !slices.Equal(got, want) {
		t.Errorf("Around() = %v, want %v", got, want)
	}
}

// TestAroundIsMerged: the server reads no more facts than it is asked for, however many there are.
func TestAroundIsMerged(t *testing.T) {
	t.Parallel()
	db, log := open(t)
	me := ref.New(ref.User, ref.NewID())
	err := db.InTx(actor.With(t.Context(), actor.Actor{User: me.ID}), func(ctx context.Context) error {
		for range 100 {
			if err := log.Append(ctx, "account.user.updated", me, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.Around(t.Context(), me.ID, []string{"account"}, page.Args{First: new(5)}); err != nil {
		t.Fatal(err)
	}
	raw, err := db.Database().RunCommand(t.Context(), bson.D{
		{Key: "explain", Value: bson.D{
			{Key: "find", Value: collection},
			{Key: "filter", Value: bson.D{
				{Key: "$or", Value: bson.A{store.Points("on", me), bson.D{store.Eq("actor.user", me.ID)}}},
				{Key: "kind", Value: bson.D{{Key: "$in", Value: bson.A{bson.Regex{Pattern: `^account\.`}}}}},
			}},
			{Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}},
			{Key: "limit", Value: 6},
		}},
		{Key: "verbosity", Value: "executionStats"},
	}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := raw.Lookup("executionStats", "totalDocsExamined").AsInt64OK(); n == 0 || n > 14 {
		t.Errorf("%d documents were looked at for 6", n)
	}
}
