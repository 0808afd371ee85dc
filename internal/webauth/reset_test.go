package webauth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// asksReset asks for the mail of a reset and gives it.
func (w *world) asksReset(email string) (MailSent, letter) {
	w.t.Helper()
	m, err := w.RequestPasswordReset(w.ctx(), email)
	w.must(err)
	return m, w.last(email, "reset_password")
}

// closed reports whether a channel is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	w.clock.Advance(2 * time.Hour)
	in, other := w.signIn(ada), w.signIn(ada)
	w.grant(in.User, "host")
	key := w.key(in.Token, account.PermInvite)
	gone, stop := w.Sessions.Watch(in.Session.ID)
	defer stop()
	mailed, err := w.RequestSignInMail(w.ctx(), ada)
	w.must(err)
	m, l := w.asksReset(ada)
	w.leaves("a weak password", func() {
		_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: m.Flow, Code: l.Code}, "password1"})
		w.is("ResetPassword()", err, account.ErrPasswordWeak)
	}, "")
	if !w.live(in.Token) || closed(gone) {
		t.Fatal("a refused reset ended the session")
	}
	w.leaves("ResetPassword()", func() {
		n, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: m.Flow, Code: l.Code}, newPassword})
		if err != nil || n != 3 {
			t.Errorf("ResetPassword() = %d, %v", n, err)
		}
	}, "account.password.set session.session.ended session.session.ended session.key.revoked session.device.forgotten webauth.reset.completed",
		"notice_password_changed "+ada)
	for _, secret := range []string{in.Token, other.Token, key} {
		if w.live(secret) {
			t.Error("a session or key goes on")
		}
	}
	if !closed(gone) {
		t.Error("who watches the session was not told")
	}
	for _, e := range w.told("webauth.reset.completed") {
		if e.Actor.User != in.User.ID || e.On != in.User.Ref() {
			t.Errorf("told of %v by %+v", e.On, e.Actor)
		}
	}
	o, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Flow: mailed.Flow, Code: w.last(ada, "sign_in").Code}})
	w.nobody("another mail of before", o, err, ticket.ErrInvalid)
	o, err = w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("the old password", o, err, account.ErrCredentials)
	c := w.password(ada, newPassword)
	c.Device = in.Device
	w.leaves("a device of before", func() { w.in(w.SignIn(w.ctx(), c)) }, "session.device.added session.session.started", "notice_new_device "+ada)
}

func TestResetPasswordRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u := w.made(ada)
	_, l := w.asksReset(ada)
	w.clock.Advance(15 * time.Minute)
	_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("a quarter of an hour later", err, ticket.ErrInvalid)
	m, err := w.RequestPasswordReset(w.ctx(), "eve@example.org")
	w.must(err)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: m.Flow, Code: "123456"}, newPassword})
	w.is("the flow of nobody", err, ticket.ErrInvalid)
	_, l = w.asksReset(ada)
	_, err = w.Accounts.Disable(w.sys(), u.ID)
	w.must(err)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("a disabled account", err, account.ErrDisabled)
	_, err = w.Accounts.Enable(w.sys(), u.ID)
	w.must(err)
	m, l = w.asksReset(ada)
	for range ticket.Tries {
		_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: m.Flow, Code: otherThan(l.Code)}, newPassword})
		w.is("a guess", err, ticket.ErrInvalid)
	}
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: m.Flow, Code: l.Code}, newPassword})
	w.is("the right code after five guesses", err, ticket.ErrInvalid)
	w.signIn(ada)
}

// Requirement 28: a reset lets nobody in, and least of all past the second factor.
func TestReq28AResetLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	a, _ := w.addApp(w.as(in.Token))
	half := w.halfway(ada)
	_, l := w.asksReset(ada)
	before := w.count("sessions")
	_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.must(err)
	if n := w.count("sessions") - before; n != 0 || w.live(in.Token) {
		t.Errorf("%d sessions more, the old one lives: %v", n, w.live(in.Token))
	}
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}})
	w.nobody("an attempt that began with the old password", o, err, ticket.ErrInvalid)
	half = w.half(w.SignIn(w.ctx(), w.password(ada, newPassword)))
	w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}}))
}

// Requirement 28: a device that stands in for the second factor does so no longer, for its user alone, and for thirty days.
func TestReq28TrustedDevicesEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	a, _ := w.addApp(w.as(w.person(ada).Token))
	b, _ := w.addApp(w.as(w.person(bob).Token))
	trust := func(email string, a app, shown string) string {
		in := Entry{Transport: Bearer, Device: shown, Trust: true}
		return w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{in, w.halfway(email).Flow, Proof{TOTP: w.next(a)}})).Device
	}
	enter := func(email, password, device string) (Outcome, error) {
		return w.SignIn(w.ctx(), SignInCmd{Entry{Transport: Bearer, Device: device}, email, password})
	}
	known := w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, w.halfway(ada).Flow, Proof{TOTP: w.next(a)}})).Device
	w.half(enter(ada, goodPassword, known)) // to be known is not to be trusted
	device := trust(ada, a, known)
	if device == known {
		t.Error("a secret of before the trust is good for it")
	}
	if in := w.in(enter(ada, goodPassword, device)); in.Session.Methods != "pwd" {
		t.Errorf("methods %q", in.Session.Methods)
	}
	w.half(enter(bob, goodPassword, device))
	w.half(enter(ada, goodPassword, known))
	w.half(enter(ada, goodPassword, ""))
	o, err := enter(ada, newPassword, device)
	w.nobody("a wrong password", o, err, account.ErrCredentials)
	_, l := w.asksReset(ada)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.must(err)
	w.half(enter(ada, newPassword, device))
	device = trust(bob, b, "")
	w.clock.Advance(30*24*time.Hour - time.Second)
	w.in(enter(bob, goodPassword, device))
	w.clock.Advance(time.Second)
	w.half(enter(bob, goodPassword, device)) // the sign-in of a second ago has renewed nothing
}

// Requirement 29: a password is set by the secret of the very reset it was asked with.
func TestReq29OnlyTheSecretOfThatReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerNetwork: 100}})
	w.made(ada)
	w.made("mallory@example.org")
	hers, l := w.asksReset(ada)
	his, m := w.asksReset("mallory@example.org")
	mailed, err := w.RequestSignInMail(w.ctx(), ada)
	w.must(err)
	reset := func(p MailProof) error {
		_, err := w.ResetPassword(w.ctx(), ResetCmd{p, newPassword})
		return err
	}
	for name, p := range map[string]MailProof{
		"nothing": {}, "the flow alone": {Flow: hers.Flow}, "the code alone": {Code: l.Code}, "another's flow": {Flow: his.Flow, Code: l.Code},
		"another's code": {Flow: hers.Flow, Code: otherThan(l.Code)}, "another's link": {Flow: hers.Flow, Token: m.Link},
		"another mail": {Flow: mailed.Flow, Code: w.last(ada, "sign_in").Code}, "its link": {Token: w.last(ada, "sign_in").Link},
	} {
		w.is(name, reset(p), ticket.ErrInvalid)
	}
	w.signIn(ada)
	w.must(reset(MailProof{Flow: hers.Flow, Token: l.Link}))
	w.is("the same secret again", reset(MailProof{Token: l.Link}), ticket.ErrInvalid)
	w.is("by its code", reset(MailProof{Flow: hers.Flow, Code: l.Code}), ticket.ErrInvalid)
	w.signIn("mallory@example.org")
}

// Requirement 14: an administrator starts a reset, and neither chooses nor learns a password or the secret.
func TestReq14AnAdministratorStartsAReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u, boss := w.made(ada), w.boss()
	admin := w.as(boss.Token)
	w.leaves("StartPasswordReset()", func() {
		if got, err := w.StartPasswordReset(admin, u.ID); err != nil || got.ID != u.ID {
			t.Errorf("StartPasswordReset() = %v, %v", got, err)
		}
	}, "webauth.reset.requested", "reset_password "+ada)
	if e := w.told("webauth.reset.requested")[0]; e.Actor.User != boss.User.ID || e.On != u.Ref() || e.Data != nil {
		t.Errorf("told of %v by %+v: %s", e.On, e.Actor, e.Data)
	}
	l := w.last(ada, "reset_password")
	own, _ := w.asksReset(ada)
	if strings.Contains(l.Text, "administrator") == strings.Contains(w.last(ada, "reset_password").Text, "administrator") || own.Flow == "" {
		t.Errorf("the mail does not say who asked:\n%s", l.Text)
	}
	w.signIn(ada) // nothing has changed yet
	robot, err := w.CreateServiceAccount(w.sys(), "robot")
	w.must(err)
	for name, tc := range map[string]struct {
		ctx  context.Context
		user string
		err  error
	}{
		"nobody": {w.ctx(), u.ID, fault.ErrUnauthenticated}, "a member": {w.as(w.signIn(ada).Token), u.ID, fault.ErrForbidden},
		"of nobody": {admin, "x", fault.ErrNotFound}, "of a program": {admin, robot.ID, ErrUnverified},
	} {
		w.leaves(name, func() {
			_, err := w.StartPasswordReset(tc.ctx, tc.user)
			w.is(name, err, tc.err)
		}, "")
	}
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.must(err)
}

// Requirement 13: a new password takes the current one and a fresh proof; all other sessions end, and the owner is told.
func TestReq13ChangingThePassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerAccount: 3}})
	in := w.person(ada)
	w.grant(in.User, "host")
	key := w.key(in.Token, account.PermInvite)
	other := w.signIn(ada)
	gone, stop := w.Sessions.Watch(other.Session.ID)
	defer stop()
	_, l := w.asksReset(ada)
	me := w.as(in.Token)
	w.leaves("a wrong current one", func() {
		_, _, err := w.ChangePassword(me, ChangePasswordCmd{newPassword, newPassword})
		w.refuses("ChangePassword()", err, account.ErrCredentials, "input.currentPassword")
		_, _, err = w.ChangePassword(me, ChangePasswordCmd{"", newPassword})
		w.is("without it", err, account.ErrCredentials)
	}, "webauth.signin.failed webauth.signin.failed")
	w.leaves("weak ones, as often as one likes", func() {
		for range 4 {
			_, _, err := w.ChangePassword(me, ChangePasswordCmd{goodPassword, "password1"})
			w.is("ChangePassword()", err, account.ErrPasswordWeak)
		}
	}, "")
	w.leaves("ChangePassword()", func() {
		n, renewed, err := w.ChangePassword(me, ChangePasswordCmd{goodPassword, newPassword})
		if err != nil || n != 1 || renewed.Session.ID != in.Session.ID || renewed.Refresh == "" {
			t.Errorf("ChangePassword() = %d, %v", n, err)
		}
		if w.live(in.Token) { // whoever has a copy of it is out as well
			t.Error("the secret of before is still good")
		}
		in.Token = renewed.Token
	}, "account.password.changed session.session.ended session.session.renewed", "notice_password_changed "+ada)
	if !w.live(in.Token) || w.live(other.Token) || !closed(gone) || !w.live(key) {
		t.Error("this session and the keys go on, all other sessions end")
	}
	_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("a reset that was on its way", err, ticket.ErrInvalid)
	w.in(w.SignIn(w.ctx(), w.password(ada, newPassword)))
	w.stale()
	_, _, err = w.ChangePassword(me, ChangePasswordCmd{newPassword, goodPassword})
	w.is("too long after the sign-in", err, session.ErrReauth)
	up, err := w.Elevate(me)
	w.must(err)
	_, err = w.CompleteElevation(me, up.Flow, Proof{Password: newPassword})
	w.must(err)
	for range 3 {
		_, _, err = w.ChangePassword(me, ChangePasswordCmd{goodPassword, newPassword})
		w.is("a guess", err, account.ErrCredentials)
	}
	_, _, err = w.ChangePassword(me, ChangePasswordCmd{newPassword, goodPassword})
	w.is("after three guesses", err, throttle.ErrLimited)
	w.clock.Advance(270 * time.Second)
	won := w.race(20, func(i int) error {
		_, _, err := w.ChangePassword(me, ChangePasswordCmd{newPassword, goodPassword + string(rune('a'+i))})
		return err
	}, account.ErrCredentials, throttle.ErrLimited)
	if won != 1 {
		t.Errorf("%d of 20 changes that name one current password", won)
	}
}

// Requirement 7: there is no account at first; the first administrator comes by a link that is good once, for an hour.
func TestReq07TheFirstAdministrator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	if n := w.count("users"); n != 0 {
		t.Fatalf("%d users on a fresh server", n)
	}
	for _, name := range []string{"admin", "root", "administrator", "admin@example.org"} {
		o, err := w.SignIn(w.ctx(), w.password(name, name))
		w.nobody(name, o, err, account.ErrCredentials)
	}
	make1 := func(ctx context.Context) (account.User, string, error) {
		return w.CreateAdmin(ctx, account.CreateCmd{Email: ada, Name: "Ada"}, func(_ context.Context, u account.User) error {
			w.grant(u, rbac.RoleAdmin)
			return nil
		})
	}
	_, link, err := make1(w.ctx())
	if w.is("by nobody", err, fault.ErrForbidden); link != "" || w.count("users") != 0 {
		t.Errorf("the link %q", link)
	}
	u, first, err := make1(w.sys())
	w.must(err)
	again, second, err := make1(w.sys())
	w.must(err)
	token, ok := strings.CutPrefix(first, publicURL+"/reset#token=")
	if !ok || again.ID != u.ID || second == first || u.HasPassword || w.count("users") != 1 || len(w.letters()) != 0 {
		t.Fatalf("CreateAdmin() = %s, %s, %v", first, second, u)
	}
	if n := len(w.told("webauth.reset.requested")); n != 2 {
		t.Errorf("%d facts of the links", n)
	}
	o, err := w.SignIn(w.ctx(), w.password(ada, ""))
	w.nobody("before the link", o, err, account.ErrCredentials)
	if won := w.race(20, func(int) error {
		_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: token}, goodPassword})
		return err
	}, ticket.ErrInvalid); won != 1 {
		t.Errorf("the link was good %d times", won)
	}
	in := w.signIn(ada)
	if !w.roles.HoldsAny(in.User.ID, []string{rbac.RoleAdmin}) {
		t.Error("no administrator")
	}
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: strings.TrimPrefix(second, publicURL+"/reset#token=")}, newPassword})
	w.is("the other link: a password is there by now", err, ticket.ErrInvalid)
	_, err = w.ResetLink(w.as(in.Token), u)
	w.is("a link by an administrator", err, fault.ErrForbidden)
	third, err := w.ResetLink(w.sys(), u)
	w.must(err)
	w.clock.Advance(time.Hour)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: strings.TrimPrefix(third, publicURL+"/reset#token=")}, newPassword})
	w.is("an hour later", err, ticket.ErrInvalid)
}
