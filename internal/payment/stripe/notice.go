package stripe

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// Notice implements payment.Provider. It may ask Stripe by which way to pay a page was paid, so it may be PAYMENT_UNREACHABLE too.
func (p *Provider) Notice(ctx context.Context, header http.Header, body []byte) (*payment.Notice, error) {
	err := webhook.ValidatePayloadWithTolerance(body, header.Get("Stripe-Signature"), p.cfg.WebhookSecret, webhook.DefaultTolerance)
	if err != nil || p.cfg.WebhookSecret == "" { // with no secret anybody can sign
		return nil, payment.ErrWebhook.Because(err)
	}
	var e stripe.Event
	if err := json.Unmarshal(body, &e); err != nil || e.Data == nil {
		return nil, fault.ErrInput.Saying("the message is no event").Because(err)
	}
	n := &payment.Notice{ID: e.ID, At: time.Unix(e.Created, 0).UTC()}
	switch e.Type { //nolint:exhaustive // the rest is about something else
	case stripe.EventTypeCheckoutSessionCompleted, stripe.EventTypeCheckoutSessionAsyncPaymentSucceeded,
		stripe.EventTypeCheckoutSessionExpired, stripe.EventTypeCheckoutSessionAsyncPaymentFailed:
		err = p.session(ctx, n, e)
	case stripe.EventTypePaymentIntentSucceeded, stripe.EventTypePaymentIntentPaymentFailed:
		err = p.intent(ctx, n, e)
	case stripe.EventTypeChargeRefunded:
		err = refunded(n, e)
	}
	if err != nil || n.Payment.Key == "" || n.Payment.State == payment.Pending {
		return nil, err // it is about none of our charges, or not decided yet
	}
	return n, nil
}

func decode(e stripe.Event, into any) error {
	if err := json.Unmarshal(e.Data.Raw, into); err != nil {
		return fault.ErrInput.Saying("the message is not what its type says").Because(err)
	}
	return nil
}

// session is what is told of a page.
func (p *Provider) session(ctx context.Context, n *payment.Notice, e stripe.Event) error {
	var s stripe.CheckoutSession
	if err := decode(e, &s); err != nil {
		return err
	}
	n.Payment = outcome(s.Metadata["key"], &s)
	if e.Type == stripe.EventTypeCheckoutSessionAsyncPaymentFailed {
		n.Payment = payment.Payment{Key: n.Payment.Key, State: payment.Declined, Reason: "async_payment_failed"}
	}
	payer, err := ref.Parse(s.Metadata["payer"])
	if err != nil || n.Payment.Key == "" || n.Payment.Ref == "" || s.Customer == nil {
		return nil //nolint:nilerr // there is nobody to remember
	}
	in := &stripe.PaymentIntentRetrieveParams{}
	in.AddExpand("payment_method")
	pi, err := p.client.V1PaymentIntents.Retrieve(ctx, n.Payment.Ref, in)
	if err != nil {
		return failed("look at payment", err)
	}
	method := ""
	if m := pi.PaymentMethod; m != nil && m.Customer != nil { // any other can be used only once
		method = m.ID
	}
	return p.cfg.Remember(ctx, payer, s.Customer.ID, method)
}

// intent is what is told of a payment intent. One that fails is the end of a charge only when it was kept for it: on a page the payer
// may try again, and one that the payer has to confirm is followed by a page.
func (p *Provider) intent(ctx context.Context, n *payment.Notice, e stripe.Event) error {
	var pi stripe.PaymentIntent
	if err := decode(e, &pi); err != nil || pi.Metadata["key"] == "" {
		return err
	}
	if e.Type == stripe.EventTypePaymentIntentPaymentFailed {
		if kept, err := p.cfg.Session(ctx, pi.Metadata["key"]); err != nil || kept != pi.ID {
			return err
		}
	}
	n.Payment = taken(pi.Metadata["key"], &pi)
	return nil
}

func refunded(n *payment.Notice, e stripe.Event) error {
	var c stripe.Charge
	if err := decode(e, &c); err != nil {
		return err
	}
	n.Payment = payment.Payment{Key: c.Metadata["key"], State: payment.Paid}
	if c.PaymentIntent != nil {
		n.Payment.Ref = c.PaymentIntent.ID
	}
	n.Refund = &payment.Money{AmountMinor: c.AmountRefunded, Currency: strings.ToUpper(string(c.Currency))}
	return nil
}
