package session

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/token"
)

// Secrets are what a client shows to be taken for a session. They are kept nowhere but with the client, and never print.
type Secrets struct {
	Token     string    // what each request shows
	ExpiresAt time.Time // when Token ends: with the session, or long before it when there is a Refresh
	Refresh   string    // good once, for the next Secrets: see [Service.Refresh]; empty where Token lasts as long as the session
}

// Format keeps every verb of fmt from the secrets.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "secrets") }

// LogValue keeps the secrets out of logs.
func (Secrets) LogValue() slog.Value { return slog.StringValue("secrets") }

// tokens are the digests by which a session is found, as stored. One that was replaced by a refresh stays good for a
// moment beside its successor, for the requests that are on their way.
type tokens struct {
	Hash      []byte     `bson:"tokenHash"`
	Until     *time.Time `bson:"tokenUntil,omitempty"` // nil: as long as the session
	PrevHash  []byte     `bson:"prevHash,omitempty"`
	PrevUntil *time.Time `bson:"prevUntil,omitempty"`
}

// pass is one digest that is good until then, with the session at the latest; zero for as long as that.
type pass struct {
	digest token.Digest
	until  time.Time
}

// passes are the tokens in the form of the memory.
func (t tokens) passes() []pass {
	all := make([]pass, 0, 2)
	for _, one := range []struct {
		hash  []byte
		until *time.Time
	}{{t.Hash, t.Until}, {t.PrevHash, t.PrevUntil}} {
		if len(one.hash) != len(token.Digest{}) {
			continue
		}
		p := pass{digest: token.Digest(one.hash)}
		if one.until != nil {
			p.until = *one.until
		}
		all = append(all, p)
	}
	return all
}

// issue makes the first secrets of a session, or new ones that have nothing to do with those before.
func (s *Service) issue(one Session, refresh bool, now time.Time) (Secrets, tokens, token.Digest) {
	secret, d := token.New(sessionPrefix)
	out, kept := Secrets{Token: secret, ExpiresAt: one.ExpiresAt}, tokens{Hash: d[:]}
	if !refresh {
		return out, kept, token.Digest{}
	}
	until := earlier(now.Add(s.cfg.Access), one.ExpiresAt)
	next, rd := token.New(refreshPrefix)
	out.Refresh, out.ExpiresAt, kept.Until = next, until, &until
	return out, kept, rd
}
