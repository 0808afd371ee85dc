package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// maxRequestTime bounds whatever no handler bounds closer: GraphQL has deadlines for its operations, which a client may set
// up to graphql.max-timeout, and answers them with a code of its own.
const maxRequestTime = 11 * time.Minute // above the longest that graphql.max-timeout may be

// routeTime bounds everything but GraphQL.
const routeTime = 30 * time.Second

// deadline lets no request last for ever: its context ends, and with it everything that is done for it, down to MongoDB. A
// WebSocket is no request any more once it is upgraded: it goes on without. So does a download that may be large, as long as the
// client takes it, and a stream of events.
func (s *Server) deadline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || isDownload(r) || isEvents(r) {
			next.ServeHTTP(w, r)
			return
		}
		most := routeTime
		switch {
		case r.URL.Path == graphPath:
			most = maxRequestTime
		case isTransfer(r):
			most = transferTime
		}
		ctx, cancel := context.WithTimeout(r.Context(), most)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// isEvents reports whether a request is answered with events as long as the client listens; its operation has a deadline
// unless it is a subscription.
func isEvents(r *http.Request) bool {
	return r.URL.Path == graphPath && strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/event-stream")
}
