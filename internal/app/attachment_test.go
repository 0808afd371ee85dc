package app_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// sent is the answer to an upload or to a link.
type sent struct {
	status int
	header http.Header
	body   []byte

	ID, Name, ContentType, SHA256, URL, ThumbnailURL string
	Size                                             int64
	Width, Height                                    int
	Error                                            struct{ Code string }
}

func exchange(t *testing.T, c *apptest.Client, method, path string, body io.Reader, headers ...string) sent {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := sent{status: res.StatusCode, header: res.Header}
	if out.body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(out.body, &out); err != nil {
			t.Fatalf("%s: %v", out.body, err)
		}
	}
	return out
}

func uploadRaw(t *testing.T, c *apptest.Client, name, typ string, body []byte) sent {
	t.Helper()
	return exchange(t, c, http.MethodPost, "/attachments?name="+url.QueryEscape(name), bytes.NewReader(body), "Content-Type", typ)
}

// form is a form with the field on and a file.
func form(t *testing.T, on, name, typ string, body []byte) (content io.Reader, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if on != "" {
		_ = w.WriteField("on", on)
	}
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + name + `"`}, "Content-Type": {typ}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(body)
	_ = w.Close()
	return &b, w.FormDataContentType()
}

func pictureOf(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.NRGBA{uint8(x), uint8(y), 100, 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is a PNG that says it has a hundred million pixels.
func bomb(t *testing.T) []byte {
	t.Helper()
	b := pictureOf(t, 2, 2)
	binary.BigEndian.PutUint32(b[16:], 100_000)
	binary.BigEndian.PutUint32(b[20:], 1000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func contents(t *testing.T, s *apptest.Server) int64 {
	t.Helper()
	n, err := s.DB().Collection("blobs.files").CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const (
	linkOf = `query($in: AttachmentLinkInput!) { attachmentLink(input: $in) { url expiresAt } }`
)

// TestReq113Attachment walks with a file from its upload to its end.
func TestReq113Attachment(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Now())
	s := apptest.Start(t, apptest.Setup{Clock: now.Now})
	root := admin(t, s)
	defineNote(root)
	u, _ := user(t, s, "una")
	doc := text(t, u.Must(createDoc, note("with a file")), "createDocument", "document", "id")
	picture := pictureOf(t, 640, 200)
	body, typ := form(t, doc, "sea.png", "image/png", picture)
	up := exchange(t, u, http.MethodPost, "/attachments", body, "Content-Type", typ)
	if up.status != http.StatusCreated || up.Size != int64(len(picture)) || up.ContentType != "image/png" || up.Width != 640 || up.Height != 200 || up.ThumbnailURL == "" {
		t.Fatalf("upload: %d %s", up.status, up.body)
	}
	// Anybody with the link gets it, in parts too.
	nobody := s.Browser()
	got := exchange(t, nobody, http.MethodGet, up.URL, nil)
	h := got.header
	if got.status != http.StatusOK || !bytes.Equal(got.body, picture) || h.Get("Etag") != `"`+up.SHA256+`"` || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox;") || h.Get("Content-Disposition") != "inline; filename=sea.png" || !strings.HasPrefix(h.Get("Cache-Control"), "private, max-age=") {
		t.Errorf("download: %d, %d bytes, %v", got.status, len(got.body), h)
	}
	if part := exchange(t, nobody, http.MethodGet, up.URL, nil, "Range", "bytes=10-19"); part.status != http.StatusPartialContent || !bytes.Equal(part.body, picture[10:20]) {
		t.Errorf("range: %d %v", part.status, part.body)
	}
	if head := exchange(t, nobody, http.MethodHead, up.URL, nil); head.status != http.StatusOK || head.header.Get("Content-Length") != strconv.Itoa(len(picture)) {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	if same := exchange(t, nobody, http.MethodGet, up.URL, nil, "If-None-Match", `"`+up.SHA256+`"`); same.status != http.StatusNotModified {
		t.Errorf("the same again: %d", same.status)
	}
	small := exchange(t, nobody, http.MethodGet, up.ThumbnailURL, nil)
	if cfg, form, err := image.DecodeConfig(bytes.NewReader(small.body)); err != nil || form != "jpeg" || cfg.Width != 320 || cfg.Height != 100 {
		t.Errorf("thumbnail: %+v %s %v", cfg, form, err)
	}
	// A link is good for what it was made for, and for its time.
	link := text(t, u.Must(linkOf, in(map[string]any{"id": up.ID, "ttl": 60})), "attachmentLink", "url")
	other := uploadRaw(t, u, "other.txt", "text/plain", []byte("another file"))
	for name, bad := range map[string]string{
		"no signature": strings.Split(link, "&signature=")[0], "another time": strings.Replace(link, "expires=", "expires=9", 1), "the thumbnail": link + "&thumbnail=1",
		"another file": strings.Replace(link, strings.TrimPrefix(up.ID, "attachment:"), strings.TrimPrefix(other.ID, "attachment:"), 1), "nothing": strings.Split(link, "?")[0],
	} {
		if r := exchange(t, nobody, http.MethodGet, bad, nil); r.status != http.StatusForbidden || r.Error.Code != "ATTACHMENT_LINK" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for _, path := range []string{"/attachments/..%2f..%2fetc%2fpasswd", "/attachments/%00", "/attachments/a%2fb?expires=99999999999&signature=x"} {
		if r := exchange(t, nobody, http.MethodGet, path, nil); r.status != http.StatusForbidden && r.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, r.status)
		}
	}
	for _, ttl := range []int{0, -5, 1 << 30} {
		if r := u.Do(linkOf, in(map[string]any{"id": up.ID, "ttl": ttl})); r.Code() != "BAD_USER_INPUT" {
			t.Errorf("a link for %d s: %q", ttl, r.Code())
		}
	}
	if r := exchange(t, nobody, http.MethodGet, other.URL, nil); r.header.Get("Content-Disposition") != "attachment; filename=other.txt" {
		t.Errorf("a text is shown: %v", r.header)
	}
	now.Advance(time.Minute)
	if r := exchange(t, nobody, http.MethodGet, link, nil); r.Error.Code != "ATTACHMENT_LINK" {
		t.Errorf("after its time: %d", r.status)
	}
	// With the document it belongs to it goes, and its content with it.
	if n := contents(t, s); n != 3 {
		t.Fatalf("%d contents of two files and a thumbnail", n)
	}
	gone := func() bool { // a clock that jumps makes the policy look old for a moment
		return root.Do(deleteDoc, in(map[string]any{"id": doc, "purge": true})).Code() == ""
	}
	eventually(t, "the document is deleted", gone)
	if r := exchange(t, nobody, http.MethodGet, up.URL, nil); r.status != http.StatusNotFound {
		t.Errorf("the link of a deleted file: %d", r.status)
	}
	until(t, "the content is gone", func() bool { return contents(t, s) == 1 })
	until(t, "the bytes are given back", func() bool {
		return storetest.Count(t, s.DB(), "attachment_files", bson.D{}) == 1
	})
}

// TestReq113Refused: what is refused leaves nothing behind.
func TestReq113Refused(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--attachments-max-bytes=100000"}})
	root := admin(t, s)
	root.Must(`mutation($in: ApplyCatalogueInput!) { applyCatalogue(input: $in) { changes } }`, in(map[string]any{"yaml": `
plans:
  - {key: free, name: Free, default: true, features: [{feature: registry.documents, limit: 50}, {feature: registry.attachment_bytes, limit: 1000}]}
`}))
	u, _ := user(t, s, "ulf")
	small := pictureOf(t, 8, 8)
	for name, tc := range map[string]struct {
		name, typ string
		body      []byte
		code      string
	}{
		"a page":                   {"a.html", "text/html", []byte("<html><script>alert(1)</script>"), "ATTACHMENT_TYPE"},
		"a page that says picture": {"a.png", "image/png", []byte("<html><script>alert(1)</script>"), "ATTACHMENT_TYPE"},
		"a picture that says text": {"a.txt", "text/plain", small, "ATTACHMENT_MISMATCH"},
		"a picture with a lie":     {"a.gif", "image/png", small, "ATTACHMENT_MISMATCH"},
		"a text as a page":         {"a.html", "text/plain", []byte("just text"), "ATTACHMENT_MISMATCH"},
		"a program":                {"a.exe", "", []byte("just text"), "ATTACHMENT_MISMATCH"},
		"too large":                {"a.txt", "text/plain", bytes.Repeat([]byte("a"), 100_001), "ATTACHMENT_TOO_LARGE"},
		"above the quota":          {"a.txt", "text/plain", bytes.Repeat([]byte("a"), 1001), "QUOTA_EXCEEDED"},
		"a bomb of pixels":         {"a.png", "image/png", bomb(t), "ATTACHMENT_IMAGE"},
		"a path":                   {"../../etc/passwd", "text/plain", []byte("x"), "ATTACHMENT_NAME"},
		"a path of the others":     {`..\a.txt`, "text/plain", []byte("x"), "ATTACHMENT_NAME"},
		"a turned name":            {"a\u202etxt.exe", "text/plain", []byte("x"), "ATTACHMENT_NAME"},
		"no name":                  {"", "text/plain", []byte("x"), "ATTACHMENT_NAME"},
	} {
		if r := uploadRaw(t, u, tc.name, tc.typ, tc.body); r.Error.Code != tc.code {
			t.Errorf("%s as a body: %d %s", name, r.status, r.body)
		}
		if tc.name == "" || strings.Contains(tc.name, `\`) {
			continue // in a form it is no file, or written in another way
		}
		body, typ := form(t, "", tc.name, tc.typ, tc.body)
		if r := exchange(t, u, http.MethodPost, "/attachments", body, "Content-Type", typ); r.Error.Code != tc.code {
			t.Errorf("%s in a form: %d %s", name, r.status, r.body)
		}
	}
	body, typ := form(t, "document:0000", "a.txt", "text/plain", []byte("x"))
	if r := exchange(t, u, http.MethodPost, "/attachments", body, "Content-Type", typ); r.Error.Code != "REF_TARGET_MISSING" {
		t.Errorf("on nothing: %s", r.body)
	}
	if r := uploadRaw(t, s.Browser(), "a.txt", "text/plain", []byte("x")); r.status != http.StatusUnauthorized {
		t.Errorf("nobody uploads: %d", r.status)
	}
	p := newPerson(t, s, "cleo")
	if body, typ := form(t, "", "a.txt", "text/plain", []byte("x")); exchange(t, p.Client, http.MethodPost, "/attachments", body, "Content-Type", typ).Error.Code != "CROSS_ORIGIN" {
		t.Error("any page can send a form with the cookie")
	}
	takeMemberRole(t, root, p.ID)
	if r := exchange(t, p.Client, http.MethodPost, "/attachments?name=a.txt", strings.NewReader("x"), "Content-Type", "text/plain", "Graphql-Require-Preflight", "1"); r.status != http.StatusForbidden || r.Error.Code != "FORBIDDEN" {
		t.Errorf("without the right: %d %s", r.status, r.body)
	}
	// A body that breaks off is no file, in either form.
	whole, typ := form(t, "", "a.txt", "text/plain", []byte("the end of this is missing"))
	cut, _ := io.ReadAll(whole)
	if r := exchange(t, u, http.MethodPost, "/attachments", bytes.NewReader(cut[:len(cut)-20]), "Content-Type", typ); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a form that breaks off: %d %s", r.status, r.body)
	}
	if n := contents(t, s); n != 0 {
		t.Errorf("%d contents are left", n)
	}
	if n := storetest.Count(t, s.DB(), "blobs.chunks", bson.D{}); n != 0 {
		t.Errorf("%d chunks are left", n)
	}
	for _, size := range []int{600, 400} {
		if r := uploadRaw(t, u, "fits.txt", "text/plain", bytes.Repeat([]byte("a"), size)); r.status != http.StatusCreated {
			t.Errorf("%d bytes: %s", size, r.body)
		}
	}
	if r := uploadRaw(t, u, "one.txt", "text/plain", []byte("a")); r.Error.Code != "QUOTA_EXCEEDED" {
		t.Errorf("one byte more: %s", r.body)
	}
}

// clamd is a daemon that speaks its protocol and finds what is called a virus.
func clamd(t *testing.T) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answerScan(conn)
		}
	}()
	stop = func() { _ = l.Close(); <-done }
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func answerScan(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	command := make([]byte, len("zINSTREAM\x00"))
	if _, err := io.ReadFull(conn, command); err != nil || string(command) != "zINSTREAM\x00" {
		return
	}
	var all []byte
	for {
		var n uint32
		if err := binary.Read(conn, binary.BigEndian, &n); err != nil {
			return
		}
		if n == 0 {
			break
		}
		piece := make([]byte, n)
		if _, err := io.ReadFull(conn, piece); err != nil {
			return
		}
		all = append(all, piece...)
	}
	answer := "stream: OK\x00"
	if bytes.Contains(all, []byte("virus")) {
		answer = "stream: Test.Virus FOUND\x00"
	}
	_, _ = io.WriteString(conn, answer)
}

// TestAttachmentScan: what is infected is refused, and everything is when nobody looks.
func TestAttachmentScan(t *testing.T) {
	t.Parallel()
	address, stop := clamd(t)
	s := apptest.Start(t, apptest.Setup{Args: []string{"--attachments-clamd=" + address, "--attachments-storage=files", "--attachments-dir=" + t.TempDir()}})
	u, _ := user(t, s, "vic")
	if r := uploadRaw(t, u, "a.txt", "text/plain", bytes.Repeat([]byte("fine "), 50_000)); r.status != http.StatusCreated {
		t.Errorf("a clean file: %s", r.body)
	} else if got := exchange(t, s.Browser(), http.MethodGet, r.URL, nil, "Range", "bytes=-5"); string(got.body) != "fine " {
		t.Errorf("from the folder: %q", got.body)
	}
	if r := uploadRaw(t, u, "b.txt", "text/plain", append(bytes.Repeat([]byte("fine "), 50_000), "virus"...)); r.Error.Code != "ATTACHMENT_INFECTED" {
		t.Errorf("an infected file: %s", r.body)
	}
	stop()
	if r := uploadRaw(t, u, "c.txt", "text/plain", []byte("fine")); r.Error.Code != "SCANNER_UNREACHABLE" || r.status != http.StatusServiceUnavailable {
		t.Errorf("without the scanner: %s", r.body)
	}
	if n := storetest.Count(t, s.DB(), "attachments", bson.D{}); n != 1 {
		t.Errorf("%d attachments", n)
	}
}

// TestAttachmentSweep: what a crash between content and document has left goes, after a day, and nothing else does.
func TestAttachmentSweep(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Now())
	s := apptest.Start(t, apptest.Setup{Clock: now.Now})
	u, _ := user(t, s, "sue")
	kept := uploadRaw(t, u, "a.txt", "text/plain", []byte("kept"))
	if _, err := blob.NewGridFS(s.DB()).Put(t.Context(), "attachments/orphan", strings.NewReader("lost"), blob.Meta{Size: 4}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		later   time.Duration
		removed int
		left    int64
	}{{time.Hour, 0, 2}, {24 * time.Hour, 1, 1}, {0, 0, 1}} {
		now.Advance(tc.later)
		if n, err := s.SweepAttachments(t.Context()); err != nil || n != tc.removed || contents(t, s) != tc.left {
			t.Errorf("%s later: %d removed, %d left, %v", tc.later, n, contents(t, s), err)
		}
	}
	root := admin(t, s)
	var asked apptest.Response
	until(t, "a link is given", func() bool {
		asked = root.Do(linkOf, in(map[string]any{"id": kept.ID}))
		return asked.Code() == ""
	})
	link := exchange(t, s.Browser(), http.MethodGet, text(t, asked.Data, "attachmentLink", "url"), nil)
	if string(link.body) != "kept" {
		t.Errorf("%d %s", link.status, link.body)
	}
}
