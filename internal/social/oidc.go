package social

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/clock"
)

const (
	maxIDToken  = 64 << 10 // bytes
	maxIDHeader = 4 << 10  // bytes of its first part, which is read before the signature is checked
)

// signable are the algorithms an ID token may be signed with: the asymmetric ones. With another kind the public key, which
// everybody has, could serve as the secret.
var signable = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// oidcPeer is a provider of OpenID Connect that has told about itself. It is immutable but for the keys it caches.
type oidcPeer struct {
	p          Provider
	conf       *oauth2.Config
	http       *http.Client
	now        clock.Clock
	keys       oidc.KeySet
	algorithms []string
	userURL    string // empty without a user endpoint
	namesSelf  bool   // whether every callback of it has an iss
}

func (o *oidcPeer) config() *oauth2.Config { return o.conf }
func (o *oidcPeer) client() *http.Client   { return o.http }

func (o *oidcPeer) checkIssuer(iss string) error {
	if iss == o.p.Issuer || iss == "" && !o.namesSelf {
		return nil
	}
	return refuse("the callback comes from another issuer, or does not say from which")
}

// person is what ID token and user endpoint say alike.
type person struct {
	Email         string    `json:"email"`
	EmailVerified looseBool `json:"email_verified"`
	Name          string    `json:"name"`
}

func (o *oidcPeer) claims(ctx context.Context, tokens *oauth2.Token, nonce string) (Claims, error) {
	raw, _ := tokens.Extra("id_token").(string)
	it, err := o.verify(ctx, raw, nonce)
	if err != nil {
		return Claims{}, err
	}
	if it.AccessTokenHash != "" && it.VerifyAccessToken(tokens.AccessToken) != nil {
		return Claims{}, refuse("the ID token belongs to another access token")
	}
	var said person
	if it.Claims(&said) != nil {
		return Claims{}, refuse("the ID token's claims cannot be read")
	}
	if said.Email == "" && o.userURL != "" {
		if said, err = o.userinfo(ctx, tokens.AccessToken, it.Subject); err != nil {
			return Claims{}, err
		}
	}
	return Claims{
		// Ours, not the token's: Google writes it in two ways.
		Provider: o.p.Key, Issuer: o.p.Issuer,
		Subject: it.Subject, Email: said.Email, EmailVerified: bool(said.EmailVerified), Name: said.Name,
	}, nil
}

// userinfo reads the person at the user endpoint, which must mean the same one.
func (o *oidcPeer) userinfo(ctx context.Context, bearer, subject string) (person, error) {
	var said struct {
		person
		Subject string `json:"sub"`
	}
	if err := getJSON(ctx, o.http, o.userURL, bearer, &said); err != nil {
		return person{}, unavailable(o.p.Key, err)
	}
	if said.Subject != subject {
		return person{}, refuse("the user endpoint tells of somebody else")
	}
	return said.person, nil
}

// verify checks an ID token as OpenID Connect Core 3.1.3.7 says, and does not let it bring keys of its own.
//
// Errors: OAUTH_FAILED, PROVIDER_UNAVAILABLE when the provider's keys cannot be read.
func (o *oidcPeer) verify(ctx context.Context, raw, nonce string) (*oidc.IDToken, error) {
	if raw == "" || len(raw) > maxIDToken {
		return nil, refuse("the ID token is missing or too long")
	}
	if err := checkHeader(raw); err != nil {
		return nil, refuse("the ID token: %v", err)
	}
	keys := &watched{KeySet: o.keys}
	it, err := oidc.NewVerifier(o.p.Issuer, keys, &oidc.Config{
		ClientID: o.p.ClientID, SupportedSigningAlgs: o.algorithms, Now: o.now,
	}).Verify(ctx, raw)
	switch {
	case keys.outage != nil:
		return nil, unavailable(o.p.Key, keys.outage)
	case err != nil:
		return nil, refuse("the ID token: %v", err)
	case subtle.ConstantTimeCompare([]byte(it.Nonce), []byte(nonce)) != 1:
		return nil, refuse("the ID token was made for another sign-in")
	}
	var to struct {
		Party *string `json:"azp"`
	}
	if it.Claims(&to) != nil || to.Party == nil && len(it.Audience) > 1 || to.Party != nil && *to.Party != o.p.ClientID {
		return nil, refuse("the ID token was made for another client")
	}
	return it, nil
}

var (
	errHeader = errors.New("its header cannot be read")
	errOwnKey = errors.New("its header brings a key of its own")
)

// checkHeader looks at the part of a token that is read before its signature is checked. A token that says where its key
// is to be had is refused, though nobody here would go there.
func checkHeader(raw string) error {
	head, _, ok := strings.Cut(raw, ".")
	if !ok || len(head) > maxIDHeader {
		return errHeader
	}
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return errHeader
	}
	var header map[string]json.RawMessage
	if json.Unmarshal(text, &header) != nil {
		return errHeader
	}
	for _, name := range []string{"jku", "jwk", "x5u", "x5c"} {
		if _, has := header[name]; has {
			return errOwnKey
		}
	}
	return nil
}

// watched is a key set that remembers when it was not the signature that failed: the verifier's error does not tell.
type watched struct {
	oidc.KeySet
	outage error
}

// VerifySignature implements oidc.KeySet.
func (w *watched) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := w.KeySet.VerifySignature(ctx, jwt)
	var network *url.Error
	switch {
	case err == nil:
	case ctx.Err() != nil:
		w.outage = ctx.Err()
	case errors.As(err, &network):
		w.outage = network
	case strings.HasPrefix(err.Error(), "fetching keys"): // the rest of the text is the whole answer
		w.outage = errors.New("its keys cannot be read")
	}
	return payload, err
}
