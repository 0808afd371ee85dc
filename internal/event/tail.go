package event

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store"
)

// Change is one committed write to a followed collection other than the log.
type Change struct {
	Op      string         // insert, update, replace or delete
	Key     bson.RawValue  // the _id of the document
	Doc     bson.Raw       // the whole document after an insert or a replace; nil otherwise
	Updated bson.Raw       // field -> new value after an update; nil otherwise
	At      bson.Timestamp // cluster time: the same on every node
}

// Follower is what a package wants of the tail. Its functions run one after the other on the tail's goroutine, in commit
// order: they must be quick and must never wait for anything but memory or a short read.
type Follower struct {
	Name       string
	OnEvent    func(ctx context.Context, e Event, at bson.Timestamp)
	Collection string // also follow this collection; empty for the log alone
	OnChange   func(ctx context.Context, c Change)
	// OnLost tells that changes were missed and can't be had any more: forget everything, and have clients start anew.
	OnLost func(ctx context.Context)
}

// FollowEvents is a follower of the log alone, for packages that do not ask when a fact was committed.
func FollowEvents(name string, on func(ctx context.Context, e Event)) Follower {
	return Follower{Name: name, OnEvent: func(ctx context.Context, e Event, _ bson.Timestamp) { on(ctx, e) }}
}

// Tail is the change stream of this node. Create it, let packages follow, then Start it once before serving.
type Tail struct {
	db        *store.DB
	now       clock.Clock
	log       *slog.Logger
	followers []Follower
	alive     atomic.Int64 // unix ms of the last answer of the stream
	lost      atomic.Int64 // how often the history was lost

	told, telling atomic.Uint64 // see Position
}

const (
	tailAwait      = 250 * time.Millisecond // how long the server holds an empty answer; also the pulse of Lag
	tailCallWait   = 5 * time.Second        // an answer that takes longer counts as a cut
	tailBackoffMin = 50 * time.Millisecond
	tailBackoffMax = 2 * time.Second
)

// NewTail makes a tail that is not started.
func NewTail(db *store.DB, now clock.Clock, log *slog.Logger) *Tail {
	return &Tail{db: db, now: now, log: log}
}

// Follow adds a follower. Only before Start.
func (t *Tail) Follow(f Follower) { t.followers = append(t.followers, f) }

// Lag is how long ago the stream last gave an answer, with or without changes: a node whose lag grows does not know what
// it does not know. A tail that was never started lags for ever.
func (t *Tail) Lag() time.Duration {
	ms := t.alive.Load()
	if ms == 0 {
		return time.Duration(1<<63 - 1)
	}
	return t.now().Sub(time.UnixMilli(ms))
}

// Lost is how often the stream's history was lost since the start.
func (t *Tail) Lost() int64 { return t.lost.Load() }

// Position is how far the tail is, in cluster time as one number: followers were told every change up to told, and none after
// telling. The same numbers mean the same on every node. Zero is before the first.
func (t *Tail) Position() (told, telling uint64) { return t.told.Load(), t.telling.Load() }

// Moment is a cluster time as one number, of which the later is the larger.
func Moment(at bson.Timestamp) uint64 { return uint64(at.T)<<32 | uint64(at.I) }

// momentOf reads the cluster time out of the token to resume after. Its data begin with the type of a timestamp in a KeyString
// and the timestamp itself (MongoDB, src/mongo/db/pipeline/resume_token.h). Zero when it is of another form.
func momentOf(token bson.Raw) uint64 {
	text, _ := token.Lookup("_data").StringValueOK()
	const timestamp = 0x82
	b, err := hex.DecodeString(text[:min(len(text), 18)])
	if err != nil || len(b) < 9 || b[0] != timestamp {
		return 0
	}
	return binary.BigEndian.Uint64(b[1:])
}

// Start opens the stream and then follows it in the background until ctx ends; done is closed when it has ended. What
// commits after Start returns is delivered; so load caches after Start, and let followers apply changes they have seen.
func (t *Tail) Start(ctx context.Context) (done <-chan struct{}, err error) {
	stream, err := t.open(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("open change stream: %w", store.Translate(err))
	}
	t.beat()
	end := make(chan struct{})
	go func() {
		defer close(end)
		t.run(ctx, stream)
	}()
	return end, nil
}

func (t *Tail) open(ctx context.Context, after bson.Raw) (*mongo.ChangeStream, error) {
	names := bson.A{collection}
	for _, f := range t.followers {
		if f.Collection != "" && !slices.Contains(names, any(f.Collection)) {
			names = append(names, f.Collection)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tailCallWait)
	defer cancel()
	opts := options.ChangeStream().SetMaxAwaitTime(tailAwait)
	if after != nil {
		opts.SetResumeAfter(after)
	}
	match := bson.D{{Key: "$match", Value: bson.D{{Key: "ns.coll", Value: bson.D{{Key: "$in", Value: names}}}}}}
	return t.db.Database().Watch(ctx, mongo.Pipeline{match}, opts)
}

// run follows streams one after the other: each resumes where the last was cut.
func (t *Tail) run(ctx context.Context, stream *mongo.ChangeStream) {
	var goal bson.Timestamp // up to here the stream must come before it has caught up
	for {
		token, err := t.drain(ctx, stream, goal)
		_ = stream.Close(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return
		}
		t.log.WarnContext(ctx, "change_stream_cut", "error", err.Error(), "lag_ms", t.Lag().Milliseconds())
		lost := store.IsHistoryLost(err)
		if lost {
			token = nil
		}
		if stream, goal, lost = t.reopen(ctx, token, lost); stream == nil {
			return
		}
		if lost {
			t.tellLost(ctx)
		}
		t.log.InfoContext(ctx, "change_stream_resumed", "history_lost", lost)
	}
}

// reopen tries until it works or ctx ends. lost becomes true when the token is no longer good. What happened up to goal
// may wait in the new stream.
func (t *Tail) reopen(ctx context.Context, token bson.Raw, lost bool) (stream *mongo.ChangeStream, goal bson.Timestamp, _ bool) {
	for backoff := tailBackoffMin; ; backoff = min(backoff*2, tailBackoffMax) {
		if !clock.Sleep(ctx, backoff) {
			return nil, goal, lost
		}
		goal, err := t.db.ClusterTime(ctx)
		if err == nil {
			stream, err = t.open(ctx, token)
		}
		if err == nil {
			return stream, goal, lost
		}
		if store.IsHistoryLost(err) {
			token, lost = nil, true
		}
		t.log.DebugContext(ctx, "change_stream_reopen_failed", "error", err.Error())
	}
}

// errInvalidated says that the database was dropped under the stream.
var errInvalidated = errors.New("the change stream was invalidated")

// drain hands out changes until the stream fails and gives the token to resume after. The node counts as lagging until
// the stream has passed goal: an answer full of old changes is no sign of knowing the present.
func (t *Tail) drain(ctx context.Context, stream *mongo.ChangeStream, goal bson.Timestamp) (bson.Raw, error) {
	behind := !goal.IsZero()
	for {
		call, cancel := context.WithTimeout(ctx, tailCallWait)
		got := stream.TryNext(call)
		cancel()
		if err := stream.Err(); err != nil {
			return stream.ResumeToken(), err
		}
		if stream.ID() == 0 {
			return nil, errInvalidated
		}
		if got {
			at := t.deliver(ctx, stream.Current)
			behind = behind && at.Before(goal)
			t.hasTold(max(Moment(at), 1) - 1) // more of the same transaction may come; an unreadable change has no time
		} else {
			behind = false
		}
		if stream.RemainingBatchLength() == 0 {
			t.hasTold(momentOf(stream.ResumeToken()))
		}
		if !behind {
			t.beat()
		}
	}
}

// hasTold notes how far the followers were told. It never goes back; only the goroutine of the tail calls it.
func (t *Tail) hasTold(moment uint64) { t.told.Store(max(t.told.Load(), moment)) }

func (t *Tail) beat() { t.alive.Store(t.now().UnixMilli()) }

// raw is a change as the server sends it.
type raw struct {
	Op string `bson:"operationType"`
	NS struct {
		Coll string `bson:"coll"`
	} `bson:"ns"`
	Key struct {
		ID bson.RawValue `bson:"_id"`
	} `bson:"documentKey"`
	Doc    bson.Raw       `bson:"fullDocument"`
	At     bson.Timestamp `bson:"clusterTime"`
	Update struct {
		Fields bson.Raw `bson:"updatedFields"`
	} `bson:"updateDescription"`
}

// deliver hands out one change and gives its cluster time.
func (t *Tail) deliver(ctx context.Context, doc bson.Raw) (at bson.Timestamp) {
	var r raw
	if err := bson.Unmarshal(doc, &r); err != nil {
		t.log.ErrorContext(ctx, "change_unreadable", "error", err.Error())
		return at
	}
	t.telling.Store(Moment(r.At))
	if r.NS.Coll != collection {
		// The driver reuses the buffer behind doc; followers may keep what they get.
		c := Change{Op: r.Op, Key: clone(r.Key.ID), Doc: slices.Clone(r.Doc), Updated: slices.Clone(r.Update.Fields), At: r.At}
		for _, f := range t.followers {
			if f.Collection == r.NS.Coll {
				f.OnChange(ctx, c)
			}
		}
		return r.At
	}
	if r.Op != "insert" {
		return r.At // the log is only appended to; retention deletes are no facts
	}
	var e Event
	if err := bson.Unmarshal(slices.Clone(r.Doc), &e); err != nil {
		t.log.ErrorContext(ctx, "event_unreadable", "event", r.Key.ID.String(), "error", err.Error())
		return r.At
	}
	for _, f := range t.followers {
		if f.OnEvent != nil {
			f.OnEvent(ctx, e, r.At)
		}
	}
	return r.At
}

func clone(v bson.RawValue) bson.RawValue {
	v.Value = slices.Clone(v.Value)
	return v
}

func (t *Tail) tellLost(ctx context.Context) {
	t.lost.Add(1)
	t.log.ErrorContext(ctx, "change_stream_history_lost", "effect", "caches reloaded, every live client starts anew")
	for _, f := range t.followers {
		if f.OnLost != nil {
			f.OnLost(ctx)
		}
	}
}
