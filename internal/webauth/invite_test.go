package webauth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/throttle"
)

const invitee = "guest@example.org"

// host is somebody who may invite, signed in.
func (w *world) host() SignedIn {
	w.t.Helper()
	w.grant(w.made("host@example.org"), "host")
	return w.signIn("host@example.org")
}

// invite invites and gives the secret of the link.
func (w *world) invite(ctx context.Context, c InviteCmd) (Invite, string) {
	w.t.Helper()
	inv, err := w.Invite(ctx, c)
	w.must(err)
	return inv, w.last(c.Email, "invitation").Link
}

// byInvitation registers by the link of an invitation.
func byInvitation(email, link string) RegisterCmd {
	c := registration(email)
	c.Invitation = link
	return c
}

// planOf is the key of somebody's plan.
func (w *world) planOf(u account.User) string {
	w.t.Helper()
	m, err := w.plans.MembershipOf(w.sys(), u.Ref())
	w.must(err)
	return m.Plan.Key
}

func TestInvite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{Config: Config{Registration: Invitation, Domains: []string{"book.example"}}})
	host := w.host()
	var inv Invite
	var link string
	w.leaves("Invite()", func() {
		inv, link = w.invite(w.as(host.Token), InviteCmd{Email: invitee, Role: "host", Plan: "pro", Days: 14})
	}, kindInvited, "invitation "+invitee)
	if inv.Email != invitee || inv.Role != "host" || inv.Plan != "pro" || !inv.ExpiresAt.Equal(w.clock.Now().Add(14*24*time.Hour)) {
		t.Errorf("Invite() = %+v", inv)
	}
	if e := w.told(kindInvited)[0]; e.Actor.User != host.User.ID || e.Data.String() != `{"id": "`+inv.ID+`","role": "host","plan": "pro"}` {
		t.Errorf("told by %+v: %s", e.Actor, e.Data)
	}
	if l := w.last(invitee, "invitation"); !strings.Contains(l.Text, "Ada") || !strings.Contains(l.Text, publicURL+"/register#invitation="+link) {
		t.Errorf("the mail names nobody, or leads nowhere:\n%s", l.Text)
	}
	_, err := w.Register(w.ctx(), byInvitation("other@example.org", link))
	w.refuses("with another address", err, ErrInvitation, "input.invitation")
	v, l := w.asked(w.ctx(), byInvitation(invitee, link)) // no mode and no domain is in the way
	if p, err := w.Invitations(w.as(host.Token), page.Args{}); err != nil || len(p.Items) != 1 || p.Items[0] != inv {
		t.Errorf("Invitations() = %+v, %v", p.Items, err)
	}
	var in SignedIn
	w.leaves("VerifyEmail()", func() { in = w.verify(w.ctx(), v, l) }, "account.user.created webauth.invitation.accepted plan.membership.started"+
		" rbac.grant.created rbac.grant.created session.device.added session.session.started")
	if !w.roles.HoldsAny(in.User.ID, []string{"host"}) || w.planOf(in.User) != "pro" {
		t.Errorf("the new user has no role, or the plan %s", w.planOf(in.User))
	}
	grants, err := w.roles.GrantsOf(w.sys(), in.User.Ref())
	w.must(err)
	byHost := false
	for _, g := range grants {
		byHost = byHost || g.GrantedBy == host.User.Ref()
	}
	if !byHost {
		t.Errorf("not granted by who invited: %+v", grants)
	}
	_, err = w.Register(w.ctx(), byInvitation(invitee, link))
	w.is("the invitation again", err, ErrInvitation)
	if p, err := w.Invitations(w.as(host.Token), page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("Invitations() = %+v, %v", p.Items, err)
	}
}

func TestInviteRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	host, in := w.as(w.host().Token), w.as(w.person(ada).Token)
	ok := InviteCmd{Email: invitee, Days: 14}
	for name, tc := range map[string]struct {
		ctx    context.Context
		change func(*InviteCmd)
		err    error
		field  string
	}{
		"nobody":                     {w.ctx(), func(*InviteCmd) {}, fault.ErrUnauthenticated, ""},
		"a member":                   {in, func(*InviteCmd) {}, fault.ErrForbidden, ""},
		"no address":                 {host, func(c *InviteCmd) { c.Email = "guest" }, account.ErrEmailInvalid, "input.email"},
		"somebody who is here":       {host, func(c *InviteCmd) { c.Email = strings.ToUpper(ada) }, account.ErrEmailTaken, "input.email"},
		"for no time":                {host, func(c *InviteCmd) { c.Days = 0 }, fault.ErrInput, "input.days"},
		"for too long":               {host, func(c *InviteCmd) { c.Days = 91 }, fault.ErrInput, "input.days"},
		"a role with more rights":    {host, func(c *InviteCmd) { c.Role = rbac.RoleAdmin }, rbac.ErrEscalation, ""},
		"a role there is not":        {host, func(c *InviteCmd) { c.Role = "pigeon" }, fault.ErrNotFound, ""},
		"a plan there is not":        {host, func(c *InviteCmd) { c.Plan = "pigeon" }, plan.ErrUnknown, ""},
		"a key without the right":    {w.as(w.key(w.signIn("host@example.org").Token, rbac.PermRoleRead)), func(*InviteCmd) {}, fault.ErrForbidden, ""},
		"a key that may not grant":   {w.as(w.key(w.signIn("host@example.org").Token, account.PermInvite)), func(c *InviteCmd) { c.Role = "host" }, fault.ErrForbidden, ""},
		"a key that may grant less":  {w.as(w.key(w.signIn("host@example.org").Token, account.PermInvite, rbac.PermGrantWrite)), func(c *InviteCmd) { c.Role = "host" }, rbac.ErrEscalation, ""},
		"the list, by a member":      {in, nil, fault.ErrForbidden, ""},
		"the list, by nobody at all": {w.ctx(), nil, fault.ErrUnauthenticated, ""},
	} {
		w.leaves(name, func() {
			if tc.change == nil {
				_, err := w.Invitations(tc.ctx, page.Args{})
				w.is(name, err, tc.err)
				_, err = w.RevokeInvitation(tc.ctx, "x")
				w.is(name, err, tc.err)
				return
			}
			c := ok
			tc.change(&c)
			_, err := w.Invite(tc.ctx, c)
			w.refuses(name, err, tc.err, tc.field)
		}, "")
	}
	for range 5 {
		w.invite(host, ok)
	}
	_, err := w.Invite(host, ok)
	w.is("a sixth mail", err, throttle.ErrLimited)
}

func TestRevokeInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	host := w.as(w.host().Token)
	inv, link := w.invite(host, InviteCmd{Email: invitee, Role: "host", Days: 1})
	v, l := w.asked(w.ctx(), byInvitation(invitee, link))
	w.leaves("RevokeInvitation()", func() {
		if got, err := w.RevokeInvitation(host, inv.ID); err != nil || got != inv {
			t.Errorf("RevokeInvitation() = %+v, %v", got, err)
		}
	}, kindInviteGone)
	_, err := w.RevokeInvitation(host, inv.ID)
	w.is("again", err, fault.ErrNotFound)
	_, err = w.Register(w.ctx(), byInvitation(invitee, link))
	w.is("to register", err, ErrInvitation)
	w.leaves("a registration on its way", func() {
		o, err := w.VerifyEmail(w.ctx(), VerifyCmd{Entry: bearer, Flow: v.Flow, Code: l.Code})
		w.nobody("VerifyEmail()", o, err, ErrInvitation)
	}, "")
	if _, _, err := w.Accounts.Occupied(w.ctx(), invitee); err != nil || w.count("users") != 1 {
		t.Errorf("%d users, %v", w.count("users"), err)
	}
	_, link = w.invite(host, InviteCmd{Email: invitee, Days: 1})
	w.clock.Advance(24 * time.Hour)
	_, err = w.Register(w.ctx(), byInvitation(invitee, link))
	w.is("a day later", err, ErrInvitation)
}

// The role of an invitation is granted on behalf of who invited, by what they may do when it is accepted; the account is
// made all the same.
func TestTheInviterMustStillBeAbleToGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for name, lose := range map[string]func(host account.User, g rbac.Grant){
		"lost the right": func(_ account.User, g rbac.Grant) {
			_, err := w.roles.Revoke(w.sys(), g.ID, rbac.Restrict)
			w.must(err)
		},
		"was disabled": func(host account.User, _ rbac.Grant) {
			_, err := w.DisableUser(w.sys(), host.ID)
			w.must(err)
		},
		"is gone": func(host account.User, _ rbac.Grant) {
			_, err := w.Accounts.ScheduleDeletion(w.sys(), host.ID, w.clock.Now())
			w.must(err)
			w.purgeDue(w.ctx())
		},
	} {
		slug := strings.ReplaceAll(name, " ", ".")
		host := w.made("host." + slug + "@example.org")
		g := w.grant(host, "host")
		_, link := w.invite(w.as(w.signIn(host.Email()).Token), InviteCmd{Email: slug + "@example.org", Role: "host", Days: 1})
		v, l := w.asked(w.ctx(), byInvitation(slug+"@example.org", link))
		lose(host, g)
		in := w.verify(w.ctx(), v, l)
		if w.roles.HoldsAny(in.User.ID, []string{"host"}) {
			t.Errorf("%s, and the role was granted", name)
		}
		if !w.roles.HoldsAny(in.User.ID, []string{rbac.RoleMember}) || !w.live(in.Token) {
			t.Errorf("%s, and the account is not whole", name)
		}
	}
	_, link := w.invite(w.sys(), InviteCmd{Email: invitee, Role: rbac.RoleAdmin, Days: 1}) // by an operator at the command line
	v, l := w.asked(w.ctx(), byInvitation(invitee, link))
	if in := w.verify(w.ctx(), v, l); !w.roles.HoldsAny(in.User.ID, []string{rbac.RoleAdmin}) {
		t.Error("the system's invitation grants nothing")
	}
}

// A guest who was invited becomes a person with all that the invitation brings.
func TestGuestAcceptsAnInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	host := w.host()
	_, link := w.invite(w.as(host.Token), InviteCmd{Email: invitee, Role: "host", Plan: "pro", Days: 1})
	g := w.visitor()
	v, l := w.asked(w.as(g.Token), byInvitation(invitee, link))
	var in SignedIn
	w.leaves("VerifyEmail()", func() { in = w.verify(w.ctx(), v, l) }, "account.user.upgraded webauth.invitation.accepted plan.membership.changed"+
		" rbac.grant.created session.session.ended session.device.added session.session.started")
	if in.User.ID != g.User.ID || !w.roles.HoldsAny(in.User.ID, []string{"host"}) || w.planOf(in.User) != "pro" {
		t.Errorf("VerifyEmail() = %+v on the plan %s", in.User, w.planOf(in.User))
	}
	_, err := w.Register(w.ctx(), byInvitation(invitee, link))
	w.is("the invitation again", err, ErrInvitation)
	_, link = w.invite(w.as(host.Token), InviteCmd{Email: bob, Plan: "free", Days: 1})
	g = w.visitor()
	v, l = w.asked(w.as(g.Token), byInvitation(bob, link))
	if in := w.verify(w.ctx(), v, l); w.planOf(in.User) != "free" {
		t.Errorf("on the plan %s", w.planOf(in.User))
	}
}
