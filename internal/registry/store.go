package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	all := []store.Collection{
		{Name: "content_types", Indexes: []store.Index{
			{Name: "key", Keys: []string{"key"}, Unique: true},
			{Name: "names", Keys: []string{"names"}, Unique: true, Partial: bson.D{{Key: "names", Value: bson.D{{Key: "$exists", Value: true}}}}}, // the key and the aliases
		}},
		{Name: "documents", Indexes: documentIndexes()},
		{Name: "references", Indexes: []store.Index{
			{Name: "from_path", Keys: []string{"from.type", "from.id", "path"}, Unique: true},
			{Name: "to_newest", Keys: []string{"to.type", "to.id", "-_id"}},
			{Name: "to_type_newest", Keys: []string{"to.type", "to.id", "fromType", "-_id"}},
			{Name: "to_rule_from", Keys: []string{"to.type", "onDelete", "to.id", "from.type", "from.id"}},
		}},
		{Name: "tombstones"},
		{Name: "trash", Indexes: []store.Index{
			{Name: "type_newest", Keys: []string{"document.type", "-document._id"}},
			{Name: "deletion", Keys: []string{"deletion"}},
			{Name: "over", Keys: []string{"expiresAt"}, Expires: true},
		}},
		{Name: "revisions", Indexes: []store.Index{
			{Name: "of_newest", Keys: []string{"of.id", "-rev"}, Unique: true},
			{Name: "over", Keys: []string{"expiresAt"}, Expires: true},
		}},
	}
	for _, n := range natives {
		all = append(all, store.Collection{Name: n.Collection, Indexes: nativeIndexes(nativeTypes[n.Type])})
	}
	return all
}

// documentIndexes are the indexes of the documents that are made at run time.
func documentIndexes() []store.Index {
	return append([]store.Index{
		{Name: "type_newest", Keys: []string{"type", "-_id"}},
		{Name: "type_version", Keys: []string{"type", "v", "_id"}},
		{Name: "type_owner_newest", Keys: []string{"type", "owner.id", "-_id"}},
		{Name: "owner_newest", Keys: []string{"owner.type", "owner.id", "-_id"}},
	}, filterIndexes(MaxIndexed, true)...)
}

// nativeIndexes are those of the documents of a type of the code. They are all of one type, so some are not needed.
func nativeIndexes(t *compiled) []store.Index {
	searched := slices.ContainsFunc(t.fields, func(f Field) bool { return f.Searched })
	return append([]store.Index{
		{Name: "owner_newest", Keys: []string{"owner.type", "owner.id", "-_id"}},
	}, filterIndexes(len(t.Slots), searched)...)
}

// mongoStore is all this package says to MongoDB; references are in store_reference.go.
type mongoStore struct {
	db                                              *store.DB
	types, references, tombstones, trash, revisions *mongo.Collection
	homes                                           map[string]*mongo.Collection // documents, by the type of references to them
}

func newStore(db *store.DB) *mongoStore {
	m := &mongoStore{
		db: db, types: db.Collection("content_types"), references: db.Collection("references"),
		tombstones: db.Collection("tombstones"), trash: db.Collection("trash"), revisions: db.Collection("revisions"),
		homes: map[string]*mongo.Collection{ref.Document: db.Collection("documents")},
	}
	for _, n := range natives {
		m.homes[n.Type] = db.Collection(n.Collection)
	}
	return m
}

// home is where the documents of a content type are.
func (m *mongoStore) home(typeID string) *mongo.Collection { return m.homes[homeOf(typeID)] }

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
	Names       []string `bson:"names"` // key and aliases
	Schema      string   `bson:"schema"`
	Steps       [][]Step `bson:"steps,omitempty"` // how data of version i+1 becomes that of i+2
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

// typeNamed finds a content type by its key, or one it had before.
func (m *mongoStore) typeNamed(ctx context.Context, key string) (typeRow, error) {
	return m.typeWhere(ctx, "names", key)
}

// replaceType writes a content type over the version it had.
//
// Errors: CONTENT_TYPE_STALE, CONTENT_TYPE_TAKEN.
func (m *mongoStore) replaceType(ctx context.Context, row typeRow, version int) error {
	res, err := m.types.ReplaceOne(ctx, bson.D{store.Eq("_id", row.ID), store.Eq("version", version)}, row)
	switch {
	case store.IsDuplicate(err):
		return ErrTypeTaken.On("input.key").Because(err)
	case err != nil:
		return store.Wrap("replace content type", err)
	case res.MatchedCount == 0:
		return ErrTypeStale
	}
	return nil
}

// documentsAfter reads documents of a type in the order of their ids.
func (m *mongoStore) documentsAfter(ctx context.Context, typ, after string, n int) ([]Document, error) {
	all, err := store.Find[Document](ctx, m.home(typ), bson.D{store.Eq("type", typ), {Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n)))
	return all, err
}

func older(typ string, version int) bson.D {
	return bson.D{store.Eq("type", typ), {Key: "v", Value: bson.D{{Key: "$lt", Value: version}}}}
}

// documentsOfVersion reads documents of a type that are written by a version of its schema, in the order of their ids.
func (m *mongoStore) documentsOfVersion(ctx context.Context, typ string, version int, after string, n int) ([]Document, error) {
	all, err := store.Find[Document](ctx, m.home(typ), bson.D{
		store.Eq("type", typ), store.Eq("v", version), {Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(n)))
	return all, err
}

func (m *mongoStore) countOlder(ctx context.Context, typ string, version int) (int64, error) {
	n, err := m.home(typ).CountDocuments(ctx, older(typ, version))
	return n, store.Wrap("count documents of older versions", err)
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

func (m *mongoStore) document(ctx context.Context, on ref.Ref) (Document, error) {
	if !IsDocument(on.Type) {
		return Document{}, fault.ErrNotFound
	}
	d, err := store.FindByID[Document](ctx, m.homes[on.Type], on.ID)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return d, fault.ErrNotFound
	}
	return d, err
}

// chunk bounds the ids of one find: the filter stays small beside the answer.
const chunk = 2000

// documentsByID reads the documents of one home with these ids that the scope lets see. One find for each 2,000 ids.
func (m *mongoStore) documentsByID(ctx context.Context, home string, sc predicate.Filter, ids []string) (map[string]Document, error) {
	all, err := m.documentList(ctx, home, sc, ids)
	found := make(map[string]Document, len(all))
	for _, d := range all {
		found[d.ID] = d
	}
	return found, err
}

// documentList is documentsByID in whatever order.
func (m *mongoStore) documentList(ctx context.Context, home string, sc predicate.Filter, ids []string) ([]Document, error) {
	var all []Document
	for part := range slices.Chunk(ids, chunk) {
		read, err := store.Find[Document](ctx, m.homes[home], within(sc, bson.D{in("_id", part)}), options.Find().SetBatchSize(chunk+1))
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = read
		} else {
			all = append(all, read...)
		}
	}
	return all, nil
}

// documentsOf reads the documents at these references, by id: ids are unique across all homes. One find for each home.
func (m *mongoStore) documentsOf(ctx context.Context, refs []ref.Ref) (map[string]Document, error) {
	all := make(map[string]Document, len(refs))
	for home, ids := range byHome(refs) {
		found, err := m.documentsByID(ctx, home, predicate.All(), ids)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, found)
	}
	return all, nil
}

// byHome sorts references to documents.
func byHome(refs []ref.Ref) map[string][]string {
	all := map[string][]string{}
	for _, r := range refs {
		if IsDocument(r.Type) {
			all[r.Type] = append(all[r.Type], r.ID)
		}
	}
	return all
}

// insertDocuments stores new documents. One write for each home.
func (m *mongoStore) insertDocuments(ctx context.Context, ds []Document) error {
	for home, part := range documentsByHome(ds) {
		if _, err := m.homes[home].InsertMany(ctx, part); err != nil {
			return refusedBySchema(fmt.Errorf("insert %d documents: %w", len(part), store.Translate(err)), err)
		}
	}
	return nil
}

func documentsByHome(ds []Document) map[string][]Document {
	all := map[string][]Document{}
	for _, d := range ds {
		home := homeOf(d.Type)
		all[home] = append(all[home], d)
	}
	return all
}

// updateDocuments writes each document over its revision before. The caller read them in the same transaction, so one
// that does not match is a mistake of the programmer.
func (m *mongoStore) updateDocuments(ctx context.Context, ds []Document) error {
	return m.writeDocuments(ctx, ds, func(d Document) (int, bson.D) {
		return d.Rev - 1, bson.D{
			{Key: "v", Value: d.Version},
			{Key: "rev", Value: d.Rev},
			{Key: "label", Value: d.Label},
			{Key: "data", Value: d.Data},
			{Key: "by", Value: d.By},
			{Key: "op", Value: d.Op},
			{Key: "updatedAt", Value: d.UpdatedAt},
			{Key: "lifted", Value: d.Lifted},
			{Key: "x", Value: d.Index},
			{Key: "words", Value: d.Words},
			{Key: "prefix", Value: d.Prefix},
		}
	})
}

// liftDocuments writes documents by a newer version of their schema; as documents they stay the revisions they are.
func (m *mongoStore) liftDocuments(ctx context.Context, ds []Document) error {
	return m.writeDocuments(ctx, ds, func(d Document) (int, bson.D) {
		return d.Rev, bson.D{
			{Key: "v", Value: d.Version},
			{Key: "label", Value: d.Label},
			{Key: "data", Value: d.Data},
			{Key: "lifted", Value: true},
			{Key: "x", Value: d.Index},
			{Key: "words", Value: d.Words},
			{Key: "prefix", Value: d.Prefix},
		}
	})
}

// writeDocuments sets fields of documents that are of a revision.
func (m *mongoStore) writeDocuments(ctx context.Context, ds []Document, set func(Document) (rev int, fields bson.D)) error {
	for home, part := range documentsByHome(ds) {
		writes := make([]mongo.WriteModel, len(part))
		for i, d := range part {
			rev, fields := set(d)
			writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{store.Eq("_id", d.ID), store.Eq("rev", rev)}).
				SetUpdate(bson.D{{Key: "$set", Value: fields}})
		}
		res, err := m.homes[home].BulkWrite(ctx, writes)
		switch {
		case err != nil:
			return refusedBySchema(fmt.Errorf("update %d documents: %w", len(part), store.Translate(err)), err)
		case res.MatchedCount != int64(len(part)):
			return fmt.Errorf("update documents: %d of %d matched", res.MatchedCount, len(part))
		}
	}
	return nil
}

// touch writes these documents without changing what they are, so that a transaction which deletes one conflicts with
// this one. A counter, because a write that changes nothing is no write to the server and conflicts with nobody.
func (m *mongoStore) touch(ctx context.Context, home string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := m.homes[home].UpdateMany(ctx, bson.D{in("_id", ids)}, bson.D{{Key: "$inc", Value: bson.D{{Key: "links", Value: 1}}}})
	if err != nil {
		return fmt.Errorf("touch %d targets: %w", len(ids), store.Translate(err))
	}
	return nil
}

// typeOfDocuments gives the content type of each of these documents that is there and may be seen. One find.
func (m *mongoStore) typeOfDocuments(ctx context.Context, home string, sc predicate.Filter, ids []string) (map[string]string, error) {
	return m.typesOf(ctx, home, sc, bson.D{in("_id", ids)})
}

// typeOfLasting is the same of those that no job is deleting.
func (m *mongoStore) typeOfLasting(ctx context.Context, home string, sc predicate.Filter, ids []string) (map[string]string, error) {
	return m.typesOf(ctx, home, sc, bson.D{in("_id", ids), store.Eq("deleting", nil)})
}

func (m *mongoStore) typesOf(ctx context.Context, home string, sc predicate.Filter, query bson.D) (map[string]string, error) {
	all, err := store.Find[Document](ctx, m.homes[home], within(sc, query),
		options.Find().SetProjection(bson.D{{Key: "type", Value: 1}}))
	types := make(map[string]string, len(all))
	for _, d := range all {
		types[d.ID] = d.Type
	}
	return types, err
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

// ownedBy reads the n newest documents of an owner. One find for each home.
func (m *mongoStore) ownedBy(ctx context.Context, owner ref.Ref, n int) ([]Document, error) {
	var all []Document
	for _, home := range Homes() {
		found, err := store.Find[Document](ctx, m.homes[home], store.Points("owner", owner),
			options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(n)))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Document) int { return strings.Compare(b.ID, a.ID) })
	return all[:min(n, len(all))], nil
}

// codeValidation is the server's word for a document that its collection refuses.
const codeValidation = 121

// refusedBySchema says what the server's own check of a document means; another error stays what it is.
func refusedBySchema(wrapped, err error) error {
	var server mongo.ServerError
	if errors.As(err, &server) && server.HasErrorCode(codeValidation) {
		return ErrInvalid.Because(err)
	}
	return wrapped
}
