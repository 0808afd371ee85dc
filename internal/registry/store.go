package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: "content_types", Indexes: []store.Index{{Name: "key", Keys: []string{"key"}, Unique: true}}},
		{Name: "documents", Indexes: slices.Concat([]store.Index{
			{Name: "type_newest", Keys: []string{"type", "-_id"}},
			{Name: "type_owner_newest", Keys: []string{"type", "owner.id", "-_id"}},
			{Name: "owner_newest", Keys: []string{"owner.type", "owner.id", "-_id"}},
		}, filterIndexes())},
		{Name: "references", Indexes: []store.Index{
			{Name: "from_path", Keys: []string{"from.type", "from.id", "path"}, Unique: true},
			{Name: "to_newest", Keys: []string{"to.type", "to.id", "-_id"}},
			{Name: "to_rule", Keys: []string{"to.type", "onDelete", "to.id", "from.id"}},
		}},
		{Name: "tombstones"},
	}
}

// mongoStore is all this package says to MongoDB; references are in store_reference.go.
type mongoStore struct{ types, documents, references, tombstones *mongo.Collection }

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{
		types: db.Collection("content_types"), documents: db.Collection("documents"),
		references: db.Collection("references"), tombstones: db.Collection("tombstones"),
	}
}

func in[T any](field string, vs []T) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$in", Value: vs}}}
}

// within narrows a query to the documents that a filter of their attributes selects.
func within(sc predicate.Filter, query bson.D) bson.D {
	if sc.IsAll() {
		return query
	}
	return bson.D{{Key: "$and", Value: bson.A{query, store.Where(sc, column)}}}
}

// column is where an attribute of a document is kept: see [Document.attributes].
func column(path []string) (store.Column, bool) {
	switch strings.Join(path, ".") {
	case "id":
		return store.Column{Field: "_id", Scalar: true}, true
	case "type", "label":
		return store.Column{Field: path[0], Scalar: true}, true
	case "owner":
		return store.Column{Field: "owner.id", Scalar: true}, true
	case "rev":
		return store.Column{Field: "rev"}, true
	case "createdAt", "updatedAt":
		return store.Column{Field: path[0], Date: true}, true
	}
	return store.Column{Field: strings.Join(path, ".")}, path[0] == "data" && len(path) > 1
}

// typeRow is a content type as stored.
type typeRow struct {
	ContentType `bson:",inline"`
	Schema      string `bson:"schema"`
}

// contentType is the type with its schema unpacked.
func (r typeRow) contentType() (ContentType, error) {
	t := r.ContentType
	d := json.NewDecoder(strings.NewReader(r.Schema))
	d.UseNumber()
	if err := d.Decode(&t.Schema); err != nil {
		return t, fmt.Errorf("schema of content type %s: %w", t.ID, err)
	}
	return t, nil
}

func (m *mongoStore) typeWhere(ctx context.Context, field, value string) (typeRow, error) {
	row, err := store.FindOne[typeRow](ctx, m.types, bson.D{store.Eq(field, value)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, ErrTypeUnknown
	}
	return row, err
}

func (m *mongoStore) typesWhere(ctx context.Context, ids []string) ([]typeRow, error) {
	return store.Find[typeRow](ctx, m.types, bson.D{in("_id", ids)})
}

func (m *mongoStore) allTypes(ctx context.Context) ([]typeRow, error) {
	return store.Find[typeRow](ctx, m.types, bson.D{},
		options.Find().SetSort(bson.D{{Key: "key", Value: 1}}).SetLimit(MaxTypes).SetBatchSize(MaxTypes))
}

// insertType refuses a key that is taken, and a type too many: two writers may overshoot the bound by one.
func (m *mongoStore) insertType(ctx context.Context, row typeRow) error {
	n, err := m.types.CountDocuments(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("count content types: %w", store.Translate(err))
	}
	if n >= MaxTypes {
		return ErrTypeLimit
	}
	_, err = m.types.InsertOne(ctx, row)
	switch {
	case store.IsDuplicate(err):
		return ErrTypeTaken.On("input.key").Because(err)
	case err != nil:
		return fmt.Errorf("insert content type %s: %w", row.Key, store.Translate(err))
	}
	return nil
}

func (m *mongoStore) document(ctx context.Context, id string) (Document, error) {
	d, err := store.FindByID[Document](ctx, m.documents, id)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return d, fault.ErrNotFound
	}
	d.Data = plainMap(d.Data)
	return d.bare(), err
}

// chunk bounds the ids of one find: the filter stays small beside the answer.
const chunk = 2000

// documentsByID reads the documents with these ids that the scope lets see. One find for each 2,000 ids.
func (m *mongoStore) documentsByID(ctx context.Context, sc predicate.Filter, ids []string) (map[string]Document, error) {
	found := make(map[string]Document, len(ids))
	for part := range slices.Chunk(ids, chunk) {
		all, err := store.Find[Document](ctx, m.documents, within(sc, bson.D{in("_id", part)}), options.Find().SetBatchSize(chunk+1))
		if err != nil {
			return nil, err
		}
		for _, d := range plainAll(all) {
			found[d.ID] = d
		}
	}
	return found, nil
}

func (m *mongoStore) insertDocuments(ctx context.Context, ds []Document) error {
	if _, err := m.documents.InsertMany(ctx, ds); err != nil {
		return fmt.Errorf("insert %d documents: %w", len(ds), store.Translate(err))
	}
	return nil
}

// updateDocuments writes each document over its revision before. The caller read them in the same transaction, so one
// that does not match is a mistake of the programmer.
func (m *mongoStore) updateDocuments(ctx context.Context, ds []Document) error {
	writes := make([]mongo.WriteModel, len(ds))
	for i, d := range ds {
		writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{store.Eq("_id", d.ID), store.Eq("rev", d.Rev-1)}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{
				{Key: "rev", Value: d.Rev},
				{Key: "label", Value: d.Label},
				{Key: "data", Value: d.Data},
				{Key: "updatedAt", Value: d.UpdatedAt},
				{Key: "x", Value: d.Index},
				{Key: "words", Value: d.Words},
				{Key: "prefix", Value: d.Prefix},
			}}})
	}
	res, err := m.documents.BulkWrite(ctx, writes)
	switch {
	case err != nil:
		return fmt.Errorf("update %d documents: %w", len(ds), store.Translate(err))
	case res.MatchedCount != int64(len(ds)):
		return fmt.Errorf("update documents: %d of %d matched", res.MatchedCount, len(ds))
	}
	return nil
}

// touch writes these documents without changing what they are, so that a transaction which deletes one conflicts with
// this one. A counter, because a write that changes nothing is no write to the server and conflicts with nobody.
func (m *mongoStore) touch(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := m.documents.UpdateMany(ctx, bson.D{in("_id", ids)}, bson.D{{Key: "$inc", Value: bson.D{{Key: "links", Value: 1}}}})
	if err != nil {
		return fmt.Errorf("touch %d targets: %w", len(ids), store.Translate(err))
	}
	return nil
}

// typeOfDocuments gives the content type of each of these documents that is there and may be seen. One find.
func (m *mongoStore) typeOfDocuments(ctx context.Context, sc predicate.Filter, ids []string) (map[string]string, error) {
	all, err := store.Find[Document](ctx, m.documents, within(sc, bson.D{in("_id", ids)}),
		options.Find().SetProjection(bson.D{{Key: "type", Value: 1}}))
	types := make(map[string]string, len(all))
	for _, d := range all {
		types[d.ID] = d.Type
	}
	return types, err
}

func plainAll(ds []Document) []Document {
	for i := range ds {
		ds[i].Data = plainMap(ds[i].Data)
		ds[i] = ds[i].bare()
	}
	return ds
}

// plainMap turns what the driver makes of stored data back into what [plainData] gave.
func plainMap(m map[string]any) map[string]any {
	for k, v := range m {
		m[k] = plainStored(v)
	}
	return m
}

func plainStored(v any) any {
	switch v := v.(type) {
	case bson.D:
		out := make(map[string]any, len(v))
		for _, e := range v {
			out[e.Key] = plainStored(e.Value)
		}
		return out
	case bson.A:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plainStored(e)
		}
		return out
	case int32:
		return int64(v)
	default:
		return v
	}
}

// ownedBy reads the n newest documents of an owner.
func (m *mongoStore) ownedBy(ctx context.Context, owner ref.Ref, n int) ([]Document, error) {
	return store.Find[Document](ctx, m.documents, store.Points("owner", owner),
		options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(n)))
}
