package webauth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/throttle"
)

// acme is a world with a real provider of OpenID Connect on loopback, whose clock is that of the day: it signs by it.
type acme struct {
	*world
	idp *mockoidc.MockOIDC
}

func newAcme(t *testing.T, opts options) acme {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Keypair.KeyID(); err != nil { // computed when first asked for, without a lock
		t.Fatal(err)
	}
	if err := m.Start(httptest.NewUnstartedServer(nil).Listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Server.Close() })
	opts.start = time.Now()
	opts.social = social.Config{AllowPrivate: true, Providers: []social.Provider{
		{Key: "acme", Name: "Acme", Issuer: m.Issuer(), ClientID: m.ClientID, ClientSecret: m.ClientSecret},
	}}
	return acme{newWorld(t, opts), m}
}

// atAcme is who somebody is at the provider.
func atAcme(sub, email string) *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: sub, Email: email, EmailVerified: email != "" && !strings.Contains(email, "unverified")}
}

// visit is the browser: it goes to the provider, signs in as u, and is sent back.
func (a acme) visit(address string, u *mockoidc.MockUser) social.FinishCmd {
	a.t.Helper()
	a.idp.QueueUser(u)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(address)
	a.must(err)
	_ = resp.Body.Close()
	back, err := resp.Location()
	a.must(err)
	q := back.Query()
	return social.FinishCmd{Provider: "acme", State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error")}
}

// begin begins a sign-in in a browser, or the linking of the provider.
func (a acme) begin(j *jar, link bool) string {
	a.t.Helper()
	address, err := a.BeginProvider(a.asking(j), BeginProviderCmd{Provider: "acme", ReturnTo: "/inbox", Link: link})
	a.must(err)
	return address
}

// through goes the whole way.
func (a acme) through(s *Service, j *jar, link bool, u *mockoidc.MockUser) (Returned, error) {
	a.t.Helper()
	return s.FinishProvider(a.asking(j), a.visit(a.begin(j, link), u))
}

// browser is a browser that somebody has signed in with by password.
func (a acme) browser(email string) *jar {
	a.t.Helper()
	j := newJar()
	a.in(a.SignIn(a.asking(j), SignInCmd{Entry{Transport: InCookie}, email, goodPassword}))
	return j
}

func TestProviderBringsSomebodyNew(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	j := newJar()
	var in SignedIn
	a.leaves("FinishProvider()", func() {
		back, err := a.through(a.Service, j, false, atAcme("sub-ada", "Ada@example.org"))
		if in = a.in(back.Outcome, err); back.ReturnTo != "/inbox" || back.Linked != "" {
			t.Errorf("FinishProvider() = %+v", back)
		}
	}, "account.user.created plan.membership.started rbac.grant.created social.identity.linked session.device.added session.session.started")
	if in.Token != "" || !a.live(j.Get(SessionCookie)) || in.Session.Methods != "fed" || in.User.Email() != "Ada@example.org" || in.User.HasPassword || in.User.Name == "" {
		t.Errorf("FinishProvider() = %+v, %+v", in.User, in.Session)
	}
	old := j.Get(SessionCookie)
	a.leaves("a second time", func() {
		back, err := a.through(a.Service, j, false, atAcme("sub-ada", "Ada@example.org"))
		if again := a.in(back.Outcome, err); again.User.ID != in.User.ID {
			t.Errorf("it is %s", again.User.ID)
		}
	}, "session.session.ended session.session.started")
	if a.live(old) || !a.live(j.Get(SessionCookie)) {
		t.Error("the session of before goes on")
	}
	mine, err := a.MyIdentities(a.asking(j))
	if err != nil || len(mine) != 1 || mine[0].Subject != "sub-ada" || mine[0].LastUsedAt == nil {
		t.Fatalf("MyIdentities() = %+v, %v", mine, err)
	}
	if found, err := a.IdentitiesByIDs(a.asking(j), []string{mine[0].ID, "x"}); err != nil || len(found) != 1 {
		t.Errorf("IdentitiesByIDs() = %v, %v", found, err)
	}
	a.made(bob)
	others := a.asking(a.browser(bob))
	if found, err := a.IdentitiesByIDs(others, []string{mine[0].ID}); err != nil || len(found) != 0 {
		t.Errorf("IdentitiesByIDs() by another = %v, %v", found, err)
	}
	if found, err := a.IdentitiesByIDs(a.ctx(), []string{mine[0].ID}); err != nil || len(found) != 0 {
		t.Errorf("IdentitiesByIDs() by nobody = %v, %v", found, err)
	}
	a.is("another's identity", a.UnlinkIdentity(others, mine[0].ID), fault.ErrNotFound)
}

// Requirement 48: who comes is known by issuer and subject; an address the provider renames or gives to somebody else says
// nothing.
func TestReq48IdentityIsIssuerAndSubject(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	back, err := a.through(a.Service, newJar(), false, atAcme("sub-ada", ada))
	first := a.in(back.Outcome, err)
	a.made(bob)
	back, err = a.through(a.Service, newJar(), false, atAcme("sub-ada", bob)) // renamed to what another user has here
	if again := a.in(back.Outcome, err); again.User.ID != first.User.ID || again.User.Email() != ada {
		t.Errorf("after a new address it is %+v", again.User)
	}
	a.leaves("another person with the address of before", func() {
		back, err = a.through(a.Service, newJar(), false, atAcme("sub-mallory", ada))
		a.nobody("FinishProvider()", back.Outcome, err, ErrLinkFirst)
	}, "")
	if n := a.count("users"); n != 2 {
		t.Errorf("%d users", n)
	}
}

// Requirement 49: who has an account here with that address signs in to it first, and links then.
func TestReq49LinkAfterASignIn(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	u := a.made(ada)
	person := atAcme("sub-ada", ada)
	a.leaves("a sign-in with an address that is here", func() {
		back, err := a.through(a.Service, newJar(), false, person)
		a.nobody("FinishProvider()", back.Outcome, err, ErrLinkFirst)
	}, "")
	if a.count("identities") != 0 || a.count("sessions") != 0 {
		t.Error("something was linked, or somebody is in")
	}
	j := a.browser(ada)
	a.leaves("FinishProvider()", func() {
		back, err := a.through(a.Service, j, true, atAcme("sub-ada", "unverified@acme.example")) // which address does not matter
		if err != nil || back.Linked != "acme" || back.Outcome != nil || back.ReturnTo != "/inbox" {
			t.Errorf("FinishProvider() = %+v, %v", back, err)
		}
	}, "social.identity.linked", "notice_identity_linked "+ada)
	back, err := a.through(a.Service, newJar(), false, person)
	if in := a.in(back.Outcome, err); in.User.ID != u.ID {
		t.Errorf("it is %s", in.User.ID)
	}
	a.made(bob)
	bobs := a.browser(bob)
	_, err = a.through(a.Service, bobs, true, person)
	a.is("what belongs to another user", err, social.ErrTaken)
	cmd := a.visit(a.begin(j, true), atAcme("sub-2", ada))
	a.in(a.SignIn(a.asking(j), SignInCmd{Entry{Transport: InCookie}, bob, goodPassword}))
	_, err = a.FinishProvider(a.asking(j), cmd)
	a.is("somebody else has signed in meanwhile", err, ErrOther)
	cmd = a.visit(a.begin(j, true), atAcme("sub-3", ada))
	_, err = a.SignOut(a.asking(j))
	a.must(err)
	_, err = a.FinishProvider(a.asking(j), cmd)
	a.is("nobody is signed in any more", err, ErrOther)
	if n := a.count("identities"); n != 1 {
		t.Errorf("%d identities", n)
	}
}

func TestProviderAccounts(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	for name, email := range map[string]string{"no address": "", "one it does not vouch for": "unverified@example.org", "what is none": "ada"} {
		a.leaves(name, func() {
			back, err := a.through(a.Service, newJar(), false, atAcme("sub-"+email, email))
			a.nobody(name, back.Outcome, err, ErrProviderEmail)
		}, "")
	}
	closed, invited := a.node(Config{Registration: Closed}), a.node(Config{Registration: Invitation})
	domains := a.node(Config{Domains: []string{"book.example"}})
	for name, s := range map[string]*Service{"closed": closed, "by invitation": invited, "another domain": domains} {
		back, err := a.through(s, newJar(), false, atAcme("sub-ada", ada))
		a.nobody(name, back.Outcome, err, ErrRegistration)
	}
	a.invite(a.sys(), InviteCmd{Email: ada, Role: "host", Plan: "pro", Days: 1})
	back, err := a.through(invited, newJar(), false, atAcme("sub-ada", ada)) // the provider vouches for the address that was invited
	in := a.in(back.Outcome, err)
	if !invited.Roles.HoldsAny(in.User.ID, []string{"host"}) || a.planOf(in.User) != "pro" {
		t.Errorf("the invitation brought the plan %s", a.planOf(in.User))
	}
	back, err = a.through(closed, newJar(), false, atAcme("sub-ada", ada))
	a.in(back.Outcome, err)
	_, err = a.Accounts.Disable(a.sys(), in.User.ID)
	a.must(err)
	back, err = a.through(a.Service, newJar(), false, atAcme("sub-ada", ada))
	a.nobody("a disabled account", back.Outcome, err, account.ErrDisabled)
}

func TestProviderIsOneFactor(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	j := newJar()
	back, err := a.through(a.Service, j, false, atAcme("sub-ada", ada))
	a.in(back.Outcome, err)
	phone, _ := a.addApp(a.asking(j))
	j = newJar()
	back, err = a.through(a.Service, j, false, atAcme("sub-ada", ada))
	half := a.half(back.Outcome, err)
	if j.Get(SessionCookie) != "" {
		t.Error("a session after the first factor")
	}
	done := a.in(a.CompleteSignIn(a.asking(j), CompleteCmd{Entry{Transport: InCookie}, half.Flow, Proof{TOTP: a.next(phone)}}))
	if done.Session.Methods != "fed otp" || !a.live(j.Get(SessionCookie)) {
		t.Errorf("methods %q", done.Session.Methods)
	}
}

// The last way in stays, also when the last two are taken away at once.
func TestUnlinkKeepsAWayIn(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	j := newJar()
	back, err := a.through(a.Service, j, false, atAcme("sub-ada", ada))
	a.in(back.Outcome, err)
	mine, err := a.MyIdentities(a.asking(j))
	a.must(err)
	a.leaves("the only way in", func() { a.is("UnlinkIdentity()", a.UnlinkIdentity(a.asking(j), mine[0].ID), ErrLastWayIn) }, "")
	for range 5 {
		f, _ := a.addKey(a.asking(j), newKey())
		won := a.race(2, func(i int) error {
			if i == 0 {
				return a.RemoveFactor(a.asking(j), f.ID)
			}
			return a.UnlinkIdentity(a.asking(j), mine[0].ID)
		}, ErrLastWayIn)
		if won != 1 {
			t.Fatalf("%d of the last two ways in were taken away", won)
		}
		if have, err := a.MyFactors(a.asking(j)); err == nil && len(have.Items) == 1 {
			return // the provider was unlinked, as it may be while there is a passkey
		}
	}
}

func TestUnlink(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	a.made(ada)
	j := a.browser(ada)
	_, err := a.through(a.Service, j, true, atAcme("sub-ada", ada))
	a.must(err)
	mine, err := a.MyIdentities(a.asking(j))
	a.must(err)
	a.leaves("UnlinkIdentity()", func() { a.must(a.UnlinkIdentity(a.asking(j), mine[0].ID)) }, "social.identity.unlinked", "notice_identity_unlinked "+ada)
	a.is("again", a.UnlinkIdentity(a.asking(j), mine[0].ID), fault.ErrNotFound)
	back, err := a.through(a.Service, newJar(), false, atAcme("sub-ada", ada))
	a.nobody("to sign in with it", back.Outcome, err, ErrLinkFirst)
}

func TestProviderRefuses(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{Config: Config{PerNetwork: 4}})
	begin := func(ctx context.Context, c BeginProviderCmd) error {
		address, err := a.BeginProvider(ctx, c)
		if address != "" && err != nil {
			t.Errorf("BeginProvider() = %s beside %v", address, err)
		}
		return err
	}
	j := newJar()
	a.is("without a browser", begin(a.ctx(), BeginProviderCmd{Provider: "acme"}), fault.ErrInput)
	a.is("an unknown provider", begin(a.asking(j), BeginProviderCmd{Provider: "pigeon"}), social.ErrProvider)
	for _, path := range []string{"//evil.example", `/\evil.example`, "https://evil.example/"} {
		a.is(path, begin(a.asking(j), BeginProviderCmd{Provider: "acme", ReturnTo: path}), social.ErrReturnTo)
	}
	u := atAcme("sub-ada", ada)
	cmd := a.visit(a.begin(j, false), u)
	_, err := a.FinishProvider(a.ctx(), cmd)
	a.is("to finish without a browser", err, fault.ErrInput)
	a.leaves("in another browser", func() {
		back, err := a.FinishProvider(a.asking(newJar()), cmd)
		a.nobody("FinishProvider()", back.Outcome, err, social.ErrState)
	}, kindFailed)
	back, err := a.FinishProvider(a.asking(j), cmd)
	a.in(back.Outcome, err)
	back, err = a.FinishProvider(a.asking(j), cmd)
	a.nobody("a second time", back.Outcome, err, social.ErrState)
	j = newJar()
	cmd = a.visit(a.begin(j, false), u)
	cmd.Code, cmd.Error = "", "access_denied"
	back, err = a.FinishProvider(a.asking(j), cmd)
	if a.nobody("refused there", back.Outcome, err, social.ErrDenied); back.ReturnTo != "/inbox" {
		t.Errorf("the browser is led to %q", back.ReturnTo)
	}
	a.is("an unknown state", func() error {
		_, err := a.FinishProvider(a.asking(j), social.FinishCmd{Provider: "acme", State: "bbf_made-up", Code: "x"})
		return err
	}(), social.ErrState)
	back, err = a.FinishProvider(a.asking(j), cmd)
	a.nobody("after four of those", back.Outcome, err, throttle.ErrLimited)
	a.clock.Advance(time.Minute)
	for range 30 - 3 {
		err = begin(a.asking(newJar()), BeginProviderCmd{Provider: "acme"})
	}
	for err == nil {
		err = begin(a.asking(newJar()), BeginProviderCmd{Provider: "acme"})
	}
	a.is("more than a network may begin", err, throttle.ErrLimited)
}

// Of several sign-ins of somebody new at once one makes the account, and the others are no half accounts.
func TestProviderRaces(t *testing.T) {
	t.Parallel()
	a := newAcme(t, options{})
	jars, cmds := make([]*jar, 6), make([]social.FinishCmd, 6)
	for i := range jars {
		jars[i] = newJar()
		cmds[i] = a.visit(a.begin(jars[i], false), atAcme("sub-ada", ada))
	}
	won := a.race(6, func(i int) error {
		_, err := a.FinishProvider(a.asking(jars[i]), cmds[i])
		return err
	}, ErrLinkFirst, social.ErrTaken)
	if won < 1 || a.count("users") != 1 || a.count("identities") != 1 || a.count("sessions") != won {
		t.Errorf("%d are in; %d users, %d identities, %d sessions", won, a.count("users"), a.count("identities"), a.count("sessions"))
	}
}
