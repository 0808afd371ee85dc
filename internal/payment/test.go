package payment

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Behavior is what the test provider does with the charges of a payer.
type Behavior string

// The behaviors. A provider does each of these now and then.
const (
	Pays         Behavior = "PAYS"          // the default
	Declines     Behavior = "DECLINES"      // as a card without cover does
	Unreachable  Behavior = "UNREACHABLE"   // it does not answer, and takes no money
	PaysSilently Behavior = "PAYS_SILENTLY" // it takes the money, and the answer is lost
	AsksPayer    Behavior = "ASKS_PAYER"    // the payer has to pay at an address first
)

// Behaviors lists them.
func Behaviors() []Behavior { return []Behavior{Pays, Declines, Unreachable, PaysSilently, AsksPayer} }

// Test is a provider that moves no money: for tests, development and the demo. It behaves as it is told, for each payer, and keeps what it
// did in the database, so that it is one provider for all nodes, as a real one is. It is safe for concurrent use.
type Test struct {
	store mongoStore
	now   clock.Clock
	url   string
}

// NewTest makes a test provider. Payers who have to pay first are sent to url with the key of the charge added.
func NewTest(db *store.DB, now clock.Clock, url string) *Test { return &Test{newStore(db), now, url} }

// Behave makes the provider behave so with the charges of a payer from now on.
//
// Errors: BAD_USER_INPUT for a behavior it does not have.
func (t *Test) Behave(ctx context.Context, payer ref.Ref, b Behavior) error {
	if !slices.Contains(Behaviors(), b) {
		return fault.ErrInput.Saying("the test provider can't do this").On("input.behavior")
	}
	return t.store.behave(ctx, payer, b)
}

// Charge implements Provider.
func (t *Test) Charge(ctx context.Context, c Charge) (Payment, error) {
	b, err := t.store.behavior(ctx, c.Payer)
	if err != nil {
		return Payment{}, err
	}
	if b == Unreachable {
		return Payment{}, ErrUnreachable
	}
	d, found, err := t.store.test(ctx, c.Key)
	if err != nil {
		return Payment{}, err
	}
	if !found {
		d = testDoc{Key: c.Key, Payer: c.Payer, Money: c.Money, Purpose: c.Purpose, State: Paid, At: t.now()}
		switch {
		case b == Declines, b == AsksPayer && c.Absent:
			d.State = Declined
		case b == AsksPayer:
			d.State = Pending
		}
		if d, err = t.store.insertTest(ctx, d); err != nil {
			return Payment{}, err
		}
		if b == PaysSilently {
			return Payment{}, ErrUnreachable
		}
	}
	return t.payment(d), nil
}

func (t *Test) payment(d testDoc) Payment {
	p := Payment{Key: d.Key, State: d.State}
	switch d.State {
	case Paid:
		p.Ref = "test:" + d.Key
	case Declined:
		p.Reason = "card_declined"
	case Pending:
		p.URL = t.url + d.Key
	}
	return p
}

// Complete lets the payer pay a charge that is pending, or refuse to. It gives what the provider would tell by itself; the caller
// passes it on.
//
// Errors: NOT_FOUND.
func (t *Test) Complete(ctx context.Context, payer ref.Ref, key string, pays bool) (Payment, error) {
	state := Declined
	if pays {
		state = Paid
	}
	d, found, err := t.store.finishTest(ctx, payer, key, state)
	if err != nil {
		return Payment{}, err
	}
	if !found {
		return Payment{}, fault.ErrNotFound.Saying("there is no such payment to make")
	}
	return t.payment(d), nil
}

// Cancel implements Provider.
func (t *Test) Cancel(ctx context.Context, key string) (Payment, error) {
	d, found, err := t.store.test(ctx, key)
	if err != nil {
		return Payment{}, err
	}
	if found && d.State == Pending {
		if d, found, err = t.store.finishTest(ctx, d.Payer, key, Declined); err != nil {
			return Payment{}, err
		}
	}
	if !found {
		return Payment{Key: key, State: Declined, Reason: "canceled"}, nil
	}
	return t.payment(d), nil
}

// Refund implements Provider.
func (t *Test) Refund(ctx context.Context, r Refund) error { return t.store.refundTest(ctx, r) }

// Notice implements Provider: the test provider sends none.
func (t *Test) Notice(context.Context, http.Header, []byte) (*Notice, error) { return nil, ErrWebhook }

// testDoc is a charge of the test provider.
type testDoc struct {
	Key     string    `bson:"_id"`
	Payer   ref.Ref   `bson:"payer"`
	Money   Money     `bson:"money"`
	Purpose string    `bson:"purpose"`
	State   State     `bson:"state"`
	Refunds []string  `bson:"refunds,omitempty"` // keys
	At      time.Time `bson:"at"`
}
