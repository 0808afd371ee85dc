package attachment

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// rights allows everything to whoever is signed in, but nothing to those who are denied; the system may all.
type rights struct {
	mu     sync.Mutex
	denied map[string]bool // ids of users
}

func (r *rights) Require(ctx context.Context, _ string, _ ref.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch a := actor.From(ctx); {
	case a.System:
		return nil
	case a.IsAnonymous():
		return fault.ErrUnauthenticated
	case r.denied[a.User]:
		return fault.ErrForbidden
	}
	return nil
}

func (r *rights) RequireSome(ctx context.Context, permission string) error {
	return r.Require(ctx, permission, ref.Ref{})
}

func (r *rights) Scope(ctx context.Context, permission, _ string) (predicate.Filter, error) {
	if r.Require(ctx, permission, ref.Ref{}) != nil {
		return predicate.None(), nil //nolint:nilerr // a refusal is a filter
	}
	return predicate.All(), nil
}

func (*rights) Fields(context.Context, ref.Ref) (hidden, frozen []string, err error) {
	return nil, nil, nil
}

func (*rights) ForgetObject(context.Context, ...ref.Ref) error { return nil }

var errQuota = errors.New("quota exceeded")

// meter counts what subjects use, where a transaction can roll it back.
type meter struct {
	db    *store.DB
	limit int64 // of bytes
}

func (m *meter) add(ctx context.Context, subject ref.Ref, feature string, n int64) (int64, error) {
	raw, err := m.db.Collection("test_quota").FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: subject.String() + " " + feature}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "used", Value: n}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, store.Translate(err)
	}
	return raw.Lookup("used").AsInt64(), nil
}

func (m *meter) Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	used, err := m.add(ctx, subject, feature, n)
	if err == nil && feature == FeatureBytes && used > m.limit {
		err = errQuota
	}
	return err
}

func (m *meter) Release(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	_, err := m.add(ctx, subject, feature, -n)
	return err
}

func (*meter) Writable(context.Context, ref.Ref, string) error { return nil }

// scanner finds what is called a virus.
type scanner struct {
	mu   sync.Mutex
	err  error
	read []byte // of the last file
}

func (s *scanner) Scan(_ context.Context, r io.Reader) (bool, error) {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = b
	return bytes.Contains(b, []byte("virus")), errors.Join(err, s.err)
}

// world is a service over a real registry and content in the database, and two users.
type world struct {
	*Service
	testing.TB
	db      *store.DB
	docs    *registry.Service
	rights  *rights
	quota   *meter
	scanner *scanner
	clock   *clock.Manual
	ctx     context.Context // of ann
	bob     context.Context
	system  context.Context
}

var (
	annID = "01890a5d-ac96-774b-bcce-b302099a8057"
	bobID = "01890a5d-ac96-774b-bcce-b302099a8058"
	ann   = ref.New(ref.User, annID)
)

// usual takes what tests send.
var usual = Config{MaxBytes: 1 << 20, Types: []string{"image/*", "text/plain", "application/pdf"}, LinkTTL: time.Hour}

func newWorld(t testing.TB, cfg Config) *world {
	t.Helper()
	db := storetest.DB(t)
	plan := store.Plan{}
	for _, of := range [][]store.Collection{Collections(), registry.Collections(), blob.Collections(), event.Collections(), {{Name: "test_quota"}}} {
		plan.Collections = append(plan.Collections, of...)
	}
	if _, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Parse(keyring.NewKey("k1"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		TB: t, db: db, rights: &rights{denied: map[string]bool{}}, quota: &meter{db, 1 << 40}, scanner: &scanner{},
		clock: clock.NewManual(time.Now().UTC()), // content is as old as the machine says
		ctx:   actor.With(t.Context(), actor.Actor{User: annID}), bob: actor.With(t.Context(), actor.Actor{User: bobID}),
		system: actor.With(t.Context(), actor.System()),
	}
	w.docs = registry.New(db, event.NewLog(db, w.clock.Now), w.clock.Now, w.rights, w.quota, registry.Config{})
	if err := w.docs.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Service = New(Deps{
		DB: db, Blobs: blob.NewGridFS(db), Authz: w.rights, Documents: w.docs, Quota: w.quota, Ring: ring, Scanner: w.scanner,
		Named: func(ctx context.Context, ids []string) (map[string]bool, error) {
			return w.docs.There(ctx, ref.Attachment, ids)
		},
		Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	}, cfg)
	return w
}

// upload sends a file of ann's.
func (w *world) upload(name string, body []byte) Attachment {
	w.Helper()
	a, err := w.Upload(w.ctx, UploadCmd{Name: name, Size: -1, Body: bytes.NewReader(body)})
	if err != nil {
		w.Fatalf("upload %s: %v", name, err)
	}
	return a
}

// kept is how many contents, files and documents there are, and how many bytes ann uses.
func (w *world) kept() [4]int64 {
	w.Helper()
	used, err := w.quota.add(w.system, ann, FeatureBytes, 0)
	if err != nil {
		w.Fatal(err)
	}
	n := [4]int64{3: used}
	for i, coll := range []string{"blobs.files", collection, "attachments"} {
		n[i] = int64(storetest.Count(w, w.db, coll))
	}
	return n
}

// content reads what is kept under a key.
func (w *world) content(key string) []byte {
	w.Helper()
	var b []byte
	err := w.read(w.system, key, func(r io.Reader) (err error) {
		b, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// stored is what is kept for an attachment.
func (w *world) stored(id string) kept {
	w.Helper()
	k, err := w.store.byID(w.system, id)
	if err != nil {
		w.Fatal(err)
	}
	return k
}

// painted is a PNG of one color.
func painted(t testing.TB, w, h int, c color.Color) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
