package analytics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

const (
	streamAwait = 250 * time.Millisecond // how long the server holds an empty answer
	streamCall  = 5 * time.Second        // an answer that takes longer counts as a cut
)

// stream is the part of the database's change stream that the folder follows: stored events, metrics, and the bell.
type stream struct{ cs *mongo.ChangeStream }

// change is one of them.
type change struct {
	event  *Event    // stored; nil for the other kinds
	metric bool      // a definition changed
	ring   int64     // the bell was rung for this time; 0 for the other kinds
	at     timestamp // when it was committed
	wall   time.Time // the same by the server's clock
}

// errHistory: the changes after the checkpoint can't be had any more. errForeign: a stored event that is none of ours.
var (
	errHistory = errors.New("analytics: the history of the change stream is lost")
	errForeign = errors.New("analytics: a stored event is not readable")
)

// follow opens the stream right after the checkpoint.
//
// Errors: errHistory.
func (m *mongoStore) follow(ctx context.Context, from checkpoint) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, streamCall)
	defer cancel()
	opts := options.ChangeStream().SetMaxAwaitTime(streamAwait)
	if from.Token != nil {
		opts.SetResumeAfter(from.Token)
	} else {
		opts.SetStartAtOperationTime(&from.StartAt) // what happened then is in every recount, and so left out
	}
	in := func(coll string, ops ...string) bson.D {
		return bson.D{{Key: "ns.coll", Value: coll}, {Key: "operationType", Value: bson.D{{Key: "$in", Value: ops}}}}
	}
	match := bson.A{
		in(eventsCollection, "insert"),
		in(metricsCollection, "insert", "update", "replace", "delete"),
		append(in(checkpointsCollection, "insert", "update"), bson.E{Key: "documentKey._id", Value: settleID}),
	}
	cs, err := m.db.Database().Watch(ctx, mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "$or", Value: match}}}}}, opts)
	switch {
	case store.IsHistoryLost(err), isBadToken(err):
		return nil, fmt.Errorf("%w: %w", errHistory, err)
	case err != nil:
		return nil, fmt.Errorf("open stream of events: %w", store.Translate(err))
	}
	return &stream{cs}, nil
}

// isBadToken reports whether the server could not make sense of a resume token: FailedToParse, Overflow, and codes
// without a name.
func isBadToken(err error) bool {
	var se mongo.ServerError
	return errors.As(err, &se) && slices.ContainsFunc([]int{9, 15, 40647, 40649, 50811}, se.HasErrorCode)
}

// next waits a moment for a change; ok is false when there was none.
//
// Errors: errHistory; errForeign, after which the stream goes on.
func (s *stream) next(ctx context.Context) (c change, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, streamCall)
	defer cancel()
	if !s.cs.TryNext(ctx) {
		err := s.cs.Err()
		switch {
		case store.IsHistoryLost(err):
			return change{}, false, fmt.Errorf("%w: %w", errHistory, err)
		case err == nil && s.cs.ID() == 0:
			return change{}, false, fmt.Errorf("%w: the database was dropped", errHistory)
		}
		return change{}, false, store.Translate(err)
	}
	c, err = read(s.cs.Current)
	return c, true, err
}

// more reports whether next has a change at hand without waiting.
func (s *stream) more() bool { return s.cs.RemainingBatchLength() > 0 }

// token is where to go on after all that next gave.
func (s *stream) token() bson.Raw { return slices.Clone(s.cs.ResumeToken()) }

func (s *stream) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.cs.Close(ctx) // the server ends a cursor that nobody uses by itself
}

func read(doc bson.Raw) (change, error) {
	var raw struct {
		NS struct {
			Coll string `bson:"coll"`
		} `bson:"ns"`
		At     bson.Timestamp `bson:"clusterTime"`
		Wall   time.Time      `bson:"wallTime"`
		Doc    bson.Raw       `bson:"fullDocument"`
		Update struct {
			Fields bson.Raw `bson:"updatedFields"`
		} `bson:"updateDescription"`
	}
	if err := bson.Unmarshal(doc, &raw); err != nil {
		return change{}, fmt.Errorf("%w: %w", errForeign, err)
	}
	c := change{at: raw.At, wall: raw.Wall.UTC()}
	switch raw.NS.Coll {
	case eventsCollection:
		e, err := store.Decode[Event](raw.Doc)
		if err != nil {
			return c, fmt.Errorf("%w: %w", errForeign, err)
		}
		c.event = &e
	case metricsCollection:
		c.metric = true
	default:
		fields := raw.Doc
		if fields == nil {
			fields = raw.Update.Fields
		}
		c.ring, _ = fields.Lookup("n").AsInt64OK()
	}
	return c, nil
}
