package webauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/throttle"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{social: social.Config{AllowPrivate: true, Providers: []social.Provider{
		{Key: "acme", Name: "Acme", Issuer: "http://127.0.0.1:1", ClientID: "book", ClientSecret: "canary"},
	}}})
	s := w.Settings()
	if s.Registration != Open || len(s.Domains) != 0 || s.Terms != "" || !s.Mailbox || !slices.Equal(s.Providers, []social.Info{{Key: "acme", Name: "Acme"}}) {
		t.Errorf("Settings() = %+v", s)
	}
	other := w.node(Config{Registration: Closed, Domains: []string{"book.example"}, Terms: "2026-01"})
	s = other.Settings()
	if s.Registration != Closed || !slices.Equal(s.Domains, []string{"book.example"}) || s.Terms != "2026-01" {
		t.Errorf("Settings() = %+v", s)
	}
	s.Domains[0] = "evil.example"
	if other.Settings().Domains[0] != "book.example" {
		t.Error("who asks can change the settings")
	}
}

func TestMailbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.asked(w.ctx(), registration(ada))
	w.asked(w.ctx(), registration(bob))
	p, err := w.Mailbox(w.ctx(), page.Args{First: new(1)})
	if err != nil || len(p.Items) != 1 || p.Items[0].To != bob || p.Items[0].Template != "verify_email" || p.Items[0].Text == "" || !p.HasNext || len(p.Cursors) != 1 {
		t.Errorf("Mailbox() = %+v, %v", p, err)
	}
	_, err = w.Mailbox(w.ctx(), page.Args{First: new(page.MaxSize + 1)})
	w.is("a page too large", err, page.ErrSize)
	sending := *w.Service
	sending.Mail, err = mail.New(w.db, w.clock.Now, w.Log, w.ring, mail.Config{Host: "smtp.invalid", From: "book@example.org", PublicURL: publicURL})
	w.must(err)
	_, err = sending.Mailbox(w.ctx(), page.Args{})
	w.is("where mail is sent", err, mail.ErrNoMailbox)
	if sending.Settings().Mailbox {
		t.Error("a mailbox where mail is sent")
	}
}

func TestDeadMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	now := w.clock.Now()
	storetest.Insert(t, w.db, "outbox", bson.M{
		"_id": "m1", "to": ada, "locale": "en", "template": "sign_in", "state": "dead", "tries": 8, "fence": int64(8),
		"queuedAt": now, "dueAt": now, "endedAt": now, "error": "550 no such user",
	})
	p, err := w.DeadMails(w.sys(), page.Args{})
	want := DeadMail{"m1", ada, "en", "sign_in", 8, now, now, "550 no such user"}
	if err != nil || len(p.Items) != 1 || p.Items[0] != want {
		t.Errorf("DeadMails() = %+v, %v", p.Items, err)
	}
	boss := w.as(w.boss().Token)
	_, err = w.DeadMails(boss, page.Args{})
	w.is("an administrator", err, fault.ErrForbidden)
	w.is("an administrator", w.RetryMail(boss, "m1"), fault.ErrForbidden)
	w.is("what is not there", w.RetryMail(w.sys(), "m2"), fault.ErrNotFound)
	w.must(w.RetryMail(w.sys(), "m1"))
	if p, err := w.DeadMails(w.sys(), page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("DeadMails() = %+v, %v", p.Items, err)
	}
}

func TestCreateAndImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	cmd := account.CreateCmd{Email: ada, Name: "Ada", Password: goodPassword}
	const django = "pbkdf2_sha256$1000$y3sYP21jKpJQJ8hys7l5LD$7cpsHJMq0iUnEdNQ4tT0ZctvgUOZpYH5NOvHM0YeQXM=" // of djangoPassword in package account
	old := account.ImportCmd{Email: bob, Username: "bob", Hash: django}
	w.leaves("Create() and Import() by others", func() {
		for _, ctx := range []context.Context{w.ctx(), w.as(w.visitor().Token)} {
			_, err := w.Create(ctx, cmd)
			w.is("Create()", err, fault.ErrForbidden)
			_, err = w.Import(ctx, old)
			w.is("Import()", err, fault.ErrForbidden)
		}
	}, born)
	const made = "account.user.created plan.membership.started rbac.grant.created"
	w.leaves("Create()", func() {
		u, err := w.Create(w.sys(), cmd)
		if err != nil || u.Email() != ada || !w.roles.HoldsAny(u.ID, []string{rbac.RoleMember}) {
			t.Errorf("Create() = %+v, %v", u, err)
		}
	}, made)
	w.leaves("Import()", func() {
		u, err := w.Import(w.sys(), old)
		if err != nil || u.Email() != bob || !u.HasPassword || !w.roles.HoldsAny(u.ID, []string{rbac.RoleMember}) {
			t.Errorf("Import() = %+v, %v", u, err)
		}
	}, made)
	w.leaves("refused", func() {
		_, err := w.Create(w.sys(), cmd)
		w.is("Create() again", err, account.ErrEmailTaken)
		_, err = w.Create(w.sys(), account.CreateCmd{Email: "x", Name: "X"})
		w.is("Create() without an address", err, account.ErrEmailInvalid)
		_, err = w.Create(w.sys(), account.CreateCmd{Email: spare, Name: "X", Username: "BOB"})
		w.is("Create() with a username of another", err, account.ErrUsernameTaken)
		_, err = w.Import(w.sys(), old)
		w.is("Import() again", err, account.ErrEmailTaken)
		_, err = w.Import(w.sys(), account.ImportCmd{Email: spare, Hash: "md5$x"})
		w.is("Import() of an unknown hash", err, account.ErrHashUnknown)
		_, _, err = w.CreateAdmin(w.sys(), account.CreateCmd{Email: "x", Name: "X"}, func(context.Context, account.User) error { return nil })
		w.is("CreateAdmin() without an address", err, account.ErrEmailInvalid)
	}, "")
	if n := w.count("memberships"); n != 3 {
		t.Errorf("%d memberships", n)
	}
	_, link, err := w.CreateAdmin(w.sys(), account.CreateCmd{Email: spare, Name: "X"}, func(context.Context, account.User) error { return fault.ErrNotFound })
	if w.is("CreateAdmin() without the role", err, fault.ErrNotFound); link != "" {
		t.Error("a link beside the error")
	}
}

// A node that has lost sight of the policy refuses what asks for a right.
func TestStalePolicyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, in := w.boss(), w.person(ada)
	admin := w.as(boss.Token)
	blind := *w.Service
	roles := rbac.New(w.db, event.NewLog(w.db, w.clock.Now), w.clock.Now, account.Permissions(), func() time.Duration { return time.Hour }, w.Log, rbac.Config{})
	w.must(roles.Load(w.ctx()))
	blind.Roles = roles
	for name, call := range map[string]func() error{
		"Invite":               func() error { _, err := blind.Invite(admin, InviteCmd{Email: bob, Days: 1}); return err },
		"Invitations":          func() error { _, err := blind.Invitations(admin, page.Args{}); return err },
		"RevokeInvitation":     func() error { _, err := blind.RevokeInvitation(admin, "x"); return err },
		"StartPasswordReset":   func() error { _, err := blind.StartPasswordReset(admin, in.User.ID); return err },
		"DisableUser":          func() error { _, err := blind.DisableUser(admin, in.User.ID); return err },
		"SignOutUser":          func() error { _, err := blind.SignOutUser(admin, in.User.ID); return err },
		"CreateServiceAccount": func() error { _, err := blind.CreateServiceAccount(admin, "robot"); return err },
		"KeysOfService":        func() error { _, err := blind.KeysOfService(admin, in.User.ID, page.Args{}); return err },
		"CreateKey": func() error {
			_, _, err := blind.CreateKey(admin, CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite}, Days: 1})
			return err
		},
	} {
		w.leaves(name, func() { w.is(name, call(), rbac.ErrStale) }, "")
	}
}

// Who waits too long for a slot to hash in is told so, by each flow that hashes, and has not tried.
func TestTooBusyEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	me := w.as(w.person(ada).Token)
	_, l := w.asked(w.ctx(), registration(bob))
	reset, mailed := w.asksReset(ada)
	up, err := w.Elevate(me)
	w.must(err)
	w.opts.hashing = account.Config{HashSlots: 1, HashWait: time.Microsecond, Cost: account.Cost{MemoryKiB: 32 << 10, Passes: 1, Threads: 1}}
	crowded := w.node(Config{PerAccount: 3, PerNetwork: 3})
	stop := make(chan struct{})
	var crowd sync.WaitGroup
	for range 2 {
		crowd.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = crowded.Accounts.VerifyHash(t.Context(), account.Hashed{}, "x")
				}
			}
		})
	}
	for name, call := range map[string]func() error{
		"Register": func() error { _, err := crowded.Register(w.ctx(), registration("new@example.org")); return err },
		"VerifyEmail": func() error {
			_, err := crowded.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Token: l.Link, Password: newPassword})
			return err
		},
		"ResetPassword": func() error {
			_, err := crowded.ResetPassword(w.ctx(), ResetCmd{MailProof{Flow: reset.Flow, Code: mailed.Code}, newPassword})
			return err
		},
		"ChangePassword": func() error {
			_, _, err := crowded.ChangePassword(me, ChangePasswordCmd{goodPassword, newPassword})
			return err
		},
		"CompleteElevation": func() error {
			_, err := crowded.CompleteElevation(me, up.Flow, Proof{Password: goodPassword})
			return err
		},
		"SignIn": func() error { _, err := crowded.SignIn(w.ctx(), w.password(ada, goodPassword)); return err },
	} {
		busy := 0
		for range 5 { // more often than may be tried
			if err := call(); errors.Is(err, account.ErrTooBusy) {
				busy++
			} else if errors.Is(err, throttle.ErrLimited) {
				t.Errorf("%s counts those it turns away", name)
			}
		}
		if busy == 0 {
			t.Errorf("%s was never too busy", name)
		}
	}
	close(stop)
	crowd.Wait()
}
