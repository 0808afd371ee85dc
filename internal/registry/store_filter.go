package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/store"
)

// filterIndexes are those of the slots, of the words and of the label. A server keeps 64 indexes of a collection, and all
// content types share one: so they share the slots too.
func filterIndexes(slots int, searched bool) []store.Index {
	all := []store.Index{
		{Name: "type_created", Keys: []string{"type", "createdAt", "_id"}},
		{Name: "type_prefix", Keys: []string{"type", "prefix", "_id"}},
	}
	if searched {
		all = append(all, store.Index{Name: "type_words", Keys: []string{"type", "words:text"}})
	}
	for n := range slots {
		column := slotColumn(n)
		all = append(all, store.Index{
			Name: fmt.Sprintf("type_slot_%d", n), Keys: []string{"type", column, "_id"},
			Partial: bson.D{{Key: column, Value: bson.D{{Key: "$exists", Value: true}}}},
		})
	}
	return all
}

// MarshalBSON leaves out what the document's indexes keep.
func (f documentFact) MarshalBSON() ([]byte, error) {
	type plain documentFact
	f.Document = f.Document.bare()
	return bson.Marshal(plain(f))
}

// MarshalBSON leaves out what the documents' indexes keep.
func (f importedFact) MarshalBSON() ([]byte, error) {
	type plain importedFact
	f.Documents = slices.Clone(f.Documents)
	for i, d := range f.Documents {
		f.Documents[i] = d.bare()
	}
	return bson.Marshal(plain(f))
}

// selection is which documents of a content type are read.
type selection struct {
	t      *compiled
	scope  predicate.Filter
	filter predicate.Filter
	search string // as $text takes it
	prefix string // of the folded label
	sort   []sortKey
	bare   bool // without the data
}

// column is where an attribute of a document of this type is kept, for filters of this type alone.
func (c *compiled) column(path []string) (store.Column, bool) {
	name := strings.Join(path, ".")
	if name == "prefix" {
		return store.Column{Field: "prefix", Scalar: true, Plain: true}, true
	}
	if name == "createdAt" || name == "updatedAt" {
		return store.Column{Field: name, Date: true, Plain: true}, true
	}
	if f, ok := c.byPath[name]; ok && f.Path != nil && f.Indexed {
		return store.Column{Field: f.Column, Plain: !f.List, List: f.List}, true
	}
	return column(path)
}

// query is the selection as MongoDB takes it. A partial index serves only who says that its field is there, and it always is.
func (q selection) query(more ...bson.D) bson.D {
	and := bson.A{bson.D{store.Eq("type", q.t.ID)}}
	used := map[string]bool{}
	slotsOf(q.t, q.filter, used)
	scoped := column
	if shortTexts(q.scope) {
		scoped = q.t.column
		slotsOf(q.t, q.scope, used)
	}
	for _, k := range q.sort {
		used[k.field] = true
	}
	for n := range MaxIndexed {
		if c := slotColumn(n); used[c] {
			and = append(and, bson.D{{Key: c, Value: bson.D{{Key: "$exists", Value: true}}}})
		}
	}
	if !q.scope.IsAll() {
		and = append(and, store.Where(q.scope, scoped))
	}
	if !q.filter.IsAll() {
		and = append(and, store.Where(q.filter, q.t.column))
	}
	if q.prefix != "" {
		and = append(and, store.Where(predicate.Compare(predicate.OpStarts, prefixPath, q.prefix), q.t.column))
	}
	if q.search != "" {
		and = append(and, bson.D{{Key: "$text", Value: bson.D{{Key: "$search", Value: q.search}}}})
	}
	for _, d := range more {
		and = append(and, d)
	}
	return bson.D{{Key: "$and", Value: and}}
}

// shortTexts reports whether all texts of a filter are short enough to be compared with what a slot holds.
func shortTexts(f predicate.Filter) bool {
	long := func(v any) bool { s, ok := v.(string); return ok && len(s) > maxValue }
	return !long(f.Value) && !slices.ContainsFunc(f.Values, long) && !slices.ContainsFunc(f.Sub, func(s predicate.Filter) bool { return !shortTexts(s) })
}

func slotsOf(t *compiled, f predicate.Filter, used map[string]bool) {
	for _, sub := range f.Sub {
		slotsOf(t, sub, used)
	}
	if field, ok := t.byPath[strings.Join(f.Path, ".")]; ok {
		used[field.Column] = true
	}
}

// slim leaves out what only the indexes need, dataless the data too.
var (
	slim     = bson.D{{Key: "x", Value: 0}, {Key: "words", Value: 0}, {Key: "prefix", Value: 0}}
	dataless = append(slices.Clone(slim), bson.E{Key: "data", Value: 0})
)

// window reads one page of a selection, one document more than asked.
func (m *mongoStore) window(ctx context.Context, q selection, w page.Window) ([]Document, error) {
	var more []bson.D
	if w.After != nil {
		more = append(more, beyond(q.sort, w.After, false))
	}
	if w.Before != nil {
		more = append(more, beyond(q.sort, w.Before, true))
	}
	return m.first(ctx, q, w.Size+1, w.Backward, more...)
}

// first reads the first n of a selection, or the last with backward, from the end.
func (m *mongoStore) first(ctx context.Context, q selection, n int, backward bool, more ...bson.D) ([]Document, error) {
	order := make(bson.D, len(q.sort))
	for i, k := range q.sort {
		order[i] = bson.E{Key: k.field, Value: 1}
		if k.desc != backward {
			order[i].Value = -1
		}
	}
	fields := slim
	if q.bare {
		fields = dataless
	}
	all, err := store.Find[Document](ctx, m.home(q.t.ID), q.query(more...), options.Find().SetSort(order).SetProjection(fields).
		SetLimit(int64(n)).SetBatchSize(int32(n))) //nolint:gosec // at most a few hundred
	return all, err
}

// beyond matches what lies after a position (before it, if before). Null sorts before all else.
func beyond(keys []sortKey, at page.Cursor, before bool) bson.D {
	or := bson.A{}
	for i, k := range keys {
		var row bson.A
		for j := range i {
			row = append(row, bson.D{store.Eq(keys[j].field, keys[j].stored(at[j]))})
		}
		v, down := k.stored(at[i]), k.desc != before
		var past bson.D
		switch {
		case v == nil && down:
			continue // nothing sorts before null
		case v == nil:
			past = bson.D{{Key: k.field, Value: bson.D{{Key: "$ne", Value: nil}}}}
		case down && k.nullable:
			past = bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: k.field, Value: bson.D{{Key: "$lt", Value: v}}}}, bson.D{store.Eq(k.field, nil)}}}}
		case down:
			past = bson.D{{Key: k.field, Value: bson.D{{Key: "$lt", Value: v}}}}
		default:
			past = bson.D{{Key: k.field, Value: bson.D{{Key: "$gt", Value: v}}}}
		}
		or = append(or, bson.D{{Key: "$and", Value: append(row, past)}})
	}
	if len(or) == 0 {
		return bson.D{in("_id", []string{})}
	}
	return bson.D{{Key: "$or", Value: or}}
}

// stored is a value of a position as the field holds it.
func (k sortKey) stored(v any) any {
	s, text := v.(string)
	if !k.date || !text {
		return v
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at
}

// idsWhere gives the ids of up to n documents of a selection.
func (m *mongoStore) idsWhere(ctx context.Context, q selection, n int) ([]string, error) {
	type row struct {
		ID string `bson:"_id"`
	}
	if q.scope.IsNone() || q.filter.IsNone() {
		return nil, nil
	}
	all, err := store.Find[row](ctx, m.home(q.t.ID), q.query(), options.Find().SetLimit(int64(n)).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.ID
	}
	return ids, err
}

// count counts a selection, up to limit.
func (m *mongoStore) count(ctx context.Context, q selection, limit int) (int, error) {
	type total struct {
		N int `bson:"n"`
	}
	all, err := store.Aggregate[total](ctx, m.home(q.t.ID), bson.A{
		bson.D{{Key: "$match", Value: q.query()}},
		bson.D{{Key: "$limit", Value: limit}},
		bson.D{{Key: "$count", Value: "n"}},
	})
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0].N, nil
}

// facet counts the values of a field among a selection, the most frequent first.
func (m *mongoStore) facet(ctx context.Context, q selection, f Field, n int) ([]FacetValue, error) {
	if f.Indexed {
		q.sort = []sortKey{{field: f.Column}} // whatever else is asked, the index of the field may serve
	}
	stages := bson.A{bson.D{{Key: "$match", Value: q.query()}}}
	value := any("$" + f.Column)
	if f.List {
		stages = append(stages, bson.D{{Key: "$unwind", Value: "$" + f.Column}})
	}
	type group struct {
		Value any `bson:"_id"`
		Count int `bson:"n"`
	}
	all, err := store.Aggregate[group](ctx, m.home(q.t.ID), append(stages,
		bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "$ifNull", Value: bson.A{value, nil}}}}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "n", Value: -1}, {Key: "_id", Value: 1}}}},
		bson.D{{Key: "$limit", Value: n}},
	))
	out := make([]FacetValue, len(all))
	for i, g := range all {
		out[i] = FacetValue{plainStored(g.Value), g.Count}
	}
	return out, err
}
