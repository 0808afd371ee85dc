package registry

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// Snapshot and deltas of a sorted and filtered list are what a fresh query gives, whatever moves in, out and about.
func TestSortedListSourceEqualsFreshLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := []sortKey{keyOf(Field{Path: []string{"n"}, Kind: KindNumber}, rapid.Bool().Draw(t, "desc"))}
		keys = append(keys, byID(keys[0].desc))
		filter := predicate.Compare(predicate.OpEq, []string{"data", "on"}, true)
		docs := map[string]Document{}
		var log []DocumentChange
		matches := func(d Document) bool { return filter.Match(d.attributes("t")) }
		fresh := func(_ context.Context, n int) ([]Document, error) { //nolint:unparam // as the store reads
			all := make([]Document, 0, len(docs))
			for _, d := range docs {
				if matches(d) {
					all = append(all, d)
				}
			}
			slices.SortFunc(all, func(a, b Document) int { return compareBy(keys, a, b) })
			return all[:min(n, len(all))], nil
		}
		open := func() *ListSource {
			l := newListSource(3, fresh)
			l.keys, l.narrow = keys, true
			l.shows = func(d Document) (Document, bool) { return d, matches(d) }
			if err := l.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			return l
		}
		write := func(id string) {
			d := docs[id]
			made := d.ID == ""
			d.ID, d.Type, d.Rev = id, "t", d.Rev+1
			d.Data = m{"on": rapid.IntRange(0, 3).Draw(t, "on") > 0}
			if n := rapid.IntRange(0, 12).Draw(t, "n"); n > 0 {
				d.Data["n"] = int64(n)
			}
			docs[id] = d
			log = append(log, DocumentChange{Type: "t", ID: id, Rev: d.Rev, Document: &d, Created: made})
		}
		pick := func() string {
			ids := make([]string, 0, len(docs))
			for id := range docs {
				ids = append(ids, id)
			}
			slices.Sort(ids)
			return rapid.SampledFrom(ids).Draw(t, "id")
		}
		for range rapid.IntRange(1, 40).Draw(t, "before") {
			write(ref.NewID())
		}
		log = nil
		source := open()
		client := source.Snapshot().(List).Documents
		delivered := 0
		deliver := func(change any) {
			if delta := source.Apply(change); delta != nil {
				client = follow(t, client, delta)
			}
			if source.Stale() {
				if err := source.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				client = source.Snapshot().(List).Documents
			}
			if got := source.Snapshot().(List).Documents; !reflect.DeepEqual(got, client) {
				t.Fatalf("the client has %v, the source %v", client, got)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) { write(ref.NewID()) },
			"update": func(t *rapid.T) {
				if len(docs) == 0 {
					t.Skip()
				}
				write(pick())
			},
			"delete": func(t *rapid.T) {
				if len(docs) == 0 {
					t.Skip()
				}
				id := pick()
				log = append(log, DocumentChange{Type: "t", ID: id, Rev: docs[id].Rev + 1})
				delete(docs, id)
			},
			"deliver": func(t *rapid.T) {
				n := rapid.IntRange(0, len(log)-delivered).Draw(t, "n")
				deliver(DocumentChanges(log[delivered : delivered+n]))
				delivered += n
			},
			"again": func(t *rapid.T) { delivered = max(0, delivered-rapid.IntRange(0, 5).Draw(t, "n")) },
			"load": func(*rapid.T) {
				source = open()
				client = source.Snapshot().(List).Documents
			},
		})
		for ; delivered < len(log); delivered++ {
			deliver(log[delivered])
		}
		if got, want := source.Snapshot(), open().Snapshot(); !reflect.DeepEqual(got, want) {
			t.Fatalf("folded %v; loaded %v", got, want)
		}
	})
}

// Whatever two lists are, the changes lead from one to the other, and each document has one at most.
func TestDiff(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []Document {
			ids := rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 10, rapid.ID[int]).Draw(t, name)
			out := make([]Document, len(ids))
			for i, id := range ids {
				out[i] = Document{ID: strconv.Itoa(id), Rev: rapid.IntRange(1, 2).Draw(t, "rev")}
			}
			return out
		}
		before, after := draw("before"), draw("after")
		delta := diff(before, after)
		seen := map[string]bool{}
		for _, c := range delta.Changes {
			if seen[c.ID.ID] {
				t.Fatalf("two changes of %s: %+v", c.ID, delta.Changes)
			}
			seen[c.ID.ID] = true
		}
		got := follow(t, before, delta)
		for i := range got { // a document that moved brings its revision
			if i >= len(after) || got[i].ID != after[i].ID || got[i].Rev != after[i].Rev {
				t.Fatalf("%v became %v; want %v", before, got, after)
			}
		}
		if len(got) != len(after) {
			t.Fatalf("%v became %v; want %v", before, got, after)
		}
	})
	one := diff([]Document{{ID: "a"}, {ID: "b"}, {ID: "c"}}, []Document{{ID: "b"}, {ID: "c"}, {ID: "a", Rev: 1}})
	if len(one.Changes) != 1 || one.Changes[0].Op != Move || *one.Changes[0].From != 0 || one.Changes[0].Index != 2 {
		t.Errorf("one that moves down: %+v", one)
	}
}

// Followers whose filters and sorts say the same share a source; others do not.
func TestListChannelKeys(t *testing.T) {
	t.Parallel()
	w, _ := cinema(t)
	key := func(f m, s ...Sort) string {
		k, _, _, _, err := w.ListChannel(w.ctx, FollowCmd{Type: "film", First: 5, Filter: f, Sort: s})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if key(m{}) != key(nil) || key(nil, Sort{Field: "id", Desc: true}) != key(nil) {
		t.Error("nothing asked is not the newest")
	}
	one, two := m{"year": m{"gt": 1, "lt": 9}}, m{"and": a{m{"year": m{"lt": 9.0}}, m{"year": m{"gt": 1}}}}
	if key(one) != key(two) {
		t.Error("equal filters have two sources")
	}
	if key(one) == key(nil) || key(one) == key(one, Sort{Field: "year"}) || key(nil, Sort{Field: "year"}) == key(nil, Sort{Field: "year", Desc: true}) {
		t.Error("different lists share a source")
	}
}
