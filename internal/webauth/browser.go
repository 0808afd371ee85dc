package webauth

import (
	"context"

	"github.com/backendbook/backendbook/internal/fault"
)

// Transport is how the secrets of a session travel.
type Transport string

// The transports.
const (
	InCookie Transport = "COOKIE" // in cookies no script can read: for browsers
	Bearer   Transport = "BEARER" // in the answer, for everything else
)

// Cookie names a cookie. The interface layer knows how it looks.
type Cookie string

// The cookies.
const (
	SessionCookie  Cookie = "session"
	DeviceCookie   Cookie = "device"   // known devices are not slowed down by strangers' wrong guesses
	ProviderCookie Cookie = "provider" // binds the answer of another provider to the browser that asked
	VisitorCookie  Cookie = "visitor"  // finds what somebody keeps here without being signed in
)

// Browser keeps small secrets in the cookies of whoever sent the request.
type Browser interface {
	// Get is the value of a cookie, or "".
	Get(c Cookie) string
	// Set sends a cookie; "" clears it.
	Set(c Cookie, value string)
	// SetBrief sends a cookie that the browser forgets when it is closed.
	SetBrief(c Cookie, value string)
}

type browserKey struct{}

// WithBrowser tells the flows of a context how to reach the browser. Where there is none, as on a WebSocket, cookies are
// refused before anything is done.
func WithBrowser(ctx context.Context, b Browser) context.Context {
	return context.WithValue(ctx, browserKey{}, b)
}

func browserFrom(ctx context.Context) Browser {
	b, _ := ctx.Value(browserKey{}).(Browser)
	return b
}

// check refuses a transport that does not exist or does not reach anybody.
func (t Transport) check(ctx context.Context) error {
	switch {
	case t == Bearer:
		return nil
	case t == InCookie && browserFrom(ctx) != nil:
		return nil
	case t == InCookie:
		return fault.ErrInput.Saying("cookies cannot be set here: sign in over HTTP, or use the transport BEARER").On("input.transport")
	default:
		return fault.ErrInput.Saying("there is no such transport").On("input.transport")
	}
}

// Entry is how somebody wants to come in, the same for every way of signing in.
type Entry struct {
	Transport Transport
	Device    string // secret of a known device, with Bearer; a cookie else
	Trust     bool   // let the device stand in for the second factor from now on
	Remember  bool   // stay signed in beyond the day
}

// device is the secret of the device the request comes from; empty when it shows none.
func (e Entry) device(ctx context.Context) string {
	if b := browserFrom(ctx); e.Transport == InCookie && b != nil {
		return b.Get(DeviceCookie)
	}
	return e.Device
}
