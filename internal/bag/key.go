package bag

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Key is a value that a service keeps for users and visitors, under a name of its own: see [Define].
type Key[T any] struct {
	name string
	ttl  time.Duration
	rule Rule
}

// Define declares a key of a service. T is a struct or a map: it becomes a JSON object. The name is 1 to 60 letters, digits,
// dots, dashes and underscores; ttl is how long a value lives after its last change, at most 400 days and zero for 30 days.
// It panics on what is none: keys are declared in package variables.
func Define[T any](name string, ttl time.Duration, rule Rule) Key[T] {
	if !isKey(name) || len(reserved+name) > MaxKey || !rule.valid() || ttl < 0 || ttl > MaxTTL {
		panic("bag: " + name + " cannot be a key like this")
	}
	return Key[T]{reserved + name, ttl, rule}
}

// Store is what it takes to keep values for the actor of ctx, in words any package has: [Service] is one.
type Store interface {
	// Value is the JSON of an object under a key, and its revision; 0 for none. Cost: 1 read.
	Value(ctx context.Context, key string) (text []byte, rev int64, err error)
	// Put keeps the JSON of an object, based on that revision, for that long after now; rule is what becomes of it at
	// sign-in. Cost: 1 read, 1 write, 1 commit.
	Put(ctx context.Context, key string, text []byte, based int64, ttl time.Duration, rule string) error
}

// Value implements [Store].
func (s *Service) Value(ctx context.Context, key string) ([]byte, int64, error) {
	b, err := s.open(ctx)
	if err != nil {
		return nil, 0, err
	}
	if i := b.find(key); i >= 0 {
		return []byte(b.Data[i].Value), b.Data[i].Rev, nil
	}
	return nil, 0, nil
}

// Put implements [Store].
func (s *Service) Put(ctx context.Context, key string, text []byte, based int64, ttl time.Duration, rule string) error {
	value, err := object(string(text))
	if err != nil || !isName(key) {
		return fault.ErrInternal.Because(errors.Join(err, errors.New("a key or a value that can be none")))
	}
	_, err = s.set(ctx, SetCmd{Key: key, Value: value, Revision: &based, OnSignIn: Rule(rule), TTL: ttl})
	return err
}

// Load gives the value of the actor of ctx and its revision; the zero value and 0 when there is none. Cost: 1 read.
func Load[T any](ctx context.Context, s Store, k Key[T]) (v T, rev int64, err error) {
	text, rev, err := s.Value(ctx, k.name)
	if err != nil || rev == 0 {
		return v, 0, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, 0, fault.ErrInternal.Because(err)
	}
	return v, rev, nil
}

// Save keeps a value, based on that revision; 0 for none before. Cost: 1 read, 1 write, 1 commit.
//
// Errors: DATA_STALE, DATA_TOO_LARGE, UNAUTHENTICATED, FORBIDDEN, as [Service.Set].
func Save[T any](ctx context.Context, s Store, k Key[T], v T, rev int64) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fault.ErrInternal.Because(err)
	}
	return s.Put(ctx, k.name, text, rev, k.ttl, string(k.rule))
}

// Update changes a value by a function, which may run again when somebody else was faster, until ctx ends. It gives the new
// value.
//
// Errors: those of [Save] but DATA_STALE, and those of change.
func Update[T any](ctx context.Context, s Store, k Key[T], change func(T) (T, error)) (T, error) {
	for {
		v, rev, err := Load(ctx, s, k)
		if err != nil {
			return v, err
		}
		if v, err = change(v); err != nil {
			return v, err
		}
		if err = Save(ctx, s, k, v, rev); !errors.Is(err, ErrStale) || ctx.Err() != nil {
			return v, err
		}
	}
}
