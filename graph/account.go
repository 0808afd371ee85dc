package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// entry is how somebody wants to come in.
func entry(t model.SessionTransport, device *string, remember bool) webauth.Entry {
	return webauth.Entry{Transport: webauth.Transport(t), Device: text(device), Remember: remember}
}

// text is an optional text; "" for null.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// some is a text that may be absent: null for "".
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// signIn is the payload of a step of signing in.
func signIn(o webauth.Outcome, err error) (*model.SignInPayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.SignInPayload{Result: outcome(o)}, nil
}

func outcome(o webauth.Outcome) model.SignInResult {
	switch o := o.(type) {
	case webauth.SignedIn:
		v := model.SignedIn{User: o.User, Session: o.Session, Device: some(o.Device), Restored: o.Restored}
		v.Token, v.TokenExpiresAt, v.RefreshToken = secret(o.Secrets)
		return v
	case webauth.FactorRequired:
		return factorRequired(o)
	case webauth.VerificationRequired:
		return model.VerificationRequired{Flow: o.Flow, Email: o.Email, ExpiresAt: o.ExpiresAt}
	default:
		return nil
	}
}

func factorRequired(o webauth.FactorRequired) model.FactorRequired {
	out := model.FactorRequired{Flow: o.Flow, Factors: make([]model.FactorKind, len(o.Factors)), ExpiresAt: o.ExpiresAt}
	for i, k := range o.Factors {
		out.Factors[i] = model.FactorKind(k)
	}
	return out
}

func mailSent(m webauth.MailSent, err error) (*model.MailSent, error) {
	if err != nil {
		return nil, err
	}
	return &model.MailSent{Flow: m.Flow, ExpiresAt: m.ExpiresAt}, nil
}

func passkeyChallenge(flow string, options []byte, err error) (*model.PasskeyChallenge, error) {
	if err != nil {
		return nil, err
	}
	o, err := object(options)
	return &model.PasskeyChallenge{Flow: flow, Options: o}, err
}

// object reads JSON of our own making.
func object(b []byte) (map[string]any, error) {
	if b == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	var o map[string]any
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fault.ErrInternal.Because(err)
	}
	return o, nil
}

// credential is the JSON of what a browser said, as the library for it wants it.
func credential(o map[string]any) []byte {
	b, err := json.Marshal(o)
	if err != nil { // it came from JSON
		return []byte("null")
	}
	return b
}

func proof(p model.ProofInput) webauth.Proof {
	out := webauth.Proof{Password: text(p.Password), TOTP: text(p.Totp), Recovery: text(p.RecoveryCode), EmailCode: text(p.EmailCode)}
	if p.Passkey != nil {
		out.Passkey = credential(p.Passkey)
	}
	return out
}

func userPayload(u account.User, err error) (*model.UserPayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.UserPayload{User: u}, nil
}

func emailAddresses(u account.User) []model.EmailAddress {
	out := make([]model.EmailAddress, len(u.Emails))
	for i, a := range u.Emails {
		out[i] = model.EmailAddress{Email: a.Email, Primary: i == 0, VerifiedAt: a.VerifiedAt}
	}
	return out
}

func emailsPayload(u account.User, err error) (*model.EmailsPayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.EmailsPayload{Emails: emailAddresses(u)}, nil
}

func users(ctx context.Context, p page.Page[account.User], err error) (*model.UserConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.UserConnection{
		Edges: edges(ctx, p, func(cursor string, u account.User) model.UserEdge { return model.UserEdge{Cursor: cursor, Node: u} }),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

func accessKeys(ctx context.Context, p page.Page[session.Key], err error) (*model.AccessKeyConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.AccessKeyConnection{
		Edges: edges(ctx, p, func(cursor string, k session.Key) model.AccessKeyEdge {
			return model.AccessKeyEdge{Cursor: cursor, Node: k}
		}),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

func invitation(i webauth.Invite) model.Invitation {
	return model.Invitation{ID: i.ID, Email: i.Email, Role: some(i.Role), Plan: some(i.Plan), CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
}

func invitationPayload(i webauth.Invite, err error) (*model.InvitationPayload, error) {
	if err != nil {
		return nil, err
	}
	return &model.InvitationPayload{Invitation: invitation(i)}, nil
}

// viewer is who asks: u, by a session or, without one, by an access key, which learns nothing private.
func viewer(u *account.User, s *session.Session) *model.Viewer {
	v := &model.Viewer{User: u, Session: s, Emails: []model.EmailAddress{}}
	if s == nil {
		return v
	}
	v.Emails, v.Locale, v.HasPassword = emailAddresses(*u), u.Locale, u.HasPassword
	if u.Terms != nil {
		v.TermsVersion = &u.Terms.Version
	}
	return v
}

// justSignedIn reports whether the object whose field is being resolved is the user or the session of a SignedIn: the
// request began as somebody else, or nobody, but its sender is that user now.
func justSignedIn(ctx context.Context) bool {
	f := graphql.GetFieldContext(ctx)
	return f != nil && f.Parent != nil && f.Parent.Object == "SignedIn"
}

// asReader is ctx as the one who reads the fields of u.
func asReader(ctx context.Context, u *account.User) context.Context {
	if justSignedIn(ctx) {
		return actor.With(ctx, actor.Actor{User: u.ID})
	}
	return ctx
}
