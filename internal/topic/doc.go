// Package topic is broadcast: somebody publishes a message to a topic, and all who follow it hear of it at once, on whatever
// node. A topic keeps its last messages for a while, for those who come later or were away.
//
// Messages of a topic are numbered from 1 without gaps, in the order in which they committed.
//
// Collections: topics {_id, history, lifetimeMs, last, createdAt}; topic_messages {_id "topic:number", topic, number, at, by,
// data, until}, which the server deletes some time after until.
package topic
