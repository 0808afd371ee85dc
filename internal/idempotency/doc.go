// Package idempotency makes the retry of a mutation safe: with a key, whatever it changes is changed once.
//
// A key is claimed before the mutation runs. Each transaction of the mutation then counts itself in the claim, so that the
// change and the knowledge of it commit together or not at all, and after the last one the answer is kept with the claim, sealed,
// for a day. Whoever comes again with the key and the same request is given that answer. The rules and the words are those of
// the Idempotency-Key header (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
package idempotency
