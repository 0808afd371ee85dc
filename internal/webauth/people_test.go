package webauth

import (
	"context"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/pquerna/otp/totp"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/rbac"
)

// bearer is how programs of these tests come in.
var bearer = Entry{Transport: Bearer}

// in is the end of a sign-in; anything else fails the test.
func (w *world) in(o Outcome, err error) SignedIn {
	w.t.Helper()
	done, ok := o.(SignedIn)
	if !ok || err != nil {
		w.t.Fatalf("outcome %T, %v; want a session", o, err)
	}
	return done
}

// half is the wish for one more factor; anything else fails the test.
func (w *world) half(o Outcome, err error) FactorRequired {
	w.t.Helper()
	need, ok := o.(FactorRequired)
	if !ok || err != nil {
		w.t.Fatalf("outcome %T, %v; want the wish for a factor", o, err)
	}
	return need
}

// nobody fails unless an outcome is an error and nothing else.
func (w *world) nobody(what string, o Outcome, err, want error) {
	w.t.Helper()
	if w.is(what, err, want); o != nil {
		w.t.Errorf("%s = %T beside the error", what, o)
	}
}

func registration(email string) RegisterCmd {
	return RegisterCmd{Email: email, Password: goodPassword, Name: "Ada"}
}

// asked registers without verifying, and gives the flow and the mail.
func (w *world) asked(ctx context.Context, c RegisterCmd) (VerificationRequired, letter) {
	w.t.Helper()
	v, err := w.Register(ctx, c)
	w.must(err)
	return v, w.last(c.Email, "verify_email")
}

// verify ends a registration by flow and code.
func (w *world) verify(ctx context.Context, v VerificationRequired, l letter) SignedIn {
	w.t.Helper()
	return w.in(w.VerifyEmail(ctx, VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code}))
}

// person registers and verifies.
func (w *world) person(email string) SignedIn {
	w.t.Helper()
	v, l := w.asked(w.ctx(), registration(email))
	return w.verify(w.ctx(), v, l)
}

// made is a person as the command line makes one, who is not signed in.
func (w *world) made(email string) account.User {
	w.t.Helper()
	u, err := w.Create(w.sys(), account.CreateCmd{Email: email, Name: "Ada", Password: goodPassword})
	w.must(err)
	return u
}

// visitor is somebody without a name.
func (w *world) visitor() SignedIn {
	w.t.Helper()
	return w.in(w.SignInAnonymously(w.ctx(), bearer))
}

// grant lets a user hold a role.
func (w *world) grant(user account.User, role string) rbac.Grant {
	w.t.Helper()
	r, err := w.roles.ByKey(w.sys(), role)
	w.must(err)
	g, err := w.roles.Grant(w.sys(), rbac.GrantCmd{Role: r.ID, Member: user.Ref()})
	w.must(err)
	return g
}

// boss is an administrator, signed in.
func (w *world) boss() SignedIn {
	w.t.Helper()
	w.grant(w.made("boss@example.org"), rbac.RoleAdmin)
	return w.signIn("boss@example.org")
}

func (w *world) password(identifier, password string) SignInCmd {
	return SignInCmd{Entry: bearer, Identifier: identifier, Password: password}
}

// signIn signs in with the good password.
func (w *world) signIn(identifier string) SignedIn {
	w.t.Helper()
	return w.in(w.SignIn(w.ctx(), w.password(identifier, goodPassword)))
}

// halfway shows the good password of somebody with a second factor.
func (w *world) halfway(identifier string) FactorRequired {
	w.t.Helper()
	return w.half(w.SignIn(w.ctx(), w.password(identifier, goodPassword)))
}

// user reads somebody as they are stored now.
func (w *world) user(id string) account.User {
	w.t.Helper()
	u, err := w.Accounts.ByID(w.t.Context(), id)
	w.must(err)
	return u
}

// key makes an access key of whoever holds the secret.
func (w *world) key(secret string, scopes ...string) string {
	w.t.Helper()
	_, token, err := w.CreateKey(w.as(secret), CreateKeyCmd{Name: "nightly import", Scopes: scopes, Days: 30})
	w.must(err)
	return token
}

// Factors.

// app is an authenticator app.
type app struct{ id, secret string }

// addApp gives somebody an authenticator app, and the recovery codes that come with the first factor.
func (w *world) addApp(ctx context.Context) (app, []string) {
	w.t.Helper()
	e, err := w.BeginTOTP(ctx)
	w.must(err)
	f, codes, err := w.ConfirmTOTP(ctx, e.Factor, w.shows(e.Secret), "My phone")
	w.must(err)
	return app{f.ID, e.Secret}, codes
}

// shows is what an app shows now.
func (w *world) shows(secret string) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.clock.Now())
	w.must(err)
	return code
}

// next waits until the app shows a code that was not used, and gives it.
func (w *world) next(a app) string {
	w.t.Helper()
	w.clock.Advance(30 * time.Second)
	return w.shows(a.secret)
}

// key is an authenticator with one credential.
type key struct {
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	cred virtualwebauthn.Credential
}

// newKey makes one whose public key is encoded right: the virtual authenticator drops leading zeros of a coordinate, which
// makes one of 128 keys malformed.
func newKey() *key {
	for {
		c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if _, err := webauthncose.ParsePublicKey(c.Key.AttestationData()); err == nil {
			return &key{virtualwebauthn.RelyingParty{ID: "book.example.org", Name: "Book", Origin: publicURL}, virtualwebauthn.NewAuthenticator(), c}
		}
	}
}

// create answers the options of BeginPasskey.
func (k *key) create(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	k.auth.Options.UserHandle = []byte(o.UserID)
	return []byte(virtualwebauthn.CreateAttestationResponse(k.rp, k.auth, k.cred, *o))
}

// get answers the options of a challenge.
func (k *key) get(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAssertionResponse(k.rp, k.auth, k.cred, *o))
}

// addKey gives somebody a passkey.
func (w *world) addKey(ctx context.Context, k *key) (factor.Factor, []string) {
	w.t.Helper()
	flow, options, err := w.BeginPasskey(ctx)
	w.must(err)
	f, codes, err := w.AddPasskey(ctx, flow, k.create(w.t, options), "My key")
	w.must(err)
	return f, codes
}

// answered is the answer of a passkey to the challenge of an attempt.
func (w *world) answered(ctx context.Context, flow string, k *key) Proof {
	w.t.Helper()
	options, err := w.Challenge(ctx, flow, Passkey)
	w.must(err)
	return Proof{Passkey: k.get(w.t, options)}
}

// stale lets a session grow too old for sensitive fields; it does not end.
func (w *world) stale() { w.clock.Advance(5*time.Minute + time.Millisecond) }

// otherThan is a code, and not that one.
func otherThan(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}
