package social

import (
	"fmt"
	"io"
	"log/slog"
)

// BeginCmd asks to begin a sign-in. Like all that carries secrets here, it prints as its type alone.
type BeginCmd struct {
	Provider string // key
	ReturnTo string // where the browser wants to go afterwards, see [CheckReturnTo]
	LinkUser string // the signed-in user who wants to link an identity; empty for a sign-in
	Binding  string // what this browser's cookie holds by now, if anything: it is kept, so that two tabs can be on their way
}

// Start is where to send the browser.
type Start struct {
	URL     string // of the provider
	Binding string // "bbo_…", for a cookie of this browser that scripts cannot read and that lives for [AttemptTTL]
}

// FinishCmd is what a browser brings back from a provider: the key in the path, state, code, iss and error of the query,
// and the cookie's binding.
type FinishCmd struct{ Provider, State, Code, Issuer, Error, Binding string }

// Finished is what came of a sign-in.
type Finished struct {
	Claims   Claims
	ReturnTo string // a path of this site
	LinkUser string // whose identity it is to become; the caller must check that they are still who is signed in
}

// Format keeps every verb of fmt from the secrets.
func (BeginCmd) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "begin of a sign-in") }

// LogValue keeps slog from the secrets.
func (BeginCmd) LogValue() slog.Value { return slog.StringValue("begin of a sign-in") }

// Format keeps every verb of fmt from the secrets.
func (Start) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "start of a sign-in") }

// LogValue keeps slog from the secrets.
func (Start) LogValue() slog.Value { return slog.StringValue("start of a sign-in") }

// Format keeps every verb of fmt from the secrets.
func (FinishCmd) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "end of a sign-in") }

// LogValue keeps slog from the secrets.
func (FinishCmd) LogValue() slog.Value { return slog.StringValue("end of a sign-in") }
