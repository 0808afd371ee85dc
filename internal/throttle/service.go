package throttle

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// aftermath is how long a refusal goes on to be put right when the caller has left.
const aftermath = 2 * time.Second

// Service is the business of limits. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	store  *mongoStore
	events *event.Log
	now    clock.Clock
}

// New makes the service. It starts nothing.
func New(db *store.DB, events *event.Log, now clock.Clock) *Service {
	return &Service{db: db, store: newStore(db), events: events, now: now}
}

// about is the data of this package's events. The key is left out: it may be an address.
type about struct {
	Limit string `bson:"limit"`
}

// Take counts an attempt in each of the buckets, or in none when one of them has nothing left. Buckets of the empty key
// are passed over. They are asked in their order and the first one without decides: put that of who asks (a network) before
// that of whom it is about (a user), and who has used up the first takes nothing of the second.
//
// It works outside the transaction of ctx, because a rollback must not give attempts back. Call it before the transaction:
// one that runs again would count again.
//
// Cost: 1 write for each bucket; of a refusal, 1 for those that are given back and, if it is the first, a transaction for
// the event.
//
// Errors: RATE_LIMITED with retryAfter. After any other error attempts may have been counted.
func (s *Service) Take(ctx context.Context, buckets ...Bucket) error {
	ctx = store.Outside(ctx)
	buckets, err := known(buckets)
	if err != nil {
		return err
	}
	now := s.now()
	var told []Bucket // whose next refusal would be passed over in silence
	for i, b := range buckets {
		was, err := s.store.take(ctx, b, now)
		if err != nil {
			return err
		}
		if wait := b.Limit.wait(was.Tat, now); wait > 0 {
			return s.refuse(ctx, b, buckets[:i], was.Refused, limited(wait))
		}
		if was.Refused {
			told = append(told, b)
		}
	}
	return s.store.passed(ctx, told)
}

// refuse gives back what was taken for an attempt that b refuses, and writes the event if it is the first.
func (s *Service) refuse(ctx context.Context, b Bucket, taken []Bucket, again bool, refusal *fault.Error) error {
	ctx, cancel := store.Linger(ctx, aftermath)
	defer cancel()
	err := s.store.give(ctx, taken, s.now())
	if !again {
		err = errors.Join(err, s.reached(ctx, b))
	}
	if err != nil { // refused all the same; the edge logs why something is missing
		return refusal.Because(err)
	}
	return refusal
}

// reached writes that a bucket has nothing left, unless another attempt has written it.
func (s *Service) reached(ctx context.Context, b Bucket) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		first, err := s.store.refused(ctx, b)
		if err != nil || !first {
			return err
		}
		return s.events.Append(ctx, kindReached, b.subject(), about{b.Limit.Name})
	})
}

// Refund gives one attempt back to each of the buckets: it was no attempt after all, such as a right password. A bucket
// never holds more than its burst. It works outside the transaction of ctx. Cost: 1 write for all.
func (s *Service) Refund(ctx context.Context, buckets ...Bucket) error {
	buckets, err := known(buckets)
	if err != nil {
		return err
	}
	return s.store.give(store.Outside(ctx), buckets, s.now())
}
