package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rights refuses the permissions in denied to everybody but the system, and all to visitors.
type rights struct {
	mu     sync.Mutex
	denied map[string]bool
	scope  *predicate.Filter // instead of all or none
	hidden []string          // fields of all types
	frozen []string

	forgotten []ref.Ref
}

func (r *rights) deny(permissions ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range permissions {
		r.denied[p] = true
	}
}

func (r *rights) Require(ctx context.Context, permission string, _ ref.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a := actor.From(ctx); {
	case a.System:
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	case r.denied[permission]:
		return fault.ErrForbidden
	}
	return nil
}

func (r *rights) Scope(ctx context.Context, permission, _ string) (predicate.Filter, error) {
	if r.scope != nil && !actor.From(ctx).System {
		return *r.scope, nil
	}
	if r.Require(ctx, permission, ref.Ref{}) != nil {
		return predicate.None(), nil //nolint:nilerr // a refusal is a filter
	}
	return predicate.All(), nil
}

func (r *rights) RequireSome(ctx context.Context, permission string) error {
	return r.Require(ctx, permission, ref.Ref{})
}

func (r *rights) Fields(ctx context.Context, _ ref.Ref) (hidden, frozen []string, err error) {
	if actor.From(ctx).System {
		return nil, nil, nil
	}
	return r.hidden, append(r.hidden, r.frozen...), nil
}

func (r *rights) ForgetObject(_ context.Context, objects ...ref.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgotten = append(r.forgotten, objects...)
	return nil
}

var errQuota = errors.New("quota exceeded")

// counter is a quota of limit documents for each subject, kept where a transaction can roll it back.
type counter struct {
	db     *store.DB
	limit  int64
	frozen bool                      // nothing may be changed
	before func(ctx context.Context) // if set, runs inside the transaction, after its first read
	calls  atomic.Int64
}

func (c *counter) add(ctx context.Context, subject ref.Ref, n int64) (int64, error) {
	raw, err := c.db.Collection("test_quota").FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: subject}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: n}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, store.Translate(err)
	}
	return raw.Lookup("used").AsInt64(), nil
}

func (c *counter) Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	c.calls.Add(1)
	used, err := c.add(ctx, subject, n)
	if err != nil {
		return err
	}
	if c.before != nil {
		c.before(ctx)
	}
	if feature != FeatureDocuments || used > c.limit {
		return errQuota
	}
	return nil
}

func (c *counter) Writable(context.Context, ref.Ref, string) error {
	if c.frozen {
		return errQuota
	}
	return nil
}

func (c *counter) Release(ctx context.Context, subject ref.Ref, _ string, n int64) error {
	c.calls.Add(1)
	_, err := c.add(ctx, subject, -n)
	return err
}

func (c *counter) used(t *testing.T, subject ref.Ref) int64 {
	t.Helper()
	n, err := c.add(t.Context(), subject, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// world is a service on a database of its own, and a signed-in user.
type world struct {
	*Service
	testing.TB
	db     *store.DB
	rights *rights
	quota  *counter
	clock  *clock.Manual
	ctx    context.Context // of the user ann
	system context.Context
}

var (
	annID = "01890a5d-ac96-774b-bcce-b302099a8057"
	ann   = ref.New(ref.User, annID)
)

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	db := storetest.DB(t)
	plan := store.Plan{Collections: append(append(Collections(), event.Collections()...), store.Collection{Name: "test_quota"})}
	if _, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	w := &world{
		TB: t, db: db, rights: &rights{denied: map[string]bool{}}, quota: &counter{db: db, limit: 1 << 40}, clock: clock.NewManual(t0),
		ctx: actor.With(t.Context(), actor.Actor{User: annID}), system: actor.With(t.Context(), actor.System()),
	}
	w.Service = w.node(cfg)
	return w
}

// node is another node of the same installation.
func (w *world) node(cfg Config) *Service {
	return New(w.db, event.NewLog(w.db, w.clock.Now), w.clock.Now, w.rights, w.quota, cfg)
}

// m spells JSON objects, a arrays.
type (
	m = map[string]any
	a = []any
)

// reference is the schema of a property that points.
func reference(rule OnDelete, to ...any) m {
	return m{"type": "string", "reference": m{"to": to, "onDelete": string(rule)}}
}

// object is a schema of these properties.
func object(properties m) m { return m{"type": "object", "properties": properties} }

func (w *world) define(key string, schema m) ContentType {
	w.Helper()
	t, err := w.Define(w.system, DefineCmd{Key: key, Name: key, Schema: schema})
	if err != nil {
		w.Fatalf("define %s: %v", key, err)
	}
	return t
}

func (w *world) create(key string, data m) Document {
	w.Helper()
	d, err := w.Create(w.ctx, CreateCmd{Type: key, Data: data})
	if err != nil {
		w.Fatalf("create %s %v: %v", key, data, err)
	}
	return d
}

// read gives a document as stored.
func (w *world) read(id string) (Document, bool) {
	w.Helper()
	found, err := w.ByIDs(w.system, ref.Document, []string{id})
	if err != nil {
		w.Fatal(err)
	}
	d, ok := found[id]
	return d, ok
}

// kinds counts the events by kind.
func (w *world) kinds() map[string]int {
	w.Helper()
	all, err := store.Find[event.Event](w.Context(), w.db.Collection("events"), bson.D{})
	if err != nil {
		w.Fatal(err)
	}
	n := map[string]int{}
	for _, e := range all {
		n[e.Kind]++
	}
	return n
}

// wantFault checks the code of an error and gives it, as a value: a caller may do without.
func wantFault(t testing.TB, err error, want *fault.Error) fault.Error {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v; want %s", err, want.Code)
	}
	return *fault.From(err)
}

// strands fails the test if a reference leads nowhere, or if the rows are not what the documents hold.
func (w *world) noStrands() {
	w.Helper()
	ctx := w.system
	rs, err := store.Find[Reference](ctx, w.db.Collection("references"), bson.D{})
	if err != nil {
		w.Fatal(err)
	}
	docs, err := store.Find[Document](ctx, w.db.Collection("documents"), bson.D{})
	if err != nil {
		w.Fatal(err)
	}
	byID := map[string]Document{}
	held := 0
	for _, d := range docs {
		byID[d.ID] = d
		t, err := w.types.id(ctx, d.Type)
		if err != nil {
			w.Fatal(err)
		}
		ls, err := t.links(d.Data)
		if err != nil {
			w.Fatal(err)
		}
		held += len(ls)
	}
	if held != len(rs) {
		w.Errorf("documents hold %d references, %d rows are stored", held, len(rs))
	}
	for _, r := range rs {
		from, ok := byID[r.From.ID]
		if v, _ := at(from.Data, tokens(r.Path)); !ok || v != r.To.String() {
			w.Errorf("row %+v is not in its document", r)
		}
		if _, ok := byID[r.To.ID]; ok || r.To.Type != ref.Document {
			continue
		}
		if n := storetest.Count(w, w.db, "tombstones", bson.D{{Key: "_id", Value: r.To}}); r.OnDelete != Keep || n != 1 {
			w.Errorf("row %+v leads nowhere, %d tombstones", r, n)
		}
	}
}

// doc is a document made at run time as a reference.
func doc(id string) ref.Ref { return ref.New(ref.Document, id) }

func docs2refs(ids []string) []ref.Ref {
	out := make([]ref.Ref, len(ids))
	for i, id := range ids {
		out[i] = doc(id)
	}
	return out
}

// del deletes a document and gives what went.
func (w *world) del(ctx context.Context, on ref.Ref) ([]ref.Ref, error) {
	out, err := w.Delete(ctx, DeleteCmd{On: on})
	return out.Refs, err
}

func reftest(global string) ref.Ref {
	r, err := ref.Parse(global)
	if err != nil {
		panic(err)
	}
	return r
}

func jsonUnmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// finderOf finds the documents of another collection, as the finders of other domains do.
func (w *world) finderOf(collection string) Finder {
	return func(ctx context.Context, ids []string) (map[string]any, error) {
		type thing struct {
			ID string `bson:"_id"`
		}
		found, err := store.FindByIDs(ctx, w.db.Collection(collection), ids, func(x thing) string { return x.ID })
		out := make(map[string]any, len(found))
		for id := range found {
			out[id] = collection + " " + id
		}
		return out, err
	}
}
