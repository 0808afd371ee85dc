package webauth

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestDeactivateMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.made(ada)
	w.clock.Advance(2 * time.Hour)
	j := newJar()
	w.in(w.SignIn(w.asking(j), SignInCmd{Entry{Transport: InCookie}, ada, goodPassword}))
	other := w.signIn(ada)
	w.grant(other.User, "host")
	key := w.key(other.Token, account.PermInvite)
	_, l := w.asksReset(ada)
	gone, stop := w.Sessions.Watch(other.Session.ID)
	defer stop()
	w.leaves("DeactivateMe()", func() { w.must(w.DeactivateMe(w.asking(j))) },
		"account.user.deactivated session.session.ended session.session.ended session.key.revoked session.device.forgotten", "notice_deactivated "+ada)
	if j.Get(SessionCookie) != "" || w.live(other.Token) || w.live(key) || !closed(gone) {
		t.Error("something of the sleeping account goes on")
	}
	_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("a reset that was on its way", err, ticket.ErrInvalid)
	o, err := w.SignIn(w.ctx(), w.password(ada, newPassword))
	w.nobody("a wrong password", o, err, account.ErrCredentials)
	var in SignedIn
	w.leaves("SignIn()", func() { in = w.signIn(ada) }, "account.user.reactivated session.device.added session.session.started",
		"notice_restored "+ada, "notice_new_device "+ada)
	if !in.Restored || in.User.DeactivatedAt != nil || w.live(key) {
		t.Errorf("SignIn() = %+v, restored %v", in.User, in.Restored)
	}
	if again := w.signIn(ada); again.Restored {
		t.Error("restored twice")
	}
}

func TestDeleteMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{DeleteGrace: 7 * 24 * time.Hour}})
	in := w.person(ada)
	w.leaves("another address", func() {
		for _, email := range []string{"", "ada", bob} {
			_, err := w.DeleteMe(w.as(in.Token), email)
			w.refuses("DeleteMe()", err, fault.ErrInput, "input.email")
		}
	}, "")
	w.leaves("DeleteMe()", func() {
		until, err := w.DeleteMe(w.as(in.Token), "ADA@example.org")
		if err != nil || !until.Equal(w.clock.Now().Add(7*24*time.Hour)) {
			t.Errorf("DeleteMe() = %s, %v", until, err)
		}
	}, "account.user.deletion_scheduled session.session.ended session.device.forgotten", "notice_deletion "+ada)
	if w.live(in.Token) {
		t.Error("the session goes on")
	}
	w.clock.Advance(7*24*time.Hour - time.Millisecond)
	w.purgeDue(w.ctx())
	if back := w.signIn(ada); !back.Restored || back.User.DeleteAfter != nil {
		t.Errorf("SignIn() = %+v", back.User)
	}
	w.clock.Advance(24 * time.Hour)
	w.purgeDue(w.ctx())
	again := w.signIn(ada)
	_, err := w.DeleteMe(w.as(again.Token), ada)
	w.must(err)
	w.clock.Advance(7 * 24 * time.Hour)
	w.leaves("the end of the time of grace", func() { w.purgeDue(w.ctx()) }, "account.user.deleted rbac.grant.revoked test.user.erased")
	o, err := w.SignIn(w.ctx(), w.password(ada, goodPassword))
	w.nobody("after it", o, err, account.ErrCredentials)
	w.person(ada) // the address is free
}

// Nobody leaves who is the only one to administer the server.
func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss := w.boss()
	w.leaves("leaving", func() {
		w.is("DeactivateMe()", w.DeactivateMe(w.as(boss.Token)), rbac.ErrLastAdmin)
		_, err := w.DeleteMe(w.as(boss.Token), "boss@example.org")
		w.is("DeleteMe()", err, rbac.ErrLastAdmin)
		_, err = w.DisableUser(w.sys(), boss.User.ID)
		w.is("DisableUser()", err, rbac.ErrLastAdmin)
	}, "")
	if !w.live(boss.Token) {
		t.Error("the session ended")
	}
	second := w.person(ada)
	g := w.grant(second.User, rbac.RoleAdmin)
	_, err := w.DeleteMe(w.as(boss.Token), "boss@example.org")
	w.must(err)
	_, err = w.roles.Revoke(w.sys(), g.ID, rbac.Restrict)
	w.must(err)
	w.clock.Advance(30 * 24 * time.Hour)
	w.leaves("the other one is no administrator any more", func() { w.purgeDue(w.ctx()) }, "")
	if back := w.signIn("boss@example.org"); !back.Restored {
		t.Error("the last administrator is gone")
	}
}

// What is left of a user who is deleted is in the log, in mails, and in what others may see.
func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	me := w.as(in.Token)
	w.addApp(me)
	w.addKey(me, newKey())
	w.addSpare(in, false)
	w.grant(in.User, "host")
	w.key(in.Token, account.PermInvite)
	w.must(w.db.InTx(w.ctx(), func(ctx context.Context) error {
		_, err := w.Social.Link(ctx, in.User.ID, social.Claims{Provider: "acme", Issuer: "https://id.acme.example", Subject: "ada", Email: ada})
		return err
	}))
	w.halfway(ada)
	other := w.person(bob)
	w.addApp(w.as(other.Token))
	_, err := w.DeleteMe(me, ada)
	w.must(err)
	w.asksReset(ada) // asked for after the account was put to sleep
	_, err = w.RequestSignInMail(w.ctx(), spare)
	w.must(err)
	w.clock.Advance(30 * 24 * time.Hour)
	w.race(4, func(i int) error { // on all nodes at once
		[]*Service{w.Service, w.node(Config{})}[i%2].purgeDue(w.ctx())
		return nil
	})
	if n := len(w.told("account.user.deleted")); n != 1 {
		t.Errorf("%d facts of the deletion", n)
	}
	names, err := w.db.Database().ListCollectionNames(w.ctx(), map[string]any{})
	w.must(err)
	for _, coll := range names {
		switch coll {
		case "events", "outbox", "memberships": // the log; mails, which go after days; what the plan was
			continue
		}
		for _, doc := range w.dump(coll) {
			if strings.Contains(doc, in.User.ID) || strings.Contains(doc, ada) || strings.Contains(doc, spare) {
				t.Errorf("%s has %q", coll, doc)
			}
		}
	}
	w.halfway(bob) // another user has all that is theirs
}

// Who comes back at the last moment is either back or gone, and not both.
func TestPurgeRacesWithSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for i := range 10 {
		email := fmt.Sprintf("ada%d@example.org", i)
		in := w.person(email)
		_, err := w.DeleteMe(w.as(in.Token), email)
		w.must(err)
		w.clock.Advance(31 * 24 * time.Hour)
		var back Outcome
		w.race(2, func(i int) (err error) {
			if i == 0 {
				return w.purge(w.ctx(), in.User.ID)
			}
			back, err = w.SignIn(w.ctx(), w.password(email, goodPassword))
			return err
		}, account.ErrNotDue, account.ErrCredentials, fault.ErrNotFound)
		_, err = w.Accounts.ByID(w.ctx(), in.User.ID)
		if done, ok := back.(SignedIn); ok != (err == nil) || ok && !w.live(done.Token) {
			t.Errorf("signed in: %v; the user: %v", ok, err)
		}
	}
}

func TestRunPurges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{DeleteGrace: time.Minute}})
	in := w.person(ada)
	_, err := w.DeleteMe(w.as(in.Token), ada)
	w.must(err)
	w.clock.Advance(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	storetest.Eventually(t, 30*time.Second, func() bool { return w.count("users") == 0 }, "the user is not deleted")
	cancel()
	<-done
}

func TestDisableUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, in := w.boss(), w.person(ada)
	w.grant(in.User, "host")
	key := w.key(in.Token, account.PermInvite)
	_, l := w.asksReset(ada)
	gone, stop := w.Sessions.Watch(in.Session.ID)
	defer stop()
	admin := w.as(boss.Token)
	w.leaves("DisableUser()", func() {
		if u, err := w.DisableUser(admin, in.User.ID); err != nil || u.DisabledAt == nil {
			t.Errorf("DisableUser() = %+v, %v", u, err)
		}
	}, "account.user.disabled session.session.ended session.key.revoked session.device.forgotten", "notice_disabled "+ada)
	if w.live(in.Token) || w.live(key) || !closed(gone) {
		t.Error("a session or key goes on")
	}
	if e := w.told("account.user.disabled")[0]; e.Actor.User != boss.User.ID {
		t.Errorf("told of %+v", e.Actor)
	}
	_, err := w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("a reset that was on its way", err, ticket.ErrInvalid)
	_, l = w.asksReset(ada)
	_, err = w.ResetPassword(w.ctx(), ResetCmd{MailProof{Token: l.Link}, newPassword})
	w.is("one that was asked for since", err, account.ErrDisabled)
	w.leaves("EnableUser()", func() {
		if u, err := w.EnableUser(admin, in.User.ID); err != nil || u.DisabledAt != nil {
			t.Errorf("EnableUser() = %+v, %v", u, err)
		}
	}, "account.user.enabled")
	back := w.signIn(ada)
	w.leaves("SignOutUser()", func() {
		_, err := w.SignOutUser(admin, in.User.ID)
		w.must(err)
	}, "webauth.user.signed_out session.session.ended session.device.forgotten")
	if e := w.told("webauth.user.signed_out")[0]; e.Actor.User != boss.User.ID || e.On != in.User.Ref() || w.live(back.Token) {
		t.Errorf("told of %v by %+v; the session lives: %v", e.On, e.Actor, w.live(back.Token))
	}
	member := w.as(w.signIn(ada).Token)
	for name, fn := range map[string]func(context.Context, string) (account.User, error){
		"DisableUser()": w.DisableUser, "EnableUser()": w.EnableUser, "SignOutUser()": w.SignOutUser,
	} {
		w.leaves(name, func() {
			_, err := fn(w.ctx(), in.User.ID)
			w.is(name+" by nobody", err, fault.ErrUnauthenticated)
			_, err = fn(member, boss.User.ID)
			w.is(name+" by a member", err, fault.ErrForbidden)
			_, err = fn(admin, "x")
			w.is(name+" of nobody", err, fault.ErrNotFound)
		}, "")
	}
}

// Requirement 65: once a user is disabled there is no session of theirs, however many were begun at the same moment.
func TestReq65DisablingRacesWithSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for i := range 8 {
		email := fmt.Sprintf("ada%d@example.org", i)
		u := w.made(email)
		_, err := w.RequestSignInMail(w.ctx(), email)
		w.must(err)
		link := w.last(email, "sign_in").Link
		outcomes := make([]Outcome, 5)
		w.race(6, func(j int) (err error) {
			switch j {
			case 5:
				_, err = w.DisableUser(w.sys(), u.ID)
			case 4:
				outcomes[j], err = w.SignInWithMail(w.ctx(), SignInMailCmd{bearer, MailProof{Token: link}})
			default:
				outcomes[j], err = w.SignIn(w.ctx(), w.password(email, goodPassword))
			}
			return err
		}, account.ErrDisabled, ticket.ErrInvalid)
		for _, o := range outcomes {
			if in, ok := o.(SignedIn); ok && w.live(in.Token) {
				t.Error("a session outlives the disabling of its user")
			}
		}
	}
}

// "My data" is what is known of the caller, and no secret is in it.
func TestMyData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	w.grant(in.User, "host")
	me := w.as(in.Token)
	a, codes := w.addApp(me)
	w.addKey(me, newKey())
	key := w.key(in.Token, account.PermInvite)
	boss := w.boss()
	_, err := w.StartPasswordReset(from(w.as(boss.Token), "203.0.113.77"), in.User.ID)
	w.must(err)
	w.must(w.db.InTx(w.ctx(), func(ctx context.Context) error {
		_, err := w.Social.Link(ctx, in.User.ID, social.Claims{Provider: "acme", Issuer: "https://id.acme.example", Subject: "ada-at-acme", Email: "ada@acme.example"})
		return err
	}))
	var data map[string]any
	w.leaves("MyData()", func() {
		data, err = w.MyData(me)
		w.must(err)
	}, "webauth.data.exported")
	text, err := json.Marshal(data)
	w.must(err)
	for _, known := range []string{ada, "Ada", "My phone", "My key", "nightly import", key[:8], "ada-at-acme", "ada@acme.example", "account.user.created", homeIP, "webauth.reset.requested"} {
		if !strings.Contains(string(text), known) {
			t.Errorf("the data have no %q", known)
		}
	}
	for what, secret := range map[string]string{
		"the password": goodPassword, "its hash": "$argon2", "the seed": a.secret, "a recovery code": codes[0], "the session": in.Token[4:30],
		"the device": in.Device[4:30], "the key": key[9:30], "another's network": "203.0.113.77", "another": boss.User.ID,
	} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the data have %s: %s", what, text)
		}
	}
	_, err = w.MyData(actor.With(w.ctx(), actor.Actor{User: in.User.ID}))
	w.is("without a session", err, session.ErrKeyForbidden)
}
