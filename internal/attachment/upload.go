package attachment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

const (
	maxName   = 200 // characters
	maxType   = 100 // bytes
	headBytes = 3072
)

// UploadCmd is a file that somebody sends.
type UploadCmd struct {
	Name string
	Type string // as the client declares it; empty for none
	Size int64  // as the client declares it; -1 for unknown
	On   string // global id of the object it is attached to; empty for none
	Body io.Reader
}

// MayUpload fails for who may not make documents: it is asked before a body is read. Cost: none.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) MayUpload(ctx context.Context) error {
	return s.Authz.Require(ctx, registry.PermCreate, ref.Ref{})
}

// Upload keeps a file of the actor and makes its document. It uses the size of it of the owner's [FeatureBytes].
// Cost: the content is written once and read once for the scanner and once for the thumbnail; then one transaction with that of
// a new document.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, BAD_ID, ATTACHMENT_NAME, ATTACHMENT_TOO_LARGE, ATTACHMENT_TYPE, ATTACHMENT_MISMATCH,
// ATTACHMENT_IMAGE, ATTACHMENT_INCOMPLETE, ATTACHMENT_INFECTED, SCANNER_UNREACHABLE, QUOTA_EXCEEDED, and those of a new document.
func (s *Service) Upload(ctx context.Context, cmd UploadCmd) (Attachment, error) {
	if err := s.MayUpload(ctx); err != nil {
		return Attachment{}, err
	}
	typ, head, err := s.examine(cmd)
	if err != nil {
		return Attachment{}, err
	}
	k := kept{Name: cmd.Name, Owner: actor.From(ctx).Ref(), CreatedAt: s.Now()}
	body := &limited{io.MultiReader(bytes.NewReader(head), cmd.Body), s.cfg.MaxBytes}
	k.Content, err = s.put(ctx, typ, cmd.Size, body)
	if err != nil {
		return Attachment{}, err
	}
	a, err := s.finish(ctx, cmd, &k)
	if err != nil {
		s.remove(context.WithoutCancel(ctx), k.keys())
		return Attachment{}, err
	}
	return a, nil
}

// examine looks at what the client says and at the beginning of the file, and gives its true type.
func (s *Service) examine(cmd UploadCmd) (typ string, head []byte, err error) {
	if !isName(cmd.Name) {
		return "", nil, ErrName
	}
	if cmd.Size > s.cfg.MaxBytes {
		return "", nil, ErrTooLarge.With("limit", s.cfg.MaxBytes)
	}
	if cmd.On != "" {
		if _, err := ref.Parse(cmd.On); err != nil {
			return "", nil, err
		}
	}
	head, err = io.ReadAll(io.LimitReader(cmd.Body, headBytes))
	if err != nil {
		return "", nil, ErrBody.Because(err)
	}
	found := mimetype.Detect(head)
	typ, _, _ = strings.Cut(found.String(), ";")
	if !allowed(s.cfg.Types, typ) {
		return "", nil, ErrType.With("type", typ)
	}
	if !agrees(found, cmd.Type) || !fits(found, cmd.Name) {
		return "", nil, ErrMismatch.With("type", typ)
	}
	return typ, head, nil
}

// isName refuses what would be a path, or not a name, on somebody's machine.
func isName(name string) bool {
	return utf8.ValidString(name) && name != "" && name != "." && name != ".." && utf8.RuneCountInString(name) <= maxName &&
		!strings.ContainsFunc(name, func(c rune) bool {
			return c == '/' || c == '\\' || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) // the last turn the direction of text
		})
}

func allowed(types []string, typ string) bool {
	family, _, _ := strings.Cut(typ, "/")
	return slices.Contains(types, typ) || slices.Contains(types, family+"/*")
}

// agrees reports whether the declared type says what was found. No type, and the one for anything, say nothing; texts are
// alike at their beginning.
func agrees(found *mimetype.MIME, declared string) bool {
	if declared == "" {
		return true
	}
	typ, _, err := mime.ParseMediaType(declared)
	if err != nil {
		return false
	}
	if typ == "application/octet-stream" || found.Is(typ) {
		return true
	}
	return found.Is("text/plain") && strings.HasPrefix(typ, "text/") && !isActive(typ)
}

// fits reports whether the extension of a name may stand on the type that was found.
func fits(found *mimetype.MIME, name string) bool {
	ext := strings.ToLower(path.Ext(name))
	if slices.Contains(dangerous, ext) {
		return false
	}
	typ, known := extensions[ext]
	return !known || ext == found.Extension() || agrees(found, typ)
}

// extensions are those that say what a file is; the table of the machine may say anything.
var extensions = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp",
	".svg": "image/svg+xml", ".avif": "image/avif", ".heic": "image/heic", ".tif": "image/tiff", ".tiff": "image/tiff", ".ico": "image/x-icon",
	".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip", ".7z": "application/x-7z-compressed", ".rar": "application/x-rar-compressed",
	".txt": "text/plain", ".csv": "text/csv", ".md": "text/markdown", ".htm": "text/html", ".html": "text/html", ".xhtml": "application/xhtml+xml", ".xml": "text/xml",
	".json": "application/json", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".webm": "video/webm", ".wav": "audio/wav", ".ogg": "audio/ogg",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

// isActive reports whether a browser runs what is in it.
func isActive(typ string) bool {
	return typ == "text/html" || typ == "text/javascript" || typ == "text/xml"
}

// dangerous extensions are run by machines that do not look inside.
var dangerous = []string{".exe", ".bat", ".cmd", ".com", ".scr", ".js", ".mjs", ".vbs", ".ps1", ".msi", ".jar", ".hta", ".lnk"}

// limited fails when there is more than there may be.
type limited struct {
	r    io.Reader
	left int64
}

// Read implements [io.Reader].
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, ErrTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = ErrBody.Because(err)
	}
	return n, err
}

func (s *Service) put(ctx context.Context, typ string, size int64, r io.Reader) (file, error) {
	key := keyPrefix + ref.NewID()
	info, err := s.Blobs.Put(ctx, key, r, blob.Meta{ContentType: typ, Size: size})
	switch {
	case errors.Is(err, ErrTooLarge):
		return file{}, ErrTooLarge.With("limit", s.cfg.MaxBytes)
	case errors.Is(err, blob.ErrShort) || errors.Is(err, ErrBody):
		return file{}, ErrBody.Because(err)
	case err != nil:
		return file{}, err
	}
	return file{Key: key, ContentType: typ, Size: info.Size, SHA256: info.SHA256}, nil
}

// finish does what is done with content that is stored, and makes the document.
func (s *Service) finish(ctx context.Context, cmd UploadCmd, k *kept) (Attachment, error) {
	if err := s.scan(ctx, k.Content.Key); err != nil {
		return Attachment{}, err
	}
	width, height, err := s.picture(ctx, k)
	if err != nil {
		return Attachment{}, err
	}
	data := map[string]any{
		"name": k.Name, "contentType": k.Content.ContentType, "size": k.Content.Size, "sha256": k.Content.SHA256,
		"blob": k.Content.Key, "scan": "CLEAN",
	}
	if s.Scanner == nil {
		data["scan"] = "NONE" // nobody has looked
	}
	if width > 0 {
		data["width"], data["height"] = int64(width), int64(height)
	}
	if k.Thumbnail != nil {
		data["thumbnail"] = k.Thumbnail.Key
	}
	if cmd.On != "" {
		data["on"] = cmd.On
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.consume(ctx, *k); err != nil {
			return err
		}
		d, err := s.Documents.Create(ctx, registry.CreateCmd{Type: TypeKey, Data: data, Sealed: true})
		if err != nil {
			return err
		}
		k.ID = d.ID
		return s.store.insert(ctx, *k)
	})
	if err != nil {
		return Attachment{}, err
	}
	return Attachment{
		ID: k.ID, Name: k.Name, ContentType: k.Content.ContentType, Size: k.Content.Size, SHA256: k.Content.SHA256,
		Width: width, Height: height, Thumbnail: k.Thumbnail != nil,
	}, nil
}

// consume counts the bytes of an owner; the system owns without a limit, and nothing is nothing.
func (s *Service) consume(ctx context.Context, k kept) error {
	if k.Owner.Type != ref.User || k.Content.Size == 0 {
		return nil
	}
	return s.Quota.Consume(ctx, k.Owner, FeatureBytes, k.Content.Size)
}

func (s *Service) release(ctx context.Context, k kept) error {
	if k.Owner.Type != ref.User || k.Content.Size == 0 {
		return nil
	}
	return s.Quota.Release(ctx, k.Owner, FeatureBytes, k.Content.Size)
}

// scan lets the scanner read what is stored. Nobody else can before there is a document.
func (s *Service) scan(ctx context.Context, key string) error {
	if s.Scanner == nil {
		return nil
	}
	r, _, err := s.Blobs.Open(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	infected, err := s.Scanner.Scan(ctx, r)
	switch {
	case err != nil:
		return ErrScanner.Because(err)
	case infected:
		return ErrInfected
	}
	return nil
}

// remove takes content away that nothing names. What cannot be removed now, the sweep removes.
func (s *Service) remove(ctx context.Context, keys []string) {
	for _, key := range keys {
		if err := s.Blobs.Delete(ctx, key); err != nil {
			s.Log.WarnContext(ctx, "blob_left_for_the_sweep", "blob", key, "error", err.Error())
		}
	}
}
