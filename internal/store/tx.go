package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of a transaction as a whole.
var (
	// ErrOutcomeUnknown: the commit was sent and its answer never came. The change is there or it is not.
	ErrOutcomeUnknown = fault.Define(fault.Unavailable, "OUTCOME_UNKNOWN", "whether the change was made is not known; try again with the same idempotency key, or read first")
	// ErrContended: other transactions on the same documents kept winning until the deadline.
	ErrContended = fault.Define(fault.Conflict, "CONTENDED", "too many changes to the same object at once; try again")
)

const (
	txBackoffMin = 2 * time.Millisecond
	txBackoffMax = 100 * time.Millisecond
	txLinger     = 2 * time.Second // for a statement under way when the caller leaves
	txAbortWait  = time.Second     // a lost abort only leaves the transaction to the server's own lifetime limit
)

// InTx runs fn in a transaction: all of its writes commit, or none. Inside another InTx it joins that one, so a flow can
// wrap the calls of two services. Reads in it are snapshot reads.
//
// fn may run several times: it must have no effect but on the database and on variables it overwrites. An error of the
// driver must come back wrapped with %w (or through [Translate]), or its retry label is lost.
//
// The driver's own loop ignores the context while it commits and backs off; this one does not: it ends with the context.
//
// Errors: those of fn; CONTENDED and OUTCOME_UNKNOWN when the context ended during retries; UNAVAILABLE.
func (d *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if InTransaction(ctx) {
		return fn(ctx)
	}
	sess, err := d.client.StartSession()
	if err != nil {
		return Translate(err)
	}
	defer sess.EndSession(context.WithoutCancel(ctx)) // nothing is open by then: it only returns the session to its pool
	opts := options.Transaction().SetReadConcern(readconcern.Snapshot()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)})
	for backoff := txBackoffMin; ; backoff = min(backoff*2, txBackoffMax) {
		again, err := attempt(ctx, sess, opts, fn)
		if !again {
			return err
		}
		if !pause(ctx, backoff) {
			return ErrContended.Because(err)
		}
	}
}

// attempt runs fn once and commits. again tells that the whole transaction may be tried anew.
func attempt(ctx context.Context, sess *mongo.Session, opts *options.TransactionOptionsBuilder, fn func(context.Context) error) (again bool, err error) {
	if err := sess.StartTransaction(opts); err != nil {
		return false, Translate(err)
	}
	if err := work(ctx, sess, fn); err != nil {
		abort(ctx, sess)
		return hasLabel(err, "TransientTransactionError") && ctx.Err() == nil, err
	}
	for backoff := txBackoffMin; ; backoff = min(backoff*2, txBackoffMax) {
		err := sess.CommitTransaction(ctx)
		switch {
		case err == nil:
			return false, nil
		case hasLabel(err, "TransientTransactionError"):
			abort(ctx, sess)
			return ctx.Err() == nil, Translate(err)
		case !hasLabel(err, "UnknownTransactionCommitResult") && ctx.Err() == nil:
			return false, Translate(err)
		}
		if !pause(ctx, backoff) {
			return false, ErrOutcomeUnknown.Because(fmt.Errorf("commit: %w", err))
		}
	}
}

// work runs fn in the transaction. A caller who leaves does not cut the statement that is under way: the abort could
// overtake it, and the server would then keep the transaction it begins, with its locks, to the end of its lifetime.
func work(ctx context.Context, sess *mongo.Session, fn func(context.Context) error) error {
	patient, cancel := Linger(ctx, txLinger)
	defer cancel()
	patient = mongo.NewSessionContext(patient, sess)
	if err := fn(patient); err != nil {
		return err
	}
	if saw := witness(ctx); saw != nil {
		if err := saw(patient); err != nil {
			return err
		}
	}
	return Translate(ctx.Err())
}

type witnessKey struct{}

// WithWitness has every transaction under ctx end with a call of saw, inside of it: what saw writes commits with the rest, and
// an error of it undoes the rest. It may be called more often than there are commits.
func WithWitness(ctx context.Context, saw func(ctx context.Context) error) context.Context {
	return context.WithValue(ctx, witnessKey{}, saw)
}

// HasWitness reports whether transactions under ctx are witnessed: they must not be done in one of another caller's.
func HasWitness(ctx context.Context) bool { return witness(ctx) != nil }

func witness(ctx context.Context) func(context.Context) error {
	saw, _ := ctx.Value(witnessKey{}).(func(context.Context) error)
	return saw
}

// Linger is ctx for something that is better finished than cut off: it keeps the deadline of ctx, but a cancellation
// reaches it only after grace.
func Linger(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := cancel
	if end, ok := ctx.Deadline(); ok {
		patient, release = context.WithDeadline(patient, end)
	}
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return patient, func() {
		stop()
		release()
		cancel()
	}
}

func abort(ctx context.Context, sess *mongo.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), txAbortWait)
	defer cancel()
	_ = sess.AbortTransaction(ctx) // the server ends the transaction by itself if this is lost
}

// pause waits around d and reports false when the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	return clock.Sleep(ctx, d/2+rand.N(d))
}

// InTransaction reports whether ctx is inside an InTx.
func InTransaction(ctx context.Context) bool {
	s := mongo.SessionFromContext(ctx)
	return s != nil && s.TransactionRunning()
}

// Outside is ctx without its transaction and its witness: what is done with it stays done whatever becomes of that one.
func Outside(ctx context.Context) context.Context {
	if witness(ctx) != nil {
		ctx = WithWitness(ctx, nil)
	}
	return mongo.NewSessionContext(ctx, nil)
}

// OperationTime is the cluster time of the last operation in the transaction or session of ctx; the zero Timestamp
// outside one.
func OperationTime(ctx context.Context) bson.Timestamp {
	if s := mongo.SessionFromContext(ctx); s != nil && s.OperationTime() != nil {
		return *s.OperationTime()
	}
	return bson.Timestamp{}
}
