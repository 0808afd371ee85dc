package webauth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// The facts of a new account that is signed in.
const born = "account.user.created plan.membership.started rbac.grant.created session.device.added session.session.started"

func TestRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	var v VerificationRequired
	var err error
	w.leaves("Register()", func() {
		v, err = w.Register(w.ctx(), RegisterCmd{Email: " Ada@Example.org ", Password: goodPassword, Name: "Ada", Username: "ada_l", Locale: "de"})
		w.must(err)
	}, "", "verify_email Ada@Example.org")
	if v.Email != "Ada@Example.org" || !strings.HasPrefix(v.Flow, "bbf_") || !v.ExpiresAt.Equal(w.clock.Now().Add(24*time.Hour)) {
		t.Errorf("Register() = %+v", v)
	}
	if n := w.count("users"); n != 0 {
		t.Errorf("%d users before the address is verified", n)
	}
	l := w.last("Ada@Example.org", "verify_email")
	if !strings.Contains(l.Text, "bitte") {
		t.Errorf("the mail is not in the language that was asked for:\n%s", l.Text)
	}
	var in SignedIn
	w.leaves("VerifyEmail()", func() { in = w.verify(w.ctx(), v, l) }, born)
	if in.User.Email() != "Ada@Example.org" || in.User.Username != "ada_l" || in.User.Locale != "de" || !in.User.HasPassword || in.Restored {
		t.Errorf("VerifyEmail() = %+v", in.User)
	}
	if in.Session.User != in.User.ID || in.Session.Methods != "mail" || !strings.HasPrefix(in.Token, "bbs_") || !strings.HasPrefix(in.Device, "bbd_") {
		t.Errorf("VerifyEmail() = %+v", in.Session)
	}
	if !w.live(in.Token) || !w.roles.HoldsAny(in.User.ID, []string{rbac.RoleMember}) {
		t.Error("the new user is not signed in, or holds no role")
	}
	if m, err := w.plans.MembershipOf(w.as(in.Token), in.User.Ref()); err != nil || m.Version != 1 {
		t.Errorf("membership %+v, %v", m, err)
	}
	for _, e := range w.events() {
		if strings.HasPrefix(e.Kind, "account.") && (e.Actor.User != in.User.ID || e.Actor.System || e.IP != homeIP) {
			t.Errorf("%s was done by %+v from %s", e.Kind, e.Actor, e.IP)
		}
	}
	o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code})
	w.nobody("VerifyEmail() again", o, err, ticket.ErrInvalid)
	w.signIn("ada_l")
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	_, err := w.Create(w.sys(), account.CreateCmd{Email: bob, Name: "Bob", Username: "bob"})
	w.must(err)
	servers := map[string]*Service{
		"open": w.Service, "closed": w.node(Config{Registration: Closed}), "invited": w.node(Config{Registration: Invitation}),
		"domain": w.node(Config{Domains: []string{"book.example"}}), "terms": w.node(Config{Terms: "2026-01"}),
	}
	for _, tc := range []struct {
		name, server string
		change       func(*RegisterCmd)
		err          error
		field        string
	}{
		{"no address", "open", func(c *RegisterCmd) { c.Email = "ada" }, account.ErrEmailInvalid, "input.email"},
		{"weak password", "open", func(c *RegisterCmd) { c.Password = "password1" }, account.ErrPasswordWeak, "input.password"},
		{"no name", "open", func(c *RegisterCmd) { c.Name = "" }, fault.ErrInput, "input.name"},
		{"no language", "open", func(c *RegisterCmd) { c.Locale = "?" }, fault.ErrInput, "input.locale"},
		{"no username", "open", func(c *RegisterCmd) { c.Username = "a@b" }, account.ErrUsername, "input.username"},
		{"username of another", "open", func(c *RegisterCmd) { c.Username = "BOB" }, account.ErrUsernameTaken, "input.username"},
		{"terms of nobody", "open", func(c *RegisterCmd) { c.AcceptTerms = "2026-01" }, ErrTerms, "input.acceptTerms"},
		{"old terms", "terms", func(c *RegisterCmd) { c.AcceptTerms = "2025-01" }, ErrTerms, "input.acceptTerms"},
		{"no terms", "terms", func(*RegisterCmd) {}, ErrTerms, "input.acceptTerms"},
		{"closed", "closed", func(*RegisterCmd) {}, ErrRegistration, ""},
		{"without invitation", "invited", func(*RegisterCmd) {}, ErrRegistration, ""},
		{"made-up invitation", "invited", func(c *RegisterCmd) { c.Invitation = "bbl_made-up" }, ErrInvitation, "input.invitation"},
		{"other domain", "domain", func(*RegisterCmd) {}, ErrRegistration, "input.email"},
		{"domain within another", "domain", func(c *RegisterCmd) { c.Email = "ada@book.example.evil.org" }, ErrRegistration, "input.email"},
	} {
		w.leaves(tc.name, func() {
			c := registration(ada)
			tc.change(&c)
			v, err := servers[tc.server].Register(w.ctx(), c)
			w.refuses(tc.name, err, tc.err, tc.field)
			if v != (VerificationRequired{}) {
				t.Errorf("%s: %+v", tc.name, v)
			}
		}, "")
	}
	if n := w.count("tickets"); n != 0 {
		t.Errorf("%d tickets", n)
	}
	for range 5 {
		w.asked(w.ctx(), registration("often@example.org"))
	}
	_, err = w.Register(from(w.ctx(), "203.0.113.9"), registration("Often@example.org"))
	w.is("a sixth mail to an address", err, throttle.ErrLimited)
	c := registration("ada@book.example")
	if _, err := servers["domain"].Register(w.ctx(), c); err != nil {
		t.Errorf("the right domain: %v", err)
	}
	c.AcceptTerms = "2026-01"
	v, err := servers["terms"].Register(w.ctx(), c)
	w.must(err)
	if u := w.verify(w.ctx(), v, w.last(c.Email, "verify_email")).User; u.Terms == nil || u.Terms.Version != "2026-01" {
		t.Errorf("accepted %+v", u.Terms)
	}
}

// The link of the mail is for the browser that registered, or for who knows the password; the code is for the browser.
func TestVerifyEmailProofs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, tc := range []struct {
		name, password string
		proof          func(VerificationRequired, letter) VerifyCmd
		methods        string
		err            error
	}{
		{"flow and code", goodPassword, func(v VerificationRequired, l letter) VerifyCmd { return VerifyCmd{Flow: v.Flow, Code: l.Code} }, "mail", nil},
		{"flow and link", goodPassword, func(v VerificationRequired, l letter) VerifyCmd { return VerifyCmd{Flow: v.Flow, Token: l.Link} }, "mail", nil},
		{"link and password", goodPassword, func(_ VerificationRequired, l letter) VerifyCmd {
			return VerifyCmd{Token: l.Link, Password: goodPassword}
		}, "pwd mail", nil},
		{"link, and nothing to know", "", func(_ VerificationRequired, l letter) VerifyCmd { return VerifyCmd{Token: l.Link} }, "mail", nil},
		{"link alone", goodPassword, func(_ VerificationRequired, l letter) VerifyCmd { return VerifyCmd{Token: l.Link} }, "", account.ErrCredentials},
		{"link and another password", goodPassword, func(_ VerificationRequired, l letter) VerifyCmd {
			return VerifyCmd{Token: l.Link, Password: newPassword}
		}, "", account.ErrCredentials},
		{"flow alone", goodPassword, func(v VerificationRequired, _ letter) VerifyCmd { return VerifyCmd{Flow: v.Flow} }, "", ticket.ErrInvalid},
		{"flow and password", goodPassword, func(v VerificationRequired, _ letter) VerifyCmd {
			return VerifyCmd{Flow: v.Flow, Password: goodPassword}
		}, "", ticket.ErrInvalid},
		{"code alone", goodPassword, func(_ VerificationRequired, l letter) VerifyCmd {
			return VerifyCmd{Code: l.Code, Password: goodPassword}
		}, "", ticket.ErrInvalid},
		{"nothing", goodPassword, func(VerificationRequired, letter) VerifyCmd { return VerifyCmd{} }, "", ticket.ErrInvalid},
	} {
		c := registration(strings.ReplaceAll(tc.name, " ", ".") + "@example.org")
		c.Email = strings.ReplaceAll(c.Email, ",", "")
		c.Password = tc.password
		v, l := w.asked(w.ctx(), c)
		cmd := tc.proof(v, l)
		cmd.Entry = bearer
		failed := len(w.told(kindFailed))
		o, err := w.VerifyEmail(w.ctx(), cmd)
		if tc.err != nil {
			w.nobody(tc.name, o, err, tc.err)
			if n := len(w.told(kindFailed)) - failed; n != 1 {
				t.Errorf("%s: %d facts of the failure", tc.name, n)
			}
			continue
		}
		if in := w.in(o, err); in.Session.Methods != tc.methods || in.User.HasPassword != (tc.password != "") {
			t.Errorf("%s: methods %q, user %+v", tc.name, in.Session.Methods, in.User)
		}
	}
	v, l := w.asked(w.ctx(), registration(ada))
	w.clock.Advance(24 * time.Hour)
	o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code})
	w.nobody("a day later", o, err, ticket.ErrInvalid)
	o, err = w.VerifyEmail(w.ctx(), VerifyCmd{Entry: Entry{Transport: InCookie}, Flow: v.Flow, Code: l.Code})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
}

// A stranger who registers with somebody's address and a password of theirs gets nothing of it, whatever the owner does.
func TestNobodyPreparesAnAccountForItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	theirs := registration(ada)
	theirs.Password = newPassword
	stranger, mailed := w.asked(from(w.ctx(), "203.0.113.9"), theirs)
	o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Token: mailed.Link})
	w.nobody("the owner follows the stranger's link", o, err, account.ErrCredentials)
	o, err = w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Token: mailed.Link, Password: goodPassword})
	w.nobody("with a password of their own", o, err, account.ErrCredentials)
	if n := w.count("users"); n != 0 {
		t.Fatalf("%d users", n)
	}
	owner := w.person(ada)
	o, err = w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: stranger.Flow, Code: mailed.Code}) // had they read the mail
	w.nobody("the stranger's registration", o, err, account.ErrEmailTaken)
	o, err = w.SignIn(w.ctx(), w.password(ada, newPassword))
	w.nobody("the stranger's password", o, err, account.ErrCredentials)
	if w.signIn(ada).User.ID != owner.User.ID || w.count("users") != 1 {
		t.Error("it is not the owner's account")
	}
}

// What is found out when the account is made leaves nothing behind.
func TestVerifyEmailIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := registration(ada)
	c.Username = "countess"
	v, l := w.asked(w.ctx(), c)
	_, err := w.Create(w.sys(), account.CreateCmd{Email: bob, Name: "Bob", Username: "Countess"})
	w.must(err)
	w.leaves("a username taken meanwhile", func() {
		o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code})
		w.nobody("VerifyEmail()", o, err, account.ErrUsernameTaken)
	}, "")
	if users, sessions, tickets := w.count("users"), w.count("sessions"), w.count("tickets"); users != 1 || sessions != 0 || tickets != 1 {
		t.Errorf("%d users, %d sessions, %d tickets", users, sessions, tickets)
	}
}

// Requirement 4: fifty who register one address, and all of whom can read its mail, make one user.
func TestReq04OneUserForOneAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	flows := make([]VerificationRequired, 50)
	for batch := range 10 { // as many as an address may be mailed to
		w.clock.Advance(5 * time.Minute)
		won := w.race(5, func(i int) (err error) {
			flows[batch*5+i], err = w.Register(from(w.t.Context(), "2001:db8:0:"+string(rune('0'+batch))+"::1"), registration([]string{ada, "ADA@example.org"}[i%2]))
			return err
		})
		if won != 5 {
			t.Fatalf("%d registrations", won)
		}
	}
	codes := map[string]string{} // by flow: which mail is whose, the tickets tell
	for _, l := range w.letters() {
		tk, err := w.Tickets.Verify(w.ctx(), kindRegister, ticket.Proof{Link: l.Link})
		w.must(err)
		codes[tk.ID] = l.Code
	}
	won := w.race(50, func(i int) error {
		tk, err := w.Tickets.Peek(w.t.Context(), kindRegister, flows[i].Flow)
		if err != nil {
			return err
		}
		_, err = w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: flows[i].Flow, Code: codes[tk.ID]})
		return err
	}, account.ErrEmailTaken)
	if won != 1 || w.count("users") != 1 || w.count("sessions") != 1 || w.count("memberships") != 1 || len(w.told("account.user.created")) != 1 {
		t.Errorf("%d of 50 verified; %d users, %d sessions, %d memberships", won, w.count("users"), w.count("sessions"), w.count("memberships"))
	}
}

func TestResendVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	v, first := w.asked(w.ctx(), registration(ada))
	w.clock.Advance(time.Minute)
	w.leaves("ResendVerification()", func() {
		again, err := w.ResendVerification(w.ctx(), v.Flow)
		if err != nil || again.Flow != v.Flow || !again.ExpiresAt.Equal(v.ExpiresAt) {
			t.Errorf("ResendVerification() = %+v, %v", again, err)
		}
	}, "", "verify_email "+ada)
	second := w.last(ada, "verify_email")
	for _, c := range []VerifyCmd{{Flow: v.Flow, Code: first.Code}, {Token: first.Link, Password: goodPassword}} {
		c.Entry = bearer
		o, err := w.VerifyEmail(w.ctx(), c)
		w.nobody("the first mail", o, err, ticket.ErrInvalid)
	}
	_, err := w.ResendVerification(w.ctx(), "bbf_unknown")
	w.is("of nothing", err, ticket.ErrInvalid)
	for range 4 {
		_, err = w.ResendVerification(w.ctx(), v.Flow)
		w.must(err)
	}
	_, err = w.ResendVerification(w.ctx(), v.Flow)
	w.is("a sixth mail in a minute", err, throttle.ErrLimited)
	w.clock.Advance(time.Minute)
	if _, err := w.ResendVerification(w.ctx(), v.Flow); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	if second.Code == first.Code || second.Link == first.Link {
		t.Error("the second mail says what the first did")
	}
	w.verify(w.ctx(), v, w.last(ada, "verify_email"))
}

func TestSignInAnonymously(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	var g SignedIn
	w.leaves("SignInAnonymously()", func() { g = w.visitor() }, born)
	if g.User.Kind != account.KindAnonymous || g.Session.Methods != "guest" || !w.roles.HoldsAny(g.User.ID, []string{rbac.RoleMember}) {
		t.Errorf("SignInAnonymously() = %+v, %+v", g.User, g.Session)
	}
	o, err := w.SignInAnonymously(w.ctx(), Entry{Transport: InCookie})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
	for _, m := range []Mode{Closed, Invitation} {
		o, err = w.node(Config{Registration: m}).SignInAnonymously(w.ctx(), bearer)
		w.nobody(string(m), o, err, ErrRegistration)
	}
	for range 29 {
		w.visitor()
	}
	o, err = w.SignInAnonymously(w.ctx(), bearer)
	w.nobody("31 guests at once", o, err, throttle.ErrLimited)
}

// A guest who registers keeps the id, and with it all that points there; who else holds a session of the guest is out.
func TestGuestBecomesAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	g := w.visitor()
	var another session.Secrets
	w.must(w.db.InTx(w.ctx(), func(ctx context.Context) (err error) {
		_, another, err = w.Sessions.Start(actor.With(ctx, actor.Actor{User: g.User.ID}), session.StartCmd{User: g.User.ID})
		return err
	}))
	other := another.Token
	v, l := w.asked(w.as(g.Token), registration(ada))
	second, m := w.asked(w.as(g.Token), registration("ada@example.net"))
	var in SignedIn
	w.leaves("VerifyEmail()", func() { in = w.verify(w.ctx(), v, l) },
		"account.user.upgraded session.session.ended session.session.ended session.device.added session.session.started")
	if in.User.ID != g.User.ID || in.User.Kind != account.KindPerson || in.User.Email() != ada || !in.User.HasPassword {
		t.Errorf("VerifyEmail() = %+v", in.User)
	}
	if w.live(g.Token) || w.live(other) || !w.live(in.Token) {
		t.Error("a session of the guest goes on")
	}
	if n := w.count("memberships"); n != 1 {
		t.Errorf("%d memberships", n)
	}
	o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: second.Flow, Code: m.Code})
	w.nobody("the guest is a person by now", o, err, account.ErrKind)
	if len(w.user(in.User.ID).Emails) != 1 || w.count("users") != 1 {
		t.Error("the other registration left something")
	}
}
