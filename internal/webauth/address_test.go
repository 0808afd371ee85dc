package webauth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

const spare = "ada@example.net"

// addSpare gives a person the spare address.
func (w *world) addSpare(in SignedIn, primary bool) account.User {
	w.t.Helper()
	m, err := w.AddEmail(w.as(in.Token), spare, primary)
	w.must(err)
	u, err := w.ConfirmEmail(w.as(in.Token), MailProof{Flow: m.Flow, Code: w.last(spare, "confirm_address").Code})
	w.must(err)
	return u
}

func TestAddEmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	var m MailSent
	var err error
	w.leaves("AddEmail()", func() {
		m, err = w.AddEmail(me, " "+spare+" ", false)
		w.must(err)
	}, "", "confirm_address "+spare)
	if !m.ExpiresAt.Equal(w.clock.Now().Add(24*time.Hour)) || len(w.user(in.User.ID).Emails) != 1 {
		t.Errorf("AddEmail() = %+v; the user has %d addresses", m, len(w.user(in.User.ID).Emails))
	}
	l := w.last(spare, "confirm_address")
	bobs := w.as(w.person(bob).Token)
	for name, p := range map[string]MailProof{
		"flow alone": {Flow: m.Flow}, "a guess": {Flow: m.Flow, Code: otherThan(l.Code)}, "code alone": {Code: l.Code}, "nothing": {},
	} {
		_, err = w.ConfirmEmail(me, p)
		w.is(name, err, ticket.ErrInvalid)
	}
	_, err = w.ConfirmEmail(bobs, MailProof{Token: l.Link})
	w.is("somebody else", err, ticket.ErrInvalid)
	w.stale() // the proof was asked for when the address was added
	w.leaves("ConfirmEmail()", func() {
		u, err := w.ConfirmEmail(me, MailProof{Token: l.Link})
		if err != nil || len(u.Emails) != 2 || u.Email() != ada || u.Emails[1].Email != spare {
			t.Errorf("ConfirmEmail() = %+v, %v", u.Emails, err)
		}
	}, "account.address.added", "notice_address_added "+ada)
	_, err = w.ConfirmEmail(me, MailProof{Token: l.Link})
	w.is("again", err, ticket.ErrInvalid)
	w.signIn(spare)
}

func TestAddEmailRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	_, err := w.AddEmail(me, "ada", false)
	w.refuses("no address", err, account.ErrEmailInvalid, "input.email")
	m, err := w.AddEmail(me, bob, false)
	w.must(err)
	code := w.last(bob, "confirm_address").Code
	w.made(bob)
	w.leaves("taken meanwhile", func() {
		_, err = w.ConfirmEmail(me, MailProof{Flow: m.Flow, Code: code})
		w.is("ConfirmEmail()", err, account.ErrEmailTaken)
	}, "")
	if len(w.user(in.User.ID).Emails) != 1 {
		t.Error("the address was added")
	}
	for range 5 {
		_, err = w.AddEmail(me, "victim@example.org", false)
		w.must(err)
	}
	_, err = w.AddEmail(me, "victim@example.org", false)
	w.is("a sixth mail", err, throttle.ErrLimited)
	m, err = w.AddEmail(me, spare, false)
	w.must(err)
	code = w.last(spare, "confirm_address").Code
	for i := range account.MaxAddresses - 1 {
		w.must(w.addAddress(in.User.ID, fmt.Sprintf("ada%d@example.com", i)))
	}
	_, err = w.ConfirmEmail(me, MailProof{Flow: m.Flow, Code: code})
	w.is("an eleventh address", err, account.ErrAddressLimit)
	_, err = w.AddEmail(me, "more@example.org", false)
	w.is("asking for one", err, account.ErrAddressLimit)
}

// addAddress gives a user an address without asking.
func (w *world) addAddress(user, email string) error {
	_, err := w.Accounts.AddAddress(w.sys(), user, email, false)
	return err
}

// Requirement 31: another primary address takes a proof of who asks, is confirmed first, and the old one is told.
func TestReq31ChangingTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	w.leaves("AddEmail() and ConfirmEmail()", func() {
		if u := w.addSpare(in, true); u.Email() != spare || len(u.Emails) != 2 {
			t.Errorf("the primary address is %s", u.Email())
		}
	}, "account.address.added", // which says that it is the primary one
		"confirm_address "+spare, "notice_primary_changed "+ada, "notice_primary_changed "+spare)
	if l := w.last(ada, "notice_primary_changed"); !strings.Contains(l.Text, spare) || !strings.Contains(l.Text, homeIP) {
		t.Errorf("the notice does not say what has changed:\n%s", l.Text)
	}
	me := w.as(in.Token)
	w.leaves("SetPrimaryEmail()", func() {
		if u, err := w.SetPrimaryEmail(me, strings.ToUpper(ada)); err != nil || u.Email() != ada {
			t.Errorf("SetPrimaryEmail() = %s, %v", u.Email(), err)
		}
	}, "account.address.primary_changed", "notice_primary_changed "+spare, "notice_primary_changed "+ada)
	w.leaves("to what it is", func() {
		_, err := w.SetPrimaryEmail(me, ada)
		w.must(err)
	}, "")
	_, err := w.SetPrimaryEmail(me, "other@example.org")
	w.is("an address that is not theirs", err, fault.ErrNotFound)
	w.leaves("RemoveEmail()", func() {
		if u, err := w.RemoveEmail(me, ada); err != nil || u.Email() != spare || len(u.Emails) != 1 {
			t.Errorf("RemoveEmail() = %+v, %v", u.Emails, err)
		}
	}, "account.address.removed", "notice_address_removed "+ada, "notice_address_removed "+spare)
	_, err = w.RemoveEmail(me, ada)
	w.is("again", err, fault.ErrNotFound)
	_, err = w.RemoveEmail(me, spare)
	w.is("the last one", err, account.ErrAddressLast)
	w.person(ada) // it is free
}

// Requirement 23: a mailed secret is 256 bits, stored as a hash, bound to user and address, and void when the address is
// removed or the primary one changes.
func TestReq23MailedSecretsAreBoundToTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{PerAccount: 100}})
	in := w.person(ada)
	me := w.as(in.Token)
	w.addSpare(in, false)
	ask := func(email string) (reset, mailed letter) {
		w.clock.Advance(2 * time.Minute)
		_, err := w.RequestPasswordReset(w.ctx(), email)
		w.must(err)
		_, err = w.RequestSignInMail(w.ctx(), email)
		w.must(err)
		return w.last(email, "reset_password"), w.last(email, "sign_in")
	}
	void := func(what string, reset, mailed letter) {
		_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: reset.Link}, newPassword})
		w.is(what+": reset", err, ticket.ErrInvalid)
		o, err := w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: mailed.Link}})
		w.nobody(what+": sign-in", o, err, ticket.ErrInvalid)
	}
	reset, mailed := ask(spare)
	for _, secret := range []string{reset.Link, mailed.Link} {
		if len(secret) != len("bbl_")+48 { // 32 random bytes and 4 of a checksum
			t.Errorf("a secret has %d characters", len(secret))
		}
		for _, doc := range w.dump("tickets") {
			if strings.Contains(doc, secret) || strings.Contains(doc, secret[4:40]) || strings.Contains(doc, reset.Code) {
				t.Error("a secret is stored as it is")
			}
		}
	}
	_, err := w.RemoveEmail(me, spare)
	w.must(err)
	if left, err := w.Tickets.Of(w.ctx(), in.User.ID); err != nil || len(left) != 0 { // gone, and not only refused
		t.Errorf("tickets left: %v, %v", left, err)
	}
	void("the address is removed", reset, mailed)
	w.addSpare(in, false)
	reset, mailed = ask(ada)
	_, err = w.SetPrimaryEmail(me, spare)
	w.must(err)
	void("the primary one is another", reset, mailed)
	reset, mailed = ask(ada)
	_, err = w.Accounts.RemoveAddress(w.sys(), in.User.ID, ada) // by whatever else: the address is looked at when the secret is shown
	w.must(err)
	void("the address is gone", reset, mailed)
	w.must(w.addAddress(w.made(bob).ID, ada))
	void("the address is somebody else's", reset, mailed)
	_, mailed = ask(spare)
	w.in(w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: mailed.Link}}))
}

// An elevation and a sign-in on their way do not outlive the address they may be finished by.
func TestAttemptsEndWithThePrimaryAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	w.addSpare(in, false)
	a, _ := w.addApp(me)
	up, err := w.Elevate(me)
	w.must(err)
	half := w.halfway(ada)
	_, err = w.SetPrimaryEmail(me, spare)
	w.must(err)
	_, err = w.CompleteElevation(me, up.Flow, Proof{TOTP: w.next(a)})
	w.is("the elevation", err, ticket.ErrInvalid)
	o, err := w.CompleteSignIn(w.ctx(), CompleteCmd{bearer, half.Flow, Proof{TOTP: w.next(a)}})
	w.nobody("the sign-in", o, err, ticket.ErrInvalid)
}

// dump is the documents of a collection as text.
func (w *world) dump(coll string) []string {
	w.t.Helper()
	docs, err := store.Find[bson.Raw](w.t.Context(), w.db.Collection(coll), bson.D{})
	w.must(err)
	all := make([]string, len(docs))
	for i, d := range docs {
		all[i] = string(d) + d.String() // strings are stored as they are
	}
	return all
}

func TestUpdateMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	_, err := w.Create(w.sys(), account.CreateCmd{Email: bob, Name: "Bob", Username: "bob"})
	w.must(err)
	in := w.person(ada)
	me := w.as(in.Token)
	w.stale() // takes no proof
	name, username, locale, empty := "Augusta Ada", "ada", "en-GB", ""
	w.leaves("UpdateMe()", func() {
		u, err := w.UpdateMe(me, UpdateCmd{Name: &name, Username: &username, Locale: &locale})
		if err != nil || u.Name != name || u.Username != username || u.Locale != locale {
			t.Errorf("UpdateMe() = %+v, %v", u, err)
		}
	}, "account.user.updated")
	w.leaves("nothing", func() {
		if u, err := w.UpdateMe(me, UpdateCmd{}); err != nil || u.Name != name {
			t.Errorf("UpdateMe() = %+v, %v", u, err)
		}
	}, "")
	if u, err := w.UpdateMe(me, UpdateCmd{Username: &empty}); err != nil || u.Username != "" || u.Name != name {
		t.Errorf("without a username: %+v, %v", u, err)
	}
	taken, bad, old := "BOB", "a b", "2025-01"
	for what, tc := range map[string]struct {
		s   *Service
		cmd UpdateCmd
		err error
	}{
		"a username of another":  {w.Service, UpdateCmd{Username: &taken, Name: &bad}, account.ErrUsernameTaken},
		"a bad username":         {w.Service, UpdateCmd{Username: &bad}, account.ErrUsername},
		"no name":                {w.Service, UpdateCmd{Name: &empty}, fault.ErrInput},
		"terms where there none": {w.Service, UpdateCmd{AcceptTerms: &empty}, ErrTerms},
		"old terms":              {w.node(Config{Terms: "2026-01"}), UpdateCmd{AcceptTerms: &old, Name: &bad}, ErrTerms},
	} {
		w.leaves(what, func() {
			_, err := tc.s.UpdateMe(me, tc.cmd)
			w.is(what, err, tc.err)
		}, "")
	}
	current := "2026-01"
	w.leaves("the terms", func() {
		u, err := w.node(Config{Terms: current}).UpdateMe(me, UpdateCmd{AcceptTerms: &current})
		if err != nil || u.Terms == nil || u.Terms.Version != current || u.Name != name {
			t.Errorf("UpdateMe() = %+v, %v", u, err)
		}
	}, "account.terms.accepted")
}
