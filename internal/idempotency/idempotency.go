package idempotency

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Errors of requests with a key.
var (
	ErrKey      = fault.Define(fault.Invalid, "IDEMPOTENCY_KEY_INVALID", "an idempotency key is 1 to 255 printable ASCII characters, of somebody who is signed in")
	ErrReused   = fault.Define(fault.Invalid, "IDEMPOTENCY_KEY_REUSED", "this idempotency key was used for another request")
	ErrProgress = fault.Define(fault.Conflict, "IDEMPOTENCY_IN_PROGRESS", "the request with this idempotency key is under way; try again")
	// ErrApplied: the server that made the change ended before it could keep the answer, or never heard that the change was made.
	ErrApplied = fault.Define(fault.Conflict, "ALREADY_APPLIED", "the change with this idempotency key was made, but its answer is lost: read what it changed")
)

const (
	// Kept is how long a key is remembered.
	Kept = 24 * time.Hour
	// grace is how long after its deadline a request may still be at work.
	grace = 2 * time.Second
	// maxRun bounds a request without a deadline.
	maxRun = 10 * time.Minute
	// settleIn is how long it is tried to keep an answer once the request is over.
	settleIn = 15 * time.Second
)

// Outcome is what became of a mutation.
type Outcome int

// The outcomes.
const (
	Done    Outcome = iota
	Failed          // with errors; what has changed nothing is forgotten, and may be tried again
	Unknown         // a commit was sent, and not answered
)

// IsUnknown reports whether an error says that a commit was not answered.
func IsUnknown(err error) bool { return errors.Is(err, store.ErrOutcomeUnknown) }

// Service remembers keys. It is safe for concurrent use.
type Service struct {
	store *mongoStore
	ring  *keyring.Ring
	now   clock.Clock
	log   *slog.Logger
}

// New makes the service. Answers may hold what only their reader may see, so they are sealed with the ring.
func New(db *store.DB, ring *keyring.Ring, now clock.Clock, log *slog.Logger) *Service {
	return &Service{newStore(db), ring, now, log}
}

// Do runs a mutation of the caller, or gives the answer it had before. The key counts for the caller alone; request is what
// must be the same when the key comes again. run gives the answer to keep, and what became of the mutation.
//
// Two round trips besides those of run.
//
// Errors: IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, ALREADY_APPLIED.
func (s *Service) Do(ctx context.Context, key string, request []byte, run func(ctx context.Context) ([]byte, Outcome)) (answer []byte, replayed bool, err error) {
	who := actor.From(ctx)
	if who.User == "" || !isKey(key) {
		return nil, false, ErrKey
	}
	c := &claim{s: s, id: digest(who.Ref().String(), who.Impersonator, key), print: digest(string(request)), run: ref.NewID()}
	if answer, err := c.take(ctx); err != nil || answer != nil {
		return answer, answer != nil, err
	}
	answer, outcome := run(store.WithWitness(ctx, c.witness))
	c.closed.Store(true)
	c.settle(ctx, answer, outcome)
	return answer, false, nil
}

func isKey(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// digest is one text for several, whatever they hold.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// claim is the right of one request to use a key.
type claim struct {
	s      *Service
	id     string
	print  string
	run    string // id of this try
	closed atomic.Bool
}

// take gets the claim, or the answer of before.
func (c *claim) take(ctx context.Context) (answer []byte, err error) {
	now := c.s.now()
	until := now.Add(maxRun)
	if end, ok := ctx.Deadline(); ok {
		until = end.Add(grace)
	}
	d := doc{ID: c.id, Print: c.print, Run: c.run, Until: until, ExpireAt: now.Add(Kept)}
	for {
		was, err := c.s.store.insert(ctx, d)
		switch {
		case err != nil:
			return nil, err
		case was == nil:
			return nil, nil
		case was.Print != c.print:
			return nil, ErrReused
		case was.Answer != nil:
			return c.s.ring.Open(was.Answer, c.id)
		case was.Until.After(now):
			return nil, ErrProgress.With("retryAfterMs", was.Until.Sub(now).Milliseconds())
		case was.Commits > 0:
			return nil, ErrApplied
		}
		// Whoever had it is gone, or will find out that it is taken: see witness.
		if taken, err := c.s.store.takeOver(ctx, *was, d); err != nil || taken {
			return nil, err
		}
	}
}

// witness counts the transaction of ctx in the claim. A try that is late, and whose claim another has taken over, fails here and
// changes nothing.
func (c *claim) witness(ctx context.Context) error {
	if c.closed.Load() {
		return nil // something that the mutation has started goes on without it
	}
	mine, err := c.s.store.count(ctx, c.id, c.run)
	if err == nil && !mine {
		err = ErrProgress
	}
	return err
}

// settle keeps the answer, or forgets the claim, before the client hears of it if there is time. If that fails, or the server
// ends before, who comes again after the deadline of the request tries anew if nothing was changed, and hears ALREADY_APPLIED
// otherwise.
func (c *claim) settle(ctx context.Context, answer []byte, outcome Outcome) {
	if ctx.Err() == nil && c.keep(ctx, answer, outcome) == nil {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleIn)
		defer cancel()
		if err := c.keep(ctx, answer, outcome); err != nil {
			c.s.log.WarnContext(ctx, "idempotency_answer_lost", "error", err.Error(), "effect", "a retry does not get the answer")
		}
	}()
}

func (c *claim) keep(ctx context.Context, answer []byte, outcome Outcome) error {
	if outcome != Done {
		forgotten, err := c.s.store.forget(ctx, c.id, c.run) // waits for a commit that is under way
		if err != nil || forgotten {
			return err
		}
	}
	if outcome == Unknown { // it is known now: the change was made
		return c.s.store.release(ctx, c.id, c.run, c.s.now())
	}
	return c.s.store.answer(ctx, c.id, c.run, c.s.ring.Seal(answer, c.id))
}
