package session

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/token"
)

// Errors of access keys.
var (
	ErrKeyForbidden = fault.Define(fault.Forbidden, "KEY_FORBIDDEN", "an access key may not do this; sign in")
	ErrKeyLimit     = fault.Define(fault.Exhausted, "KEY_LIMIT", "a user can have at most 50 access keys at a time; revoke one first")
)

// The bounds of access keys.
const (
	MaxKeys       = 50  // of a user, live at the same time
	MaxKeyName    = 100 // characters
	MaxScopes     = 100
	DefaultKeyTTL = 90 * 24 * time.Hour
	MaxKeyTTL     = 366 * 24 * time.Hour
)

// hintLen is how much of a key is shown for its owner to know it by: the prefix and 24 of its 256 bits.
const hintLen = 8

// Key is an access key: how a program signs in as a user, with some of the user's permissions. Its secret is not part of it.
type Key struct {
	ID         string
	User       string
	Name       string
	Hint       string   // the first 8 characters of the secret
	Scopes     []string // the permissions it is limited to, sorted; its user must hold them as well
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt *time.Time // to Config.TouchEvery; nil for never
	EndedAt    *time.Time // when it was revoked; nil for one that was not
}

// Ref is the key as a reference.
func (k Key) Ref() ref.Ref { return ref.New(ref.Key, k.ID) }

// Live reports whether the key counts at that time.
func (k Key) Live(at time.Time) bool { return k.EndedAt == nil && at.Before(k.ExpiresAt) }

// MintCmd asks for an access key.
type MintCmd struct {
	User   string
	Name   string        // 1 to 100 characters, for people
	Scopes []string      // 1 to 100 permissions; that they exist is for the caller to check
	TTL    time.Duration // zero means 90 days; at most 366 days
}

// checked is the command in its normal form.
//
// Errors: BAD_USER_INPUT.
func (c MintCmd) checked() (MintCmd, error) {
	var err error
	if c.Name, err = label.Check(c.Name, MaxKeyName); err != nil {
		return c, err
	}
	if len(c.Scopes) < 1 || len(c.Scopes) > MaxScopes {
		return c, fault.ErrInput.Saying("a key is limited to 1 to %d permissions", MaxScopes).On("input.scopes")
	}
	c.Scopes = slices.Compact(slices.Sorted(slices.Values(c.Scopes)))
	for _, scope := range c.Scopes {
		if !ref.IsKey(scope) {
			return c, fault.ErrInput.Saying("a scope is the name of a permission").On("input.scopes")
		}
	}
	if c.TTL == 0 {
		c.TTL = DefaultKeyTTL
	}
	if c.TTL < time.Second || c.TTL > MaxKeyTTL {
		return c, fault.ErrInput.Saying("a key is good for at most %d days", MaxKeyTTL/(24*time.Hour)).On("input.ttl")
	}
	c.TTL = c.TTL.Truncate(time.Millisecond)
	return c, nil
}

// minted is the data of the event session.key.created.
type minted struct {
	User      string    `bson:"user"`
	Name      string    `bson:"name"`
	Scopes    []string  `bson:"scopes"`
	ExpiresAt time.Time `bson:"expiresAt"`
}

// MintKey makes an access key and gives its secret, which is kept nowhere else. It joins the transaction of ctx and asks for
// no permission: whose key it may be, and that the user holds the scopes, is for the flow that calls it to decide. Only a
// key, or nobody, can mint none whatever the flow says. The event session.key.created commits with it. Keys of one user are
// minted one after the other, so the limit holds however many ask at once. Cost: 1 read, 3 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, BAD_USER_INPUT, KEY_LIMIT.
func (s *Service) MintKey(ctx context.Context, c MintCmd) (Key, string, error) {
	if _, err := principal(ctx); err != nil {
		return Key{}, "", err
	}
	c, err := c.checked()
	if err != nil {
		return Key{}, "", err
	}
	now, r := s.now(), actor.RequestFrom(ctx)
	secret, d := token.New(keyPrefix)
	made := record{
		Session: Session{
			ID: ref.NewID(), User: c.User, Kind: KindKey, CreatedAt: now, IdleUntil: now.Add(c.TTL), ExpiresAt: now.Add(c.TTL),
			UserAgent: cleanAgent(r.UserAgent), IP: r.IP,
		},
		Tokens: tokens{Hash: d[:]}, Name: c.Name, Hint: secret[:hintLen], Scopes: c.Scopes,
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.queueForKeys(ctx, c.User); err != nil {
			return err
		}
		live, err := s.store.countKeys(ctx, c.User, now)
		switch {
		case err != nil:
			return err
		case live >= MaxKeys:
			return ErrKeyLimit
		}
		if err := s.store.insert(ctx, made); err != nil {
			return err
		}
		return s.events.Append(ctx, kindKeyCreated, made.Ref(), minted{c.User, c.Name, c.Scopes, made.ExpiresAt})
	})
	if err != nil {
		return Key{}, "", err
	}
	return made.key(), secret, nil
}

// RevokeKey ends a key of that owner, which is for the caller to have checked. Revoking one twice is no error. The event
// session.key.revoked commits with it; who uses the key is cut off as [Service.End] does it. Cost: 1 read, 2 writes.
//
// Errors: UNAUTHENTICATED, KEY_FORBIDDEN, NOT_FOUND, also for a key of somebody else.
func (s *Service) RevokeKey(ctx context.Context, owner, id string) (Key, error) {
	if _, err := principal(ctx); err != nil {
		return Key{}, err
	}
	var revoked Key
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		found, ok, err := s.store.byID(ctx, id)
		switch {
		case err != nil:
			return err
		case !ok, found.Kind != KindKey, found.User != owner:
			return fault.ErrNotFound
		}
		at, err := s.end(ctx, found.Session, "")
		found.EndedAt = &at
		revoked = found.key()
		return err
	})
	if err != nil {
		return Key{}, err
	}
	s.told(ctx, id)
	return revoked, nil
}

// KeysOf lists the keys of an owner, newest first, those that are revoked or expired too. It asks for no permission: that
// the caller may see them is for the flow to decide. One find.
//
// Errors: PAGE_SIZE, BAD_CURSOR.
func (s *Service) KeysOf(ctx context.Context, owner string, args page.Args) (page.Page[Key], error) {
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Key]{}, err
	}
	read, err := s.store.keysOf(ctx, owner, w)
	if err != nil {
		return page.Page[Key]{}, err
	}
	return page.Fold(w, read, func(k Key) page.Cursor { return page.Cursor{k.ID} }), nil
}

// KeysByIDs gives keys by id, revoked and expired ones too: the caller's own, or any for the system; all others are left
// out like absent ones. A key sees none. One find, whatever the number.
func (s *Service) KeysByIDs(ctx context.Context, ids []string) (map[string]Key, error) {
	found, err := s.visible(ctx, ids, KindKey)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]Key, len(found))
	for id, r := range found {
		keys[id] = r.key()
	}
	return keys, nil
}
