package attachment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/color"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/gabriel-vasile/mimetype"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// An upload is content, what is served, a document that says what was found, and the bytes of its owner.
func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	note, err := w.docs.Create(w.ctx, registry.CreateCmd{Type: "core.note", Data: map[string]any{"title": "n", "body": "", "about": []any{}}})
	if err != nil {
		t.Fatal(err)
	}
	body := painted(t, 640, 200, color.NRGBA{200, 100, 50, 255})
	a, err := w.Upload(w.ctx, UploadCmd{Name: "sea.png", Type: "image/png", Size: int64(len(body)), On: note.Ref().String(), Body: bytes.NewReader(body)})
	want := Attachment{ID: a.ID, Name: "sea.png", ContentType: "image/png", Size: int64(len(body)), SHA256: sumOf(body), Width: 640, Height: 200, Thumbnail: true}
	if err != nil || a != want {
		t.Fatalf("Upload() = %+v, %v", a, err)
	}
	k := w.stored(a.ID)
	if got := w.content(k.Content.Key); !bytes.Equal(got, body) || !bytes.Equal(w.scanner.read, body) {
		t.Errorf("%d of %d bytes are kept, and %d were scanned", len(got), len(body), len(w.scanner.read))
	}
	found, err := w.docs.ByIDs(w.ctx, ref.Attachment, []string{a.ID})
	data := map[string]any{
		"name": "sea.png", "contentType": "image/png", "size": int64(len(body)), "sha256": sumOf(body), "width": int64(640), "height": int64(200),
		"blob": k.Content.Key, "thumbnail": k.Thumbnail.Key, "scan": "CLEAN", "on": note.Ref().String(),
	}
	if d := found[a.ID]; err != nil || d.Owner != ann || !reflect.DeepEqual(d.Data, data) {
		t.Errorf("the document: %+v, %v", d, err)
	}
	if got, want := w.kept(), [4]int64{2, 1, 1, int64(len(body))}; got != want {
		t.Errorf("kept %v, not %v", got, want)
	}
}

// The same content twice is two files: each goes by itself.
func TestSameContentTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	one, two := w.upload("a.txt", []byte("the same")), w.upload("a.txt", []byte("the same"))
	if one.SHA256 != two.SHA256 || one.ID == two.ID || w.stored(one.ID).Content.Key == w.stored(two.ID).Content.Key {
		t.Errorf("%+v and %+v", one, two)
	}
	w.purge(one)
	if err := w.dropped(t.Context(), one.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.content(w.stored(two.ID).Content.Key); string(got) != "the same" || w.kept() != [4]int64{1, 1, 1, 8} {
		t.Errorf("the other one is %q; kept %v", got, w.kept())
	}
}

// What is too large is refused as soon as it is known, and what just fits is taken; a thumbnail is not what was sent.
func TestLimit(t *testing.T) {
	t.Parallel()
	cfg := usual
	cfg.MaxBytes = 100
	w := newWorld(t, cfg)
	for _, tc := range []struct {
		n, size int64
		err     error
	}{
		{100, 100, nil},
		{100, -1, nil},
		{0, -1, nil},
		{101, 101, ErrTooLarge},
		{101, -1, ErrTooLarge},
		{1 << 20, -1, ErrTooLarge},
		{100, 101, ErrTooLarge}, // it says so itself
		{100, 99, ErrBody},
		{99, 100, ErrBody},
	} {
		before := w.kept()
		a, err := w.Upload(w.ctx, UploadCmd{Name: "a.txt", Size: tc.size, Body: strings.NewReader(strings.Repeat("a", int(tc.n)))})
		if !errors.Is(err, tc.err) || err == nil && a.Size != tc.n {
			t.Errorf("%d bytes that are said to be %d: %+v, %v", tc.n, tc.size, a, err)
		}
		if errors.Is(err, ErrTooLarge) && fault.From(err).Details["limit"] != cfg.MaxBytes {
			t.Errorf("%v", fault.From(err).Details)
		}
		if tc.err != nil && w.kept() != before {
			t.Errorf("%d bytes that are said to be %d leave %v", tc.n, tc.size, w.kept())
		}
	}
	dot := painted(t, 1, 1, color.NRGBA{1, 2, 3, 255})
	if len(dot) > int(cfg.MaxBytes) {
		t.Fatalf("the smallest picture has %d bytes", len(dot))
	}
	if a := w.upload("dot.png", dot); !a.Thumbnail || w.stored(a.ID).Thumbnail.Size <= cfg.MaxBytes {
		t.Errorf("%+v", w.stored(a.ID).Thumbnail)
	}
}

// broken ends as a body whose sender is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What is refused leaves nothing: no content, no document, no bytes that count.
func TestRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	page := []byte("<html><script>alert(1)</script>")
	for name, tc := range map[string]struct {
		as   func(w *world, cmd *UploadCmd)
		want error
	}{
		"a visitor":               {func(w *world, _ *UploadCmd) { w.ctx = w.Context() }, fault.ErrUnauthenticated},
		"without the right":       {func(w *world, _ *UploadCmd) { w.rights.denied[annID] = true }, fault.ErrForbidden},
		"another type":            {func(_ *world, c *UploadCmd) { c.Body = bytes.NewReader(page) }, ErrType},
		"a type that is not so":   {func(_ *world, c *UploadCmd) { c.Type = "image/png" }, ErrMismatch},
		"a name that is not so":   {func(_ *world, c *UploadCmd) { c.Name = "a.png" }, ErrMismatch},
		"a name that runs":        {func(_ *world, c *UploadCmd) { c.Name = "a.exe" }, ErrMismatch},
		"a path":                  {func(_ *world, c *UploadCmd) { c.Name = "../a.txt" }, ErrName},
		"on what is no id":        {func(_ *world, c *UploadCmd) { c.On = "nothing" }, ref.ErrID},
		"on what is not there":    {func(_ *world, c *UploadCmd) { c.On = ref.New(ref.Note, ref.NewID()).String() }, registry.ErrRefMissing},
		"broken at the beginning": {func(_ *world, c *UploadCmd) { c.Body = broken{} }, ErrBody},
		"broken in the middle": {func(_ *world, c *UploadCmd) {
			c.Body = io.MultiReader(strings.NewReader(strings.Repeat("a", 300<<10)), broken{})
		}, ErrBody},
		"an infected file":          {func(_ *world, c *UploadCmd) { c.Body = strings.NewReader("a virus") }, ErrInfected},
		"a scanner that is away":    {func(w *world, _ *UploadCmd) { w.scanner.err = errors.New("away") }, ErrScanner},
		"above the quota":           {func(w *world, _ *UploadCmd) { w.quota.limit = 3 }, errQuota},
		"a picture that is damaged": {func(_ *world, c *UploadCmd) { c.Name, c.Body = "a.png", bytes.NewReader(damaged(t)) }, ErrImage},
		"a picture that is a bomb":  {func(_ *world, c *UploadCmd) { c.Name, c.Body = "a.png", bytes.NewReader(bomb(t)) }, ErrImage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, usual)
			cmd := UploadCmd{Name: "a.txt", Size: -1, Body: strings.NewReader("text")}
			tc.as(w, &cmd)
			if _, err := w.Upload(w.ctx, cmd); !errors.Is(err, tc.want) {
				t.Errorf("error = %v; want %v", err, tc.want)
			}
			if got := w.kept(); got != ([4]int64{}) {
				t.Errorf("it leaves %v", got)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a.txt": true, "a b (1).txt": true, "日本.txt": true, strings.Repeat("ä", 200): true, "..a": true,
		"": false, ".": false, "..": false, "a/b": false, `a\b`: false, "a\x00": false, "a\nb": false, "a\u202etxt.exe": false, "a\xff": false,
		strings.Repeat("ä", 201): false,
	} {
		if isName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

// The type is that of the content; what the client says may be less exact, but not another one.
func TestTypes(t *testing.T) {
	t.Parallel()
	picture := string(painted(t, 2, 2, color.Black))
	for _, tc := range []struct {
		content, name, declared string
		typ                     string // empty when it is refused
	}{
		{"text", "a.txt", "", "text/plain"},
		{"text", "a.txt", "text/plain; charset=utf-8", "text/plain"},
		{"text", "a.md", "text/markdown", "text/plain"},
		{"text", "a.csv", "text/csv", "text/plain"},
		{"text", "no extension", "application/octet-stream", "text/plain"},
		{"text", "a.unknown", "", "text/plain"},
		{"text", "a.html", "", ""},
		{"text", "a.txt", "text/html", ""},
		{"text", "a.txt", "text/javascript", ""},
		{"text", "a.txt", "no type", ""},
		{"text", "a.pdf", "", ""},
		{picture, "a.png", "image/png", "image/png"},
		{picture, "A.PNG", "", "image/png"},
		{picture, "a.jpg", "", ""},
		{picture, "a.png", "image/jpeg", ""},
		{picture, "a.txt", "", ""},
		{picture, "a.bin", "application/octet-stream", "image/png"},
		{"%PDF-1.7\n", "a.pdf", "application/pdf", "application/pdf"},
		{"%PDF-1.7\n", "a.pdf.exe", "", ""},
		{"", "a.txt", "", "text/plain"},
	} {
		found := mimetype.Detect([]byte(tc.content))
		typ, _, _ := strings.Cut(found.String(), ";")
		if !agrees(found, tc.declared) || !fits(found, tc.name) {
			typ = ""
		}
		if typ != tc.typ {
			t.Errorf("%.8q called %s and said to be %q is %q, not %q", tc.content, tc.name, tc.declared, typ, tc.typ)
		}
	}
	for _, tc := range []struct {
		types []string
		typ   string
		want  bool
	}{
		{[]string{"image/*"}, "image/png", true},
		{[]string{"image/png"}, "image/png", true},
		{[]string{"image/png"}, "image/jpeg", false},
		{[]string{"image/*"}, "text/plain", false},
		{nil, "text/plain", false},
	} {
		if allowed(tc.types, tc.typ) != tc.want {
			t.Errorf("%v and %s: %v", tc.types, tc.typ, !tc.want)
		}
	}
}

// Without a scanner a document says that nobody has looked, and the system owns without a limit.
func TestUnscanned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	w.Scanner, w.quota.limit = nil, 0
	a, err := w.Upload(w.system, UploadCmd{Name: "a.txt", Size: 4, Body: strings.NewReader("text")})
	if err != nil {
		t.Fatal(err)
	}
	found, err := w.docs.ByIDs(w.system, ref.Attachment, []string{a.ID})
	if d := found[a.ID]; err != nil || d.Data["scan"] != "NONE" || d.Owner != actor.System().Ref() {
		t.Errorf("%+v, %v", d, err)
	}
}

// NewestOwned names the newest that have the bytes which are too many, and no more.
func TestNewestOwned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	var all []ref.Ref
	for n := 1; n <= 4; n++ {
		all = append(all, w.upload(fmt.Sprint(n, ".txt"), bytes.Repeat([]byte("a"), 10*n)).Ref())
	}
	if _, err := w.Upload(w.bob, UploadCmd{Name: "b.txt", Size: -1, Body: strings.NewReader("of bob")}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		above int64
		n     int
		want  []ref.Ref
	}{
		{0, 10, nil},
		{1, 10, []ref.Ref{all[3]}},
		{40, 10, []ref.Ref{all[3]}},
		{41, 10, []ref.Ref{all[3], all[2]}},
		{1000, 10, []ref.Ref{all[3], all[2], all[1], all[0]}},
		{1000, 1, []ref.Ref{all[3]}},
	} {
		if got, err := w.NewestOwned(w.system, ann, tc.above, tc.n); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%d bytes, at most %d: %v, %v", tc.above, tc.n, got, err)
		}
	}
}
