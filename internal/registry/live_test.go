package registry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// listTable is the documents of one type as a database would hold them, and the log of their changes.
type listTable struct {
	docs map[string]Document
	log  []DocumentChange
}

func (x *listTable) newest(_ context.Context, n int) ([]Document, error) {
	all := make([]Document, 0, len(x.docs))
	for _, d := range x.docs {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Document) int { return strings.Compare(b.ID, a.ID) })
	return all[:min(n, len(all))], nil
}

func (x *listTable) create(id string) {
	d := Document{ID: id, Type: "t", Rev: 1, Data: m{"rev": int64(1)}}
	x.docs[id] = d
	x.log = append(x.log, DocumentChange{Type: "t", ID: id, Rev: 1, Document: &d, Created: true})
}

func (x *listTable) update(id string) {
	d := x.docs[id]
	d.Rev++
	d.Data = m{"rev": int64(d.Rev)}
	x.docs[id] = d
	x.log = append(x.log, DocumentChange{Type: "t", ID: id, Rev: d.Rev, Document: &d})
}

func (x *listTable) delete(id string) {
	rev := x.docs[id].Rev + 1
	delete(x.docs, id)
	x.log = append(x.log, DocumentChange{Type: "t", ID: id, Rev: rev})
}

// follow plays the client: it applies deltas to what it was sent first.
func follow(t interface{ Fatalf(string, ...any) }, list []Document, delta any) []Document {
	d, ok := delta.(ListDelta)
	if !ok {
		t.Fatalf("Apply gave a %T", delta)
	}
	list = slices.Clone(list)
	for _, c := range d.Changes {
		at := slices.IndexFunc(list, func(d Document) bool { return d.Ref() == c.ID })
		switch {
		case c.Op == Leave && at >= 0 && c.Index == -1 && c.Document == nil:
			list = slices.Delete(list, at, at+1)
		case c.Op == Enter && at < 0 && c.Index <= len(list) && c.Document != nil:
			list = slices.Insert(list, c.Index, *c.Document)
		case c.Op == Move && c.From != nil && at == *c.From && c.Index < len(list) && c.Document != nil:
			list = slices.Insert(slices.Delete(list, at, at+1), c.Index, *c.Document)
		case c.Op == Update && at == c.Index && c.Document != nil:
			list[at] = *c.Document
		default:
			t.Fatalf("change %+v does not fit a list of %d", c, len(list))
		}
	}
	return list
}

// Whatever happens, in whatever order ids arrive, however much of the log is delivered late or twice, with changes alone
// or in batches: once all is delivered the source shows what a fresh Load shows, and so does the client.
func TestListSourceEqualsFreshLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := &listTable{docs: map[string]Document{}}
		first := rapid.IntRange(1, 6).Draw(t, "first")
		capacity := first + minReserve
		for range rapid.IntRange(0, 2*capacity).Draw(t, "before") {
			x.create(ref.NewID())
		}
		source := newListSource(first, x.newest)
		delivered := 0
		var client []Document
		load := func() {
			if err := source.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			client = source.Snapshot().(List).Documents
		}
		load()
		deliver := func(change any) {
			if delta := source.Apply(change); delta != nil {
				client = follow(t, client, delta)
			}
			if source.Stale() {
				load()
			}
			if got := source.Snapshot().(List).Documents; !reflect.DeepEqual(got, client) {
				t.Fatalf("the client has %v, the source %v", client, got)
			}
		}
		pick := func() string { // an id of the newer half, where it matters
			all, _ := x.newest(t.Context(), len(x.docs))
			return all[rapid.IntRange(0, len(all)/2).Draw(t, "which")].ID
		}
		var held []string // ids made by a slow transaction: they arrive out of order
		t.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) { x.create(ref.NewID()) },
			"hold":   func(*rapid.T) { held = append(held, ref.NewID()) },
			"commit": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip()
				}
				x.create(held[0])
				held = held[1:]
			},
			"update": func(t *rapid.T) {
				if len(x.docs) == 0 {
					t.Skip()
				}
				x.update(pick())
			},
			"delete": func(t *rapid.T) {
				if len(x.docs) == 0 {
					t.Skip()
				}
				x.delete(pick())
			},
			"clear": func(t *rapid.T) {
				for id := range x.docs {
					if rapid.Bool().Draw(t, "this") {
						x.delete(id)
					}
				}
			},
			"deliver": func(t *rapid.T) {
				if delivered == len(x.log) {
					t.Skip()
				}
				deliver(x.log[delivered])
				delivered++
			},
			"deliver a batch": func(t *rapid.T) {
				n := rapid.IntRange(0, len(x.log)-delivered).Draw(t, "n")
				deliver(DocumentChanges(x.log[delivered : delivered+n]))
				delivered += n
			},
			"deliver again": func(t *rapid.T) { // a resumed stream repeats its end
				delivered = max(0, delivered-rapid.IntRange(0, 5).Draw(t, "n"))
			},
			"load": func(*rapid.T) { load() },
			"": func(t *rapid.T) {
				if len(source.docs) > source.capacity() || len(source.gone) > maxDeleted {
					t.Fatalf("holds %d documents and %d ids", len(source.docs), len(source.gone))
				}
			},
		})
		for ; delivered < len(x.log); delivered++ {
			deliver(x.log[delivered])
		}
		fresh := newListSource(first, x.newest)
		if err := fresh.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := source.Snapshot(), fresh.Snapshot(); !reflect.DeepEqual(got, want) {
			t.Fatalf("folded %v; loaded %v", got, want)
		}
	})
}

func TestListSourceApply(t *testing.T) {
	t.Parallel()
	x := &listTable{docs: map[string]Document{}}
	var ids []string
	for range 30 {
		ids = append(ids, ref.NewID())
		x.create(ids[len(ids)-1])
	}
	s := newListSource(3, x.newest)
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Snapshot().(List)
	step := func(do func()) []ListChange {
		t.Helper()
		do()
		delta, _ := s.Apply(x.log[len(x.log)-1]).(ListDelta)
		if again := s.Apply(x.log[len(x.log)-1]); again != nil {
			t.Errorf("a change applied twice gave %v", again)
		}
		return delta.Changes
	}
	newer := ref.NewID()
	if got := step(func() { x.create(newer) }); len(got) != 2 || got[0].Op != Leave || got[0].ID.ID != ids[27] || got[1].Op != Enter ||
		got[1].Index != 0 || got[1].Document.ID != newer {
		t.Errorf("a new document: %+v", got)
	}
	if got := step(func() { x.update(ids[28]) }); len(got) != 1 || got[0].Op != Update || got[0].Index != 2 || got[0].Document.Rev != 2 {
		t.Errorf("a changed document: %+v", got)
	}
	if got := step(func() { x.delete(ids[29]) }); len(got) != 2 || got[0].ID.ID != ids[29] || got[0].Index != -1 || got[1].Index != 2 ||
		got[1].Document.ID != ids[27] {
		t.Errorf("a deleted document: %+v", got)
	}
	if got := step(func() { x.update(ids[0]) }); got != nil {
		t.Errorf("a document out of sight: %+v", got)
	}
	creation := x.log[30]
	if got := step(func() { x.delete(newer) }); len(got) != 2 || creation.ID != newer {
		t.Errorf("the first document deleted: %+v", got)
	}
	if got := s.Apply(creation); got != nil {
		t.Errorf("a deleted document came back: %+v", got)
	}
	if s.Apply("something else") != nil {
		t.Error("a foreign change gave a delta")
	}
	if got := before.Documents; len(got) != 3 || got[0].ID != ids[29] || got[0].Rev != 1 {
		t.Errorf("an old snapshot changed: %v", got)
	}
	for i := 28; i > 8 && !s.Stale(); i-- {
		x.delete(ids[i])
		s.Apply(x.log[len(x.log)-1])
	}
	if !s.Stale() || len(s.Snapshot().(List).Documents) >= 3 {
		t.Error("the reserve ran dry and the source does not say so")
	}
	if err := s.Load(t.Context()); err != nil || s.Stale() || len(s.Snapshot().(List).Documents) != 3 {
		t.Errorf("after Load: %v, stale %v", err, s.Stale())
	}
	failing := newListSource(1, func(context.Context, int) ([]Document, error) { return nil, fault.ErrUnavailable })
	if err := failing.Load(t.Context()); !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("Load() = %v", err)
	}
}

func TestListChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	typ := w.define("note", object(m{}))
	key, topics, source, allowed, err := w.ListChannel(w.ctx, FollowCmd{Type: "note", First: 20})
	if err != nil || key != "documents:"+typ.ID+":20:all.1" || !slices.Equal(topics, []string{"registry.documents:" + typ.ID}) || source() == nil {
		t.Errorf("ListChannel() = %q, %v, %v", key, topics, err)
	}
	if err := allowed(w.ctx); err != nil {
		t.Error(err)
	}
	w.rights.deny(PermRead)
	wantFault(t, allowed(w.ctx), fault.ErrForbidden)
	for _, tc := range []struct {
		key   string
		first int
		want  *fault.Error
	}{{"nope", 20, ErrTypeUnknown}, {"note", 0, page.ErrSize}, {"note", page.MaxSize + 1, page.ErrSize}} {
		_, _, _, _, err := w.ListChannel(w.system, FollowCmd{Type: tc.key, First: tc.first}) //nolint:dogsled // only the refusal matters
		wantFault(t, err, tc.want)
	}
}

// hub is the least that a hub does: it keeps what is published, in order.
type hub struct {
	mu      sync.Mutex
	changes map[string][]any
}

func (h *hub) publish(topic string, change any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes[topic] = append(h.changes[topic], change)
}

func (h *hub) take(topic string) []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.changes[topic]
	h.changes[topic] = nil
	return got
}

// From the commit on one node to the list on another, by the change stream: creations, an import, updates, a cascade and a
// removed field, and the list equals what is read.
func TestFollower(t *testing.T) {
	t.Parallel()
	w := comments(t, Cascade, Config{})
	other := New(storetest.Open(t, w.db.Database().Name()), nil, w.clock.Now, w.rights, w.quota, Config{})
	h := &hub{changes: map[string][]any{}}
	tail := event.NewTail(w.db, w.clock.Now, slog.New(slog.DiscardHandler))
	tail.Follow(other.Follower(h.publish))
	ctx, stop := context.WithCancel(w.system)
	done, err := tail.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); <-done }()

	_, topics, newSource, _, err := other.ListChannel(w.system, FollowCmd{Type: "comment", First: 5})
	if err != nil {
		t.Fatal(err)
	}
	source := newSource()
	if err := source.Load(w.system); err != nil {
		t.Fatal(err)
	}
	n := w.create("note", m{"title": "n"})
	var made []Document
	for range 4 {
		made = append(made, w.about(n))
	}
	imported, err := w.BulkCreate(w.ctx, "comment", []m{{"about": n.Ref().String()}, {"x": m{"y": a{1, 2.5, nil}}}, {}}, ann)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Update(w.ctx, UpdateCmd{On: imported[1].Ref(), Rev: 1, Patch: m{"x": m{"y": a{"z"}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.del(w.ctx, made[3].Ref()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.del(w.ctx, n.Ref()); err != nil { // and with it all comments about it
		t.Fatal(err)
	}
	last := w.create("comment", m{"title": "last"})
	var client []Document
	storetest.Eventually(t, 30*time.Second, func() bool {
		for _, c := range h.take(topics[0]) {
			if delta := source.Apply(c); delta != nil {
				client = follow(t, client, delta)
			}
		}
		return len(client) > 0 && client[0].ID == last.ID
	}, "the last change is in the list")
	fresh, err := w.List(w.ctx, ListCmd{Type: "comment"})
	if err != nil || !reflect.DeepEqual(client, fresh.Items) || len(client) != 3 {
		t.Errorf("followed %+v; read %+v, %v", client, fresh.Items, err)
	}

	// The other node knows new types before it is asked for them.
	typ := w.define("late", object(m{}))
	storetest.Eventually(t, 30*time.Second, func() bool {
		ctx, counted := store.WithCounter(w.system)
		_, err := other.types.id(ctx, typ.ID)
		return err == nil && counted.Total() == 0
	}, "the type is in the memory of the other node")
}

// What the follower cannot read is told to the operator, and no change is made up.
func TestFollowerUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	var told bytes.Buffer
	s := w.node(Config{Log: slog.New(slog.NewTextHandler(&told, nil))})
	f := s.Follower(func(topic string, change any) { t.Errorf("published %v to %s", change, topic) })
	for _, kind := range []string{kindCreated, kindUpdated, kindDeleted, kindImported} {
		f.OnEvent(t.Context(), event.Event{Kind: kind, Data: []byte("no BSON")}, bson.Timestamp{})
	}
	f.OnEvent(t.Context(), event.Event{Kind: "plan.membership.changed"}, bson.Timestamp{})
	if n := strings.Count(told.String(), "event_data_unreadable"); n != 4 {
		t.Errorf("told of %d events; want 4: %s", n, told.String())
	}
}

// What comes back from the trash comes back into the list.
func TestRestoredInLiveList(t *testing.T) {
	t.Parallel()
	d := Document{ID: ref.NewID(), Type: "t", Rev: 1}
	l := newListSource(3, func(context.Context, int) ([]Document, error) { return []Document{d}, nil })
	if err := l.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Apply(DocumentChange{Type: "t", ID: d.ID, Rev: 2})
	d.Rev = 3
	if delta, ok := l.Apply(DocumentChange{Type: "t", ID: d.ID, Rev: 3, Document: &d, Created: true}).(ListDelta); !ok || delta.Changes[0].Op != Enter {
		t.Errorf("%+v", delta)
	}
	l.Apply(DocumentChange{Type: "t", ID: d.ID, Rev: 4})
	d.Rev = 3
	if delta := l.Apply(DocumentChange{Type: "t", ID: d.ID, Rev: 3, Document: &d}); delta != nil {
		t.Errorf("an old change brings it back: %+v", delta)
	}
}
