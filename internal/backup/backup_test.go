package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/backup"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bank is a schema whose data must agree across collections: the balances are what the transfers say.
func bank() store.Plan {
	return store.Plan{
		Collections: []store.Collection{
			{Name: "balances"},
			{Name: "blobs.files"},
			{Name: "blobs.chunks"},
			{Name: "none"},
			{Name: "transfers", Indexes: []store.Index{{Name: "key", Keys: []string{"key"}, Unique: true}}},
		},
		Migrations: []store.Migration{{ID: "0001_first", Up: func(context.Context, *store.DB) error { return nil }}},
	}
}

func newBank(t *testing.T) *store.DB {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), bank(), false); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		storetest.Insert(t, db, "balances", bson.D{{Key: "_id", Value: i}, {Key: "sum", Value: 0}, {Key: "odd", Value: bson.NewDecimal128(1, 2)}})
	}
	return db
}

// transfer moves one from a balance to the next, and writes it down.
func transfer(ctx context.Context, db *store.DB, from int) error {
	return db.InTx(ctx, func(ctx context.Context) error {
		for i, by := range []int{-1, 1} {
			id := (from + i) % 4
			if _, err := db.Collection("balances").UpdateByID(ctx, id, bson.D{{Key: "$inc", Value: bson.D{{Key: "sum", Value: by}}}}); err != nil {
				return store.Wrap("move", err)
			}
		}
		_, err := db.Collection("transfers").InsertOne(ctx, bson.D{{Key: "_id", Value: ref.NewID()}, {Key: "key", Value: ref.NewID()}, {Key: "from", Value: from}})
		return store.Wrap("write down", err)
	})
}

func write(t *testing.T, from backup.Source) ([]byte, backup.Manifest) {
	t.Helper()
	var b bytes.Buffer
	m, err := backup.Write(t.Context(), from, &b, at)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

func open(t *testing.T, b []byte) *backup.Archive {
	t.Helper()
	a, err := backup.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// contents gives the documents of every collection as they are stored, as of a time; the zero time is now.
func contents(t *testing.T, db *store.DB, at backup.Time) map[string][]string {
	t.Helper()
	names, err := db.Database().ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	err = db.AsOf(t.Context(), bson.Timestamp{T: at.Second, I: at.Increment}, func(ctx context.Context) error {
		for _, name := range names {
			cur, err := db.Collection(name).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
			if err != nil {
				return err
			}
			all[name] = []string{}
			for cur.Next(ctx) {
				all[name] = append(all[name], cur.Current.String())
			}
			if err := errors.Join(cur.Err(), cur.Close(ctx)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(all, "leases") // migrating takes one
	return all
}

// TestBackupBesideWriters: what is restored is the state of one moment, although it was written to all the time.
func TestBackupBesideWriters(t *testing.T) {
	t.Parallel()
	db := newBank(t)
	done := make(chan struct{}, 1<<16)
	stop := writers(t, db, done)
	for range 50 {
		<-done
	}
	b, m := write(t, backup.Source{DB: db, Name: "bank"})
	for len(done) > 0 {
		<-done
	}
	for range 50 { // so that the present is certainly another state
		<-done
	}
	stop()

	then := contents(t, db, m.Snapshot)
	to := storetest.DB(t)
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank()}); err != nil {
		t.Fatal(err)
	}
	got := contents(t, to, backup.Time{})
	if !maps.EqualFunc(got, then, slices.Equal) {
		t.Errorf("restored: %v\nnot the snapshot: %v", sizes(got), sizes(then))
	}
	if now := contents(t, db, backup.Time{}); maps.EqualFunc(now, then, slices.Equal) || len(then["transfers"]) < 50 {
		t.Fatalf("nothing was written beside the backup: %v", sizes(now))
	}
	agree(t, to)
	for _, p := range m.Collections {
		if p.Name != "leases" && int(p.Count) != len(then[p.Name]) {
			t.Errorf("the manifest says %d of %s, not %d", p.Count, p.Name, len(then[p.Name]))
		}
	}
	var again struct{ Key string }
	first := to.Collection("transfers").FindOne(t.Context(), bson.D{})
	if err := first.Decode(&again); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Collection("transfers").InsertOne(t.Context(), bson.D{{Key: "key", Value: again.Key}}); !store.IsDuplicate(err) {
		t.Errorf("the restored collection has no unique index: %v", err)
	}
}

// writers move money until stop, and tell done of each move.
func writers(t *testing.T, db *store.DB, done chan struct{}) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := w; ctx.Err() == nil; i++ {
				if err := transfer(ctx, db, i%4); err == nil {
					done <- struct{}{}
				} else if ctx.Err() == nil {
					t.Errorf("transfer: %v", err)
					return
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// agree holds the balances to the transfers.
func agree(t *testing.T, db *store.DB) {
	t.Helper()
	want := map[int]int{}
	moved, err := store.Find[struct{ From int }](t.Context(), db.Collection("transfers"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range moved {
		want[m.From]--
		want[(m.From+1)%4]++
	}
	sums, err := store.Find[struct {
		ID  int `bson:"_id"`
		Sum int
	}](t.Context(), db.Collection("balances"), bson.D{})
	if err != nil || len(sums) != 4 {
		t.Fatalf("%v %v", sums, err)
	}
	for _, b := range sums {
		if b.Sum != want[b.ID] {
			t.Errorf("balance %d is %d, and its transfers make %d", b.ID, b.Sum, want[b.ID])
		}
	}
}

func sizes(all map[string][]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s %d, ", name, len(all[name]))
	}
	return b.String()
}

// TestRestoreRefuses: what is not whole, not known or not empty is refused before anything is written.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	db := newBank(t)
	if err := transfer(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	good, _ := write(t, backup.Source{DB: db, Name: "bank"})
	newer := bank()
	newer.Migrations = nil
	for name, tc := range map[string]struct {
		b    []byte
		to   backup.Target
		want error
	}{
		"another file":     {[]byte("no archive"), backup.Target{}, backup.ErrForeign},
		"a cut file":       {good[:len(good)-100], backup.Target{}, backup.ErrForeign},
		"another zip":      {zipped(t, "x", "y"), backup.Target{}, backup.ErrForeign},
		"a newer format":   {zipped(t, "manifest.json", `{"format": 2}`), backup.Target{}, backup.ErrNewer},
		"a newer version":  {good, backup.Target{Plan: newer}, backup.ErrNewer},
		"a changed number": {rezipped(t, good, "collections/balances.bson", func(b []byte) { b[len(b)-3]++ }), backup.Target{}, backup.ErrDamaged},
		"a full database":  {good, backup.Target{DB: db}, backup.ErrNotEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.to.DB == nil {
				tc.to.DB = storetest.DB(t)
			}
			if tc.to.Plan.Collections == nil {
				tc.to.Plan = bank()
			}
			a, err := backup.Open(bytes.NewReader(tc.b), int64(len(tc.b)))
			if err == nil {
				err = a.Restore(t.Context(), tc.to)
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, not %v", err, tc.want)
			}
			if all := contents(t, tc.to.DB, backup.Time{}); tc.to.DB != db && len(all) > 0 {
				t.Errorf("written all the same: %v", sizes(all))
			}
		})
	}
}

// TestEveryByteCounts: whichever byte of the content is turned, the archive is refused.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	db := newBank(t)
	good, _ := write(t, backup.Source{DB: db, Name: "bank"})
	if err := open(t, good).Verify(); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	turned := 0
	for _, f := range z.File {
		from, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		for i := from; i < from+int64(f.CompressedSize64); i += 7 {
			bad := slices.Clone(good)
			bad[i] ^= 0x10
			a, err := backup.Open(bytes.NewReader(bad), int64(len(bad)))
			if err == nil {
				err = a.Verify()
			}
			if err == nil {
				t.Errorf("a turned bit at %d, in %s, passes", i, f.Name)
			}
			turned++
		}
	}
	if turned < 20 {
		t.Errorf("only %d bytes were turned", turned)
	}
}

// TestForceAndSkip: with force the database is what the archive says and nothing else; what is skipped is made, and empty.
func TestForceAndSkip(t *testing.T) {
	t.Parallel()
	db, to := newBank(t), newBank(t)
	if err := errors.Join(transfer(t.Context(), db, 1), transfer(t.Context(), to, 2)); err != nil {
		t.Fatal(err)
	}
	storetest.Insert(t, to, "strange", bson.D{{Key: "_id", Value: 1}})
	b, m := write(t, backup.Source{DB: db, Name: "bank"})
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank(), Force: true, Skip: []string{"transfers"}}); err != nil {
		t.Fatal(err)
	}
	want := contents(t, db, m.Snapshot)
	want["transfers"] = []string{}
	if got := contents(t, to, backup.Time{}); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("restored: %v\nnot: %v", sizes(got), sizes(want))
	}
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank(), Force: true, Skip: []string{"transfer"}}); err == nil {
		t.Error("a collection that is not there is skipped")
	}
}

// TestRestoredLeases: who held a lease when the backup was made holds none in the copy, and who takes it has a higher fence.
func TestRestoredLeases(t *testing.T) {
	t.Parallel()
	db, to := newBank(t), storetest.DB(t)
	held, err := db.TryLease(t.Context(), "work", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := write(t, backup.Source{DB: db, Name: "bank"})
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank()}); err != nil {
		t.Fatal(err)
	}
	mine, err := to.TryLease(t.Context(), "work", time.Hour)
	if err != nil || mine.Fence() <= held.Fence() {
		t.Errorf("%v, and a fence that is not above %d", err, held.Fence())
	}
}

// TestFiles: files beside the database, and those in it, come back byte by byte.
func TestFiles(t *testing.T) {
	t.Parallel()
	db, to := newBank(t), storetest.DB(t)
	beside, back := folder(t), folder(t)
	keep := func(s blob.Store, key string, size int) {
		t.Helper()
		if _, err := s.Put(t.Context(), key, bytes.NewReader(bytes.Repeat([]byte(key), size)), blob.Meta{ContentType: "text/plain", Size: -1}); err != nil {
			t.Fatal(err)
		}
	}
	keep(beside, "aa/large", 300<<10)
	keep(beside, "aa/none", 0)
	keep(blob.NewGridFS(db), "aa/inside", 100<<10)
	keep(back, "aa/none", 0) // of a try before
	b, m := write(t, backup.Source{DB: db, Name: "bank", Files: beside})
	if len(m.Files) != 2 {
		t.Fatalf("files: %+v", m.Files)
	}
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank()}); !errors.Is(err, backup.ErrNoPlace) {
		t.Errorf("files without a place: %v", err)
	}
	if err := open(t, b).Restore(t.Context(), backup.Target{DB: to, Plan: bank(), Files: back}); err != nil {
		t.Fatal(err)
	}
	for key, s := range map[string]blob.Store{"aa/large": back, "aa/none": back, "aa/inside": blob.NewGridFS(to)} {
		r, info, err := s.Open(t.Context(), key, 0, -1)
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil || info.ContentType != "text/plain" || info.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
			t.Errorf("%s: %+v %v", key, info, err)
		}
		_ = r.Close()
	}
}

func folder(t *testing.T) blob.Store {
	t.Helper()
	f, err := blob.NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
