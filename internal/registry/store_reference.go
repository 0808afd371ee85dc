package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	all, err := store.Find[Reference](ctx, m.references, bson.D{in("from.type", Homes()), in("from.id", ids)},
		options.Find().SetSort(bson.D{{Key: "from.id", Value: 1}, {Key: "path", Value: 1}}))
	by := make(map[string][]Reference, len(ids))
	for _, r := range all {
		by[r.From.ID] = append(by[r.From.ID], r)
	}
	return by, err
}

// referencesTo reads one page of the references to an object, newest first; of all types of documents for none.
func (m *mongoStore) referencesTo(ctx context.Context, to ref.Ref, types []string, w page.Window) ([]Reference, error) {
	filter := store.Points("to", to)
	if types != nil {
		filter = append(filter, in("fromType", types))
	}
	return store.FindPage[Reference](ctx, m.references, filter, w, store.Key{Field: "_id", Desc: true})
}

// newestTo reads references to objects of one type, object by object as their ids run, the newest first; at most so many.
func (m *mongoStore) newestTo(ctx context.Context, typ string, ids, types []string, most int) ([]Reference, error) {
	filter := bson.D{store.Eq("to.type", typ), in("to.id", ids)}
	if types != nil {
		filter = append(filter, store.Eq("fromType", types[0]))
	}
	return store.Find[Reference](ctx, m.references, filter, options.Find().
		SetSort(bson.D{{Key: "to.id", Value: 1}, {Key: "_id", Value: -1}}).SetLimit(int64(most)).SetBatchSize(int32(most))) //nolint:gosec // some thousand
}

// inbound matches the references of one rule from outside a set of objects to one of them. Ids are unique across all types.
func inbound(to []ref.Ref, r OnDelete) bson.D {
	types, ids := []string{}, make([]string, len(to))
	for i, t := range to {
		if ids[i] = t.ID; !slices.Contains(types, t.Type) {
			types = append(types, t.Type)
		}
	}
	return bson.D{
		in("to.type", types), store.Eq("onDelete", r), in("to.id", ids), {Key: "from.id", Value: bson.D{{Key: "$nin", Value: ids}}},
	}
}

// holders gives up to limit of the documents that hold one, by a covered scan of all of them.
func (m *mongoStore) holders(ctx context.Context, to []ref.Ref, r OnDelete, limit int) ([]ref.Ref, error) {
	return m.distinct(ctx, to, r, "from", limit)
}

// someHolders gives documents that hold one of the first limit of them.
func (m *mongoStore) someHolders(ctx context.Context, to []ref.Ref, r OnDelete, limit int) ([]ref.Ref, error) {
	all, err := store.Find[Reference](ctx, m.references, inbound(to, r),
		options.Find().SetLimit(int64(limit)).SetProjection(bson.D{{Key: "from", Value: 1}}))
	out := make([]ref.Ref, len(all))
	for i, row := range all {
		out[i] = row.From
	}
	return sortedRefs(out), err
}

// sortedRefs sorts by id, and leaves out what is there twice.
func sortedRefs(refs []ref.Ref) []ref.Ref {
	slices.SortFunc(refs, func(a, b ref.Ref) int { return strings.Compare(a.ID, b.ID) })
	return slices.Compact(refs)
}

// countInbound counts them, up to limit.
func (m *mongoStore) countInbound(ctx context.Context, to []ref.Ref, r OnDelete, limit int) (int, error) {
	n, err := m.references.CountDocuments(ctx, inbound(to, r), options.Count().SetLimit(int64(limit)))
	if err != nil {
		return 0, fmt.Errorf("count references: %w", store.Translate(err))
	}
	return int(n), nil
}

// inboundTargets tells which of the objects have one.
func (m *mongoStore) inboundTargets(ctx context.Context, to []ref.Ref, r OnDelete) ([]ref.Ref, error) {
	return m.distinct(ctx, to, r, "to", len(to))
}

func (m *mongoStore) distinct(ctx context.Context, to []ref.Ref, r OnDelete, end string, limit int) ([]ref.Ref, error) {
	if len(to) == 0 {
		return nil, nil
	}
	type group struct {
		ID ref.Ref `bson:"_id"`
	}
	all, err := store.Aggregate[group](ctx, m.references, bson.A{
		bson.D{{Key: "$match", Value: inbound(to, r)}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "type", Value: "$" + end + ".type"}, {Key: "id", Value: "$" + end + ".id"}}}}}},
		bson.D{{Key: "$limit", Value: limit}},
	})
	out := make([]ref.Ref, len(all))
	for i, g := range all {
		out[i] = g.ID
	}
	return out, err
}

// deleteDocuments removes documents with the references they hold.
func (m *mongoStore) deleteDocuments(ctx context.Context, refs []ref.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	var all []string
	for home, ids := range byHome(refs) {
		res, err := m.homes[home].DeleteMany(ctx, bson.D{in("_id", ids)})
		switch {
		case err != nil:
			return fmt.Errorf("delete %d documents: %w", len(ids), store.Translate(err))
		case res.DeletedCount != int64(len(ids)):
			return fmt.Errorf("delete documents: %d of %d found", res.DeletedCount, len(ids))
		}
		all = append(all, ids...)
	}
	if _, err := m.references.DeleteMany(ctx, bson.D{in("from.type", Homes()), in("from.id", all)}); err != nil {
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

func (m *mongoStore) deleteTombstones(ctx context.Context, refs []ref.Ref) error {
	_, err := m.tombstones.DeleteMany(ctx, bson.D{in("_id", refs)})
	return store.Wrap("delete tombstones", err)
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

// lock marks a document as being deleted by a job; with an empty one it is not any more.
func (m *mongoStore) lock(ctx context.Context, on ref.Ref, job string) error {
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "deleting", Value: job}}}}
	if job == "" {
		update = bson.D{{Key: "$unset", Value: bson.D{{Key: "deleting", Value: ""}}}}
	}
	_, err := m.homes[on.Type].UpdateOne(ctx, bson.D{store.Eq("_id", on.ID)}, update)
	return store.Wrap("lock document", err)
}

// homeAfter reads documents of a home in the order of their ids.
func (m *mongoStore) homeAfter(ctx context.Context, home, after string, n int) ([]Document, error) {
	all, err := store.Find[Document](ctx, m.homes[home], bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n)))
	return all, err
}

// cutCursor is a home and an id.
func cutCursor(c string) (home, id string) {
	home, id, _ = strings.Cut(c, ":")
	return home, id
}

// orphanRows counts up to 1,000 rows whose document is not there, and removes them if asked to. It looks at the rows of each home by
// one join on the primary key.
func (m *mongoStore) orphanRows(ctx context.Context, repair bool) (int64, error) {
	n := int64(0)
	for _, home := range Homes() {
		found, err := store.Aggregate[Reference](ctx, m.references, bson.A{
			bson.D{{Key: "$match", Value: bson.D{store.Eq("from.type", home)}}},
			bson.D{{Key: "$lookup", Value: bson.D{
				{Key: "from", Value: m.homes[home].Name()},
				{Key: "localField", Value: "from.id"},
				{Key: "foreignField", Value: "_id"},
				{Key: "pipeline", Value: bson.A{bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}}}},
				{Key: "as", Value: "docs"},
			}}},
			bson.D{{Key: "$match", Value: bson.D{{Key: "docs", Value: bson.D{{Key: "$size", Value: 0}}}}}},
			bson.D{{Key: "$limit", Value: 1000}},
		})
		if err != nil {
			return n, err
		}
		ids := make([]string, len(found))
		for i, r := range found {
			ids[i] = r.ID
		}
		if n += int64(len(ids)); repair {
			if err := m.deleteReferences(ctx, ids); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
