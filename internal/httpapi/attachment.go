package httpapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// Attachments takes files and gives them back.
type Attachments interface {
	MayUpload(ctx context.Context) error
	Upload(ctx context.Context, cmd attachment.UploadCmd) (attachment.Attachment, error)
	Link(ctx context.Context, id string, thumbnail bool, ttl time.Duration) (attachment.Link, error)
	Open(ctx context.Context, id string, query url.Values) (*attachment.Content, error)
}

const (
	uploadPath   = "/attachments"
	transferTime = 10 * time.Minute // of one file, either way
	stallTime    = 20 * time.Second // without a byte of an upload
	maxField     = 1 << 10          // bytes of a field beside the file
)

// filePolicy lets a file do nothing, should a browser ever show it.
const filePolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"

// isTransfer reports whether a request moves a file, which takes the time it takes.
func isTransfer(r *http.Request) bool {
	return r.URL.Path == uploadPath || r.URL.Path == importPath || r.URL.Path == exportPath || r.URL.Path == eventsPath || strings.HasPrefix(r.URL.Path, attachment.Path)
}

// uploaded is the answer to an upload.
type uploaded struct {
	ID           string    `json:"id"` // global id of the document
	Name         string    `json:"name"`
	ContentType  string    `json:"contentType"`
	Size         int64     `json:"size"`
	SHA256       string    `json:"sha256"`
	Width        int       `json:"width,omitempty"`
	Height       int       `json:"height,omitempty"`
	URL          string    `json:"url"`
	ThumbnailURL string    `json:"thumbnailUrl,omitempty"`
	ExpiresAt    time.Time `json:"expiresAt"` // of the links
}

// serveUpload takes one file: as the body with its name in the query, or as the one file of a form, after its fields.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	if s.deps.Attachments == nil {
		notFound(w, r)
		return
	}
	a, err := s.upload(w, r)
	if err == nil {
		err = s.answerUpload(w, r, a)
	}
	if err != nil {
		w.Header().Set("Connection", "close") // what is left of the body is not waited for
		writeError(w, r, err)
	}
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) (attachment.Attachment, error) {
	if err := s.deps.Attachments.MayUpload(r.Context()); err != nil {
		return attachment.Attachment{}, err
	}
	r.Body = &patient{ReadCloser: r.Body, control: http.NewResponseController(w)}
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && typ == "multipart/form-data" {
		return s.uploadForm(r)
	}
	q := r.URL.Query()
	return s.deps.Attachments.Upload(r.Context(), attachment.UploadCmd{
		Name: q.Get("name"), Type: r.Header.Get("Content-Type"), Size: r.ContentLength, On: q.Get("on"), Body: r.Body,
	})
}

// errForm is a form that is not what is said of it.
var errForm = fault.ErrInput.Saying("the form must hold one file, and before it at most the field on")

func (s *Server) uploadForm(r *http.Request) (attachment.Attachment, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return attachment.Attachment{}, errForm.Because(err)
	}
	on := ""
	for {
		part, err := parts.NextPart()
		if err != nil {
			return attachment.Attachment{}, errForm.Because(err)
		}
		if isFile(part) {
			return s.uploadPart(r, parts, part, on)
		}
		text, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil || len(text) > maxField || part.FormName() != "on" || on != "" {
			return attachment.Attachment{}, errForm.Because(err)
		}
		on = string(text)
	}
}

// uploadPart takes the file of a form. Nothing may follow it: it would be dropped unseen.
func (s *Server) uploadPart(r *http.Request, parts *multipart.Reader, part *multipart.Part, on string) (attachment.Attachment, error) {
	return s.deps.Attachments.Upload(r.Context(), attachment.UploadCmd{
		Name: rawName(part), Type: part.Header.Get("Content-Type"), Size: -1, On: on, Body: &lastPart{part, parts},
	})
}

// lastPart is the last part of a form: it ends well only where the form does.
type lastPart struct {
	io.Reader
	parts *multipart.Reader
}

// Read implements [io.Reader].
func (l *lastPart) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if errors.Is(err, io.EOF) && l.parts != nil {
		_, next := l.parts.NextPart()
		l.parts = nil
		if !errors.Is(next, io.EOF) {
			return n, errors.Join(errForm, next)
		}
	}
	return n, err
}

func isFile(p *multipart.Part) bool { return p.FileName() != "" || rawName(p) != "" }

// rawName is the name as it was sent: the library cuts a path off it, and a path is to be refused.
func rawName(p *multipart.Part) string {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}

func (s *Server) answerUpload(w http.ResponseWriter, r *http.Request, a attachment.Attachment) error {
	link, err := s.deps.Attachments.Link(r.Context(), a.ID, false, 0)
	if err != nil && !errors.Is(err, fault.ErrNotFound) { // not everybody may read what they have made
		return err
	}
	out := uploaded{
		ID: a.Ref().String(), Name: a.Name, ContentType: a.ContentType, Size: a.Size, SHA256: a.SHA256, Width: a.Width, Height: a.Height,
		URL: link.URL, ExpiresAt: link.ExpiresAt,
	}
	if a.Thumbnail && err == nil {
		small, err := s.deps.Attachments.Link(r.Context(), a.ID, true, 0)
		if err != nil {
			return err
		}
		out.ThumbnailURL = small.URL
	}
	writeJSON(w, http.StatusCreated, out)
	return nil
}

// patient lets a body take as long as it moves: the time of the whole is bounded by the context.
type patient struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements [io.Reader].
func (p *patient) Read(b []byte) (int, error) {
	if err := p.control.SetReadDeadline(clock.System()().Add(stallTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ReadCloser.Read(b)
}

// serveAttachment gives a file to whoever has a link to it. Nobody's session is asked: the link is signed.
func (s *Server) serveAttachment(w http.ResponseWriter, r *http.Request) {
	if s.deps.Attachments == nil {
		notFound(w, r)
		return
	}
	c, err := s.deps.Attachments.Open(r.Context(), r.PathValue("id"), r.URL.Query())
	if err != nil {
		writeError(w, r, err)
		return
	}
	defer func() { _ = c.Close() }()
	// A client that does not take it does not hold the connection for ever.
	_ = http.NewResponseController(w).SetWriteDeadline(clock.System()().Add(transferTime))
	h := w.Header()
	h.Set("Content-Type", served(c.ContentType))
	h.Set("Content-Disposition", disposition(c))
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Etag", `"`+c.SHA256+`"`)
	h.Set("Cache-Control", "private, max-age="+strconv.Itoa(max(int(c.ExpiresAt.Sub(s.deps.Clock())/time.Second), 0)))
	http.ServeContent(w, r, "", c.ModifiedAt, c)
}

// served is the type a file is served with: texts are plain ones.
func served(typ string) string {
	if strings.HasPrefix(typ, "text/") {
		return "text/plain; charset=utf-8"
	}
	return typ
}

// disposition lets browsers show pictures, and save everything else.
func disposition(c *attachment.Content) string {
	how := "attachment"
	if attachment.IsPicture(c.ContentType) {
		how = "inline"
	}
	if text := mime.FormatMediaType(how, map[string]string{"filename": c.Name}); text != "" {
		return text
	}
	return how
}
