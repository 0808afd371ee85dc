package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/webauth"
)

// cookies know how our cookies look. On https their names begin with __Host-: browsers then take one only when it is Secure,
// for the whole site and for no other host, so no sub-domain can plant one.
type cookies struct {
	prefix string
	secure bool
}

func newCookies(publicURL string) cookies {
	if strings.HasPrefix(publicURL, "https://") {
		return cookies{prefix: "__Host-", secure: true}
	}
	return cookies{}
}

// The ages outlive what the cookies hold: when that ends is the server's to say, not the browser's.
const (
	longAge     = 400 * 24 * time.Hour // the most browsers allow
	providerAge = 10 * time.Minute
)

func ageOf(c webauth.Cookie) time.Duration {
	if c == webauth.ProviderCookie {
		return providerAge
	}
	return longAge
}

// get is the value of a cookie, or "".
func (c cookies) get(r *http.Request, name webauth.Cookie) string {
	k, err := r.Cookie(c.prefix + string(name))
	if err != nil {
		return ""
	}
	return k.Value
}

// present reports whether the request has a session by cookie.
func (c cookies) present(r *http.Request) bool { return c.get(r, webauth.SessionCookie) != "" }

// set sends a cookie, or clears it for an empty value.
func (c cookies) set(w http.ResponseWriter, name webauth.Cookie, value string) {
	age := int(ageOf(name) / time.Second)
	if value == "" {
		age = -1
	}
	c.send(w, name, value, age)
}

// send sends a cookie of an age in seconds; with 0 the browser forgets it when it is closed.
func (c cookies) send(w http.ResponseWriter, name webauth.Cookie, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure on the plain http of development only
		Name: c.prefix + string(name), Value: value, Path: "/", MaxAge: age,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// browser is the cookies of one request, for the flows.
type browser struct {
	cookies cookies
	w       http.ResponseWriter
	r       *http.Request
}

// Get implements [webauth.Browser].
func (b browser) Get(name webauth.Cookie) string { return b.cookies.get(b.r, name) }

// SetBrief implements [webauth.Browser].
func (b browser) SetBrief(name webauth.Cookie, value string) { b.cookies.send(b.w, name, value, 0) }

// Set implements [webauth.Browser]. The end of a session takes along what the pages have stored.
func (b browser) Set(name webauth.Cookie, value string) {
	b.cookies.set(b.w, name, value)
	if name == webauth.SessionCookie && value == "" {
		b.w.Header().Set("Clear-Site-Data", `"storage"`)
	}
}
