package attachment

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Path is where content is served: the id of the document follows.
const Path = "/attachments/"

// The parts of a link's query.
const (
	QueryExpires   = "expires"
	QueryThumbnail = "thumbnail"
	QuerySignature = "signature"
)

const signPlace = "attachment link"

// Link gives a link to the content of an attachment, or to its thumbnail, for a time: 0 means the usual one, which is also
// the longest. Who may read the document may have one. Cost: 2 reads.
//
// Errors: NOT_FOUND, also for who may not read the document and without a thumbnail; BAD_USER_INPUT for a time that is too long.
func (s *Service) Link(ctx context.Context, id string, thumbnail bool, ttl time.Duration) (Link, error) {
	found, err := s.Documents.ByIDs(ctx, ref.Attachment, []string{id})
	if err != nil {
		return Link{}, err
	}
	if _, ok := found[id]; !ok {
		return Link{}, fault.ErrNotFound
	}
	if ttl == 0 {
		ttl = s.cfg.LinkTTL
	}
	if ttl < time.Second || ttl > s.cfg.LinkTTL {
		return Link{}, fault.ErrInput.Saying("a link lasts 1 to %d seconds", int(s.cfg.LinkTTL/time.Second)).On("input.ttl")
	}
	k, err := s.store.byID(ctx, id)
	if err != nil {
		return Link{}, err
	}
	if thumbnail && k.Thumbnail == nil {
		return Link{}, fault.ErrNotFound
	}
	until := s.Now().Add(ttl).Truncate(time.Second)
	q := url.Values{QueryExpires: {strconv.FormatInt(until.Unix(), 10)}, QuerySignature: {s.Ring.Sign(signed(id, thumbnail, until.Unix()), signPlace)}}
	if thumbnail {
		q.Set(QueryThumbnail, "1")
	}
	return Link{URL: Path + id + "?" + q.Encode(), ExpiresAt: until}, nil
}

// signed is what the signature of a link is over. An id has no space in it.
func signed(id string, thumbnail bool, until int64) string {
	return id + " " + strconv.FormatBool(thumbnail) + " " + strconv.FormatInt(until, 10)
}

// Content is a file as it is served. Close it.
type Content struct {
	Name        string
	ContentType string
	SHA256      string
	Size        int64
	ModifiedAt  time.Time
	ExpiresAt   time.Time // of the link
	io.ReadSeekCloser
}

// Open gives the content a link leads to. It asks nobody's leave but the link's. Cost: 2 reads; the content is read when it is asked
// for.
//
// Errors: ATTACHMENT_LINK for a link that this server did not make or that has expired, NOT_FOUND when the document is gone.
func (s *Service) Open(ctx context.Context, id string, query url.Values) (*Content, error) {
	unix, err := strconv.ParseInt(query.Get(QueryExpires), 10, 64)
	thumbnail := query.Get(QueryThumbnail) == "1"
	until := time.Unix(unix, 0)
	if err != nil || !s.Ring.Verify(signed(id, thumbnail, unix), signPlace, query.Get(QuerySignature)) || !s.Now().Before(until) {
		return nil, ErrLink
	}
	k, err := s.store.byID(ctx, id)
	if err != nil {
		return nil, err
	}
	live, err := s.Documents.ByIDs(actor.With(ctx, actor.System()), ref.Attachment, []string{id})
	if err != nil {
		return nil, err
	}
	if _, ok := live[id]; !ok || thumbnail && k.Thumbnail == nil {
		return nil, fault.ErrNotFound
	}
	f := k.Content
	if thumbnail {
		f = *k.Thumbnail
	}
	return &Content{
		Name: k.Name, ContentType: f.ContentType, SHA256: f.SHA256, Size: f.Size, ModifiedAt: k.CreatedAt, ExpiresAt: until,
		ReadSeekCloser: &seeker{ctx: ctx, s: s, f: f},
	}, nil
}

// seeker reads content from any place in it, and opens it only when it is read.
type seeker struct {
	ctx context.Context //nolint:containedctx // it bounds this reading
	s   *Service
	f   file
	at  int64
	r   io.ReadCloser // nil before it is read
}

// Seek implements [io.Seeker].
func (k *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += k.at
	case io.SeekEnd:
		offset += k.f.Size
	}
	if offset < 0 {
		return 0, errors.New("attachment: seek before the beginning")
	}
	if offset == k.at {
		return offset, nil
	}
	k.at = offset
	return offset, k.Close()
}

// Read implements [io.Reader].
func (k *seeker) Read(p []byte) (int, error) {
	if k.r == nil {
		r, _, err := k.s.Blobs.Open(k.ctx, k.f.Key, k.at, -1)
		if err != nil {
			return 0, err
		}
		k.r = r
	}
	n, err := k.r.Read(p)
	k.at += int64(n)
	return n, err
}

// Close implements [io.Closer].
func (k *seeker) Close() error {
	if k.r == nil {
		return nil
	}
	r := k.r
	k.r = nil
	return r.Close()
}

// NewestOwned names the newest attachments of an owner that are above a number of bytes together, at most n. It asks nobody's leave:
// the owner's quota does. Cost: one find.
func (s *Service) NewestOwned(ctx context.Context, owner ref.Ref, above int64, n int) ([]ref.Ref, error) {
	found, err := s.store.newestOf(ctx, owner, n)
	var all []ref.Ref
	for _, k := range found {
		if above <= 0 {
			break
		}
		above -= k.Content.Size
		all = append(all, ref.New(ref.Attachment, k.ID))
	}
	return all, err
}
