package webauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/session"
)

const ticketText = "a ticket says that a page is empty"

func actAs(user string) ImpersonateCmd {
	return ImpersonateCmd{Transport: Bearer, User: user, Reason: ticketText, ReadOnly: true}
}

// TestReq71WhomOneMayActAs: who may do less than oneself, after a fresh proof, with a reason, and nobody else.
func TestReq71WhomOneMayActAs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, host, uma := w.boss(), w.host(), w.person(ada)
	peer := w.person("peer@example.org")
	w.grant(peer.User, rbac.RoleAdmin)
	ctx := w.as(boss.Token)
	for name, tc := range map[string]struct {
		ctx context.Context
		cmd ImpersonateCmd
		err error
	}{
		"oneself":                 {ctx, actAs(boss.User.ID), ErrOutranked},
		"an equal":                {ctx, actAs(peer.User.ID), ErrOutranked},
		"without the permission":  {w.as(host.Token), actAs(uma.User.ID), fault.ErrForbidden},
		"nobody":                  {ctx, actAs("nobody"), fault.ErrNotFound},
		"with no reason":          {ctx, ImpersonateCmd{Transport: Bearer, User: uma.User.ID, Reason: "  because  "}, fault.ErrInput},
		"with a novel":            {ctx, ImpersonateCmd{Transport: Bearer, User: uma.User.ID, Reason: strings.Repeat("é", 301)}, fault.ErrInput},
		"by cookie, without one":  {ctx, ImpersonateCmd{Transport: InCookie, User: uma.User.ID, Reason: ticketText}, fault.ErrInput},
		"as a visitor":            {w.ctx(), actAs(uma.User.ID), fault.ErrUnauthenticated},
		"by an access key":        {w.as(w.key(boss.Token, account.PermImpersonate)), actAs(uma.User.ID), session.ErrKeyForbidden},
		"as the system, which is": {w.sys(), actAs(uma.User.ID), fault.ErrUnauthenticated},
	} {
		if _, err := w.Impersonate(tc.ctx, tc.cmd); !errors.Is(err, tc.err) {
			t.Errorf("%s: Impersonate() = %v, want %v", name, err, tc.err)
		}
	}
	if _, err := w.DisableUser(ctx, host.User.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Impersonate(ctx, actAs(host.User.ID)); !errors.Is(err, account.ErrDisabled) {
		t.Errorf("somebody disabled: %v", err)
	}
	w.stale()
	if _, err := w.Impersonate(ctx, actAs(uma.User.ID)); !errors.Is(err, session.ErrReauth) {
		t.Errorf("long after the sign-in: %v", err)
	}
}

// The actor of an impersonation: both ids, and a scope without what lasts beyond the visit.
func TestImpersonationScope(t *testing.T) {
	t.Parallel()
	acting, looking := scopes([]string{
		"rbac.role.read", "rbac.grant.write", "account.user.read", "account.user.write", "plan.membership.write", "registry.document.create",
		"registry.document.read", "analytics.report.view",
	})
	if got, want := acting.List(), []string{"account.user.read", "analytics.report.view", "rbac.role.read", "registry.document.create", "registry.document.read"}; !slices.Equal(got, want) {
		t.Errorf("acting: %v", got)
	}
	if got, want := looking.List(), []string{"account.user.read", "analytics.report.view", "rbac.role.read", "registry.document.read"}; !slices.Equal(got, want) {
		t.Errorf("looking: %v", got)
	}
	w := newWorld(t, options{})
	boss, uma := w.boss(), w.person(ada)
	var done SignedIn
	w.leaves("Impersonate()", func() {
		var err error
		if done, err = w.Impersonate(w.as(boss.Token), actAs(uma.User.ID)); err != nil {
			t.Fatal(err)
		}
	}, "session.impersonation.started webauth.impersonation.started")
	a, until, err := w.Authenticate(w.ctx(), done.Token)
	if err != nil || a.User != uma.User.ID || a.Impersonator != boss.User.ID || !a.ReadOnly || a.Scope != w.looking || !until.IsZero() {
		t.Errorf("Authenticate() = %+v, %v, %v", a, until, err)
	}
	if i, is, err := w.Impersonated(w.as(done.Token)); err != nil || !is || i.By.ID != boss.User.ID || i.Reason != ticketText || !i.ReadOnly {
		t.Errorf("Impersonated() = %+v, %t, %v", i, is, err)
	}
	if _, is, err := w.Impersonated(w.as(uma.Token)); err != nil || is {
		t.Errorf("the user themself: %t, %v", is, err)
	}
	if s, err := w.StepUp(w.as(done.Token)); err != nil || len(s.Factors) != 0 || s.FreshUntil.After(w.clock.Now()) {
		t.Errorf("StepUp() = %+v, %v", s, err)
	}
	w.leaves("StopImpersonating()", func() {
		back, err := w.StopImpersonating(w.as(done.Token))
		if err != nil || back.User.ID != boss.User.ID || back.Session.ID != boss.Session.ID || back.Token != "" {
			t.Errorf("StopImpersonating() = %+v, %v", back.Session, err)
		}
	}, "session.session.ended webauth.impersonation.ended")
	if w.live(done.Token) || !w.live(boss.Token) {
		t.Error("it goes on, or the impersonator's own session does not")
	}
	if _, err := w.StopImpersonating(w.as(boss.Token)); !errors.Is(err, fault.ErrInput) {
		t.Errorf("who impersonates nobody: %v", err)
	}
}

// With cookies there is one at a time: the own one has no secret meanwhile, and a new one afterwards.
func TestImpersonateByCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, uma := w.boss(), w.person(ada)
	j := newJar()
	j.Set(SessionCookie, boss.Token)
	_, err := w.Impersonate(w.asking(j), ImpersonateCmd{Transport: InCookie, User: uma.User.ID, Reason: ticketText})
	w.must(err)
	token := j.Get(SessionCookie)
	if w.live(boss.Token) || !w.live(token) || token == boss.Token {
		t.Error("the own secret is good beside the other")
	}
	back, err := w.StopImpersonating(w.asking(j))
	if err != nil || back.Session.ID != boss.Session.ID {
		t.Fatalf("StopImpersonating() = %+v, %v", back.Session, err)
	}
	if own := j.Get(SessionCookie); !w.live(own) || w.live(token) || w.live(boss.Token) {
		t.Error("not oneself again, by a new secret")
	}
	if a, _, err := w.Authenticate(w.ctx(), j.Get(SessionCookie)); err != nil || a.User != boss.User.ID || a.Impersonator != "" {
		t.Errorf("as %+v, %v", a, err)
	}
	if told, err := w.Bag.Take(actor.With(w.ctx(), actor.Actor{User: boss.User.ID, Session: boss.Session.ID})); err != nil || len(told) != 1 {
		t.Errorf("told: %v, %v", told, err)
	}
}

// Who signs out while they act as somebody else, by cookie, is out.
func TestSignOutWhileImpersonating(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, uma := w.boss(), w.person(ada)
	j := newJar()
	j.Set(SessionCookie, boss.Token)
	one, err := w.Impersonate(w.asking(j), ImpersonateCmd{Transport: InCookie, User: uma.User.ID, Reason: ticketText})
	w.must(err)
	ended, stop := w.Sessions.Watch(boss.Session.ID)
	defer stop()
	token := j.Get(SessionCookie)
	if was, err := w.SignOut(w.asking(j)); err != nil || !was {
		t.Errorf("SignOut() = %t, %v", was, err)
	}
	if !closed(ended) || w.live(token) || j.Get(SessionCookie) != "" || !w.live(uma.Token) {
		t.Errorf("something of %s is left, or the user is out as well", one.Session.ID)
	}
	bare, err := w.Impersonate(w.as(w.signIn("boss@example.org").Token), actAs(uma.User.ID))
	w.must(err)
	if was, err := w.SignOut(w.as(bare.Token)); err != nil || !was || w.live(bare.Token) {
		t.Errorf("by bearer token: %t, %v", was, err)
	}
}

// TestReq72RightsChange: the impersonation ends with the right to it, and when the user becomes an equal; refused at once, and ended by
// the watch, so that sockets close.
func TestReq72RightsChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, boss, uma SignedIn, ofBoss rbac.Grant){
		"the right is lost": func(w *world, _, _ SignedIn, ofBoss rbac.Grant) {
			_, err := w.roles.Revoke(w.sys(), ofBoss.ID, rbac.Restrict)
			w.must(err)
		},
		"the user becomes an equal": func(w *world, _, uma SignedIn, _ rbac.Grant) { w.grant(uma.User, rbac.RoleAdmin) },
		"the impersonator is disabled": func(w *world, boss, _ SignedIn, _ rbac.Grant) {
			_, err := w.DisableUser(w.sys(), boss.User.ID)
			w.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{})
			w.boss() // another administrator, so that one may go
			boss, uma := w.person("boss@example.net"), w.person(ada)
			ofBoss := w.grant(boss.User, rbac.RoleAdmin)
			w.roles.OnChange(w.RightsChanged)
			ctx, stop := context.WithCancel(w.sys())
			done := make(chan struct{})
			go func() {
				defer close(done)
				w.Run(ctx)
			}()
			defer func() { stop(); <-done }()
			one, err := w.Impersonate(w.as(boss.Token), actAs(uma.User.ID))
			w.must(err)
			ended, unwatch := w.Sessions.Watch(one.Session.ID)
			defer unwatch()
			change(w, boss, uma, ofBoss)
			if _, _, err := w.Authenticate(w.ctx(), one.Token); !errors.Is(err, session.ErrEnded) {
				t.Errorf("Authenticate() = %v", err)
			}
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Error("what it has open is not closed")
			}
		})
	}
}

// A password on a trusted device is good for a session and for no sensitive field; the second factor is good for both.
func TestTrustedDeviceIsNoFullProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	a, _ := w.addApp(w.as(in.Token))
	j := newJar()
	half := w.half(w.SignIn(WithBrowser(w.ctx(), j), SignInCmd{Entry: Entry{Transport: InCookie}, Identifier: ada, Password: goodPassword}))
	full := w.in(w.CompleteSignIn(WithBrowser(w.ctx(), j), CompleteCmd{
		Entry: Entry{Transport: InCookie, Trust: true}, Flow: half.Flow, Proof: Proof{TOTP: w.next(a)},
	}))
	if full.Session.Level != session.TwoFactors || !full.Session.Brief {
		t.Errorf("with both: %+v", full.Session)
	}
	again := newJar()
	again.Set(DeviceCookie, j.Get(DeviceCookie))
	part := w.in(w.SignIn(WithBrowser(w.ctx(), again), SignInCmd{Entry: Entry{Transport: InCookie, Remember: true}, Identifier: ada, Password: goodPassword}))
	if part.Session.Level != session.AnyProof || part.Session.Brief {
		t.Errorf("on the trusted device: %+v", part.Session)
	}
	me := w.asking(again)
	if _, err := w.RequireFresh(me, session.Need{}); err != nil {
		t.Errorf("for a field that takes any proof: %v", err)
	}
	for _, level := range []session.Level{session.FullProof, session.TwoFactors} {
		if _, err := w.RequireFresh(me, session.Need{Level: level}); !errors.Is(err, session.ErrReauth) {
			t.Errorf("level %d: %v", level, err)
		}
	}
	if s, err := w.StepUp(me); err != nil || s.Level != session.AnyProof || !slices.Contains(s.Factors, TOTP) || slices.Contains(s.Factors, Password) {
		t.Errorf("StepUp() = %+v, %v", s, err)
	}
	up, err := w.Elevate(me)
	w.must(err)
	before := again.Get(SessionCookie)
	raised, err := w.CompleteElevation(me, up.Flow, Proof{TOTP: w.next(a)})
	if err != nil || raised.Session.Level != session.TwoFactors || raised.Token != "" {
		t.Fatalf("CompleteElevation() = %+v, %v", raised.Session, err)
	}
	if w.live(before) || !w.live(again.Get(SessionCookie)) {
		t.Error("the cookie is the one of before")
	}
	if _, err := w.RequireFresh(me, session.Need{Level: session.TwoFactors}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	one := w.person("one@example.org")
	if _, err := w.RequireFresh(w.as(one.Token), session.Need{Level: session.TwoFactors}); !errors.Is(err, ErrFactorNeeded) {
		t.Errorf("two factors of who has one: %v", err)
	}
}

// TestReq60ReuseIsMailed: who shows a refresh token that was used ends the session, and its owner reads of it.
func TestReq60ReuseIsMailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	next, err := w.Refresh(w.ctx(), in.Refresh)
	if err != nil || next.Session.ID != in.Session.ID || !w.live(next.Token) {
		t.Fatalf("Refresh() = %+v, %v", next.Session, err)
	}
	w.clock.Advance(11 * time.Second)
	w.leaves("a copy", func() {
		_, err := w.Refresh(w.ctx(), in.Refresh)
		w.is("Refresh()", err, session.ErrEnded)
	}, "session.session.ended webauth.token.reused", "notice_token_reused "+ada)
	if w.live(next.Token) {
		t.Error("the session goes on")
	}
	if l := w.last(ada, "notice_token_reused"); !strings.Contains(l.Text, "refresh token") || strings.Contains(l.Text, "bbr_") {
		t.Errorf("the mail: %s", l.Text)
	}
	var limited bool
	for range 60 {
		_, err := w.Refresh(w.ctx(), "bbr_guess")
		limited = limited || fault.From(err).Code == "RATE_LIMITED"
	}
	if !limited {
		t.Error("one may guess for ever")
	}
}
