package registry

import (
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// A batch commits whole or not at all, and tells of itself with one event.
func TestBulkCreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{"title": m{"type": "string"}, "about": reference(Restrict, "note")}))
	target := w.create("note", m{"title": "target"})
	items := make([]m, batchItems+7)
	for i := range items {
		items[i] = m{"title": "n", "about": target.Ref().String()}
	}
	got, err := w.BulkCreate(w.ctx, "note", items, ann)
	if err != nil || len(got) != len(items) {
		t.Fatalf("BulkCreate() = %d, %v", len(got), err)
	}
	if n := w.kinds()[kindImported]; n != 2 {
		t.Errorf("%d events; want one for each batch", n)
	}
	if n := w.quota.used(t, ann); n != int64(len(items)+1) {
		t.Errorf("quota used %d", n)
	}
	if stored, ok := w.read(got[3].ID); !ok || !reflect.DeepEqual(stored, got[3]) || stored.Type != typ.ID {
		t.Errorf("stored %+v; want %+v", stored, got[3])
	}
	w.noStrands()

	count := storetest.Count(t, w.db, "documents")
	items[batchItems+1]["title"] = 7
	got, err = w.BulkCreate(w.ctx, "note", items, ann)
	if e := wantFault(t, err, ErrInvalid); len(got) != 0 || e.Details["item"] != batchItems+1 || e.Details["pointer"] != "/title" {
		t.Errorf("invalid item: made %d, details %v", len(got), e.Details)
	}
	if n := storetest.Count(t, w.db, "documents"); n != count {
		t.Errorf("an invalid import wrote %d documents", n-count)
	}
	items[batchItems+1] = m{"about": "document:" + ref.NewID()}
	got, err = w.BulkCreate(w.ctx, "note", items, ann)
	if e := wantFault(t, err, ErrRefMissing); len(got) != batchItems || e.Details["item"] != batchItems+1 {
		t.Errorf("missing target in the second batch: made %d, details %v", len(got), e.Details)
	}
	if n := storetest.Count(t, w.db, "documents"); n != count+batchItems {
		t.Errorf("%d documents; want those of the first batch", n-count)
	}
	w.noStrands()

	_, err = w.BulkCreate(w.ctx, "note", []m{{}}, ref.New(ref.User, "bob"))
	wantFault(t, err, fault.ErrForbidden)
	used := w.quota.calls.Load()
	if _, err := w.BulkCreate(w.system, "note", []m{{}}, ref.New(ref.System, ref.System)); err != nil || w.quota.calls.Load() != used {
		t.Errorf("the system owns without a quota: %v", err)
	}
	if got, err := w.BulkCreate(w.ctx, "note", nil, ann); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
}

func TestFirstBatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ bytes, items, want int }{
		{1, 3, 3}, {1, batchItems, batchItems}, {1, batchItems + 1, batchItems}, {MaxDataBytes, 9, 2}, {batchBytes + 1, 2, 1},
	} {
		ds := make([]draft, tc.items)
		for i := range ds {
			ds[i].bytes = tc.bytes
		}
		if got := len(firstBatch(ds)); got != tc.want {
			t.Errorf("firstBatch of %d x %d bytes = %d; want %d", tc.items, tc.bytes, got, tc.want)
		}
	}
}

// The largest batches fit: documents and their event stay below what MongoDB stores, also when BSON needs four times the
// bytes of JSON.
func TestBulkCreateLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("blob", object(m{}))
	long, empty := make([]m, 3), make([]m, 2)
	for i := range long {
		long[i] = m{"x": strings.Repeat("x", MaxDataBytes-50)}
	}
	for i := range empty {
		empty[i] = m{"x": many(MaxDataBytes/3-20, "")}
	}
	for _, items := range [][]m{long, empty} {
		if got, err := w.BulkCreate(w.system, "blob", items, ann); err != nil || len(got) != len(items) {
			t.Errorf("BulkCreate() = %d, %v", len(got), err)
		}
	}
	if n := storetest.Count(t, w.db, "events", bson.D{{Key: "kind", Value: kindImported}}); n != 3 {
		t.Errorf("%d events; want one for each two documents", n)
	}
}

// An import by a process that has read no type yet, such as a seed, reads each type once in a batch, not once for each item.
func TestBulkCreateCold(t *testing.T) {
	t.Parallel()
	w := comments(t, Keep, Config{})
	notes := w.notes("note", 50)
	items := make([]m, len(notes))
	for i, n := range notes {
		items[i] = m{"about": n.String()}
	}
	ctx, counted := store.WithCounter(w.system)
	if _, err := w.node(Config{}).BulkCreate(ctx, "comment", items, ann); err != nil || counted.Count("find") > 3 {
		t.Errorf("%v in %d finds; want the type, the targets and their types", err, counted.Count("find"))
	}
}
