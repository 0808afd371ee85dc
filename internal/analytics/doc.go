// Package analytics stores events, folds them into rollups and answers reports, once or live.
//
// An event is a fact that is counted: immutable, stored once by the id its client made. A metric says what to count: the
// events of one name, perhaps one value of theirs, and the dimensions to break it down by. A rollup is the counters and
// sketches of one metric in one minute, hour or day of UTC: in total, and for each value of each dimension. Reports read the
// coarsest rollups that can answer them, and the events only where none can.
//
// The folder ([Service.Fold]) is one worker in the whole cluster, chosen by a lease. It follows the change stream of the
// stored events and commits, in one transaction, the rollups they change and the place in the stream it has come to; the
// transaction is refused unless that place is still the one the worker started from and nobody with a newer lease has
// taken over. So each event is in the rollups exactly once, whichever process dies when. A new or changed metric is
// counted from the stored events as of one cluster time, and from the stream for all later events. When the stream's
// history is lost, that is done for every metric, in place: nobody sees numbers fall to zero and rise again.
//
// A journey is a question about the order of events, which no counter answers: a funnel, a retention or paths. It reads the
// stored events, within a budget, and so does the explorer; a tail follows them live ([Service.Tail]).
// docs/analytics-journeys.md has the definitions.
//
// Invariants: a rollup equals a recount of the events up to the checkpoint ([Service.Verify]); rev of a rollup grows with
// every change, so a live report can tell old from new; only the folder writes rollups.
//
// Events come from whoever may track ([Service.Track]), line by line ([Service.Stream]), or in files ([Service.Ingest]). A
// sender outside has an ingest key ([EventSource]) that stores events of some names and does nothing else. An [EventType] says
// what is known of a name; events of unknown names are stored all the same. Without consent an event is stored with nothing
// that points at anybody, and addresses are never stored. docs/analytics.md is the guide.
//
// Collections:
//   - analytics_events {_id: id made by the client, name, at, receivedAt, user, actor, session, source, dims, values}; indexes
//     by name, time and id, by actor and time, and by user.
//   - event_sources {_id, name, hint, hash: of the key, owner, events, origins, disabled, createdAt, lastUsedAt}.
//   - event_types {_id: name, description, dims, values, strict, retentionDays}.
//   - metrics {_id: key, event, value, unique, quantiles, where, dimensions, maxKeys, minuteDays, hourDays, v, basis}.
//   - rollups {_id: {m: metric, r: width, d: dimension, t: begin, k: value of the dimension}, n, c, sum, min, max, last: {t, v},
//     uniq: HyperLogLog, dd: DDSketch, rev, through}; the total has empty d and k. Ranges of _id serve every query, so there
//     is no other index to write.
//   - analytics_checkpoints: "fold" is the place of the folder, "settle" the bell that [Service.Settled] rings, and
//     "keys:<metric>:<dimension>" the values of a dimension that have rollups of their own, and "gone:<metric>" the last version
//     of one that was deleted.
//
// Events in the log: analytics.metric.defined {before, after} and deleted {before}, analytics.metric.invalidated (a rebuild was asked for),
// analytics.metric.folded {version, events, rows} (its rollups are whole again), analytics.source.created, updated, rotated and
// deleted {before, after}, analytics.type.defined {before, after}.
package analytics
