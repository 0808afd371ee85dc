package bag

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// Service is the business of bags. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	store *mongoStore
	now   clock.Clock
}

// New makes the service. It starts nothing.
func New(db *store.DB, now clock.Clock) *Service { return &Service{db, newStore(db), now} }

// Get gives what is kept for the actor of ctx under these keys, or everything for nil, by key; nothing for who keeps nothing.
// What services keep is not among it. Cost: 1 read; none for who has no bag.
//
// Errors: BAD_USER_INPUT for more than 100 keys.
func (s *Service) Get(ctx context.Context, keys []string) ([]Datum, error) {
	if len(keys) > MaxKeys {
		return nil, fault.ErrInput.Saying("at most %d keys at once", MaxKeys).On("keys")
	}
	b, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	all := []Datum{}
	for _, d := range b.Data {
		if !isKey(d.Key) || keys != nil && !slices.Contains(keys, d.Key) {
			continue
		}
		one, err := d.open()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(x, y Datum) int { return strings.Compare(x.Key, y.Key) })
	return all, nil
}

// open reads the bag of the actor of ctx, without what has lapsed.
func (s *Service) open(ctx context.Context) (box, error) {
	name := holder(actor.From(ctx))
	if name == "" {
		return box{}, nil
	}
	b, err := s.store.box(ctx, name)
	b.prune(s.now())
	return b, err
}

// SetCmd keeps a value.
type SetCmd struct {
	Key      string // 1 to 64 letters, digits, dots, dashes and underscores; not beginning with "sys."
	Value    map[string]any
	Revision *int64        // that the change is based on; 0 for a key that must not be there, nil for whatever there is
	OnSignIn Rule          // empty for the one it has, Replace for a new one
	TTL      time.Duration // zero means 30 days; at most 400 days
}

func (c SetCmd) check() error {
	switch {
	case !isKey(c.Key):
		return fault.ErrInput.Saying("a key has 1 to %d letters, digits, dots, dashes and underscores", MaxKey).On("input.key")
	case c.Value == nil:
		return fault.ErrInput.Saying("a value is an object").On("input.value")
	case c.OnSignIn != "" && !c.OnSignIn.valid():
		return fault.ErrInput.Saying("there is no such rule").On("input.onSignIn")
	case c.TTL < 0 || c.TTL > MaxTTL:
		return fault.ErrInput.Saying("a value is kept for 1 second to %d days", MaxTTL/(24*time.Hour)).On("input.ttl")
	}
	return nil
}

// Set keeps a value for the actor of ctx. Cost: 1 read, 1 write, 1 commit.
//
// Errors: UNAUTHENTICATED for who is neither signed in nor a visitor, FORBIDDEN for who may only look, DATA_STALE,
// DATA_TOO_LARGE, BAD_USER_INPUT.
func (s *Service) Set(ctx context.Context, c SetCmd) (Datum, error) {
	if err := c.check(); err != nil {
		return Datum{}, err
	}
	return s.set(ctx, c)
}

func (s *Service) set(ctx context.Context, c SetCmd) (Datum, error) {
	if depth(c.Value) > MaxDepth {
		return Datum{}, fault.ErrInput.Saying("a value has at most %d levels", MaxDepth).On("input.value")
	}
	text, err := json.Marshal(c.Value)
	switch {
	case err != nil:
		return Datum{}, fault.ErrInput.Because(err).On("input.value")
	case len(text) > MaxValue:
		return Datum{}, ErrTooLarge.On("input.value")
	}
	var kept datum
	err = s.change(ctx, func(b *box) error {
		now := s.now()
		ttl := c.TTL
		if ttl == 0 {
			ttl = DefaultTTL
		}
		if err := b.put(datum{Key: c.Key, Value: string(text), Rule: c.OnSignIn, WrittenAt: now, ExpiresAt: new(now.Add(ttl))}, c.Revision); err != nil {
			return err
		}
		kept = b.Data[b.find(c.Key)]
		return nil
	})
	if err != nil {
		return Datum{}, err
	}
	return kept.open()
}

// Remove forgets a value of the actor of ctx. That there is none is no error. Cost: 1 read, 1 write, 1 commit.
//
// Errors: FORBIDDEN for who may only look, BAD_USER_INPUT.
func (s *Service) Remove(ctx context.Context, key string) error {
	if !isKey(key) {
		return fault.ErrInput.Saying("there can be no such key").On("input.key")
	}
	if holder(actor.From(ctx)) == "" {
		return nil
	}
	return s.change(ctx, func(b *box) error {
		b.Data = slices.DeleteFunc(b.Data, func(d datum) bool { return d.Key == key })
		return nil
	})
}

// change changes the bag of the actor of ctx.
func (s *Service) change(ctx context.Context, how func(*box) error) error {
	a := actor.From(ctx)
	switch name := holder(a); {
	case name == "":
		return fault.ErrUnauthenticated
	case a.ReadOnly:
		return fault.ErrForbidden
	default:
		return s.changeBox(ctx, name, how)
	}
}

// changeBox reads, changes and replaces a bag in one transaction: of two at once, one is tried again.
func (s *Service) changeBox(ctx context.Context, name string, how func(*box) error) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		b, err := s.store.box(ctx, name)
		if err != nil {
			return err
		}
		b.ID = name
		now := s.now()
		b.prune(now)
		if err := how(&b); err != nil {
			return err
		}
		b.litter(now)
		return s.store.put(ctx, b)
	})
}

// Flash leaves a message for the session, or the visitor, of ctx; for a program it is lost. It joins the transaction of ctx.
// Cost: 1 read, 1 write.
func (s *Service) Flash(ctx context.Context, m Message) error {
	return s.flash(ctx, place(actor.From(ctx)), m)
}

// FlashTo is [Service.Flash] for another session, such as one that has just begun.
func (s *Service) FlashTo(ctx context.Context, session string, m Message) error {
	return s.flash(ctx, ofSession(session), m)
}

func (s *Service) flash(ctx context.Context, name string, m Message) error {
	if name == "" {
		return nil
	}
	m.At = s.now()
	return s.changeBox(ctx, name, func(b *box) error {
		b.leave(m)
		return nil
	})
}

// Take gives the messages that wait for the session, or the visitor, of ctx, the oldest first, and to nobody else again.
// Cost: 1 read; 1 read, 1 write and 1 commit more when there are any.
func (s *Service) Take(ctx context.Context) ([]Message, error) {
	name := place(actor.From(ctx))
	if name == "" {
		return nil, nil
	}
	b, err := s.store.box(ctx, name)
	if err != nil || len(b.Messages) == 0 {
		return nil, err
	}
	var taken []Message
	err = s.changeBox(ctx, name, func(b *box) error {
		taken, b.Messages = b.Messages, nil
		return nil
	})
	return taken, err
}

// MergeCmd says whose bags come along into whose account.
type MergeCmd struct {
	Visitor  string // empty for none
	FromUser string // a guest who signs in to another account; empty for none
	User     string
	Session  string // that has begun: the visitor's messages wait for it
}

// Merge brings bags into an account, by the rule of each key, and forgets where they came from. What does not fit is left
// out. It joins the transaction of the sign-in and asks for no permission. Cost: 1 read and 1 write for each bag there is.
func (s *Service) Merge(ctx context.Context, c MergeCmd) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		var names []string
		if c.Visitor != "" {
			names = append(names, ofVisitor(c.Visitor))
		}
		if c.FromUser != "" && c.FromUser != c.User {
			names = append(names, ofUser(c.FromUser))
		}
		for _, name := range names {
			from, err := s.store.box(ctx, name)
			if err != nil {
				return err
			}
			if from.ID == "" {
				continue
			}
			if err := s.pour(ctx, from, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// pour empties one bag into the account's.
func (s *Service) pour(ctx context.Context, from box, c MergeCmd) error {
	if len(from.Data) > 0 {
		err := s.changeBox(ctx, ofUser(c.User), func(b *box) error {
			b.merge(from, s.now())
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(from.Messages) > 0 && c.Session != "" {
		err := s.changeBox(ctx, ofSession(c.Session), func(b *box) error {
			for _, m := range from.Messages {
				b.leave(m)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.store.delete(ctx, from.ID)
}

// DeleteAllOf deletes a user's bag. It joins the transaction of ctx and asks for no permission. Cost: 1 write.
func (s *Service) DeleteAllOf(ctx context.Context, user string) error {
	return s.store.delete(ctx, ofUser(user))
}
