// Package payment is how money moves: the port to payment providers, what is remembered of who pays, and a provider for tests and
// development that moves nothing.
//
// Invariants: a charge has a key of its caller's and happens once however often it is asked for; whoever calls stores the key before
// the first try. An answer that never came is [ErrUnreachable]: nobody knows, and the same key finds out. Amounts are whole numbers
// of the smallest unit of a currency.
//
// Collections: payers {_id: subject, customer, method}: whom a provider knows by which name; payment_sessions {_id: key, session,
// at}: where a payer was sent; test_payments {_id: key, payer, money, purpose, state, refunded, at} and test_payers {_id, outcome}:
// what the test provider has done, and what it is to do. None of them holds the number of a card: that only a provider sees.
package payment
