package webauth

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
)

// BeginProviderCmd asks to sign in with another provider, or to link it.
type BeginProviderCmd struct {
	Provider string
	ReturnTo string // a path of this site
	Link     bool
}

// BeginProvider gives the address of the provider to send the browser to, and binds the answer to this browser by a
// cookie. Linking takes a person who has proved a moment ago who they are.
//
// Errors: PROVIDER_UNKNOWN, PROVIDER_UNAVAILABLE, RETURN_TO_INVALID, RATE_LIMITED, BAD_USER_INPUT where there is no
// browser; to link UNAUTHENTICATED, KEY_FORBIDDEN, EMAIL_UNVERIFIED, REAUTH_REQUIRED.
func (s *Service) BeginProvider(ctx context.Context, c BeginProviderCmd) (string, error) {
	b := browserFrom(ctx)
	if b == nil {
		return "", fault.ErrInput.Saying("this is for browsers: ask over HTTP")
	}
	begin := social.BeginCmd{Provider: c.Provider, ReturnTo: c.ReturnTo, Binding: b.Get(ProviderCookie)}
	if c.Link {
		u, err := s.meFresh(ctx)
		if err != nil {
			return "", err
		}
		begin.LinkUser = u.ID
	} else if err := s.mayMail(ctx, ""); err != nil { // it writes a ticket for whoever asks
		return "", err
	}
	start, err := s.Social.Begin(ctx, begin)
	if err != nil {
		return "", err
	}
	b.Set(ProviderCookie, start.Binding)
	return start.URL, nil
}

// Returned is how a browser comes back from a provider.
type Returned struct {
	ReturnTo string  // a path of this site
	Linked   string  // the provider that was linked; empty for a sign-in
	Outcome  Outcome // of a sign-in: [SignedIn] or [FactorRequired]
}

// FinishProvider takes what a browser brings back from a provider. Who comes is known by issuer and subject alone, never
// by a mail address or a name. Somebody new gets an account if the provider vouches for an address that nobody has here;
// whoever has it must sign in first and link the provider then.
//
// Errors: OAUTH_STATE_INVALID, OAUTH_DENIED, OAUTH_FAILED, PROVIDER_UNKNOWN, PROVIDER_UNAVAILABLE, PROVIDER_UNVERIFIED,
// PROVIDER_LINK_FIRST, PROVIDER_OTHER_USER, IDENTITY_TAKEN, REGISTRATION_CLOSED, ACCOUNT_DISABLED, RATE_LIMITED,
// BAD_USER_INPUT where there is no browser.
func (s *Service) FinishProvider(ctx context.Context, c social.FinishCmd) (Returned, error) {
	b := browserFrom(ctx)
	if b == nil {
		return Returned{}, fault.ErrInput.Saying("this is for browsers: come back over HTTP")
	}
	c.Binding = b.Get(ProviderCookie)
	try, err := s.attempt(ctx, target{}, "")
	if err != nil {
		return Returned{}, err
	}
	done, err := s.Social.Finish(ctx, c)
	back := Returned{ReturnTo: done.ReturnTo}
	if try.settle(ctx, err) != nil {
		s.failed(ctx, ref.Ref{}, methodProvider, err)
		return back, err
	}
	if done.LinkUser != "" {
		back.Linked = done.Claims.Provider
		return back, s.link(ctx, done)
	}
	back.Outcome, err = s.signInWithProvider(ctx, done.Claims)
	return back, err
}

// link links the provider to the person who began it, if it is they who are still signed in.
func (s *Service) link(ctx context.Context, done social.Finished) error {
	if actor.From(ctx).User != done.LinkUser {
		return ErrOther
	}
	u, err := s.me(ctx)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.Social.Link(ctx, u.ID, done.Claims); err != nil {
			return err
		}
		return s.notify(ctx, u, "notice_identity_linked", map[string]any{"Provider": done.Claims.Provider})
	})
}

func (s *Service) signInWithProvider(ctx context.Context, c social.Claims) (Outcome, error) {
	in := Entry{Transport: InCookie, Remember: true}
	known, found, err := s.Social.Find(ctx, c)
	if err != nil {
		return nil, err
	}
	if !found {
		return s.welcome(ctx, c, in)
	}
	known.Email = c.Email
	u, err := s.Accounts.ByID(ctx, known.User)
	if err != nil {
		return nil, err
	}
	return s.admit(ctx, u, methodProvider, in, func(ctx context.Context) error { return s.Social.Used(ctx, known) })
}

// welcome makes an account for somebody new whom a provider vouches for.
func (s *Service) welcome(ctx context.Context, c social.Claims, in Entry) (Outcome, error) {
	key, err := account.EmailKey(c.Email)
	if err != nil || !c.EmailVerified {
		return nil, ErrProviderEmail
	}
	if _, taken, err := s.Accounts.Occupied(ctx, c.Email); err != nil || taken {
		return nil, cmp.Or(err, error(ErrLinkFirst))
	}
	invitation, err := s.invitationOf(ctx, key)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(c.Email, "@")
	draft, err := s.Accounts.Prepare(ctx, account.CreateCmd{Email: c.Email, Name: cmp.Or(c.Name, name)})
	if err != nil {
		return nil, err
	}
	id := draft.Ref().ID
	done, err := s.enter(ctx, id, proved{methodProvider, session.FullProof}, in, func(ctx context.Context) error {
		if err := s.insert(ctx, draft, invitation); err != nil {
			return err
		}
		linked, err := s.Social.Link(ctx, id, c)
		if err != nil {
			return err
		}
		return s.Social.Used(ctx, linked)
	})
	switch {
	case errors.Is(err, account.ErrEmailTaken): // somebody was faster
		return nil, ErrLinkFirst
	case err != nil:
		return nil, err
	}
	s.sync(ctx)
	return done, nil
}

// invitationOf is the id of an invitation that waits for an address somebody else vouches for; without one it is as for
// anybody who registers.
//
// Errors: REGISTRATION_CLOSED.
func (s *Service) invitationOf(ctx context.Context, key string) (string, error) {
	open, err := s.Tickets.Of(ctx, key, kindInvitation)
	if err != nil {
		return "", err
	}
	if len(open) > 0 {
		return open[0].ID, nil
	}
	return s.mayRegister(ctx, key, "")
}
