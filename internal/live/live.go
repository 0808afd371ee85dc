package live

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of channels.
var (
	ErrChannels = fault.Define(fault.Invalid, "BAD_CHANNELS", "a stream follows 1 to 50 channels, each with its own key and exactly one family")
	ErrUnknown  = fault.Define(fault.NotFound, "LIVE_UNKNOWN", "the session has no such stream on this node; begin it anew")
	ErrEnded    = fault.Define(fault.Forbidden, "CHANNEL_ENDED", "the right to follow this channel has ended")
)

// Kind is what a message of a channel is.
type Kind string

// The kinds.
const (
	Snapshot Kind = "SNAPSHOT"
	Resumed  Kind = "RESUMED"
	Delta    Kind = "DELTA"
	Resync   Kind = "RESYNC"
	Notice   Kind = "NOTICE"
)

// MaxChannels is how many channels one stream may follow.
const MaxChannels = 50

// Channel is what a family answers when somebody asks to follow something: what to compute, and for whom it may be shared.
type Channel struct {
	// Key names the source: the family, its arguments in one canonical form, and the visibility class, which holds
	// everything the decision to allow it depended on. Equal keys share one computation on a node.
	Key string
	// Topics are what the source wants to hear of; see [Hub.Publish].
	Topics []string
	// New makes the source. It is called once for a key that nobody follows yet.
	New func() Source
	// Allowed says whether this subscriber may still follow; it is asked again when the policy changes, and once a second
	// for rights that end by the clock, so it must look into memory only. An error ends the channel with a NOTICE.
	Allowed func(ctx context.Context) error
	// Enter, if there is one, is called when this subscriber begins to follow, and what it gave when they end.
	Enter func() (leave func())
}

// Source computes one channel. The hub calls it from one goroutine, never concurrently.
type Source interface {
	// Load reads the state as of now. It is called first, and again when changes were missed. Changes published while it
	// runs are applied after it, so Apply meets changes that Load has seen already.
	Load(ctx context.Context) error
	// Apply folds one published change into the state and gives the delta for those who follow, or nil when there is
	// nothing to tell. Applying a change twice, or one older than the state, changes nothing.
	Apply(change any) (delta any)
	// Snapshot is the whole state for a new follower. It is shared and must not change afterwards.
	Snapshot() any
}

// Staler is a source that can find out, while it applies a change, that its state no longer suffices; the hub then loads
// it anew and sends everybody a RESYNC.
type Staler interface{ Stale() bool }

// Flusher is a source that tells what a lot of changes did rather than each of them: its Apply gives nil.
type Flusher interface {
	// Flush gives the delta of all that was applied since the last, or nil. It is called when a lot of changes was applied.
	Flush() (delta any)
}

// Refresher is a source whose state is computed anew now and then, by more work than Apply may do.
type Refresher interface {
	// Due is asked after changes were applied, and after each tick for those who listen to [TopicTick].
	Due() bool
	// Refresh computes the state anew and gives the delta, or nil when there is nothing to tell. It runs as Load does, in
	// the goroutine of the source and within Config.LoadIn, and only while somebody follows. An error is logged and
	// leaves the state as it was.
	Refresh(ctx context.Context) (delta any, err error)
}

// Merger is a source that can tell several changes as one, for who is told more rarely than it changes.
type Merger interface {
	// Merge gives one delta with the effect of the older and then the newer. Both are shared and must not change.
	Merge(older, newer any) any
}

// Closer is a source that holds something beyond memory: Close is called once, when nobody follows it any more.
type Closer interface{ Close() }

// Sink is where a subscriber takes its messages. Deliver is called from the goroutine of the source, one call at a time
// for each channel, and must not wait.
type Sink interface {
	// Deliver takes one message and reports whether it did. One that is refused is lost to this subscriber: its channel
	// then stays silent until [Stream.Ready] is called, and goes on with a RESYNC.
	Deliver(label string, f *Frame) (taken bool)
}

// Request asks to follow one channel.
type Request struct {
	Label string // the subscriber's own name for it
	Open  func(ctx context.Context) (Channel, error)
	After string        // the cursor of the message to go on after; empty to begin
	Every time.Duration // the least time between two messages; 0 for none
	Whole bool          // each message is to bring the whole state
}

// Data is what a channel tells: a state or a change of it, of a type of its family.
type Data any

// Frame is one message of a source, shared by all who follow it. But for the encodings kept with it, it is immutable.
type Frame struct {
	Kind          Kind
	Seq, FirstSeq int64
	At            time.Time
	Data          Data              // what Source.Snapshot or Source.Apply gave
	Err           *fault.Error      // of a Notice
	Cursor        *string           // where the channel stands after it, for Request.After; nil for a Notice
	form          string            // the form that was asked for first: most frames meet no other
	body          []byte            // of that form
	encoded       map[string][]byte // of others
}

// maxEncoded bounds the encodings a frame keeps: a snapshot may stay for long, and meet many users.
const maxEncoded = 64

// Encoded gives the bytes of the frame in one form, made by encode the first time that form is asked for; equal forms
// must give equal bytes. An encode that gives nil is not kept. Only a [Sink] may call it, inside Deliver: calls for one
// frame are never concurrent.
func (f *Frame) Encoded(form string, encode func() []byte) []byte {
	if f.body != nil && f.form == form {
		return f.body
	}
	if b, ok := f.encoded[form]; ok {
		return b
	}
	b := encode()
	switch {
	case b == nil:
	case f.body == nil:
		f.form, f.body = form, b
	case len(f.encoded) < maxEncoded:
		if f.encoded == nil {
			f.encoded = map[string][]byte{}
		}
		f.encoded[form] = b
	}
	return b
}

// Message is a frame as one subscriber sees it: with its own name for the channel.
type Message struct {
	Channel string
	*Frame
}
