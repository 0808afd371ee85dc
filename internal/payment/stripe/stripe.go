package stripe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v85"

	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// Timeout bounds one request to Stripe.
const Timeout = 15 * time.Second

// Config says which account takes the money, and where what is remembered of payers is kept.
type Config struct {
	SecretKey     string
	WebhookSecret string
	ReturnURL     string       // where browsers come back to, with ?payment=done or ?payment=canceled
	BaseURL       string       // of the API; empty for Stripe's own
	HTTP          *http.Client // has a timeout; nil for one of Timeout

	// Customers is by which names Stripe knows a payer and their way to pay; empty for none.
	Customers func(ctx context.Context, payer ref.Ref) (customer, method string, err error)
	// Remember keeps them; an empty method leaves the one there is.
	Remember func(ctx context.Context, payer ref.Ref, customer, method string) error
	// Session is the page a payer was sent to for a charge, or the payment intent that takes days; empty for none. KeepSession keeps it.
	Session     func(ctx context.Context, key string) (string, error)
	KeepSession func(ctx context.Context, key, session string) error
}

// Provider is the adapter. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	client *stripe.Client
}

// New makes the adapter.
func New(cfg Config) *Provider {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: Timeout}
	}
	backend := &stripe.BackendConfig{
		HTTPClient: cfg.HTTP, LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, MaxNetworkRetries: new(int64(1)), EnableTelemetry: new(false),
	}
	if cfg.BaseURL != "" {
		backend.URL = &cfg.BaseURL
	}
	return &Provider{cfg, stripe.NewClient(cfg.SecretKey, stripe.WithBackends(stripe.NewBackendsWithConfig(backend)))}
}

// Charge implements payment.Provider.
func (p *Provider) Charge(ctx context.Context, c payment.Charge) (payment.Payment, error) {
	if session, err := p.cfg.Session(ctx, c.Key); err != nil || session != "" {
		if err != nil {
			return payment.Payment{}, err
		}
		return p.look(ctx, c.Key, session)
	}
	customer, method, err := p.payer(ctx, c.Payer)
	if err != nil {
		return payment.Payment{}, err
	}
	if method != "" {
		done, ask, err := p.offSession(ctx, c, customer, method)
		if err != nil || !ask || c.Absent {
			return done, err
		}
	}
	if c.Absent {
		return payment.Payment{Key: c.Key, State: payment.Declined, Reason: "no_payment_method"}, nil
	}
	return p.checkout(ctx, c, customer)
}

// payer is by which names Stripe knows who pays. A page of Stripe's tells the customer and not always the way to pay, which is looked
// up then.
func (p *Provider) payer(ctx context.Context, who ref.Ref) (customer, method string, err error) {
	customer, method, err = p.cfg.Customers(ctx, who)
	if err != nil || customer == "" || method != "" {
		return customer, method, err
	}
	list := &stripe.PaymentMethodListParams{Customer: &customer}
	list.Limit = new(int64(1))
	for m, err := range p.client.V1PaymentMethods.List(ctx, list).All(ctx) {
		if err != nil {
			return "", "", failed("list payment methods", err)
		}
		return customer, m.ID, p.cfg.Remember(ctx, who, customer, m.ID)
	}
	return customer, "", nil
}

// offSession charges a saved way to pay. ask tells that it was refused: a payer who is there may pay in another way.
func (p *Provider) offSession(ctx context.Context, c payment.Charge, customer, method string) (done payment.Payment, ask bool, err error) {
	in := &stripe.PaymentIntentCreateParams{
		Amount: &c.Money.AmountMinor, Currency: new(strings.ToLower(c.Money.Currency)), Customer: &customer, PaymentMethod: &method,
		OffSession: new(true), Confirm: new(true), Description: &c.Purpose, Metadata: metadata(c),
	}
	in.SetIdempotencyKey(c.Key)
	pi, err := p.client.V1PaymentIntents.Create(ctx, in)
	var refused *stripe.Error
	switch {
	case errors.As(err, &refused) && refused.HTTPStatusCode == http.StatusPaymentRequired:
		done = payment.Payment{Key: c.Key, State: payment.Declined, Reason: reason(refused)}
		return done, true, nil
	case err != nil:
		return payment.Payment{}, false, failed("charge", err)
	}
	done = taken(c.Key, pi)
	if done.State == payment.Pending { // for longer than Stripe knows an idempotency key
		err = p.cfg.KeepSession(ctx, c.Key, pi.ID)
	}
	return done, done.State == payment.Declined, err
}

// taken is what became of a payment intent. A debit of a bank account is pending for days, even when the payer is absent: it can't be
// called off, and asking for the money in another way would take it twice.
func taken(key string, pi *stripe.PaymentIntent) payment.Payment {
	switch {
	case pi.Status == stripe.PaymentIntentStatusSucceeded:
		return payment.Payment{Key: key, State: payment.Paid, Ref: pi.ID}
	case pi.Status == stripe.PaymentIntentStatusProcessing:
		return payment.Payment{Key: key, State: payment.Pending}
	case pi.LastPaymentError != nil:
		return payment.Payment{Key: key, State: payment.Declined, Reason: reason(pi.LastPaymentError)}
	}
	return payment.Payment{Key: key, State: payment.Declined, Reason: string(pi.Status)}
}

func reason(e *stripe.Error) string { return cmp.Or(string(e.DeclineCode), string(e.Code)) }

func metadata(c payment.Charge) map[string]string {
	return map[string]string{"key": c.Key, "payer": c.Payer.String()}
}

// checkout sends the payer to a page of Stripe's.
func (p *Provider) checkout(ctx context.Context, c payment.Charge, customer string) (payment.Payment, error) {
	in := &stripe.CheckoutSessionCreateParams{
		Mode: new(string(stripe.CheckoutSessionModePayment)), ClientReferenceID: new(c.Payer.String()), Metadata: metadata(c),
		SuccessURL: new(p.cfg.ReturnURL + "?payment=done"), CancelURL: new(p.cfg.ReturnURL + "?payment=canceled"),
		LineItems: []*stripe.CheckoutSessionCreateLineItemParams{{
			Quantity: new(int64(1)),
			PriceData: &stripe.CheckoutSessionCreateLineItemPriceDataParams{
				Currency: new(strings.ToLower(c.Money.Currency)), UnitAmount: &c.Money.AmountMinor,
				ProductData: &stripe.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: &c.Purpose},
			},
		}},
		PaymentIntentData: &stripe.CheckoutSessionCreatePaymentIntentDataParams{
			SetupFutureUsage: new("off_session"), Metadata: metadata(c),
		},
	}
	if customer == "" {
		in.CustomerCreation = new("always")
	} else {
		in.Customer = &customer
	}
	in.SetIdempotencyKey(c.Key + ":checkout")
	s, err := p.client.V1CheckoutSessions.Create(ctx, in)
	if err != nil {
		return payment.Payment{}, failed("begin checkout", err)
	}
	if err := p.cfg.KeepSession(ctx, c.Key, s.ID); err != nil {
		return payment.Payment{}, err
	}
	if s.LastResponse.Header.Get("Idempotent-Replayed") == "true" { // it says how the page was at first
		return p.look(ctx, c.Key, s.ID)
	}
	return outcome(c.Key, s), nil
}

// look asks what became of what was kept for a charge: a repeated request to make it would be answered with how it was at first.
func (p *Provider) look(ctx context.Context, key, session string) (payment.Payment, error) {
	if isIntent(session) {
		pi, err := p.client.V1PaymentIntents.Retrieve(ctx, session, nil)
		if err != nil {
			return payment.Payment{}, failed("look at payment", err)
		}
		return taken(key, pi), nil
	}
	in := &stripe.CheckoutSessionRetrieveParams{}
	in.AddExpand("payment_intent")
	s, err := p.client.V1CheckoutSessions.Retrieve(ctx, session, in)
	if err != nil {
		return payment.Payment{}, failed("look at checkout", err)
	}
	return outcome(key, s), nil
}

func isIntent(id string) bool { return strings.HasPrefix(id, "pi_") }

func outcome(key string, s *stripe.CheckoutSession) payment.Payment {
	out := payment.Payment{Key: key, State: payment.Pending, URL: s.URL}
	switch {
	case s.PaymentStatus == stripe.CheckoutSessionPaymentStatusPaid:
		out.State, out.URL = payment.Paid, ""
		if s.PaymentIntent != nil {
			out.Ref = s.PaymentIntent.ID
		}
	case s.Status == stripe.CheckoutSessionStatusComplete && s.PaymentIntent != nil && s.PaymentIntent.Status != "": // a debit, that may fail
		return taken(key, s.PaymentIntent)
	case s.Status == stripe.CheckoutSessionStatusExpired:
		out.State, out.URL, out.Reason = payment.Declined, "", "expired"
	}
	return out
}

// Cancel implements payment.Provider.
func (p *Provider) Cancel(ctx context.Context, key string) (payment.Payment, error) {
	session, err := p.cfg.Session(ctx, key)
	if err != nil {
		return payment.Payment{}, err
	}
	if session == "" {
		return payment.Payment{Key: key, State: payment.Declined, Reason: "canceled"}, nil
	}
	if isIntent(session) { // nobody can stop it
		return p.look(ctx, key, session)
	}
	s, err := p.client.V1CheckoutSessions.Expire(ctx, session, nil)
	var refused *stripe.Error
	if errors.As(err, &refused) && refused.HTTPStatusCode == http.StatusBadRequest { // it is over already: paid, or expired
		return p.look(ctx, key, session)
	}
	if err != nil {
		return payment.Payment{}, failed("end checkout", err)
	}
	return outcome(key, s), nil
}

// Refund implements payment.Provider.
func (p *Provider) Refund(ctx context.Context, r payment.Refund) error {
	in := &stripe.RefundCreateParams{PaymentIntent: &r.Of}
	if r.Money.AmountMinor > 0 {
		in.Amount = &r.Money.AmountMinor
	}
	in.SetIdempotencyKey(r.Key)
	_, err := p.client.V1Refunds.Create(ctx, in)
	var refused *stripe.Error
	if err == nil || errors.As(err, &refused) && refused.Code == stripe.ErrorCodeChargeAlreadyRefunded {
		return nil
	}
	return failed("refund", err)
}

// failed says what went wrong: PAYMENT_UNREACHABLE when another try may do. Stripe's own error is not wrapped: its text is all of the
// answer, with the client secret of the payment and the address of the payer.
func failed(what string, err error) error {
	var e *stripe.Error
	if !errors.As(err, &e) {
		return payment.ErrUnreachable.Because(fmt.Errorf("stripe: %s: %w", what, err))
	}
	err = fmt.Errorf("stripe: %s: status %d, %s %s, request %s: %s", what, e.HTTPStatusCode, e.Type, e.Code, e.RequestID, e.Msg)
	if e.HTTPStatusCode >= 500 || e.HTTPStatusCode == http.StatusTooManyRequests || e.HTTPStatusCode == http.StatusConflict {
		return payment.ErrUnreachable.Because(err)
	}
	return err
}
