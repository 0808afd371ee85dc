// Package stripe lets Stripe take the money: the adapter of payment.Provider.
//
// Who has a saved way to pay is charged at once, off session. Who has none, or has to confirm it, is sent to a page of Stripe
// (Checkout), which saves the way to pay for the next time; what becomes of that Stripe tells by webhook.
//
// Invariants: each request that moves money has an idempotency key made of the charge's own; the number of a card never comes here;
// a webhook counts when Stripe has signed it in the last five minutes. An answer that never came, or that says to try later, is
// PAYMENT_UNREACHABLE. A debit of a bank account is pending for days, without a page to go to; its payment intent is kept as a page
// would be. Nothing is logged: errors hold Stripe's own words and never a key, nor all of an answer.
package stripe
