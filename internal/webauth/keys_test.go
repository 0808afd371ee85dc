package webauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
)

// may asks a permission as whoever holds a secret.
func (w *world) may(secret, permission string) error {
	w.t.Helper()
	return w.roles.Require(w.as(secret), permission, ref.Ref{})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	w.grant(in.User, "host")
	me := w.as(in.Token)
	var k session.Key
	var token string
	w.leaves("CreateKey()", func() {
		var err error
		k, token, err = w.CreateKey(me, CreateKeyCmd{Name: "nightly import", Scopes: []string{account.PermInvite}, Days: 90})
		w.must(err)
	}, "session.key.created", "notice_access_key "+ada)
	if k.User != in.User.ID || !k.ExpiresAt.Equal(w.clock.Now().Add(90*24*time.Hour)) || !strings.HasPrefix(token, "bbk_") || k.Hint != token[:8] {
		t.Errorf("CreateKey() = %+v", k)
	}
	if !strings.Contains(w.last(ada, "notice_access_key").Text, "nightly import") {
		t.Error("the notice does not name the key")
	}
	for _, doc := range w.dump("sessions") {
		if strings.Contains(doc, token[9:40]) {
			t.Error("the secret is stored as it is")
		}
	}
	a, _, err := w.Authenticate(w.ctx(), token)
	if err != nil || a.User != in.User.ID || a.Key != k.ID || a.Session != "" || fmt.Sprint(a.Scope.List()) != "[account.user.invite]" {
		t.Errorf("Authenticate() = %+v, %v", a, err)
	}
	if p, err := w.MyKeys(me, page.Args{}); err != nil || len(p.Items) != 1 || p.Items[0].ID != k.ID {
		t.Errorf("MyKeys() = %+v, %v", p, err)
	}
	bobs := w.as(w.person(bob).Token)
	if p, err := w.MyKeys(bobs, page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("MyKeys() of another = %+v, %v", p, err)
	}
	_, err = w.RevokeKey(bobs, k.ID)
	w.is("another's key", err, fault.ErrNotFound)
	_, err = w.RevokeKey(me, in.Session.ID)
	w.is("a session as a key", err, fault.ErrNotFound)
	gone, stop := w.Sessions.Watch(k.ID)
	defer stop()
	w.stale() // to take a right away takes no proof
	w.leaves("RevokeKey()", func() {
		if got, err := w.RevokeKey(me, k.ID); err != nil || got.ID != k.ID || got.EndedAt == nil {
			t.Errorf("RevokeKey() = %+v, %v", got, err)
		}
	}, "session.key.revoked")
	if w.live(token) || !closed(gone) {
		t.Error("the key goes on, or who uses it was not told")
	}
}

func TestCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	w.grant(in.User, "host")
	me := w.as(in.Token)
	robot, err := w.CreateServiceAccount(w.sys(), "robot")
	w.must(err)
	ok := []string{account.PermInvite}
	for name, tc := range map[string]struct {
		cmd   CreateKeyCmd
		err   error
		field string
	}{
		"a right one has not":      {CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite, account.PermWrite}, Days: 1}, fault.ErrForbidden, "input.scopes"},
		"a right there is not":     {CreateKeyCmd{Name: "k", Scopes: []string{"pigeon.keep"}, Days: 1}, rbac.ErrUnknownPermission, "input.scopes"},
		"every right":              {CreateKeyCmd{Name: "k", Scopes: []string{rbac.Every}, Days: 1}, rbac.ErrUnknownPermission, "input.scopes"},
		"no right":                 {CreateKeyCmd{Name: "k", Days: 1}, fault.ErrInput, "input.scopes"},
		"no name":                  {CreateKeyCmd{Scopes: ok, Days: 1}, fault.ErrInput, "input.name"},
		"no time":                  {CreateKeyCmd{Name: "k", Scopes: ok}, fault.ErrInput, "input.days"},
		"for ever":                 {CreateKeyCmd{Name: "k", Scopes: ok, Days: 367}, fault.ErrInput, "input.days"},
		"a program one cannot run": {CreateKeyCmd{Name: "k", Scopes: ok, Days: 1, Service: robot.ID}, fault.ErrForbidden, ""},
	} {
		w.leaves(name, func() {
			k, secret, err := w.CreateKey(me, tc.cmd)
			w.refuses(name, err, tc.err, tc.field)
			if k.ID != "" || secret != "" {
				t.Errorf("%s: %+v beside the error", name, k)
			}
		}, "")
	}
	for range session.MaxKeys {
		_, _, err = w.Sessions.MintKey(me, session.MintCmd{User: in.User.ID, Name: "k", Scopes: ok})
		w.must(err)
	}
	_, _, err = w.CreateKey(me, CreateKeyCmd{Name: "k", Scopes: ok, Days: 1})
	w.is("a key too many", err, session.ErrKeyLimit)
}

// Requirement 53: the owner of a key is the caller, or a program that the caller may manage; nobody else can be named.
func TestReq53TheOwnerIsTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in, boss := w.person(ada), w.boss()
	cmd := func(service string) CreateKeyCmd {
		return CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite}, Days: 1, Service: service}
	}
	before := w.count("sessions")
	_, _, err := w.CreateKey(w.ctx(), cmd(""))
	w.is("nobody", err, fault.ErrUnauthenticated)
	_, _, err = w.CreateKey(w.ctx(), cmd(in.User.ID))
	w.is("nobody, for somebody", err, fault.ErrUnauthenticated)
	_, _, err = w.CreateKey(w.as(in.Token), cmd(boss.User.ID))
	w.is("a member, for the administrator", err, fault.ErrForbidden)
	_, _, err = w.CreateKey(w.as(boss.Token), cmd(in.User.ID))
	w.is("the administrator, for a member", err, fault.ErrNotFound)
	if n := w.count("sessions"); n != before {
		t.Errorf("%d keys", n-before)
	}
	robot, err := w.CreateServiceAccount(w.as(boss.Token), "robot")
	w.must(err)
	var token string
	w.leaves("for a program", func() {
		var k session.Key
		k, token, err = w.CreateKey(w.as(boss.Token), cmd(robot.ID))
		if err != nil || k.User != robot.ID {
			t.Errorf("CreateKey() = %+v, %v", k, err)
		}
		w.is("a right the program has not", w.may(token, account.PermInvite), fault.ErrForbidden)
		w.is("listed for others", func() error { _, err := w.KeysOfService(w.as(in.Token), robot.ID, page.Args{}); return err }(), fault.ErrForbidden)
		_, err = w.KeysOfService(w.as(boss.Token), in.User.ID, page.Args{})
		w.is("of what is no program", err, fault.ErrNotFound)
		if p, err := w.KeysOfService(w.as(boss.Token), robot.ID, page.Args{}); err != nil || len(p.Items) != 1 {
			t.Errorf("KeysOfService() = %+v, %v", p, err)
		}
		_, err = w.RevokeKey(w.as(in.Token), k.ID)
		w.is("revoked by others", err, fault.ErrNotFound)
	}, "session.key.created", "notice_access_key boss@example.org")
	w.grant(robot, "host")
	w.must(w.may(token, account.PermInvite))
	w.is("out of the scope", w.may(token, rbac.PermRoleRead), fault.ErrForbidden)
	_, err = w.DisableUser(w.as(boss.Token), robot.ID)
	w.must(err)
	if w.live(token) {
		t.Error("the key of a disabled program goes on")
	}
	_, _, err = w.CreateKey(w.as(boss.Token), cmd(robot.ID))
	w.is("for a disabled program", err, account.ErrDisabled)
}

func TestServiceAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss, in := w.boss(), w.person(ada)
	var robot account.User
	w.leaves("CreateServiceAccount()", func() {
		var err error
		robot, err = w.CreateServiceAccount(w.as(boss.Token), "robot")
		w.must(err)
	}, "account.user.created plan.membership.started rbac.grant.created")
	if robot.Kind != account.KindService || robot.Name != "robot" || robot.HasPassword || len(robot.Emails) != 0 {
		t.Errorf("CreateServiceAccount() = %+v", robot)
	}
	_, err := w.CreateServiceAccount(w.ctx(), "x")
	w.is("nobody", err, fault.ErrUnauthenticated)
	_, err = w.CreateServiceAccount(w.as(in.Token), "x")
	w.is("a member", err, fault.ErrForbidden)
	_, err = w.CreateServiceAccount(w.as(boss.Token), "")
	w.is("without a name", err, fault.ErrInput)
	key := w.key(boss.Token, account.PermService)
	_, err = w.CreateServiceAccount(w.as(key), "x")
	w.is("a key", err, session.ErrKeyForbidden)
	k, token, err := w.CreateKey(w.as(boss.Token), CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite}, Days: 1, Service: robot.ID})
	w.must(err)
	_, err = w.RevokeKey(w.as(boss.Token), k.ID)
	if err != nil || w.live(token) {
		t.Errorf("RevokeKey() = %v", err)
	}
	w.stale()
	_, err = w.CreateServiceAccount(w.as(boss.Token), "x")
	w.is("too long after the sign-in", err, session.ErrReauth)
}

// Requirement 55: at each use a key is good for its scope and for what its owner holds then.
func TestReq55KeysFollowTheirOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	in := w.person(ada)
	g := w.grant(in.User, "host")
	key := w.key(in.Token, account.PermInvite)
	w.must(w.may(key, account.PermInvite))
	w.is("a right of the owner out of the scope", w.may(key, rbac.PermRoleRead), fault.ErrForbidden)
	_, err := w.roles.Revoke(w.sys(), g.ID, rbac.Restrict)
	w.must(err)
	w.is("after the owner has lost the right", w.may(key, account.PermInvite), fault.ErrForbidden)
	_, err = w.Invite(w.as(key), InviteCmd{Email: bob, Days: 1})
	w.is("and so does a flow", err, fault.ErrForbidden)
	w.grant(in.User, "host")
	w.must(w.may(key, account.PermInvite))
	_, err = w.DisableUser(w.sys(), in.User.ID)
	w.must(err)
	_, _, err = w.Authenticate(w.ctx(), key)
	w.is("after the owner was disabled", err, session.ErrEnded)
	_, err = w.EnableUser(w.sys(), in.User.ID)
	w.must(err)
	if w.live(key) {
		t.Error("the key has come back with its owner")
	}
	in = w.signIn(ada)
	key = w.key(in.Token, account.PermInvite)
	w.clock.Advance(30 * 24 * time.Hour)
	_, _, err = w.Authenticate(w.ctx(), key)
	w.is("after its time", err, session.ErrEnded)
}

// A key is made before its owner is disabled, and ends by it, or not at all.
func TestReq55KeyRacesWithDisabling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for i := range 10 {
		in := w.person(fmt.Sprintf("ada%d@example.org", i))
		w.grant(in.User, "host")
		me := w.as(in.Token)
		tokens := make([]string, 4)
		w.race(5, func(j int) (err error) {
			if j == 4 {
				_, err = w.DisableUser(w.sys(), in.User.ID)
				return err
			}
			_, tokens[j], err = w.CreateKey(me, CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite}, Days: 1})
			return err
		}, account.ErrDisabled, session.ErrEnded)
		for _, token := range tokens {
			if token != "" && w.live(token) {
				t.Error("a key outlives the disabling of its owner")
			}
		}
	}
}

// sessionFlows are the flows of a person to their own account, and whether they take a proof of a moment ago.
func (w *world) sessionFlows() map[string]struct {
	fresh bool
	call  func(ctx context.Context) error
} {
	type flow = struct {
		fresh bool
		call  func(ctx context.Context) error
	}
	err1 := func(_ any, err error) error { return err }
	err2 := func(_, _ any, err error) error { return err }
	return map[string]flow{
		"ChangePassword": {true, func(ctx context.Context) error {
			return err2(w.ChangePassword(ctx, ChangePasswordCmd{goodPassword, newPassword}))
		}},
		"AddEmail":          {true, func(ctx context.Context) error { return err1(w.AddEmail(ctx, spare, true)) }},
		"ConfirmEmail":      {false, func(ctx context.Context) error { return err1(w.ConfirmEmail(ctx, MailProof{})) }},
		"SetPrimaryEmail":   {true, func(ctx context.Context) error { return err1(w.SetPrimaryEmail(ctx, ada)) }},
		"RemoveEmail":       {true, func(ctx context.Context) error { return err1(w.RemoveEmail(ctx, ada)) }},
		"UpdateMe":          {false, func(ctx context.Context) error { return err1(w.UpdateMe(ctx, UpdateCmd{})) }},
		"MyFactors":         {false, func(ctx context.Context) error { return err1(w.MyFactors(ctx)) }},
		"BeginTOTP":         {true, func(ctx context.Context) error { return err1(w.BeginTOTP(ctx)) }},
		"ConfirmTOTP":       {true, func(ctx context.Context) error { return err2(w.ConfirmTOTP(ctx, "x", "000000", "")) }},
		"BeginPasskey":      {true, func(ctx context.Context) error { return err2(w.BeginPasskey(ctx)) }},
		"AddPasskey":        {true, func(ctx context.Context) error { return err2(w.AddPasskey(ctx, "x", []byte("{}"), "")) }},
		"RenameFactor":      {false, func(ctx context.Context) error { return err1(w.RenameFactor(ctx, "x", "y")) }},
		"RemoveFactor":      {true, func(ctx context.Context) error { return w.RemoveFactor(ctx, "x") }},
		"MakeRecoveryCodes": {true, func(ctx context.Context) error { return err1(w.MakeRecoveryCodes(ctx)) }},
		"MyIdentities":      {false, func(ctx context.Context) error { return err1(w.MyIdentities(ctx)) }},
		"UnlinkIdentity":    {true, func(ctx context.Context) error { return w.UnlinkIdentity(ctx, "x") }},
		"CreateKey": {true, func(ctx context.Context) error {
			return err2(w.CreateKey(ctx, CreateKeyCmd{Name: "k", Scopes: []string{account.PermInvite}, Days: 1}))
		}},
		"MyKeys":            {false, func(ctx context.Context) error { return err1(w.MyKeys(ctx, page.Args{})) }},
		"DeactivateMe":      {true, func(ctx context.Context) error { return w.DeactivateMe(ctx) }},
		"DeleteMe":          {true, func(ctx context.Context) error { return err1(w.DeleteMe(ctx, ada)) }},
		"MyData":            {true, func(ctx context.Context) error { return err1(w.MyData(ctx)) }},
		"Elevate":           {false, func(ctx context.Context) error { return err1(w.Elevate(ctx)) }},
		"CompleteElevation": {false, func(ctx context.Context) error { return err1(w.CompleteElevation(ctx, "x", Proof{})) }},
		"BeginProvider": {true, func(ctx context.Context) error {
			return err1(w.BeginProvider(WithBrowser(ctx, newJar()), BeginProviderCmd{Provider: "acme", Link: true}))
		}},
	}
}

// Requirements 56, 32 and 70: a key does nothing to the account it is of, whatever its scope; a guest, whose address
// nobody knows, neither; and what is sensitive takes a person who has proved a moment ago who they are.
func TestReq56KeysGuestsAndStaleSessionsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	boss := w.boss()
	all := make([]string, 0, 20)
	perms, err := w.roles.Catalogue(w.as(boss.Token))
	w.must(err)
	for _, p := range perms {
		all = append(all, p.Key)
	}
	in := w.person(ada)
	w.grant(in.User, rbac.RoleAdmin)
	key, me, guest := w.as(w.key(in.Token, all...)), w.as(in.Token), w.as(w.visitor().Token)
	ended := w.signIn(ada)
	over := w.as(ended.Token)
	_, err = w.SignOut(over)
	w.must(err)
	w.stale()
	for name, f := range w.sessionFlows() {
		w.leaves(name, func() {
			w.is(name+" by nobody", f.call(w.ctx()), fault.ErrUnauthenticated)
			w.is(name+" by the system", f.call(w.sys()), fault.ErrUnauthenticated)
			w.is(name+" by a key", f.call(key), session.ErrKeyForbidden)
			if err := f.call(guest); strings.HasPrefix(name, "My") && !f.fresh { // a list of what a guest has none of
				w.is(name+" by a guest", err, nil)
			} else {
				w.is(name+" by a guest", err, ErrUnverified)
			}
			if f.fresh {
				w.is(name+" too long after the sign-in", f.call(me), session.ErrReauth)
				w.is(name+" in a session that has ended", f.call(over), session.ErrEnded)
			}
		}, "")
		if err := f.call(me); !f.fresh && errors.Is(err, session.ErrReauth) {
			t.Errorf("%s takes a fresh proof", name)
		}
	}
	_, err = w.RevokeKey(w.ctx(), "x")
	w.is("RevokeKey() by nobody", err, fault.ErrUnauthenticated)
	_, err = w.RevokeKey(key, actor.From(key).Key)
	w.is("RevokeKey() by a key", err, session.ErrKeyForbidden)
	if found, err := w.FactorsByIDs(key, nil); err != nil || len(found) != 0 {
		t.Errorf("FactorsByIDs() by a key = %v, %v", found, err)
	}
	if ended, err := w.SignOut(key); err != nil || ended {
		t.Errorf("SignOut() by a key = %v, %v", ended, err)
	}
}
