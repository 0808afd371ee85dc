package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var places = map[string]func(t *testing.T) blob.Store{
	"files": func(t *testing.T) blob.Store {
		f, err := blob.NewFiles(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	},
	"gridfs": func(t *testing.T) blob.Store { return blob.NewGridFS(database(t)) },
	"s3":     bucket,
}

func database(t *testing.T) *store.DB {
	t.Helper()
	db := storetest.Open(t, "bb_test_"+ref.NewID())
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: blob.Collections()}, false); err != nil {
		t.Fatal(err)
	}
	return db
}

func bucket(t *testing.T) blob.Store {
	t.Helper()
	back := s3mem.New()
	if err := back.CreateBucket("book"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(back).Server())
	t.Cleanup(srv.Close)
	s, err := blob.NewS3(blob.S3Config{Endpoint: srv.URL, Bucket: "book", Region: "us-east-1", AccessKey: "a", SecretKey: "b", Prefix: "x/"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConformance holds every place to the words of the interface.
func TestConformance(t *testing.T) {
	t.Parallel()
	for place, open := range places {
		for name, test := range map[string]func(*testing.T, blob.Store){
			"round": testRound, "broken": testBroken, "keys": testKeys, "list": testList, "taken": testTaken,
		} {
			t.Run(place+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func put(t *testing.T, s blob.Store, key string, b []byte) blob.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, bytes.NewReader(b), blob.Meta{ContentType: "image/png", Size: -1})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func read(t *testing.T, s blob.Store, key string, offset, length int64) []byte {
	t.Helper()
	r, _, err := s.Open(t.Context(), key, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func testRound(t *testing.T, s blob.Store) {
	const chunk = 255 << 10
	for _, n := range []int{0, 1, chunk, chunk + 1, 3*chunk - 1, 9 << 20} {
		b := content(n)
		info := put(t, s, "aa/round", b)
		if info.Size != int64(n) || info.ContentType != "image/png" || len(info.SHA256) != 64 || info.ModifiedAt.IsZero() {
			t.Errorf("%d bytes: %+v", n, info)
		}
		sum := sha256.Sum256(b)
		stat, err := s.Stat(t.Context(), "aa/round")
		stat.ModifiedAt = info.ModifiedAt // a file's own is some microseconds later
		if err != nil || stat != info || stat.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("stat: %+v %v, not %+v", stat, err, info)
		}
		for _, r := range [][2]int64{{0, -1}, {0, 10}, {chunk - 1, 2}, {chunk, -1}, {chunk, chunk}, {1 << 40, 5}} {
			from := min(r[0], int64(n))
			to := int64(n)
			if r[1] >= 0 {
				to = min(to, from+r[1])
			}
			if got := read(t, s, "aa/round", r[0], r[1]); !bytes.Equal(got, b[from:to]) {
				t.Errorf("%v of %d: %d bytes", r, n, len(got))
			}
		}
		for range 2 {
			if err := s.Delete(t.Context(), "aa/round"); err != nil {
				t.Error(err)
			}
		}
		if _, err := s.Stat(t.Context(), "aa/round"); !errors.Is(err, blob.ErrNone) {
			t.Errorf("deleted: %v", err)
		}
		if _, _, err := s.Open(t.Context(), "aa/round", 0, -1); !errors.Is(err, blob.ErrNone) {
			t.Errorf("deleted: %v", err)
		}
	}
}

var errBroken = errors.New("the line broke")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// cut ends as the body of a request whose sender is gone, in somebody's words or in nobody's.
type cut struct{ words string }

func (c cut) Read([]byte) (int, error) {
	if c.words == "" {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("%s: %w", c.words, io.ErrUnexpectedEOF)
}

func testBroken(t *testing.T, s blob.Store) {
	for _, n := range []int{0, 1000, 9 << 20} {
		_, err := s.Put(t.Context(), "aa/broken", io.MultiReader(bytes.NewReader(content(n)), broken{}), blob.Meta{Size: -1})
		if !errors.Is(err, errBroken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	for _, words := range []string{"", "the sender is gone"} {
		if _, err := s.Put(t.Context(), "aa/broken", io.MultiReader(strings.NewReader("cut"), cut{words}), blob.Meta{Size: -1}); !errors.Is(err, blob.ErrShort) {
			t.Errorf("a body that was cut off: %v", err)
		}
	}
	if _, err := s.Put(t.Context(), "aa/broken", strings.NewReader("short"), blob.Meta{Size: 10}); err == nil {
		t.Error("less than was said is kept")
	}
	if _, err := s.Put(t.Context(), "aa/broken", strings.NewReader("longer"), blob.Meta{Size: 3}); !errors.Is(err, blob.ErrShort) {
		t.Errorf("more than was said: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, "aa/broken", strings.NewReader("x"), blob.Meta{Size: -1}); err == nil {
		t.Error("kept after its context ended")
	}
	if _, err := s.Stat(t.Context(), "aa/broken"); !errors.Is(err, blob.ErrNone) {
		t.Errorf("something is readable: %v", err)
	}
	if all, err := s.List(t.Context(), "", "", 10); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
}

func testKeys(t *testing.T, s blob.Store) {
	for _, key := range []string{"", "..", "../x", "a/../b", "/aa", "aa/", "aa//bb", ".unfinished/xx", "A", "a b", "aa\x00", `aa\bb`, strings.Repeat("a/", 200)} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x"), blob.Meta{Size: -1}); !errors.Is(err, blob.ErrKey) {
			t.Errorf("put %q: %v", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, blob.ErrKey) {
			t.Errorf("stat %q: %v", key, err)
		}
		if err := s.Delete(t.Context(), key); !errors.Is(err, blob.ErrKey) {
			t.Errorf("delete %q: %v", key, err)
		}
	}
}

func testList(t *testing.T, s blob.Store) {
	for _, key := range []string{"b1/x2", "b1/x1", "b1.x", "b2/x1", "c1/x1"} {
		put(t, s, key, []byte(key))
	}
	var got []string
	for after := ""; ; {
		part, err := s.List(t.Context(), "b", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		for _, i := range part {
			got = append(got, i.Key)
			if i.Size != int64(len(i.Key)) || i.ModifiedAt.IsZero() {
				t.Errorf("%+v", i)
			}
		}
		after = got[len(got)-1]
	}
	if strings.Join(got, " ") != "b1.x b1/x1 b1/x2 b2/x1" {
		t.Errorf("listed: %v", got)
	}
}

func testTaken(t *testing.T, s blob.Store) {
	put(t, s, "a1/x1", []byte("first"))
	if _, err := s.Put(t.Context(), "a1/x1", strings.NewReader("second"), blob.Meta{Size: 6}); !errors.Is(err, blob.ErrTaken) {
		t.Errorf("written twice: %v", err)
	}
	if got := read(t, s, "a1/x1", 0, -1); string(got) != "first" {
		t.Errorf("it holds %q", got)
	}
}

// TestCleanGridFS: the chunks of a process that died go, and those of whole files and of uploads on their way stay.
func TestCleanGridFS(t *testing.T) {
	t.Parallel()
	db := database(t)
	s := blob.NewGridFS(db)
	put(t, s, "aa/lost", content(600<<10))
	put(t, s, "aa/whole", content(600<<10))
	if _, err := db.Collection("blobs.files").DeleteOne(t.Context(), map[string]string{"filename": "aa/lost"}); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[time.Duration]int64{-time.Hour: 6} {
		if err := s.Clean(t.Context(), time.Now().Add(before)); err != nil {
			t.Fatal(err)
		}
		if n, _ := db.Collection("blobs.chunks").EstimatedDocumentCount(t.Context()); n != want {
			t.Errorf("%d chunks before %s", n, before)
		}
	}
	if err := s.Clean(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, _ := db.Collection("blobs.chunks").EstimatedDocumentCount(t.Context()); n != 3 {
		t.Errorf("%d chunks afterwards", n)
	}
}

// TestFilesStayInside: a link that leads out of the folder is not followed, and what a dead process left goes.
func TestFilesStayInside(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	s, err := blob.NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "out/file", strings.NewReader("x"), blob.Meta{Size: -1}); err == nil {
		t.Error("written outside")
	}
	left := filepath.Join(dir, ".unfinished", "left")
	if err := os.WriteFile(left, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		before time.Duration
		there  bool
	}{{-time.Hour, true}, {time.Hour, false}} {
		if err := s.Clean(t.Context(), time.Now().Add(tc.before)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(left); (err == nil) != tc.there {
			t.Errorf("before %s: %v", tc.before, err)
		}
	}
}
