package webauth

import (
	"context"
	"encoding/hex"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/token"
)

const visitorPrefix = "bbv_"

// Keep stores a value for whoever asks: with the account of who is signed in, for a visitor under a cookie, which is sent
// with the first value. Until then a visitor leaves no trace here.
//
// Errors: those of [bag.Service.Set]; UNAUTHENTICATED for a visitor where there is no browser.
func (s *Service) Keep(ctx context.Context, c bag.SetCmd) (bag.Datum, error) {
	a := actor.From(ctx)
	b := browserFrom(ctx)
	if !a.IsAnonymous() || a.Visitor != "" || b == nil {
		return s.Bag.Set(ctx, c)
	}
	secret, visitor := NewVisitor()
	a.Visitor = visitor
	d, err := s.Bag.Set(actor.With(ctx, a), c)
	if err == nil {
		b.Set(VisitorCookie, secret)
	}
	return d, err
}

// NewVisitor makes the secret of a visitor's cookie, and what the visitor is known by.
func NewVisitor() (secret, visitor string) {
	secret, d := token.New(visitorPrefix)
	return secret, hex.EncodeToString(d[:])
}

// Visitor is what the visitor with this cookie is known by; empty for a secret that is malformed.
func Visitor(secret string) string {
	d, ok := token.Parse(visitorPrefix, secret)
	if !ok {
		return ""
	}
	return hex.EncodeToString(d[:])
}
