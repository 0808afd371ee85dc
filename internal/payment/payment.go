package payment

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Errors of payments.
var (
	// ErrUnreachable says that nobody knows what became of the charge: ask again with the same key.
	ErrUnreachable = fault.Define(fault.Unavailable, "PAYMENT_UNREACHABLE", "the payment provider does not answer; nothing is charged twice if you try again")
	// ErrWebhook refuses a message that is not the provider's: a wrong signature, or one that is too old.
	ErrWebhook = fault.Define(fault.Unauthenticated, "WEBHOOK_SIGNATURE", "the message is not signed by the payment provider, or too old")
)

// Money is an amount in the smallest unit of its currency (ISO 4217).
type Money struct {
	AmountMinor int64  `bson:"amountMinor" yaml:"amountMinor"`
	Currency    string `bson:"currency" yaml:"currency"`
}

// State is what became of a charge.
type State string

// The states of a charge.
const (
	Paid     State = "PAID"
	Declined State = "DECLINED" // for good: a new charge needs a new key
	Pending  State = "PENDING"  // somebody must do something at URL first
)

// Charge asks for money. Two charges of the same Key are one: the second has the outcome of the first.
type Charge struct {
	Key     string // idempotency key, at most 255 characters
	Payer   ref.Ref
	Money   Money // more than 0
	Purpose string
	// Absent says that the payer is not there: nothing can be asked of them, so what would be pending is declined.
	Absent bool
}

// Payment is what became of a charge.
type Payment struct {
	Key    string
	State  State
	Ref    string // the provider's own id of it, by which it is refunded
	URL    string // where the payer pays, while pending
	Reason string // why it was declined, in the provider's word, such as "card_declined"
}

// Refund gives back what was paid, or a part.
type Refund struct {
	Key   string // idempotency key
	Of    string // Ref of the payment
	Money Money  // of the amount 0 for all that was paid
}

// Notice is what a provider tells by itself.
type Notice struct {
	ID      string // of the message: the same one may come again
	At      time.Time
	Payment Payment // its Key is that of the charge
	Refund  *Money  // the payment was given back, by whom it may be; nil otherwise
}

// Provider moves money. It is safe for concurrent use.
type Provider interface {
	// Charge takes money, or learns what became of it when it was asked for before.
	//
	// Errors: PAYMENT_UNREACHABLE.
	Charge(ctx context.Context, c Charge) (Payment, error)
	// Cancel makes sure that a pending charge can't be paid any more; it tells what became of it, as it may be paid by now.
	//
	// Errors: PAYMENT_UNREACHABLE.
	Cancel(ctx context.Context, key string) (Payment, error)
	// Refund gives money back.
	//
	// Errors: PAYMENT_UNREACHABLE.
	Refund(ctx context.Context, r Refund) error
	// Notice reads a message of the provider; nil for one that is not about charges.
	//
	// Errors: WEBHOOK_SIGNATURE, BAD_USER_INPUT.
	Notice(ctx context.Context, header http.Header, body []byte) (*Notice, error)
}

// IsCurrency reports whether s looks like a currency: three capital letters.
func IsCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
