package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/page"
)

// leaf is a part of a mail that has no parts.
type leaf struct {
	path   string // media types from the outside, such as "multipart/mixed text/csv"
	header textproto.MIMEHeader
	body   []byte
}

// leaves takes a mail to pieces.
func leaves(t *testing.T, path string, header textproto.MIMEHeader, body io.Reader) []leaf {
	t.Helper()
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	path = strings.TrimSpace(path + " " + kind)
	if !strings.HasPrefix(kind, "multipart/") {
		if header.Get("Content-Transfer-Encoding") == "base64" {
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return []leaf{{path, header, b}}
	}
	var all []leaf
	for r := multipart.NewReader(body, params["boundary"]); ; {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, leaves(t, path, part.Header, part)...)
	}
}

// Files go along: a picture stands in the HTML and an attachment beside it, byte for byte, and nothing of them is left in
// the outbox when the mail is sent.
func TestFilesGoAlong(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.run(t)
	picture, table := []byte("\x89PNG\r\n\x1a\n\x00\xff"), []byte("at,value\r\n2026-01-02,\"1,5\"\r\n")
	n.queue(t, Message{To: "ada@example.org", Template: "report", Data: catalogue["report"], Files: []File{
		{Name: "chart1.png", ContentType: "image/png", ID: "chart1", Data: picture},
		{Name: "Übersicht.csv", ContentType: "text/csv; charset=utf-8", Data: table},
	}})
	raw := server.await(t, 1)[0].Raw
	n.await(t, stateSent, 1)
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	found := leaves(t, "", textproto.MIMEHeader(m.Header), m.Body)
	at := func(path string) leaf {
		i := slices.IndexFunc(found, func(l leaf) bool { return strings.HasSuffix(l.path, path) })
		if i < 0 {
			t.Fatalf("there is no %s in\n%s", path, raw)
		}
		return found[i]
	}
	if html := at("text/html"); !strings.Contains(html.path, "multipart/related") || !strings.Contains(string(html.body), `src="cid:chart1"`) {
		t.Errorf("%s: %s", html.path, html.body)
	}
	if png := at("multipart/related image/png"); png.header.Get("Content-Id") != "<chart1>" || !bytes.Equal(png.body, picture) ||
		!strings.HasPrefix(png.header.Get("Content-Disposition"), "inline") {
		t.Errorf("the picture is %v %q", png.header, png.body)
	}
	csv := at("multipart/mixed text/csv")
	_, params, err := mime.ParseMediaType(csv.header.Get("Content-Disposition"))
	name, _ := new(mime.WordDecoder).DecodeHeader(params["filename"])
	if err != nil || name != "Übersicht.csv" || !bytes.Equal(csv.body, table) {
		t.Errorf("the table is %v %q, %v", csv.header, csv.body, err)
	}
	if l := n.only(t); l.Body != nil {
		t.Error("the outbox keeps what was sent")
	}
}

func TestFilesHaveBounds(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	for name, files := range map[string][]File{
		"too large":   {{Name: "a", ContentType: "text/csv", Data: make([]byte, MaxFiles/2+1)}, {Name: "b", ContentType: "text/csv", Data: make([]byte, MaxFiles/2)}},
		"no name":     {{ContentType: "text/csv"}},
		"a line more": {{Name: "a\r\nBcc: eve@example.org", ContentType: "text/csv"}},
		"no type":     {{Name: "a"}},
	} {
		m := signIn("ada@example.org")
		if m.Files = files; n.Queue(t.Context(), m) == nil {
			t.Errorf("%s: it was queued", name)
		}
	}
	whole := signIn("ada@example.org")
	whole.Files = []File{{Name: "a.bin", ContentType: "application/octet-stream", Data: make([]byte, MaxFiles)}}
	n.queue(t, whole) // the largest fits into a document
	box, err := n.Mailbox(t.Context(), page.Args{})
	if err != nil || len(box.Items) != 1 || len(box.Items[0].Files) != 1 || len(box.Items[0].Files[0].Data) != MaxFiles {
		t.Errorf("the mailbox shows %d mails, %v", len(box.Items), err)
	}
}

func TestSectionsAreCleaned(t *testing.T) {
	t.Parallel()
	dirty := []Section{{Title: "a\r\nb", Note: "\u202e", Columns: []string{"x\ny"}, Rows: [][]string{{strings.Repeat("z", 400)}}}}
	got, _ := clean(map[string]any{"Sections": dirty})["Sections"].([]Section)
	if got[0].Title != "a b" || got[0].Note != "" || got[0].Columns[0] != "x y" || len([]rune(got[0].Rows[0][0])) != maxText {
		t.Errorf("%+v", got)
	}
}
