package factor

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

const (
	maxAnswer    = 16 << 10 // bytes of what an authenticator answers; without attestation it is one or two thousand
	maxPublicKey = 1100     // bytes of a public key: RSA with 8,192 bits. A longer one would cost the server at each sign-in
)

// newRelyingParty is this server as authenticators know it, or nil where no browser offers passkeys: at an IP address.
func newRelyingParty(cfg Config) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(cfg.Origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != cfg.Origin {
		return nil, fmt.Errorf("factor: the origin %q is not scheme://host[:port]", cfg.Origin)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil, nil //nolint:nilnil // no passkeys is one of the two good answers
	}
	conf := &webauthn.Config{
		RPID: strings.ToLower(u.Hostname()), RPDisplayName: cfg.Product,
		RPOrigins: []string{cfg.Origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		AttestationPreference: protocol.PreferNoAttestation,
		// What the page shows as its patience. Ours is the life of the ticket, by our clock; the library would use its own.
		Timeouts: webauthn.TimeoutsConfig{
			Login: webauthn.TimeoutConfig{Timeout: challengeLife}, Registration: webauthn.TimeoutConfig{Timeout: challengeLife},
		},
		// Some password managers answer extensions nobody asked for. We ask for none and read none.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	}
	for _, more := range cfg.MoreOrigins {
		if protocol.IsOpaqueOrigin(more) {
			conf.RPOpaqueOrigins = append(conf.RPOpaqueOrigins, more)
		} else {
			conf.RPOrigins = append(conf.RPOrigins, more)
		}
	}
	rp, err := webauthn.New(conf)
	if err != nil {
		return nil, fmt.Errorf("factor: passkeys: %w", err)
	}
	return rp, nil
}

// holder is a user as the library wants one.
type holder struct {
	id, name, display string
	keys              []webauthn.Credential
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.id) }
func (h holder) WebAuthnName() string                       { return h.name }
func (h holder) WebAuthnDisplayName() string                { return h.display }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// holderOf is a user with their passkeys.
func holderOf(user string, records []record) holder {
	h := holder{id: user}
	for _, r := range records {
		h.keys = append(h.keys, r.Passkey.credential())
	}
	return h
}

// credential is a stored passkey as the library wants it.
func (p passkey) credential() webauthn.Credential {
	c := webauthn.Credential{
		ID: p.Credential, PublicKey: p.PublicKey,
		Flags:         webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(p.Flags)),        //nolint:gosec // it was one byte
		Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: uint32(p.SignCount)}, //nolint:gosec // it was one of 32 bits
	}
	for _, t := range p.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// passkeyOf is a passkey to store from one that was verified.
//
// Errors: PASSKEY_INVALID for a key that could never be used.
func passkeyOf(c *webauthn.Credential) (*passkey, error) {
	// Without attestation nothing has tried the key yet.
	if _, err := webauthncose.ParsePublicKey(c.PublicKey); err != nil {
		return nil, ErrPasskey.Because(err)
	}
	if len(c.PublicKey) > maxPublicKey {
		return nil, ErrPasskey.Because(fmt.Errorf("public key of %d bytes", len(c.PublicKey)))
	}
	p := &passkey{
		Credential: c.ID, PublicKey: c.PublicKey, AAGUID: c.Authenticator.AAGUID,
		Flags: int32(c.Flags.MsgpByte()), SignCount: int64(c.Authenticator.SignCount),
	}
	for _, t := range c.Transport {
		// The client says these, and they go back to clients: only words that mean something.
		if slices.Contains(transports, t) && !slices.Contains(p.Transports, string(t)) {
			p.Transports = append(p.Transports, string(t))
		}
	}
	return p, nil
}

var transports = []protocol.AuthenticatorTransport{
	protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal,
}

// algorithms are the signatures a passkey may make: those of the recommendation, which every authenticator has one of.
func algorithms() []protocol.CredentialParameter { return webauthn.CredentialParametersRecommendedL3() }

// parseRegistration reads what a browser's PublicKeyCredential.toJSON gives after create().
//
// Errors: PASSKEY_INVALID.
func parseRegistration(answer []byte) (*protocol.ParsedCredentialCreationData, error) {
	if len(answer) > maxAnswer {
		return nil, ErrPasskey
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, ErrPasskey.Because(err)
	}
	return parsed, nil
}

// parseAssertion reads what a browser's PublicKeyCredential.toJSON gives after get().
//
// Errors: PASSKEY_INVALID.
func parseAssertion(answer []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if len(answer) > maxAnswer {
		return nil, ErrPasskey
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, ErrPasskey.Because(err)
	}
	return parsed, nil
}
