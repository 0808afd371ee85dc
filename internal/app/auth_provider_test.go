package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const site = "http://book.test"

// world is a server with providers one may sign in with, which speak OpenID Connect over the loopback.
type world struct {
	*apptest.Server
	t         *testing.T
	providers map[string]*mockoidc.MockOIDC
}

func newWorld(t *testing.T, setup apptest.Setup, keys ...string) world {
	t.Helper()
	w := world{t: t, providers: map[string]*mockoidc.MockOIDC{}}
	var file strings.Builder
	file.WriteString("providers:\n")
	for _, key := range keys {
		p, err := mockoidc.NewServer(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Keypair.KeyID(); err != nil { // computed when first asked for, without a lock
			t.Fatal(err)
		}
		if err := p.Start(httptest.NewUnstartedServer(nil).Listener, nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Server.Close() })
		w.providers[key] = p
		file.WriteString("  - {key: " + key + ", name: The " + key + ", issuer: '" + p.Issuer() + "', clientId: '" + p.ClientID + "', clientSecret: '" + p.ClientSecret + "'}\n")
	}
	name := filepath.Join(t.TempDir(), "providers.yaml")
	if err := os.WriteFile(name, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	setup.Public = site
	setup.Args = append(setup.Args, "--auth-providers-file="+name)
	w.Server = apptest.Start(t, setup)
	return w
}

// account is somebody's account at a provider.
func accountAt(subject, email string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: subject, Email: email, EmailVerified: true, PreferredUsername: subject}
}

// begin asks for the address of the provider.
func (w world) begin(c *apptest.Client, in map[string]any) string {
	w.t.Helper()
	return must[struct{ URL string }](w.t, c, "beginProvider", in, "url").URL
}

// through sends a browser to the provider, signs in there, and gives where the browser ends up.
func (w world) through(c *apptest.Client, key string, who *mockoidc.MockUser, in map[string]any) string {
	w.t.Helper()
	all := map[string]any{"provider": key}
	for k, v := range in {
		all[k] = v
	}
	to := w.begin(c, all)
	w.providers[key].QueueUser(who)
	at, status := visit(w.t, c, http.MethodGet, to)
	if status != http.StatusOK {
		w.t.Fatalf("the browser ends at %s with %d", at, status)
	}
	return strings.TrimPrefix(at, site)
}

// back is the address the provider sends a browser back to, which does not go there yet.
func (w world) back(c *apptest.Client, key string, who *mockoidc.MockUser) string {
	w.t.Helper()
	to := w.begin(c, map[string]any{"provider": key, "returnTo": "/documents"})
	w.providers[key].QueueUser(who)
	still := *c.Client
	still.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), site) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, err := still.Get(to)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	at, err := res.Location()
	if err != nil || !strings.HasPrefix(at.String(), site+"/auth/callback/"+key+"?") {
		w.t.Fatalf("the provider sends the browser to %v, %v", at, err)
	}
	return at.String()
}

// arrive sends a browser somewhere and gives where it ends up, as a path.
func (w world) arrive(c *apptest.Client, address string) string {
	w.t.Helper()
	at, _ := visit(w.t, c, http.MethodGet, address)
	return strings.TrimPrefix(at, site)
}

func (w world) myID(c *apptest.Client) string {
	w.t.Helper()
	return text(w.t, c.Must(`{ me { user { id } } }`, nil), "me", "user", "id")
}

// TestProviderSignIn: somebody new comes from a provider, has an account by that, and comes again to the same one, whatever
// address the provider tells then (req 48).
func TestProviderSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	c := w.Browser()
	offered := c.Must(`{ authSettings { providers { key name } } }`, nil)
	if text(t, offered, "authSettings", "providers", 0, "name") != "The mock" {
		t.Errorf("offered: %v", offered)
	}
	if at := w.through(c, "mock", accountAt("sub-1", "pat@example.org"), map[string]any{"returnTo": "/documents?type=note"}); at != "/documents?type=note" {
		t.Fatalf("the browser ends at %s", at)
	}
	viewer := at(t, c.Must(`{ me { user { id email } hasPassword session { methods } membership { plan { key } } } myIdentities { provider email lastUsedAt } }`, nil))
	if text(t, viewer, "me", "user", "email") != "pat@example.org" || at(t, viewer, "me", "hasPassword") != false || text(t, viewer, "me", "session", "methods", 0) != "fed" ||
		text(t, viewer, "me", "membership", "plan", "key") != "free" || text(t, viewer, "myIdentities", 0, "provider") != "mock" || at(t, viewer, "myIdentities", 0, "lastUsedAt") == nil {
		t.Errorf("me = %v", viewer)
	}
	again := w.Browser()
	if at := w.through(again, "mock", accountAt("sub-1", "other@example.org"), nil); at != "/" || w.myID(again) != w.myID(c) {
		t.Errorf("again, under another address: %s", at)
	}
	third := w.Browser()
	if at := w.through(third, "mock", accountAt("sub-2", "other@example.org"), nil); at != "/" || w.myID(third) == w.myID(c) {
		t.Errorf("somebody else with that address: %s", at)
	}
}

// TestReq45OneBrowserOnce: what the provider sends back is good once, and in the browser that asked.
func TestReq45OneBrowserOnce(t *testing.T) {
	t.Parallel()
	clock := &shifted{}
	w := newWorld(t, apptest.Setup{Clock: clock.now}, "mock")
	mine, other := w.Browser(), w.Browser()
	address := w.back(mine, "mock", accountAt("sub-1", "pat@example.org"))
	w.back(other, "mock", accountAt("sub-2", "eve@example.org")) // it has a cookie of its own
	const refused = "/sign-in#error=OAUTH_STATE_INVALID"
	for name, c := range map[string]*apptest.Client{"another browser": other, "a browser without cookies": w.Browser()} {
		if at := w.arrive(c, address); at != refused || !isNobody(c) {
			t.Errorf("%s ends at %s", name, at)
		}
	}
	if at := w.arrive(mine, address); at != "/documents" || isNobody(mine) {
		t.Errorf("the browser that asked ends at %s", at)
	}
	if at := w.arrive(mine, address); at != refused || isNobody(mine) {
		t.Errorf("twice: %s", at)
	}
	for _, spoilt := range []string{"/auth/callback/mock", "/auth/callback/mock?code=x", "/auth/callback/mock?state=x&code=y", "/auth/callback/mock?error=access_denied"} {
		if at := w.arrive(w.Browser(), site+spoilt); !strings.HasPrefix(at, "/sign-in#error=OAUTH_") {
			t.Errorf("%s ends at %s", spoilt, at)
		}
	}
	late := w.Browser()
	address = w.back(late, "mock", accountAt("sub-3", "late@example.org"))
	clock.forward(10 * time.Minute)
	if at := w.arrive(late, address); at != refused || !isNobody(late) {
		t.Errorf("after ten minutes: %s", at)
	}
}

// TestReq46ReturnTo: no address but a path of this site is ever taken.
func TestReq46ReturnTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	c := w.Browser()
	for _, evil := range []string{
		"//evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example/", "http:evil.example", "javascript:alert(1)", "/\tx", "/%5cevil.example",
		"/%2f/evil.example", "/./", "/../", " /x", "/a\r\nLocation: https://evil.example", "evil.example", "/x//evil.example", "///evil.example", "?x", "#x",
	} {
		if r := mutate(c, "beginProvider", map[string]any{"provider": "mock", "returnTo": evil}, "url"); r.Code() != "RETURN_TO_INVALID" {
			t.Errorf("%q: %q %v", evil, r.Code(), r.Data)
		}
	}
	if r := mutate(c, "beginProvider", map[string]any{"provider": "other"}, "url"); r.Code() != "PROVIDER_UNKNOWN" {
		t.Errorf("an unknown provider: %q", r.Code())
	}
	for _, good := range []string{"/documents?type=note&x=%2F#part", "/a/b/"} {
		if at := w.through(w.Browser(), "mock", accountAt("sub-1", "pat@example.org"), map[string]any{"returnTo": good}); at != good {
			t.Errorf("%q ends at %s", good, at)
		}
	}
}

// TestReq49AddressOfSomebody: an address at a provider lets nobody into the account that has it here.
func TestReq49AddressOfSomebody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	p := newPerson(t, w.Server, "owner")
	c := w.Browser()
	if at := w.through(c, "mock", accountAt("sub-1", strings.ToUpper(p.Email)), nil); at != "/sign-in#error=PROVIDER_LINK_FIRST" || !isNobody(c) {
		t.Errorf("an address that has an account: %s", at)
	}
	unverified := accountAt("sub-2", "unverified@example.org")
	unverified.EmailVerified = false
	if at := w.through(c, "mock", unverified, nil); at != "/sign-in#error=PROVIDER_UNVERIFIED" || !isNobody(c) {
		t.Errorf("an address the provider does not vouch for: %s", at)
	}
	// Its owner links the provider, signed in; then it lets them in.
	if at := w.through(p.Client, "mock", accountAt("sub-1", p.Email), map[string]any{"link": true}); at != "/security#linked=mock" {
		t.Errorf("linking ends at %s", at)
	}
	w.Mail(p.Email, "notice_identity_linked")
	if at := w.through(c, "mock", accountAt("sub-1", p.Email), nil); at != "/" || w.myID(c) != p.ID {
		t.Errorf("the linked account ends at %s", at)
	}
	// One account there belongs to one account here.
	other := newPerson(t, w.Server, "other")
	if at := w.through(other.Client, "mock", accountAt("sub-1", p.Email), map[string]any{"link": true}); !strings.HasSuffix(at, "#error=IDENTITY_TAKEN") {
		t.Errorf("linking it to somebody else ends at %s", at)
	}
}

// TestReq49LinkingWantsProof: of a moment ago, by a person, who is still there when the browser comes back.
func TestReq49LinkingWantsProof(t *testing.T) {
	t.Parallel()
	clock := &shifted{}
	w := newWorld(t, apptest.Setup{Clock: clock.now}, "mock")
	p := newPerson(t, w.Server, "linker")
	program, _ := accessKey(t, w.Server, p, "registry.document.read")
	link := map[string]any{"provider": "mock", "link": true}
	for want, c := range map[string]*apptest.Client{"UNAUTHENTICATED": w.Browser(), "KEY_FORBIDDEN": program} {
		if r := mutate(c, "beginProvider", link, "url"); r.Code() != want {
			t.Errorf("%q, want %s", r.Code(), want)
		}
	}
	// Begun by one and finished by another, in the same browser.
	to := w.begin(p.Client, link)
	p.Must(`mutation { signOut { ended } }`, nil)
	p.Register("somebody-else")
	if at := w.arrive(p.Client, to); !strings.HasSuffix(at, "#error=PROVIDER_OTHER_USER") {
		t.Errorf("finished by somebody else: %s", at)
	}
	until(t, "the proof is too old", func() bool {
		clock.forward(6 * time.Minute)
		return mutate(p.Client, "beginProvider", link, "url").Code() == "REAUTH_REQUIRED"
	})
	var begun struct{ Elevate struct{ Required outcome } }
	p.Read(&begun, `mutation { elevate { required { flow factors } } }`, nil)
	must[struct{}](t, p.Client, "completeElevation", map[string]any{"flow": begun.Elevate.Required.Flow, "proof": map[string]any{"password": apptest.Password}}, "session { id }")
	if at := w.through(p.Client, "mock", accountAt("sub-9", "nine@example.org"), map[string]any{"link": true}); at != "/security#linked=mock" {
		t.Errorf("after the proof: %s", at)
	}
}

// TestProviderAndSecondFactor: who has a second factor needs it here as well; the page goes on with the attempt.
func TestProviderAndSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	p := newPerson(t, w.Server, "fatima")
	w.through(p.Client, "mock", accountAt("sub-1", "f@elsewhere.example"), map[string]any{"link": true})
	app, _ := enrol(t, p, machineTime)
	c := w.Browser()
	path, fragment, _ := strings.Cut(w.through(c, "mock", accountAt("sub-1", "f@elsewhere.example"), map[string]any{"returnTo": "/documents"}), "#")
	told, err := url.ParseQuery(fragment)
	if err != nil || path != "/sign-in" || told.Get("factors") != "TOTP,RECOVERY_CODE" || told.Get("expires") == "" || !isNobody(c) {
		t.Fatalf("the browser ends at %s#%s", path, fragment)
	}
	in := step(t, c, "completeSignIn", map[string]any{"flow": told.Get("flow"), "proof": map[string]any{"totp": app.code()}})
	if in.Type != "SignedIn" || strings.Join(in.Session.Methods, " ") != "fed otp" || w.myID(c) != p.ID {
		t.Errorf("the code leads to %+v", in)
	}
}

// TestUnlinkKeepsAWayIn: the last way into an account cannot be taken away.
func TestUnlinkKeepsAWayIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	c := w.Browser()
	w.through(c, "mock", accountAt("sub-1", "pat@example.org"), nil)
	mine := map[string]any{"identity": text(t, c.Must(`{ myIdentities { id } }`, nil), "myIdentities", 0, "id")}
	if r := mutate(c, "unlinkIdentity", mine, "identity"); r.Code() != "WAY_IN_LAST" {
		t.Errorf("the only way in: %q", r.Code())
	}
	stranger := newPerson(t, w.Server, "stranger")
	if r := mutate(stranger.Client, "unlinkIdentity", mine, "identity"); r.Code() != "NOT_FOUND" {
		t.Errorf("somebody else's: %q", r.Code())
	}
	must[struct{}](t, c, "changePassword", map[string]any{"password": apptest.Password}, "ended")
	must[struct{}](t, c, "unlinkIdentity", mine, "identity")
	w.Mail("pat@example.org", "notice_identity_unlinked")
	other := w.Browser()
	if at := w.through(other, "mock", accountAt("sub-1", "pat@example.org"), nil); at != "/sign-in#error=PROVIDER_LINK_FIRST" || !isNobody(other) {
		t.Errorf("the provider after unlinking: %s", at)
	}
	if in := step(t, other, "signIn", credentials("pat@example.org")); in.Type != "SignedIn" {
		t.Errorf("the password: %+v", in)
	}
}

// TestReq50TwoProviders: what one of them sends back is of no use at the path of the other.
func TestReq50TwoProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "one", "two")
	c := w.Browser()
	one, two := w.back(c, "one", accountAt("sub-1", "one@example.org")), w.back(c, "two", accountAt("sub-1", "two@example.org"))
	if at := w.arrive(c, strings.Replace(one, "/callback/one", "/callback/two", 1)); !strings.HasPrefix(at, "/sign-in#error=OAUTH_") || !isNobody(c) {
		t.Errorf("the answer of one at the path of two: %s", at)
	}
	mixed, err := url.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := url.Parse(two)
	q := mixed.Query()
	q.Set("code", other.Query().Get("code"))
	mixed.RawQuery = q.Encode()
	if at := w.arrive(c, mixed.String()); !strings.HasPrefix(at, "/sign-in#error=OAUTH_") || !isNobody(c) {
		t.Errorf("the code of two with the state of one: %s", at)
	}
	if at := w.arrive(c, two); at != "/documents" || isNobody(c) {
		t.Errorf("two itself: %s", at)
	}
	// The same subject at two providers is two people.
	d := w.Browser()
	if at := w.through(d, "one", accountAt("sub-1", "one@example.org"), nil); at != "/" || w.myID(d) == w.myID(c) {
		t.Errorf("the same subject at one: %s", at)
	}
}
