// Package presence is who and what is there: the nodes that run, with what their sockets do, and who watches what.
//
// Each node writes a sign of life into nodes every few seconds, and into watchers who watches an object through it, whenever
// that changes. Any node that finds another silent deletes what it left. All hear of it by the change stream.
//
// Collections: nodes {_id, startedAt, at, until, stats}; watchers {_id "node|object", node, watchers[{user, since, channels}]}.
package presence
