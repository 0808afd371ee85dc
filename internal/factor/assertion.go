package factor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/backendbook/backendbook/internal/store"
)

// Why an answer was refused, for the log.
var (
	errUnknown   = errors.New("no such passkey")
	errRegressed = errors.New("the signature counter did not go up")
)

// Assertion is what a passkey proved.
type Assertion struct {
	Factor        // the passkey, and whose it is
	Verified bool // the authenticator also knew its user, by a PIN or a finger: two factors in one
}

// regressed is the data of factor.passkey.counter_regressed.
type regressed struct {
	User   string `bson:"user"`
	Stored int64  `bson:"stored"`
	Shown  int64  `bson:"shown"`
}

// BeginAssertion asks for a passkey of the user as a second factor; with "" for any passkey of anybody, which then must
// also verify who uses it. options is what the browser's parseRequestOptionsFromJSON takes, flow the secret to come back
// with within 5 minutes. It joins the transaction of ctx. Cost: 1 read if there is a user, 1 write.
//
// Errors: PASSKEY_INVALID if the user has none; PASSKEY_UNSUPPORTED.
func (s *Service) BeginAssertion(ctx context.Context, user string) (flow string, options []byte, err error) {
	if s.rp == nil {
		return "", nil, ErrPasskeyUnsupported
	}
	request, session, err := s.request(ctx, user)
	if err != nil {
		return "", nil, err
	}
	return s.issue(ctx, ticketCheck, user, session, request.Response)
}

func (s *Service) request(ctx context.Context, user string) (*protocol.CredentialAssertion, *webauthn.SessionData, error) {
	if user == "" {
		return s.rp.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	}
	records, err := s.store.of(ctx, user, Passkey)
	if err != nil {
		return nil, nil, err
	}
	if len(records) == 0 {
		return nil, nil, ErrPasskey.Because(errUnknown)
	}
	// A second factor: what the device knows of its user is welcome and not needed.
	return s.rp.BeginLogin(holderOf(user, records), webauthn.WithUserVerification(protocol.VerificationPreferred))
}

// CheckAssertion verifies what the browser's toJSON gives after get(). With user "" the owner of the credential is who
// signs in, and the user handle in the answer must say the same. A signature counter that did not go up hints at a copied
// key: it is refused, and told by factor.passkey.counter_regressed.
//
// The challenge is spent first, whatever the outcome, and what is written down stays: it does not join the transaction
// of ctx. Cost: 2 reads, 2 writes.
//
// Errors: PASSKEY_INVALID, also for a flow that is unknown, used, expired or another's; PASSKEY_UNSUPPORTED.
func (s *Service) CheckAssertion(ctx context.Context, user, flow string, credential []byte) (Assertion, error) {
	if s.rp == nil {
		return Assertion{}, ErrPasskeyUnsupported
	}
	ctx = store.Outside(ctx)
	t, session, err := s.challenge(ctx, ticketCheck, user, flow)
	if err != nil {
		return Assertion{}, err
	}
	if err := asPasskey(s.tickets.Spend(ctx, t)); err != nil {
		return Assertion{}, err
	}
	answer, err := parseAssertion(credential)
	if err != nil {
		return Assertion{}, err
	}
	key, flags, err := s.verify(ctx, user, session, answer)
	if err != nil {
		return Assertion{}, err
	}
	data := answer.Response.AuthenticatorData
	used, err := s.use(ctx, key, int64(data.Counter), flags)
	if err != nil {
		return Assertion{}, err
	}
	return Assertion{Factor: used, Verified: data.Flags.HasUserVerified()}, nil
}

// verify gives the passkey that made the answer, and its flags after it.
//
// Errors: PASSKEY_INVALID.
func (s *Service) verify(
	ctx context.Context, user string, session webauthn.SessionData, answer *protocol.ParsedCredentialAssertionData,
) (key record, flags int32, err error) {
	key, found, err := s.store.byCredential(ctx, answer.RawID)
	switch {
	case err != nil:
		return record{}, 0, err
	case !found, user != "" && (key.User != user || !asked(session, answer.RawID)):
		return record{}, 0, ErrPasskey.Because(errUnknown)
	}
	owner := holderOf(key.User, []record{key})
	var shown *webauthn.Credential
	if user == "" {
		byKey := func(_, _ []byte) (webauthn.User, error) { return owner, nil } // it compares the user handle with the owner
		_, shown, err = s.rp.ValidatePasskeyLogin(byKey, session, answer)
	} else {
		// The library wants all that was asked for to be there still; one that was removed is no reason to refuse another.
		session.AllowedCredentialIDs = [][]byte{answer.RawID}
		shown, err = s.rp.ValidateLogin(owner, session, answer)
	}
	if err != nil {
		return record{}, 0, ErrPasskey.Because(err)
	}
	return key, int32(shown.Flags.MsgpByte()), nil
}

// asked reports whether the challenge was for that credential.
func asked(session webauthn.SessionData, credential []byte) bool {
	return slices.ContainsFunc(session.AllowedCredentialIDs, func(id []byte) bool { return bytes.Equal(id, credential) })
}

// use writes down that a passkey was used, unless its counter stands still or went back.
//
// Errors: PASSKEY_INVALID.
func (s *Service) use(ctx context.Context, key record, counter int64, flags int32) (Factor, error) {
	used, won, err := s.store.usePasskey(ctx, key.ID, counter, flags, s.now())
	if err != nil || won {
		return used, err
	}
	key, found, err := s.store.byCredential(ctx, key.Passkey.Credential)
	if err != nil {
		return Factor{}, err
	}
	if !found { // removed meanwhile
		return Factor{}, ErrPasskey.Because(errUnknown)
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		return s.events.Append(ctx, kindRegressed, key.Ref(), regressed{key.User, key.Passkey.SignCount, counter})
	})
	if err != nil {
		return Factor{}, fmt.Errorf("tell of the counter: %w", err)
	}
	return Factor{}, ErrPasskey.Because(errRegressed)
}
