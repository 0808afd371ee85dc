package httpapi

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/token"
)

// Events takes events.
type Events interface {
	AdmitsOrigin(ctx context.Context, key, origin string) bool
	Stream(ctx context.Context, cmd analytics.StreamCmd) (analytics.Streamed, error)
}

const (
	eventsPath  = "/events"
	snippetPath = "/track.js"
	keyParam    = "key" // of the address: a beacon has no headers
)

// streamsAtOnce bounds the bodies that are read at once: so many of those who are signed in, and as many with ingest keys, so
// that neither can keep the other out. Each holds a batch in memory.
const streamsAtOnce = 64

// streams has room for those that are read.
type streams struct{ signedIn, keyed chan struct{} }

func newStreams() streams {
	return streams{signedIn: make(chan struct{}, streamsAtOnce), keyed: make(chan struct{}, streamsAtOnce)}
}

// ingestKey is the ingest key a request for events carries; empty for none.
func ingestKey(r *http.Request) string {
	if r.URL.Path != eventsPath {
		return ""
	}
	if secret, ok := token.Bearer(r.Header.Get("Authorization")); ok && strings.HasPrefix(secret, analytics.KeyPrefix) {
		return secret
	}
	return r.URL.Query().Get(keyParam)
}

// serveEvents takes events, one on a line, from who is signed in or who has an ingest key. With a key no cookie counts, so
// any page may be let in that the key is for.
func (s *Server) serveEvents() http.Handler {
	signedIn := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.stream(w, r, s.streams.signedIn, analytics.StreamCmd{})
	}), s.personal()...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := ingestKey(r)
		if key == "" {
			signedIn.ServeHTTP(w, r)
			return
		}
		origin := r.Header.Get("Origin")
		s.letPageRead(w, r, key, origin)
		s.stream(w, r, s.streams.keyed, analytics.StreamCmd{Key: key, Origin: origin})
	})
}

// letPageRead lets a page that the key is for see the answer.
func (s *Server) letPageRead(w http.ResponseWriter, r *http.Request, key, origin string) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin == "" || !s.deps.Events.AdmitsOrigin(r.Context(), key, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsAnswerHeaders)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return true
}

// servePreflight answers a browser that asks whether a page may send events with a header that needs leave. The key has to
// be in the address: a preflight carries no Authorization.
func (s *Server) servePreflight(w http.ResponseWriter, r *http.Request) {
	if key := ingestKey(r); key != "" && s.letPageRead(w, r, key, r.Header.Get("Origin")) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Allow-Headers", "content-type, content-encoding, x-request-id")
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

// stream stores the events of the body. It answers 200 when all lines are stored, 207 when some are, 422 when none is, and
// with the error, its details saying how far it got, when it could not go on.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, room chan struct{}, cmd analytics.StreamCmd) {
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	default:
		s.refuseStream(w, r, throttle.ErrLimited.Saying("too many send events right now").With("retryAfter", 1))
		return
	}
	cmd.Body = &patient{ReadCloser: r.Body, control: http.NewResponseController(w)}
	switch how := r.Header.Get("Content-Encoding"); how {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(cmd.Body)
		if err != nil {
			s.refuseStream(w, r, analytics.ErrFile.Saying("the body is not gzip").Because(err))
			return
		}
		cmd.Body = unzipped
	default:
		s.refuseStream(w, r, fault.ErrInput.Saying("the body may be plain or gzip, and nothing else").On("content-encoding"))
		return
	}
	done, err := s.deps.Events.Stream(r.Context(), cmd)
	switch {
	case err != nil:
		e := fault.From(err).With("accepted", done.Accepted).With("duplicates", done.Duplicates).With("failed", done.Failed)
		if done.Line > 0 {
			e = e.With("line", done.Line)
		}
		s.refuseStream(w, r, e)
	case done.Failed == 0:
		writeJSON(w, http.StatusOK, done)
	case done.Accepted+done.Duplicates > 0:
		writeJSON(w, http.StatusMultiStatus, done)
	default:
		writeJSON(w, http.StatusUnprocessableEntity, done)
	}
}

// refuseStream answers an error before the body is read to its end.
func (s *Server) refuseStream(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Connection", "close") // what is left of the body is not waited for
	writeError(w, r, err)
}

// serveSnippet gives pages the script that sends events. It is the same for everybody, and any page may run it.
func (s *Server) serveSnippet(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Content-Type", typeOf(snippetPath))
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Length", strconv.Itoa(len(s.deps.Snippet)))
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, s.deps.Snippet) // the client may be gone
	}
}
