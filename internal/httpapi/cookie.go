package httpapi

import (
	"net/http"
	"strings"
)

// cookies know how the session cookie looks. On https its name begins with __Host-: browsers then take it only when it is
// Secure, for the whole site and for no other host, so no sub-domain can plant one.
type cookies struct {
	name   string
	secure bool
}

func newCookies(publicURL string) cookies {
	if strings.HasPrefix(publicURL, "https://") {
		return cookies{name: "__Host-session", secure: true}
	}
	return cookies{name: "session"}
}

// get is the value of the cookie, or "".
func (c cookies) get(r *http.Request) string {
	k, err := r.Cookie(c.name)
	if err != nil {
		return ""
	}
	return k.Value
}

func (c cookies) present(r *http.Request) bool { return c.get(r) != "" }

// cookieAge outlives every session: when one ends is the server's to say, not the browser's.
const cookieAge = 400 * 24 * 60 * 60

// set sends the cookie, or clears it for an empty token.
func (c cookies) set(w http.ResponseWriter, token string) {
	age := cookieAge
	if token == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure on the plain http of development only
		Name: c.name, Value: token, Path: "/", MaxAge: age,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
