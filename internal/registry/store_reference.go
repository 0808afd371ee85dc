package registry

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

func (m *mongoStore) insertReferences(ctx context.Context, rs []Reference) error {
	if len(rs) == 0 {
		return nil
	}
	if _, err := m.references.InsertMany(ctx, rs); err != nil {
		return fmt.Errorf("insert %d references: %w", len(rs), store.Translate(err))
	}
	return nil
}

func (m *mongoStore) deleteReferences(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := m.references.DeleteMany(ctx, bson.D{in("_id", ids)}); err != nil {
		return fmt.Errorf("delete %d references: %w", len(ids), store.Translate(err))
	}
	return nil
}

// referencesFrom reads the references of these documents, by document and path. One find.
func (m *mongoStore) referencesFrom(ctx context.Context, ids []string) (map[string][]Reference, error) {
	all, err := store.Find[Reference](ctx, m.references, bson.D{store.Eq("from.type", ref.Document), in("from.id", ids)},
		options.Find().SetSort(bson.D{{Key: "from.id", Value: 1}, {Key: "path", Value: 1}}))
	by := make(map[string][]Reference, len(ids))
	for _, r := range all {
		by[r.From.ID] = append(by[r.From.ID], r)
	}
	return by, err
}

// referencesTo reads one page of the references to an object, newest first.
func (m *mongoStore) referencesTo(ctx context.Context, to ref.Ref, w page.Window) ([]Reference, error) {
	return store.FindPage[Reference](ctx, m.references, bson.D{store.Eq("to.type", to.Type), store.Eq("to.id", to.ID)}, w,
		store.Key{Field: "_id", Desc: true})
}

// inbound matches the references of one rule from outside a set of documents to one of them.
func inbound(ids []string, r OnDelete) bson.D {
	return bson.D{
		store.Eq("to.type", ref.Document), store.Eq("onDelete", r), in("to.id", ids),
		{Key: "from.id", Value: bson.D{{Key: "$nin", Value: ids}}},
	}
}

// holders gives up to limit of the documents that hold one, by a covered scan of all of them.
func (m *mongoStore) holders(ctx context.Context, ids []string, r OnDelete, limit int) ([]string, error) {
	return m.distinct(ctx, ids, r, "$from.id", limit)
}

// someHolders gives documents that hold one of the first limit of them.
func (m *mongoStore) someHolders(ctx context.Context, ids []string, r OnDelete, limit int) ([]string, error) {
	all, err := store.Find[Reference](ctx, m.references, inbound(ids, r),
		options.Find().SetLimit(int64(limit)).SetProjection(bson.D{{Key: "from", Value: 1}}))
	out := make([]string, len(all))
	for i, row := range all {
		out[i] = row.From.ID
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// countInbound counts them, up to limit.
func (m *mongoStore) countInbound(ctx context.Context, ids []string, r OnDelete, limit int) (int, error) {
	n, err := m.references.CountDocuments(ctx, inbound(ids, r), options.Count().SetLimit(int64(limit)))
	if err != nil {
		return 0, fmt.Errorf("count references: %w", store.Translate(err))
	}
	return int(n), nil
}

// inboundTargets tells which of the documents have one.
func (m *mongoStore) inboundTargets(ctx context.Context, ids []string, r OnDelete) ([]string, error) {
	return m.distinct(ctx, ids, r, "$to.id", len(ids))
}

func (m *mongoStore) distinct(ctx context.Context, ids []string, r OnDelete, field string, limit int) ([]string, error) {
	type group struct {
		ID string `bson:"_id"`
	}
	all, err := store.Aggregate[group](ctx, m.references, bson.A{
		bson.D{{Key: "$match", Value: inbound(ids, r)}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: field}}}},
		bson.D{{Key: "$limit", Value: limit}},
	})
	out := make([]string, len(all))
	for i, g := range all {
		out[i] = g.ID
	}
	return out, err
}

// deleteDocuments removes documents with the references they hold.
func (m *mongoStore) deleteDocuments(ctx context.Context, ids []string) error {
	res, err := m.documents.DeleteMany(ctx, bson.D{in("_id", ids)})
	switch {
	case err != nil:
		return fmt.Errorf("delete %d documents: %w", len(ids), store.Translate(err))
	case res.DeletedCount != int64(len(ids)):
		return fmt.Errorf("delete documents: %d of %d found", res.DeletedCount, len(ids))
	}
	if _, err := m.references.DeleteMany(ctx, bson.D{store.Eq("from.type", ref.Document), in("from.id", ids)}); err != nil {
		return fmt.Errorf("delete references: %w", store.Translate(err))
	}
	return nil
}

func (m *mongoStore) insertTombstones(ctx context.Context, ts []Tombstone) error {
	if len(ts) == 0 {
		return nil
	}
	if _, err := m.tombstones.InsertMany(ctx, ts); err != nil {
		return fmt.Errorf("insert %d tombstones: %w", len(ts), store.Translate(err))
	}
	return nil
}

// tombstonesOf reads the tombstones of these documents. One find.
func (m *mongoStore) tombstonesOf(ctx context.Context, refs []ref.Ref) (map[string]Tombstone, error) {
	all, err := store.Find[Tombstone](ctx, m.tombstones, bson.D{in("_id", refs)})
	found := make(map[string]Tombstone, len(all))
	for _, t := range all {
		found[t.Of.ID] = t
	}
	return found, err
}
