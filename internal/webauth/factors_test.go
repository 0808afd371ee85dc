package webauth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestAddAndRemoveFactors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	_, err := w.MakeRecoveryCodes(me)
	w.is("codes without a factor", err, ErrFactorNeeded)
	var a app
	var codes []string
	w.leaves("an app", func() { a, codes = w.addApp(me) }, "factor.factor.added factor.recovery_set.made", "notice_factor_added "+ada)
	if len(codes) != 10 || !strings.Contains(w.last(ada, "notice_factor_added").Text, "My phone") {
		t.Errorf("%d recovery codes", len(codes))
	}
	var f factor.Factor
	w.leaves("a passkey", func() {
		var more []string
		if f, more = w.addKey(me, newKey()); more != nil {
			t.Errorf("codes again: %v", more)
		}
	}, "factor.factor.added", "notice_factor_added "+ada)
	w.leaves("other codes", func() {
		again, err := w.MakeRecoveryCodes(me)
		if err != nil || len(again) != 10 || again[0] == codes[0] {
			t.Errorf("MakeRecoveryCodes() = %v, %v", again, err)
		}
	}, "factor.recovery_set.made", "notice_recovery_codes "+ada)
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, w.halfway(ada).Flow, Proof{Recovery: codes[0]}})
	w.nobody("a code of the set before", o, err, factor.ErrCode)
	w.leaves("another name", func() {
		if got, err := w.RenameFactor(me, f.ID, "The blue one"); err != nil || got.Name != "The blue one" {
			t.Errorf("RenameFactor() = %+v, %v", got, err)
		}
	}, "factor.factor.renamed")
	have, err := w.MyFactors(me)
	if err != nil || len(have.Items) != 2 || have.RecoveryLeft != 10 || have.Items[1].Name != "The blue one" {
		t.Errorf("MyFactors() = %+v, %v", have, err)
	}
	bobs := w.as(w.person(bob).Token)
	_, err = w.RenameFactor(bobs, f.ID, "Mine")
	w.is("another's factor", err, fault.ErrNotFound)
	w.is("another's factor", w.RemoveFactor(bobs, f.ID), fault.ErrNotFound)
	_, err = w.RenameFactor(me, f.ID, strings.Repeat("x", factor.MaxName+1))
	w.is("a name too long", err, fault.ErrInput)
	if got, err := w.FactorsByIDs(bobs, []string{f.ID}); err != nil || len(got) != 0 {
		t.Errorf("FactorsByIDs() by another = %v, %v", got, err)
	}
	if got, err := w.FactorsByIDs(me, []string{f.ID, "x"}); err != nil || len(got) != 1 || got[f.ID].Name != "The blue one" {
		t.Errorf("FactorsByIDs() = %v, %v", got, err)
	}
	if got, err := w.FactorsByIDs(w.ctx(), []string{f.ID}); err != nil || len(got) != 0 {
		t.Errorf("FactorsByIDs() by nobody = %v, %v", got, err)
	}
	w.leaves("without the passkey", func() { w.must(w.RemoveFactor(me, f.ID)) }, "factor.factor.removed", "notice_factor_removed "+ada)
	w.leaves("without the app", func() { w.must(w.RemoveFactor(me, a.id)) },
		"factor.factor.removed factor.recovery_set.voided", "notice_factor_removed "+ada)
	w.is("again", w.RemoveFactor(me, a.id), fault.ErrNotFound)
	w.signIn(ada)
}

// What was not confirmed is no factor, and a refused confirmation leaves nothing.
func TestConfirmRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	me := w.as(w.person(ada).Token)
	e, err := w.BeginTOTP(me)
	w.must(err)
	if !strings.Contains(e.URI, "ada@example.org") || len(e.QR) == 0 || e.QRText == "" {
		t.Errorf("BeginTOTP() gives %q", e.URI)
	}
	flow, options, err := w.BeginPasskey(me)
	w.must(err)
	answer := newKey().create(t, options)
	bobs := w.as(w.person(bob).Token)
	w.leaves("refused", func() {
		_, codes, err := w.ConfirmTOTP(me, e.Factor, "000000", "x")
		if w.is("a wrong code", err, factor.ErrCode); codes != nil {
			t.Errorf("and codes %v", codes)
		}
		_, _, err = w.ConfirmTOTP(bobs, e.Factor, w.shows(e.Secret), "x")
		w.is("another's app", err, fault.ErrNotFound)
		_, _, err = w.ConfirmTOTP(me, e.Factor, w.shows(e.Secret), strings.Repeat("x", factor.MaxName+1))
		w.is("a name too long", err, fault.ErrInput)
		_, _, err = w.AddPasskey(me, flow, []byte("{}"), "x")
		w.is("no passkey", err, factor.ErrPasskey)
		_, _, err = w.AddPasskey(bobs, flow, answer, "x")
		w.is("another's passkey", err, factor.ErrPasskey)
		_, _, err = w.AddPasskey(me, "bbf_made-up", answer, "x")
		w.is("an unknown flow", err, factor.ErrPasskey)
	}, "")
	w.signIn(ada) // no factor is wanted
	for range 9 {
		_, _, err = w.ConfirmTOTP(me, e.Factor, "000000", "x")
		w.is("a guess", err, factor.ErrCode)
	}
	_, _, err = w.ConfirmTOTP(me, e.Factor, w.shows(e.Secret), "x")
	w.is("after ten guesses", err, throttle.ErrLimited)
}

// Requirement 34: one code of an app, sent twenty times at once, in one attempt or in many, makes one session; and none
// when it is sent again.
func TestReq34OneCodeOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerAccount: 100}})
	a, _ := w.addApp(w.as(w.person(ada).Token))
	for _, name := range []string{"one attempt", "twenty attempts"} {
		flows := make([]string, 20)
		flows[0] = w.halfway(ada).Flow
		for i := range 19 {
			if flows[i+1] = flows[0]; name != "one attempt" {
				flows[i+1] = w.halfway(ada).Flow
			}
		}
		code, before := w.next(a), w.count("sessions")
		won := w.race(20, func(i int) error {
			_, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, flows[i], Proof{TOTP: code}})
			return err
		}, factor.ErrCode, ticket.ErrInvalid)
		if n := w.count("sessions") - before; won != 1 || n != 1 {
			t.Errorf("%s: %d successes, %d sessions", name, won, n)
		}
		o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, w.halfway(ada).Flow, Proof{TOTP: code}})
		w.nobody(name+", sent again", o, err, factor.ErrCode)
	}
}

// Requirement 36: the same for a recovery code.
func TestReq36OneRecoveryCodeOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerAccount: 100}})
	in := w.person(ada)
	_, codes := w.addApp(w.as(in.Token))
	flows := make([]string, 20)
	for i := range flows {
		if flows[i] = w.halfway(ada).Flow; i%2 == 1 {
			flows[i] = flows[i-1]
		}
	}
	before := w.count("sessions")
	w.leaves("the race", func() {
		won := w.race(20, func(i int) error {
			_, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, flows[i], Proof{Recovery: strings.ToLower(codes[3])}})
			return err
		}, factor.ErrCode, ticket.ErrInvalid)
		if n := w.count("sessions") - before; won != 1 || n != 1 {
			t.Errorf("%d successes, %d sessions", won, n)
		}
		w.forget(kindFailed) // how many depends on who was when
	}, "factor.recovery_code.used session.device.added session.session.started", "notice_recovery_used "+ada)
	if have, err := w.MyFactors(w.as(in.Token)); err != nil || have.RecoveryLeft != 9 {
		t.Errorf("%d codes left, %v", have.RecoveryLeft, err)
	}
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, w.halfway(ada).Flow, Proof{Recovery: codes[3]}})
	w.nobody("sent again", o, err, factor.ErrCode)
	done := w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, w.halfway(ada).Flow, Proof{Recovery: codes[4]}}))
	if done.Session.Methods != "pwd kba" {
		t.Errorf("methods %q", done.Session.Methods)
	}
}

// Requirement 37: between the steps there is no session, and what names the attempt is good for nothing else.
func TestReq37NoSessionBetweenTheSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	a, _ := w.addApp(w.as(in.Token))
	before := w.count("sessions")
	var half FactorRequired
	w.leaves("the right password", func() { half = w.halfway(ada) }, "")
	if n := w.count("sessions") - before; n != 0 || fmt.Sprint(half.Factors) != "[TOTP RECOVERY_CODE]" || !half.ExpiresAt.Equal(w.clock.Now().Add(10*time.Minute)) {
		t.Fatalf("%d sessions; %v until %s", n, half.Factors, half.ExpiresAt)
	}
	_, _, err := w.Authenticate(w.ctx(), half.Flow)
	w.is("the flow as a secret", err, session.ErrEnded)
	_, err = w.CompleteElevation(w.as(in.Token), half.Flow, Proof{TOTP: w.next(a)})
	w.is("the flow to elevate", err, ticket.ErrInvalid)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: half.Flow}, newPassword})
	w.is("the flow to reset", err, ticket.ErrInvalid)
	for name, p := range map[string]Proof{"nothing": {}, "the password again": {Password: goodPassword}, "a mail": {EmailCode: "123456"}, "a passkey": {Passkey: []byte("{}")}} {
		o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, p})
		w.nobody(name, o, err, fault.ErrInput)
	}
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{Entry{Transport: InCookie}, half.Flow, Proof{TOTP: w.shows(a.secret)}})
	w.nobody("cookies without a browser", o, err, fault.ErrInput)
	done := w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.shows(a.secret)}}))
	if done.Session.Methods != "pwd otp" {
		t.Errorf("methods %q", done.Session.Methods)
	}
	o, err = w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}})
	w.nobody("the attempt again", o, err, ticket.ErrInvalid)
	half = w.halfway(ada)
	w.clock.Advance(10 * time.Minute)
	o, err = w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.shows(a.secret)}})
	w.nobody("ten minutes later", o, err, ticket.ErrInvalid)
}

// Requirement 38: what is wanted follows from the factors there are, at each step.
func TestReq38FactorsAreAskedForAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	w.signIn(ada)
	a, _ := w.addApp(me)
	half := w.halfway(ada)
	k := newKey()
	f, _ := w.addKey(me, k)
	w.must(w.RemoveFactor(me, a.id))
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}})
	w.nobody("the app that is removed", o, err, fault.ErrInput)
	if got := w.halfway(ada).Factors; fmt.Sprint(got) != "[PASSKEY RECOVERY_CODE]" {
		t.Errorf("wanted %v", got)
	}
	w.in(w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, w.answered(w.ctx(), half.Flow, k)}))
	half = w.halfway(ada)
	w.must(w.RemoveFactor(me, f.ID))
	w.signIn(ada)
	o, err = w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{}})
	w.nobody("an attempt that wanted a factor there is no more", o, err, fault.ErrInput)
}

// Requirement 39: the last factor stays while a role wants one, also when the last two are removed at once.
func TestReq39TheLastFactorStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{FactorRoles: []string{"host"}}})
	in := w.person(ada)
	me := w.as(in.Token)
	if w.FactorNeeded(in.User.ID) {
		t.Error("a member needs a factor")
	}
	g := w.grant(in.User, "host")
	if !w.FactorNeeded(in.User.ID) {
		t.Error("a host needs no factor")
	}
	a, _ := w.addApp(me)
	w.leaves("the only one", func() { w.is("RemoveFactor()", w.RemoveFactor(me, a.id), ErrFactorNeeded) }, "")
	f, _ := w.addKey(me, newKey())
	ids := []string{a.id, f.ID}
	if won := w.race(2, func(i int) error { return w.RemoveFactor(me, ids[i]) }, ErrFactorNeeded); won != 1 {
		t.Errorf("%d of the last two factors were removed", won)
	}
	have, err := w.MyFactors(me)
	if err != nil || len(have.Items) != 1 || have.RecoveryLeft != 10 {
		t.Fatalf("left %+v, %v", have, err)
	}
	w.clock.Advance(4 * time.Minute)
	_, err = w.roles.Revoke(w.sys(), g.ID, rbac.Restrict)
	w.must(err)
	w.must(w.RemoveFactor(me, have.Items[0].ID))
}

// The last passkey of an account that has neither password nor provider stays.
func TestTheLastWayInStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := registration(ada)
	c.Password = ""
	v, l := w.asked(w.ctx(), c)
	in := w.verify(w.ctx(), v, l)
	me := w.as(in.Token)
	f, _ := w.addKey(me, newKey())
	g, _ := w.addKey(me, newKey())
	a, _ := w.addApp(me)
	w.must(w.RemoveFactor(me, f.ID))
	w.leaves("the last passkey", func() { w.is("RemoveFactor()", w.RemoveFactor(me, g.ID), ErrLastWayIn) }, "")
	w.must(w.RemoveFactor(me, a.id))
	_, _, err := w.ChangePassword(me, ChangePasswordCmd{"", goodPassword})
	w.must(err)
	w.must(w.RemoveFactor(me, g.ID))
	_, _, err = w.ChangePassword(me, ChangePasswordCmd{"", newPassword})
	w.is("now there is a password to know", err, account.ErrCredentials)
}
