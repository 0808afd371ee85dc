package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

func (m *mongoStore) insertRevision(ctx context.Context, r Revision) error {
	_, err := m.revisions.InsertOne(ctx, r)
	return store.Wrap("keep revision", err)
}

func (m *mongoStore) deleteRevisions(ctx context.Context, ids []string) error {
	_, err := m.revisions.DeleteMany(ctx, bson.D{in("of.id", ids)})
	return store.Wrap("delete revisions", err)
}

// revisionsBetween reads revisions of a document in order.
func (m *mongoStore) revisionsBetween(ctx context.Context, id string, first, last int) ([]Revision, error) {
	all, err := store.Find[Revision](ctx, m.revisions, bson.D{
		store.Eq("of.id", id), {Key: "rev", Value: bson.D{{Key: "$gte", Value: first}, {Key: "$lte", Value: last}}},
	}, options.Find().SetSort(bson.D{{Key: "rev", Value: 1}}))
	for i := range all {
		all[i].Full, all[i].Set = plainMap(all[i].Full), plainMap(all[i].Set)
	}
	return all, err
}

// revisionAt is the revision a document was in at a time.
func (m *mongoStore) revisionAt(ctx context.Context, id string, at time.Time) (rev int, found bool, err error) {
	r, err := store.FindOne[Revision](ctx, m.revisions, bson.D{store.Eq("of.id", id), {Key: "at", Value: bson.D{{Key: "$lte", Value: at}}}},
		options.FindOne().SetSort(bson.D{{Key: "rev", Value: -1}}).SetProjection(bson.D{{Key: "rev", Value: 1}}))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, false, nil
	}
	return r.Rev, err == nil, err
}

// revisionsPage reads a window of the history of a document, the document itself among it. Each row comes with what the
// revision it is of has changed, which is kept in the row before.
func (m *mongoStore) revisionsPage(ctx context.Context, d Document, w page.Window) ([]Revision, error) {
	filter := bson.D{store.Eq("of.id", d.ID)}
	bound := func(op string, c page.Cursor) {
		if c != nil {
			text, _ := c[0].(string)
			n, _ := strconv.Atoi(text) // of a cursor that is none nothing comes
			filter = append(filter, bson.E{Key: "rev", Value: bson.D{{Key: op, Value: n}}})
		}
	}
	newest := Revision{Of: d.Ref(), Type: d.Type, Rev: d.Rev, Version: d.Version, At: d.UpdatedAt, By: d.By, Op: d.Op, Label: d.Label}
	order := -1
	if bound("$lt", w.After); w.Backward {
		order = 1
	}
	bound("$gt", w.Before)
	all, err := store.Find[Revision](ctx, m.revisions, bson.D{{Key: "$and", Value: bson.A{filter}}},
		options.Find().SetSort(bson.D{{Key: "rev", Value: order}}).SetLimit(int64(w.Size+2)).SetProjection(bson.D{{Key: "full", Value: 0}}))
	if err != nil {
		return nil, err
	}
	switch { // the document is the newest of its revisions
	case order < 0 && w.After == nil && w.Before == nil, order < 0 && w.Before != nil && w.After == nil && after(w.Before, d.Rev):
		all = slices.Insert(all, 0, newest)
	case order > 0 && w.After == nil && len(all) < w.Size+2 && (w.Before == nil || after(w.Before, d.Rev)):
		all = append(all, newest)
	}
	return m.changes(ctx, d, all, w.Size+1)
}

func after(c page.Cursor, rev int) bool {
	text, _ := c[0].(string)
	return text < cursorOf(rev)
}

// changes moves what a row says of the next revision to that one.
func (m *mongoStore) changes(ctx context.Context, d Document, all []Revision, n int) ([]Revision, error) {
	low, high := 0, 0
	for _, r := range all {
		if low == 0 || r.Rev < low {
			low = r.Rev
		}
		high = max(high, r.Rev)
	}
	rows, err := m.revisionsBetween(ctx, d.ID, low-1, high)
	if err != nil {
		return nil, err
	}
	byRev := make(map[int]Revision, len(rows))
	for _, r := range rows {
		byRev[r.Rev] = r
	}
	for i, r := range all {
		before, known := byRev[r.Rev-1]
		all[i].Set, all[i].Unset = before.Set, before.Unset
		if own, has := byRev[r.Rev]; !known && r.Rev == 1 && has {
			all[i].Set, all[i].Unset = own.Full, nil
		} else if !known && r.Rev == 1 {
			all[i].Set = d.Data
		}
	}
	return all[:min(n, len(all))], nil
}

// Trash.

func (m *mongoStore) insertTrash(ctx context.Context, all []Trashed) error {
	if len(all) == 0 {
		return nil
	}
	_, err := m.trash.InsertMany(ctx, all)
	return store.Wrap(fmt.Sprintf("put %d documents into the trash", len(all)), err)
}

func (m *mongoStore) trashed(ctx context.Context, on ref.Ref) (Trashed, bool, error) {
	t, err := store.FindOne[Trashed](ctx, m.trash, bson.D{store.Eq("_id", on)})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return t, false, nil
	}
	t.Document.Data = plainMap(t.Document.Data)
	return t, err == nil, err
}

// deletedTogether reads what one deletion has put into the trash.
func (m *mongoStore) deletedTogether(ctx context.Context, deletion string) ([]Trashed, error) {
	all, err := store.Find[Trashed](ctx, m.trash, bson.D{store.Eq("deletion", deletion)})
	for i := range all {
		all[i].Document.Data = plainMap(all[i].Document.Data)
	}
	return all, err
}

func (m *mongoStore) emptyTrash(ctx context.Context, refs []ref.Ref) error {
	_, err := m.trash.DeleteMany(ctx, bson.D{in("_id", refs)})
	return store.Wrap("empty trash", err)
}

// trashPage reads what was deleted of a content type, the last deleted first.
func (m *mongoStore) trashPage(ctx context.Context, sc predicate.Filter, typ string, w page.Window) ([]Trashed, error) {
	filter := bson.D{store.Eq("document.type", typ)}
	if !sc.IsAll() {
		filter = bson.D{{Key: "$and", Value: bson.A{filter, store.Where(sc, func(path []string) (store.Column, bool) {
			c, known := column(path)
			c.Field = "document." + c.Field
			return c, known
		})}}}
	}
	all, err := store.FindPage[Trashed](ctx, m.trash, filter, w, store.Key{Field: "document._id", Desc: true})
	for i := range all {
		all[i].Document.Data = plainMap(all[i].Document.Data)
	}
	return all, err
}

// there tells which documents of a home are there, or in the trash.
func (m *mongoStore) there(ctx context.Context, home string, ids []string) (map[string]bool, error) {
	types, err := m.typeOfDocuments(ctx, home, predicate.All(), ids)
	if err != nil {
		return nil, err
	}
	refs := make([]ref.Ref, len(ids))
	for i, id := range ids {
		refs[i] = ref.New(home, id)
	}
	all, err := store.Find[Trashed](ctx, m.trash, bson.D{in("_id", refs)}, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	found := make(map[string]bool, len(types)+len(all))
	for id := range types {
		found[id] = true
	}
	for _, t := range all {
		found[t.Of.ID] = true
	}
	return found, err
}
