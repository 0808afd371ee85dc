// Package live carries many channels of live data to many subscribers.
//
// A domain publishes committed changes to topics ([Hub.Publish]); it never waits. A [Source] turns the changes of its
// topics into frames: one source for all subscribers of equal arguments and equal rights on this node, run by one
// goroutine. A [Stream] is one subscriber's set of channels; each begins with a snapshot and goes on with deltas, numbered
// without gaps. A subscriber that cannot keep up loses nothing silently: it misses deltas, and as soon as it is ready
// again it gets the whole state as a RESYNC.
//
// Invariants: a publisher never waits for a source, nor a source for a subscriber; a frame is immutable and shared; the
// state a subscriber folds from its frames equals the source's; a lost right ends the channel with a NOTICE.
//
// The package keeps nothing in MongoDB and knows no domain: see docs/architecture.md for how a family of channels is added.
package live
