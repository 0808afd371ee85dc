package httpapi

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/backendbook/backendbook/internal/actor"
)

const maxUserAgent = 256 // bytes

// trustedProxy says who sends the request: from which address, as the proxies that are trusted have it, and with what
// user agent.
func (s *Server) trustedProxy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		about := actor.RequestFrom(r.Context())
		about.IP, about.UserAgent = clientIP(r, s.cfg.TrustedProxies), cut(r.UserAgent(), maxUserAgent)
		next.ServeHTTP(w, r.WithContext(actor.WithRequest(r.Context(), about)))
	})
}

// clientIP is the address of the client: the peer of the connection, or with trusted proxies the entry of
// X-Forwarded-For that the outermost of them wrote. Each proxy appends the address it saw, so with n proxies the n-th
// entry from the end is the last one that a trusted machine wrote; everything before it may be forged. A list that is
// too short or holds something else than addresses did not come through the proxies: then the peer counts.
func clientIP(r *http.Request, proxies int) string {
	peer := ""
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = ap.Addr().Unmap().WithZone("").String()
	}
	if proxies < 1 {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if len(hops) < proxies {
		return peer
	}
	hop, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-proxies]))
	if err != nil {
		return peer
	}
	return hop.Unmap().WithZone("").String()
}
