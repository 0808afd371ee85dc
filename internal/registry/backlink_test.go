package registry

import (
	"errors"
	"reflect"
	"testing"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// The first pages of the backlinks of many objects are those of each by itself, whatever is hidden and however many an
// object has; and they are one read while no object has very many.
func TestBacklinksOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{}))
	var to []ref.Ref
	for range 7 {
		to = append(to, w.create("note", m{}).Ref())
	}
	link := func(key string, counts ...int) {
		var items []m
		for i, n := range counts {
			for range n {
				items = append(items, m{"about": to[i].String()})
			}
		}
		if _, err := w.BulkCreate(w.system, key, items, ann); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"c1", "c2", "c3"} {
		w.define(key, object(m{"about": reference(Keep, "note")}))
	}
	link("c1", 0, 1, 2, 3, 4, 0, 2)
	link("c2", 0, 0, 1, 0, 0, 5)
	to = append(to, ref.New("user", "nobody"))
	same := func(what string, types []string, first int) int {
		t.Helper()
		ctx, counted := store.WithCounter(w.ctx)
		pages, err := w.BacklinksOf(ctx, to, types, first)
		if err != nil || len(pages) != len(to) {
			t.Fatalf("%s: %d pages, %v", what, len(pages), err)
		}
		for _, one := range to {
			p, err := w.Backlinks(w.ctx, BacklinksCmd{To: one, Types: types, Page: page.Args{First: &first}})
			if got := pages[one]; err != nil || len(got.Items) != len(p.Items) || got.HasNext != p.HasNext ||
				len(p.Items) > 0 && !reflect.DeepEqual(got.Items, p.Items) {
				t.Errorf("%s: of %s %+v\nwant %+v, %v", what, one, got, p, err)
			}
		}
		return counted.Total()
	}
	if n := same("all", nil, 3); n != 2 { // and one for what is no document
		t.Errorf("%d commands", n)
	}
	same("one type", []string{"c2"}, 2)
	same("two types", []string{"c1", "c2"}, 2)
	link("c3", 0, 200, 0, 0, 0, 1)
	same("very many", nil, 2)
	if _, err := w.SetState(w.system, "c3", Retired); err != nil {
		t.Fatal(err)
	}
	same("hidden", nil, 2)
	if _, err := w.BacklinksOf(w.ctx, to, []string{"none"}, 2); !errors.Is(err, ErrTypeUnknown) {
		t.Errorf("unknown type: %v", err)
	}
	if _, err := w.BacklinksOf(w.ctx, to, nil, 0); !errors.Is(err, page.ErrSize) {
		t.Errorf("first 0: %v", err)
	}
}
