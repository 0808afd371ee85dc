package factor

import (
	"cmp"
	"context"
	"slices"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/ticket"
)

// Service is the business of second factors and passkeys. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	store   *mongoStore
	events  *event.Log
	now     clock.Clock
	tickets *ticket.Service
	ring    *keyring.Ring
	product string
	rp      *webauthn.WebAuthn // nil where passkeys cannot work
}

// New makes the service. It starts nothing. The error tells what is wrong with the configuration.
func New(db *store.DB, events *event.Log, now clock.Clock, tickets *ticket.Service, ring *keyring.Ring, cfg Config) (*Service, error) {
	if cfg.Product = display(cfg.Product); cfg.Product == "" {
		cfg.Product = defaultProduct
	}
	rp, err := newRelyingParty(cfg)
	if err != nil {
		return nil, err
	}
	return &Service{
		db: db, store: newStore(db), events: events, now: now, tickets: tickets, ring: ring, product: cfg.Product, rp: rp,
	}, nil
}

// Of gives the confirmed authenticator apps and the passkeys of a user, oldest first. How strongly somebody must prove
// who they are follows from it at each question. One read.
func (s *Service) Of(ctx context.Context, user string) ([]Factor, error) {
	records, err := s.store.of(ctx, user, TOTP, Passkey)
	if err != nil {
		return nil, err
	}
	all := make([]Factor, len(records))
	for i, r := range records {
		all[i] = r.Factor
	}
	slices.SortFunc(all, func(a, b Factor) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Rename gives a factor of the user another name; an empty one becomes the default of its kind. The event
// factor.factor.renamed commits with it. It joins the transaction of ctx. Cost: 2 writes.
//
// Errors: NOT_FOUND, also for another's factor; BAD_USER_INPUT (the name).
func (s *Service) Rename(ctx context.Context, user, id, name string) (Factor, error) {
	name, err := checkName(name, "")
	if err != nil {
		return Factor{}, err
	}
	var renamed Factor
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		f, found, err := s.store.rename(ctx, user, id, name)
		if err != nil {
			return err
		}
		if !found {
			return fault.ErrNotFound
		}
		renamed = f
		return s.events.Append(ctx, kindRenamed, f.Ref(), aboutOf(f))
	})
	if err != nil {
		return Factor{}, err
	}
	return renamed, nil
}

// Remove deletes a factor of the user and gives what it was; with the last one the recovery codes are void. The events
// factor.factor.removed and, if codes were left, factor.recovery_set.voided commit with it. It joins the transaction of
// ctx. Cost: 1 read and 3 writes, 2 more with the last.
//
// Errors: NOT_FOUND, also for another's factor and for an app that is not confirmed.
func (s *Service) Remove(ctx context.Context, user, id string) (Factor, error) {
	var removed Factor
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		f, found, err := s.store.remove(ctx, user, id)
		if err != nil {
			return err
		}
		if !found {
			return fault.ErrNotFound
		}
		removed = f
		if err := s.events.Append(ctx, kindRemoved, f.Ref(), aboutOf(f)); err != nil {
			return err
		}
		return s.voidRecoveryWithoutFactor(ctx, user)
	})
	if err != nil {
		return Factor{}, err
	}
	return removed, nil
}

// voidRecoveryWithoutFactor keeps the invariant that recovery codes stand in for something.
func (s *Service) voidRecoveryWithoutFactor(ctx context.Context, user string) error {
	// Two transactions that remove the last two factors would each still see the other's: this write makes them meet.
	if err := s.store.touchRecovery(ctx, user); err != nil {
		return err
	}
	n, err := s.store.count(ctx, user, TOTP, Passkey)
	if err != nil || n > 0 {
		return err
	}
	set, found, err := s.store.deleteRecovery(ctx, user)
	if err != nil || !found {
		return err
	}
	return s.events.Append(ctx, kindSetVoided, ref.New(ref.User, user), left{len(set.Codes)})
}

// ForgetUser deletes all there is of a user who is being deleted, in the transaction of ctx. It tells no event: the end of
// the user is one. Cost: 3 writes.
func (s *Service) ForgetUser(ctx context.Context, user string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.deleteAll(ctx, user); err != nil {
			return err
		}
		if _, _, err := s.store.deleteRecovery(ctx, user); err != nil {
			return err
		}
		_, err := s.tickets.Void(ctx, user, ticketAdd, ticketCheck)
		return err
	})
}

// checkLimit refuses one more factor of a kind.
//
// Errors: FACTOR_LIMIT.
func (s *Service) checkLimit(ctx context.Context, user string, kind Kind, most int) error {
	n, err := s.store.count(ctx, user, kind)
	if err == nil && n >= most {
		return ErrLimit.With("limit", most)
	}
	return err
}
