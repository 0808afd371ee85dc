package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/ticket"
)

// The tickets that hold challenges.
const (
	ticketAdd   ticket.Kind = "passkey-add"
	ticketCheck ticket.Kind = "passkey-check"
)

// ceremony is the data of a challenge's ticket: what the library remembers, in the form it vouches for.
type ceremony struct {
	Session string `bson:"session"` // JSON
}

// BeginPasskey starts to add a passkey: options is what the browser's parseCreationOptionsFromJSON takes, flow the secret
// to come back with within 5 minutes. The passkey must be one that its device finds by itself, and verify its user; a
// device that has one of this user is told not to make another. name and account are what the device shows of the user.
// It joins the transaction of ctx. Cost: 1 read, 1 write.
//
// Errors: FACTOR_LIMIT, PASSKEY_UNSUPPORTED.
func (s *Service) BeginPasskey(ctx context.Context, user, name, account string) (flow string, options []byte, err error) {
	if s.rp == nil {
		return "", nil, ErrPasskeyUnsupported
	}
	records, err := s.store.of(ctx, user, Passkey)
	if err != nil {
		return "", nil, err
	}
	if len(records) >= maxPasskeys {
		return "", nil, ErrLimit.With("limit", maxPasskeys)
	}
	h := holderOf(user, records)
	h.name, h.display = display(account), display(name)
	if h.name == "" {
		h.name = s.product
	}
	if h.display == "" {
		h.display = h.name
	}
	creation, session, err := s.rp.BeginRegistration(h,
		webauthn.WithCredentialParameters(algorithms()),
		webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return "", nil, fmt.Errorf("begin passkey: %w", err)
	}
	return s.issue(ctx, ticketAdd, user, session, creation.Response)
}

// issue keeps a challenge for the client that asked for it.
func (s *Service) issue(ctx context.Context, kind ticket.Kind, user string, session *webauthn.SessionData, options any) (string, []byte, error) {
	shown, err := json.Marshal(options)
	if err != nil {
		return "", nil, fmt.Errorf("encode options: %w", err)
	}
	kept, err := json.Marshal(session)
	if err != nil {
		return "", nil, fmt.Errorf("encode ceremony: %w", err)
	}
	issued, err := s.tickets.Issue(ctx, ticket.Request{Kind: kind, Subject: user, Data: ceremony{string(kept)}, TTL: challengeLife})
	if err != nil {
		return "", nil, err
	}
	return issued.Flow, shown, nil
}

// AddPasskey makes what the browser's toJSON gives a factor, if it answers the challenge of the flow. An empty name
// becomes "Passkey". The challenge is spent and the event factor.factor.added told by the same commit. It joins the
// transaction of ctx. Cost: 2 reads, 3 writes.
//
// Errors: PASSKEY_INVALID, also for a flow that is unknown, used, expired or another's; PASSKEY_TAKEN; FACTOR_LIMIT;
// PASSKEY_UNSUPPORTED; BAD_USER_INPUT (the name).
func (s *Service) AddPasskey(ctx context.Context, user, flow string, credential []byte, name string) (Factor, error) {
	if s.rp == nil {
		return Factor{}, ErrPasskeyUnsupported
	}
	name, err := checkName(name, defaultKeyName)
	if err != nil {
		return Factor{}, err
	}
	answer, err := parseRegistration(credential)
	if err != nil {
		return Factor{}, err
	}
	t, session, err := s.challenge(ctx, ticketAdd, user, flow)
	if err != nil {
		return Factor{}, err
	}
	created, err := s.rp.CreateCredential(holder{id: user}, session, answer)
	if err != nil {
		return Factor{}, ErrPasskey.Because(err)
	}
	key, err := passkeyOf(created)
	if err != nil {
		return Factor{}, err
	}
	r := record{Factor: Factor{ID: ref.NewID(), User: user, Kind: Passkey, Name: name, CreatedAt: s.now()}, Passkey: key}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := asPasskey(s.tickets.Spend(ctx, t)); err != nil {
			return err
		}
		if err := s.checkLimit(ctx, user, Passkey, maxPasskeys); err != nil {
			return err
		}
		if err := s.store.insert(ctx, r); err != nil {
			return err
		}
		return s.events.Append(ctx, kindAdded, r.Ref(), aboutOf(r.Factor))
	})
	if err != nil {
		return Factor{}, err
	}
	return r.Factor, nil
}

// challenge finds the challenge of a flow. It must have been made for this user, or for nobody if user is "".
//
// Errors: PASSKEY_INVALID.
func (s *Service) challenge(ctx context.Context, kind ticket.Kind, user, flow string) (ticket.Ticket, webauthn.SessionData, error) {
	t, err := s.tickets.Peek(ctx, kind, flow)
	if err != nil {
		return ticket.Ticket{}, webauthn.SessionData{}, asPasskey(err)
	}
	if t.Subject != user {
		return ticket.Ticket{}, webauthn.SessionData{}, ErrPasskey.Because(errors.New("the challenge is another user's"))
	}
	var kept ceremony
	var session webauthn.SessionData
	if err := t.Decode(&kept); err != nil {
		return ticket.Ticket{}, session, err
	}
	if err := json.Unmarshal([]byte(kept.Session), &session); err != nil {
		return ticket.Ticket{}, session, fmt.Errorf("decode ceremony: %w", err)
	}
	return t, session, nil
}

// asPasskey answers a flow that does not count like a passkey that does not: the remedy is the same.
func asPasskey(err error) error {
	if errors.Is(err, ticket.ErrInvalid) {
		return ErrPasskey.Because(err)
	}
	return err
}
