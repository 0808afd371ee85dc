package social

import (
	"context"

	"github.com/backendbook/backendbook/internal/ref"
)

// Find gives the identity the claims are of, by issuer and subject and by nothing else: a mail address or a name in the
// claims that somebody here has too says nothing. Cost: 1 read by unique index.
func (s *Service) Find(ctx context.Context, c Claims) (Identity, bool, error) {
	return s.store.bySubject(ctx, c.Issuer, c.Subject)
}

// Link says that the account of the claims belongs to the user. It joins the transaction of ctx. It asks for no
// permission: that the claims come from [Service.Finish] and that the user wants this is for the flow to know. Linking
// what is linked to that user already changes nothing. The event social.identity.linked commits with it.
// Cost: 1 read, 2 writes.
//
// Errors: IDENTITY_TAKEN; OAUTH_FAILED for claims that name nobody.
func (s *Service) Link(ctx context.Context, user string, c Claims) (Identity, error) {
	c, err := c.tidy()
	if err != nil {
		return Identity{}, err
	}
	if c.Issuer == "" {
		return Identity{}, refuse("the issuer is missing")
	}
	made := Identity{
		ID: ref.NewID(), User: user, Provider: c.Provider, Issuer: c.Issuer, Subject: c.Subject, Email: c.Email, CreatedAt: s.now(),
	}
	var linked Identity
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		old, found, err := s.store.bySubject(ctx, c.Issuer, c.Subject)
		switch {
		case err != nil:
			return err
		case found && old.User != user:
			return ErrTaken
		case found:
			linked = old
			return nil
		}
		linked = made
		if err := s.store.insert(ctx, made); err != nil {
			return err
		}
		return s.events.Append(ctx, kindLinked, made.Ref(), made.about())
	})
	if err != nil {
		return Identity{}, err
	}
	return linked, nil
}

// Unlink ends that an identity belongs to the user, and gives what it was. It joins the transaction of ctx. Whether the
// user can still sign in afterwards is for the flow to ask. The event social.identity.unlinked commits with it.
// Cost: 2 writes.
//
// Errors: NOT_FOUND, also for an identity of somebody else.
func (s *Service) Unlink(ctx context.Context, user, id string) (Identity, error) {
	var was Identity
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if was, err = s.store.take(ctx, user, id); err != nil {
			return err
		}
		return s.events.Append(ctx, kindUnlinked, was.Ref(), was.about())
	})
	if err != nil {
		return Identity{}, err
	}
	return was, nil
}

// Of gives the identities of a user by age. Cost: 1 find, by index.
func (s *Service) Of(ctx context.Context, user string) ([]Identity, error) {
	return s.store.of(ctx, user)
}

// Used writes down that the identity has just signed its user in, and i.Email with it: set it to what the claims say now.
// In the transaction that begins the session it makes sure that the identity is still there. Cost: 1 write.
//
// Errors: NOT_FOUND when it was unlinked meanwhile.
func (s *Service) Used(ctx context.Context, i Identity) error { return s.store.used(ctx, i, s.now()) }

// ForgetUser deletes the identities and sign-ins on their way of a user who is deleted, in the transaction of ctx. It
// tells no event: the flow's own covers it. Cost: 2 writes.
func (s *Service) ForgetUser(ctx context.Context, user string) error {
	if _, err := s.tickets.Void(ctx, user, TicketKind); err != nil {
		return err
	}
	return s.store.deleteOf(ctx, user)
}
