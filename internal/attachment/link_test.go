package attachment

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// query is that of a link.
func query(t *testing.T, l Link) url.Values {
	t.Helper()
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// A link opens what it was made for, to anybody, until its time is over or the document is gone.
func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	body := painted(t, 400, 100, color.NRGBA{1, 2, 3, 255})
	a := w.upload("sea.png", body)
	l, err := w.Link(w.ctx, a.ID, false, 10*time.Minute)
	if want := w.clock.Now().Add(10 * time.Minute).Truncate(time.Second); err != nil || !l.ExpiresAt.Equal(want) || !strings.HasPrefix(l.URL, Path+a.ID+"?") {
		t.Fatalf("Link() = %+v, %v", l, err)
	}
	nobody := t.Context()
	c, err := w.Open(nobody, a.ID, query(t, l))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, body) || c.Name != "sea.png" || c.ContentType != "image/png" || c.SHA256 != sumOf(body) || c.Size != int64(len(body)) || !c.ExpiresAt.Equal(l.ExpiresAt) {
		t.Errorf("%d bytes, %+v, %v", len(got), c, err)
	}
	for _, r := range []struct {
		offset int64
		whence int
		at     int64
	}{{10, io.SeekStart, 10}, {-5, io.SeekEnd, int64(len(body)) - 5}, {-3, io.SeekCurrent, int64(len(body)) - 3}, {0, io.SeekEnd, int64(len(body))}} {
		at, err := c.Seek(r.offset, r.whence)
		if err != nil || at != r.at {
			t.Fatalf("seek %+v: %d, %v", r, at, err)
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, body[r.at:]) {
			t.Errorf("from %d: %d bytes, %v", r.at, len(got), err)
		}
	}
	if _, err := c.Seek(-1, io.SeekStart); err == nil {
		t.Error("before the beginning")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}

	small, err := w.Link(w.ctx, a.ID, true, 0)
	if err != nil || !small.ExpiresAt.Equal(w.clock.Now().Add(usual.LinkTTL).Truncate(time.Second)) {
		t.Fatalf("%+v, %v", small, err)
	}
	thumb, err := w.Open(nobody, a.ID, query(t, small))
	if err != nil {
		t.Fatal(err)
	}
	if cfg, format, err := image.DecodeConfig(thumb); err != nil || format != "jpeg" || thumb.ContentType != "image/jpeg" || cfg.Width != 320 || cfg.Height != 80 {
		t.Errorf("the thumbnail: %+v %s %v", cfg, format, err)
	}

	w.clock.Advance(11 * time.Minute)
	_, err = w.Open(nobody, a.ID, query(t, l))
	wantFault(t, err, ErrLink)
	if _, err := w.Open(nobody, a.ID, query(t, small)); err != nil {
		t.Errorf("the other one lasts: %v", err)
	}
	if _, err := w.docs.Delete(w.ctx, registry.DeleteCmd{On: a.Ref()}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Open(nobody, a.ID, query(t, small))
	wantFault(t, err, fault.ErrNotFound)
	_, err = w.Link(w.ctx, a.ID, false, 0)
	wantFault(t, err, fault.ErrNotFound)
	if _, err := w.docs.Restore(w.ctx, a.Ref()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Open(nobody, a.ID, query(t, small)); err != nil {
		t.Errorf("restored: %v", err)
	}
}

// Nobody changes what a link is for, and nobody has one who may not read the document.
func TestLinkRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	a, other := w.upload("a.txt", []byte("one")), w.upload("b.txt", []byte("other"))
	l, err := w.Link(w.ctx, a.ID, false, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	good := query(t, l)
	for name, tc := range map[string]struct {
		id     string
		change func(q url.Values)
	}{
		"another file":  {other.ID, func(url.Values) {}},
		"the thumbnail": {a.ID, func(q url.Values) { q.Set(QueryThumbnail, "1") }},
		"another time":  {a.ID, func(q url.Values) { q.Set(QueryExpires, strconv.FormatInt(w.clock.Now().Add(time.Hour).Unix(), 10)) }},
		"no time":       {a.ID, func(q url.Values) { q.Del(QueryExpires) }},
		"no signature":  {a.ID, func(q url.Values) { q.Del(QuerySignature) }},
		"half of it":    {a.ID, func(q url.Values) { q.Set(QuerySignature, q.Get(QuerySignature)[:10]) }},
		"of another key": {a.ID, func(q url.Values) {
			q.Set(QuerySignature, newWorld(t, usual).Ring.Sign(signed(a.ID, false, l.ExpiresAt.Unix()), signPlace))
		}},
	} {
		q := url.Values{QueryExpires: good[QueryExpires], QuerySignature: good[QuerySignature]}
		tc.change(q)
		if _, err := w.Open(t.Context(), tc.id, q); !errors.Is(err, ErrLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ttl := range []time.Duration{-time.Second, time.Millisecond, usual.LinkTTL + time.Second} {
		_, err := w.Link(w.ctx, a.ID, false, ttl)
		wantFault(t, err, fault.ErrInput)
	}
	_, err = w.Link(w.ctx, a.ID, true, 0)
	wantFault(t, err, fault.ErrNotFound)
	_, err = w.Link(w.ctx, ref.NewID(), false, 0)
	wantFault(t, err, fault.ErrNotFound)
	w.rights.denied[bobID] = true
	_, err = w.Link(w.bob, a.ID, false, 0)
	wantFault(t, err, fault.ErrNotFound)
}

func wantFault(t *testing.T, err error, want *fault.Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v; want %s", err, want.Code)
	}
}
