package stripe

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
)

// event is a message of Stripe's about an object that was recorded.
func event(t *testing.T, typ, file string) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"id": "evt_1", "object": "event", "api_version": "2020-01-01", "created": 1767323045, "type": typ,
		"data": map[string]any{"object": json.RawMessage(recorded(t, file))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNotice(t *testing.T) {
	t.Parallel()
	notice := func(p payment.Payment) *payment.Notice {
		p.Key = "change:1"
		return &payment.Notice{ID: "evt_1", At: time.Unix(1767323045, 0).UTC(), Payment: p}
	}
	back := notice(paid)
	back.Refund = &payment.Money{AmountMinor: 500, Currency: "EUR"}
	for name, tc := range map[string]struct {
		typ, file string
		want      *payment.Notice
		remember  string
	}{
		"a page is paid":                    {"checkout.session.completed", "session_paid", notice(paid), "user:u1 cus_1 pm_2"},
		"a page is done, the money to come": {"checkout.session.completed", "session_unpaid", nil, ""},
		"the money has come":                {"checkout.session.async_payment_succeeded", "session_paid", notice(paid), "user:u1 cus_1 pm_2"},
		"the money has not come":            {"checkout.session.async_payment_failed", "session_unpaid", notice(declined("async_payment_failed")), ""},
		"a page is over":                    {"checkout.session.expired", "session_expired", notice(declined("expired")), ""},
		"off session":                       {"payment_intent.succeeded", "intent_succeeded", notice(paid), ""},
		"a try that failed":                 {"payment_intent.payment_failed", "intent_failed", nil, ""},
		"refunded":                          {"charge.refunded", "charge_refunded", back, ""},
		"something else":                    {"customer.created", "refund", nil, ""},
		"the intent of somebody else":       {"payment_intent.succeeded", "methods", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, map[string]answer{intent: {200, "intent_expanded"}})
			got, err := a.notice(t, event(t, tc.typ, tc.file))
			if err != nil || !reflect.DeepEqual(got, tc.want) || a.remember != tc.remember {
				t.Errorf("%+v, %v, remembers %q; want %+v", got, err, a.remember, tc.want)
			}
		})
	}
}

func TestNoticeRefuses(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil)
	body := event(t, "payment_intent.succeeded", "intent_succeeded")
	sign := func(key string, at time.Time) string {
		return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: key, Timestamp: at}).Header
	}
	for name, header := range map[string]string{
		"none": "", "nonsense": "t=1,v1=00", "another's": sign("whsec_of_another", time.Now()), "old": sign(secret, time.Now().Add(-6*time.Minute)),
	} {
		if _, err := a.Notice(t.Context(), http.Header{"Stripe-Signature": {header}}, body); !errors.Is(err, payment.ErrWebhook) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: secret})
	if _, err := a.Notice(t.Context(), http.Header{"Stripe-Signature": {cut.Header}}, append(body, ' ')); !errors.Is(err, payment.ErrWebhook) {
		t.Errorf("another body: %v", err)
	}
}

// notice hands a over what Stripe tells, signed.
func (a *account) notice(t *testing.T, body []byte) (*payment.Notice, error) {
	t.Helper()
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: a.cfg.WebhookSecret})
	return a.Notice(t.Context(), http.Header{"Stripe-Signature": {signed.Header}}, signed.Payload)
}

// Only an intent that was kept for a charge decides it when it fails.
func TestNoticeOfFailedDebit(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil)
	a.known.session = "pi_1"
	n, err := a.notice(t, event(t, "payment_intent.payment_failed", "intent_failed"))
	want := declined("insufficient_funds")
	want.Key = "change:1"
	if err != nil || n == nil || n.Payment != want {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestNoticeRemembers(t *testing.T) {
	t.Parallel()
	a := newAccount(t, map[string]answer{intent: {200, "intent_used_once"}})
	if _, err := a.notice(t, event(t, "checkout.session.completed", "session_paid")); err != nil || a.remember != "user:u1 cus_1 " {
		t.Errorf("%v, remembers %q", err, a.remember)
	}
	a = newAccount(t, map[string]answer{intent: {503, "error_api"}})
	if _, err := a.notice(t, event(t, "checkout.session.completed", "session_paid")); !errors.Is(err, payment.ErrUnreachable) || a.remember != "" {
		t.Errorf("%v, remembers %q", err, a.remember)
	}
}

func TestNoticeWithoutSense(t *testing.T) {
	t.Parallel()
	a := newAccount(t, nil)
	for _, body := range []string{"", "nonsense", `{"object": "event"}`, `{"type": "charge.refunded", "data": {"object": {"id": 1}}}`} {
		if _, err := a.notice(t, []byte(body)); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%q: %v", body, err)
		}
	}
	a.cfg.WebhookSecret = ""
	if _, err := a.notice(t, event(t, "payment_intent.succeeded", "intent_succeeded")); !errors.Is(err, payment.ErrWebhook) {
		t.Errorf("with no secret: %v", err)
	}
}
