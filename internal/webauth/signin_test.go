package webauth

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u, err := w.Create(w.sys(), account.CreateCmd{Email: ada, Name: "Ada", Password: goodPassword, Username: "ada.l"})
	w.must(err)
	var first SignedIn
	w.leaves("SignIn()", func() { first = w.signIn("ADA@example.org") }, "session.device.added session.session.started")
	if first.User.ID != u.ID || first.Session.Methods != "pwd" || first.Session.IP != homeIP || first.Session.Device == "" || first.Restored {
		t.Errorf("SignIn() = %+v", first.Session)
	}
	w.clock.Advance(time.Hour)
	var again SignedIn
	known := w.password("Ada.L", goodPassword)
	known.Device = first.Device
	w.leaves("from the same device", func() { again = w.in(w.SignIn(w.ctx(), known)) }, "session.session.started")
	if again.Token == first.Token || again.Device != first.Device || again.Session.Device != first.Session.Device {
		t.Errorf("SignIn() = %+v", again.Session)
	}
	w.leaves("from a new device", func() { w.signIn(ada) }, "session.device.added session.session.started", "notice_new_device "+ada)
	if l := w.last(ada, "notice_new_device"); !strings.Contains(l.Text, homeIP) || !strings.Contains(l.Text, "Firefox") {
		t.Errorf("the notice does not say from where:\n%s", l.Text)
	}
	if !w.live(first.Token) || !w.live(again.Token) {
		t.Error("a second sign-in ended the first")
	}
	for _, e := range w.told("session.session.started") {
		if e.Actor.User != u.ID || e.Actor.System {
			t.Errorf("told of %+v", e.Actor)
		}
	}
	o, err := w.SignIn(w.ctx(), SignInCmd{Entry{Transport: InCookie}, ada, goodPassword})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
	o, err = w.SignIn(w.ctx(), SignInCmd{Entry{Transport: "PIGEON"}, ada, goodPassword})
	w.nobody("an unknown transport", o, err, fault.ErrInput)
}

// The notice is about devices the user has not been seen on, not about browsers nobody was seen on.
func TestNewDeviceOfAKnownBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	w.made(bob)
	w.clock.Advance(2 * time.Hour)
	hers := w.signIn(ada)
	c := w.password(bob, goodPassword)
	c.Device = hers.Device
	var his SignedIn
	w.leaves("another user of the browser", func() { his = w.in(w.SignIn(w.ctx(), c)) },
		"session.device.added session.session.started", "notice_new_device "+bob)
	if his.Device != hers.Device || his.Session.Device == hers.Session.Device {
		t.Error("one browser has one secret, and is a device of each of its users")
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	w.made(bob)
	w.clock.Advance(2 * time.Hour)
	j := newJar()
	cookies := Entry{Transport: InCookie}
	in := w.in(w.SignIn(w.asking(j), SignInCmd{cookies, ada, goodPassword}))
	if in.Token != "" || in.Device != "" || !w.live(j.Get(SessionCookie)) || !strings.HasPrefix(j.Get(DeviceCookie), "bbd_") {
		t.Fatalf("SignIn() = %+v; cookies %v", in, j.now)
	}
	device, old := j.Get(DeviceCookie), j.Get(SessionCookie)
	sent := len(j.sent)
	o, err := w.SignIn(w.asking(j), SignInCmd{cookies, ada, newPassword})
	w.nobody("a wrong password", o, err, account.ErrCredentials)
	if len(j.sent) != sent || !w.live(old) {
		t.Error("a wrong password changed the cookies or ended the session")
	}
	gone, stop := w.Sessions.Watch(in.Session.ID)
	defer stop()
	w.in(w.SignIn(w.asking(j), SignInCmd{cookies, bob, goodPassword})) // requirement 59: a sign-in makes a new secret, the old one is dead
	select {
	case <-gone:
	default:
		t.Error("who watches the old session was not told")
	}
	if w.live(old) || j.Get(SessionCookie) == old || j.Get(DeviceCookie) != device {
		t.Error("the session the request came with goes on, or the browser is another device")
	}
	w.leaves("SignOut()", func() {
		if ended, err := w.SignOut(w.asking(j)); err != nil || !ended || j.Get(SessionCookie) != "" || j.Get(DeviceCookie) != device {
			t.Errorf("SignOut() = %v, %v; cookies %v", ended, err, j.now)
		}
	}, "session.session.ended")
	w.leaves("SignOut() again", func() {
		if ended, err := w.SignOut(w.asking(j)); err != nil || ended {
			t.Errorf("SignOut() again = %v, %v", ended, err)
		}
	}, "")
	w.leaves("a known browser", func() { w.in(w.SignIn(w.asking(j), SignInCmd{cookies, ada, goodPassword})) }, "session.session.started")
	b := w.signIn(bob)
	if ended, err := w.SignOut(w.as(b.Token)); err != nil || !ended || w.live(b.Token) {
		t.Errorf("SignOut() without a browser = %v, %v", ended, err)
	}
}

// A registration that waits is no account: its password leads to another mail, and the old one is void.
func TestSignInBeforeVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	first, mailed := w.asked(w.ctx(), registration(ada))
	var v VerificationRequired
	w.leaves("SignIn()", func() {
		o, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
		w.must(err)
		v = o.(VerificationRequired)
	}, "", "verify_email "+ada)
	if v.Flow == first.Flow || v.Email != ada || w.count("tickets") != 1 || w.count("sessions") != 0 {
		t.Errorf("SignIn() = %+v; %d tickets, %d sessions", v, w.count("tickets"), w.count("sessions"))
	}
	for _, c := range []VerifyCmd{{Flow: first.Flow, Code: mailed.Code}, {Token: mailed.Link, Password: goodPassword}} {
		c.Entry = bearer
		o, err := w.VerifyEmail(w.ctx(), c)
		w.nobody("the first mail", o, err, ticket.ErrInvalid)
	}
	for range 3 {
		_, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
		w.must(err)
	}
	o, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("a sixth mail", o, err, throttle.ErrLimited)
	w.clock.Advance(time.Minute)
	o, err = w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.must(err)
	w.verify(w.ctx(), o.(VerificationRequired), w.last(ada, "verify_email"))
}

// That an account is disabled learns only who has proved to be its owner.
func TestSignInOfADisabledAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	a, codes := w.addApp(w.as(in.Token))
	k := newKey()
	w.addKey(w.as(in.Token), k)
	mail, err := w.RequestSignInMail(w.ctx(), ada)
	w.must(err)
	half := w.halfway(ada)
	_, err = w.Accounts.Disable(w.sys(), in.User.ID) // and not the flow, which would void what is on its way
	w.must(err)
	before := w.count("sessions")
	o, err := w.SignIn(w.ctx(), w.password(ada, newPassword))
	w.nobody("a wrong password", o, err, account.ErrCredentials)
	o, err = w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("the right one", o, err, account.ErrDisabled)
	o, err = w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Flow: mail.Flow, Code: w.last(ada, "sign_in").Code}})
	w.nobody("by mail", o, err, account.ErrDisabled)
	flow, options, err := w.BeginPasskeySignIn(w.ctx())
	w.must(err)
	o, err = w.SignInWithPasskey(w.ctx(), PasskeyCmd{bearer, flow, k.get(t, options)})
	w.nobody("by passkey", o, err, account.ErrDisabled)
	o, err = w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}})
	w.nobody("by app", o, err, account.ErrDisabled)
	o, err = w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{Recovery: codes[0]}})
	w.nobody("by recovery code", o, err, account.ErrDisabled)
	if n := w.count("sessions"); n != before {
		t.Errorf("%d sessions more", n-before)
	}
	if n := len(w.told(kindFailed)); n != 1 {
		t.Errorf("%d facts of failures; only the wrong password is one", n)
	}
}

func TestSignInWithMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u := w.made(ada)
	ask := func() (MailSent, letter) {
		m, err := w.RequestSignInMail(w.ctx(), "Ada@example.org")
		w.must(err)
		return m, w.last("Ada@example.org", "sign_in")
	}
	m, l := ask()
	in := w.in(w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Flow: m.Flow, Code: l.Code[:3] + " " + l.Code[3:]}}))
	if in.User.ID != u.ID || in.Session.Methods != "mail" {
		t.Errorf("SignInWithMail() = %+v", in.Session)
	}
	o, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: l.Link}})
	w.nobody("the link after the code", o, err, ticket.ErrInvalid)
	_, l = ask()
	w.in(w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: l.Link}}))
	m, l = ask()
	for name, p := range map[string]MailProof{
		"flow alone": {Flow: m.Flow}, "code alone": {Code: l.Code}, "wrong code": {Flow: m.Flow, Code: "12345"}, "nothing": {},
		"another flow": {Flow: strings.Repeat("x", len(m.Flow)), Code: l.Code},
	} {
		w.leaves(name, func() {
			o, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, p})
			w.nobody(name, o, err, ticket.ErrInvalid)
		}, kindFailed)
	}
	o, err = w.SignInWithMail(w.ctx(), SignInMailCmd{Entry{Transport: InCookie}, MailProof{Token: l.Link}})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
	w.clock.Advance(15 * time.Minute)
	o, err = w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: l.Link}})
	w.nobody("a quarter of an hour later", o, err, ticket.ErrInvalid)
	m, err = w.RequestSignInMail(w.ctx(), "eve@example.org")
	w.must(err)
	if w.last("eve@example.org", "unknown_account").Link != "" {
		t.Error("the mail to nobody has a link")
	}
	o, err = w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Flow: m.Flow, Code: "123456"}})
	w.nobody("the flow of nobody", o, err, ticket.ErrInvalid)
}

// A mail is one factor, as a password is.
func TestSignInWithMailWantsTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	a, _ := w.addApp(w.as(w.person(ada).Token))
	_, err := w.RequestSignInMail(w.ctx(), ada)
	w.must(err)
	l := w.last(ada, "sign_in")
	half := w.half(w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: l.Link}}))
	o, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: l.Link}})
	w.nobody("the link again", o, err, ticket.ErrInvalid)
	in := w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}}))
	if in.Session.Methods != "mail otp" {
		t.Errorf("methods %q", in.Session.Methods)
	}
}

func TestSignInWithPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	u := w.person(ada)
	k := newKey()
	w.addKey(w.as(u.Token), k)
	flow, options, err := w.BeginPasskeySignIn(w.ctx())
	w.must(err)
	answer := k.get(t, options)
	in := w.in(w.SignInWithPasskey(w.ctx(), PasskeyCmd{bearer, flow, answer})) // counts for two: no factor is wanted
	if in.User.ID != u.User.ID || in.Session.Methods != "hwk" {
		t.Errorf("SignInWithPasskey() = %+v", in.Session)
	}
	w.leaves("the same answer again", func() {
		o, err := w.SignInWithPasskey(w.ctx(), PasskeyCmd{bearer, flow, answer})
		w.nobody("SignInWithPasskey()", o, err, factor.ErrPasskey)
	}, kindFailed)
	o, err := w.SignInWithPasskey(w.ctx(), PasskeyCmd{Entry{Transport: InCookie}, flow, answer})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
	w.clock.Advance(time.Hour)
	for range 30 {
		_, _, err = w.BeginPasskeySignIn(w.ctx())
		w.must(err)
	}
	_, _, err = w.BeginPasskeySignIn(w.ctx())
	w.is("more challenges than a network may ask for", err, throttle.ErrLimited)
}

// What holds a secret does not print it.
func TestOutcomesDoNotPrint(t *testing.T) {
	t.Parallel()
	const secret = "canary"
	for name, v := range map[string]any{
		"SignedIn":             SignedIn{Secrets: session.Secrets{Token: secret, Refresh: secret}, Device: secret},
		"FactorRequired":       FactorRequired{Flow: secret},
		"VerificationRequired": VerificationRequired{Flow: secret, Email: secret},
		"Proof":                Proof{Password: secret, TOTP: secret, Recovery: secret, EmailCode: secret, Passkey: []byte(secret)},
	} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "it", "v", v)
		if text := fmt.Sprintf("%v %+v %#v %s %d %x", v, v, v, v, v, v) + log.String(); strings.Contains(text, secret) || strings.Contains(text, "63616e617279") {
			t.Errorf("%s prints %s", name, text)
		}
	}
}

// Nobody comes back as a program or as a guest by a password.
func TestSignInOfOtherKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	s, err := w.CreateServiceAccount(w.sys(), "robot")
	w.must(err)
	for _, name := range []string{"robot", s.ID, ""} {
		o, err := w.SignIn(w.ctx(), w.password(name, ""))
		w.nobody(name, o, err, account.ErrCredentials)
	}
	w.made(ada)
	o, err := w.SignIn(w.ctx(), w.password(ada, strings.Repeat("x", account.MaxPassword+1)))
	w.nobody("a password longer than any", o, err, account.ErrCredentials)
	_, _, err = w.Authenticate(w.ctx(), "bbs_made-up")
	w.is("Authenticate()", err, session.ErrEnded)
}
