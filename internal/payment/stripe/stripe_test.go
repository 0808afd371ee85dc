package stripe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

const secret = "whsec_of_a_test"

var payer = ref.New(ref.User, "u1")

// call is a request Stripe got.
type call struct {
	path string
	form url.Values
	key  string // of idempotency
}

// account is a server that answers as Stripe's was recorded to, and what is remembered of payers.
type account struct {
	*Provider
	t *testing.T

	mu       sync.Mutex
	answers  map[string]answer // by method and path
	calls    []call
	known    known
	remember string
	replays  bool // what is answered to requests that move money was answered before
}

// known is what is kept of a payer and their charge.
type known struct{ customer, method, session string }

type answer struct {
	status int
	file   string // of testdata
}

func newAccount(t *testing.T, answers map[string]answer) *account {
	t.Helper()
	a := &account{t: t, answers: answers}
	web := httptest.NewServer(a)
	t.Cleanup(web.Close)
	a.Provider = New(Config{
		SecretKey: "sk_test_x", WebhookSecret: secret, ReturnURL: "https://book.example/plan", BaseURL: web.URL, HTTP: &http.Client{Timeout: 5 * time.Second},
		Customers: func(context.Context, ref.Ref) (string, string, error) { return a.known.customer, a.known.method, nil },
		Remember: func(_ context.Context, who ref.Ref, customer, method string) error {
			a.remember = who.String() + " " + customer + " " + method
			return nil
		},
		Session:     func(context.Context, string) (string, error) { return a.known.session, nil },
		KeepSession: func(_ context.Context, _, id string) error { a.known.session = id; return nil },
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	a.mu.Lock()
	a.calls = append(a.calls, call{r.Method + " " + r.URL.Path, form, r.Header.Get("Idempotency-Key")})
	got, known := a.answers[r.Method+" "+r.URL.Path]
	a.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer sk_test_x" || !known {
		a.t.Errorf("%s %s with %q", r.Method, r.URL, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if a.replays && r.Method == http.MethodPost {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(got.status)
	_, _ = w.Write(recorded(a.t, got.file))
}

func recorded(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Error(err)
	}
	return b
}

const (
	intents  = "POST /v1/payment_intents"
	sessions = "POST /v1/checkout/sessions"
	session  = "GET /v1/checkout/sessions/cs_test_1"
	expire   = "POST /v1/checkout/sessions/cs_test_1/expire"
	intent   = "GET /v1/payment_intents/pi_1"
	methods  = "GET /v1/payment_methods"
	refunds  = "POST /v1/refunds"
)

var (
	paid     = payment.Payment{State: payment.Paid, Ref: "pi_1"}
	pending  = payment.Payment{State: payment.Pending, URL: "https://checkout.stripe.com/c/pay/cs_test_1"}
	onItsWay = payment.Payment{State: payment.Pending}
)

func declined(reason string) payment.Payment {
	return payment.Payment{State: payment.Declined, Reason: reason}
}

func TestCharge(t *testing.T) {
	t.Parallel()
	saved := known{customer: "cus_1", method: "pm_1"}
	for name, tc := range map[string]struct {
		known   known
		absent  bool
		answers map[string]answer
		want    payment.Payment
		err     error
	}{
		"saved and paid":                        {saved, true, map[string]answer{intents: {200, "intent_succeeded"}}, paid, nil},
		"saved and declined":                    {saved, true, map[string]answer{intents: {402, "error_insufficient_funds"}}, declined("insufficient_funds"), nil},
		"declined, present":                     {saved, false, map[string]answer{intents: {402, "error_insufficient_funds"}, sessions: {200, "session_open"}}, pending, nil},
		"has to confirm, absent":                {saved, true, map[string]answer{intents: {402, "error_authentication_required"}}, declined("authentication_required"), nil},
		"has to confirm, present":               {saved, false, map[string]answer{intents: {402, "error_authentication_required"}, sessions: {200, "session_open"}}, pending, nil},
		"has an action to take, absent":         {saved, true, map[string]answer{intents: {200, "intent_requires_action"}}, declined("requires_action"), nil},
		"has an action to take, present":        {saved, false, map[string]answer{intents: {200, "intent_requires_action"}, sessions: {200, "session_open"}}, pending, nil},
		"on its way, absent":                    {saved, true, map[string]answer{intents: {200, "intent_processing"}}, onItsWay, nil},
		"on its way, present":                   {saved, false, map[string]answer{intents: {200, "intent_processing"}}, onItsWay, nil},
		"unknown payer":                         {known{}, false, map[string]answer{sessions: {200, "session_open"}}, pending, nil},
		"unknown payer, absent":                 {known{}, true, map[string]answer{}, declined("no_payment_method"), nil},
		"the method is looked up":               {known{customer: "cus_1"}, true, map[string]answer{methods: {200, "methods"}, intents: {200, "intent_succeeded"}}, paid, nil},
		"asked again while open":                {known{session: "cs_test_1"}, false, map[string]answer{session: {200, "session_open"}}, pending, nil},
		"asked again when paid":                 {known{session: "cs_test_1"}, true, map[string]answer{session: {200, "session_paid"}}, paid, nil},
		"asked again when over":                 {known{session: "cs_test_1"}, true, map[string]answer{session: {200, "session_expired"}}, declined("expired"), nil},
		"asked again when the debit has failed": {known{session: "cs_test_1"}, true, map[string]answer{session: {200, "session_debit_failed"}}, declined("insufficient_funds"), nil},
		"asked again while on its way":          {known{session: "pi_1"}, true, map[string]answer{intent: {200, "intent_processing"}}, onItsWay, nil},
		"asked again when it has come":          {known{session: "pi_1"}, true, map[string]answer{intent: {200, "intent_succeeded"}}, paid, nil},
		"asked again when it has failed":        {known{session: "pi_1"}, true, map[string]answer{intent: {200, "intent_failed"}}, declined("insufficient_funds"), nil},
		"Stripe is down":                        {saved, true, map[string]answer{intents: {503, "error_api"}}, payment.Payment{}, payment.ErrUnreachable},
		"too many requests":                     {saved, true, map[string]answer{intents: {429, "error_api"}}, payment.Payment{}, payment.ErrUnreachable},
		"under way":                             {saved, true, map[string]answer{intents: {409, "error_api"}}, payment.Payment{}, payment.ErrUnreachable},
		"our mistake":                           {saved, true, map[string]answer{intents: {400, "error_unexpected_state"}}, payment.Payment{}, fault.ErrInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, tc.answers)
			a.known = tc.known
			tc.want.Key = "change:1"
			if tc.err != nil {
				tc.want.Key = ""
			}
			got, err := a.Charge(t.Context(), payment.Charge{
				Key: "change:1", Payer: payer, Money: payment.Money{AmountMinor: 1900, Currency: "EUR"}, Purpose: "Pro", Absent: tc.absent,
			})
			if (err != nil) != (tc.err != nil) || tc.err != nil && fault.From(err).Code != fault.From(tc.err).Code || got != tc.want {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tc.want, tc.err)
			}
			if err != nil && (strings.Contains(err.Error(), "sk_test") || strings.Contains(err.Error(), "_secret_")) {
				t.Errorf("a secret is told: %v", err)
			}
			if strings.HasPrefix(name, "on its way") != (a.known.session == "pi_1" && tc.known.session == "") {
				t.Errorf("%q is kept", a.known.session)
			}
			for _, c := range a.calls {
				a.check(t, c)
			}
		})
	}
}

// check looks at what Stripe was told.
func (a *account) check(t *testing.T, c call) {
	t.Helper()
	want := map[string]string{}
	switch c.path {
	case intents:
		want = map[string]string{"amount": "1900", "currency": "eur", "customer": "cus_1", "payment_method": "pm_1", "off_session": "true", "confirm": "true", "metadata[key]": "change:1"}
		if c.key != "change:1" {
			t.Errorf("idempotency key %q", c.key)
		}
	case sessions:
		want = map[string]string{
			"mode": "payment", "line_items[0][price_data][unit_amount]": "1900", "line_items[0][price_data][currency]": "eur", "client_reference_id": "user:u1",
			"payment_intent_data[setup_future_usage]": "off_session", "payment_intent_data[metadata][key]": "change:1", "metadata[payer]": "user:u1",
			"success_url": "https://book.example/plan?payment=done",
		}
		if c.key != "change:1:checkout" {
			t.Errorf("idempotency key %q", c.key)
		}
	}
	for field, value := range want {
		if c.form.Get(field) != value {
			t.Errorf("%s: %s = %q, want %q", c.path, field, c.form.Get(field), value)
		}
	}
}

// A page that was begun before and got lost, and that the payer has paid since.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := newAccount(t, map[string]answer{sessions: {200, "session_open"}, session: {200, "session_paid"}})
	a.replays = true
	want := payment.Payment{Key: "k", State: payment.Paid, Ref: "pi_1"}
	if got, err := a.Charge(t.Context(), payment.Charge{Key: "k", Payer: payer, Money: payment.Money{AmountMinor: 1, Currency: "EUR"}}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client goes
		<-r.Context().Done()
	}))
	t.Cleanup(mute.Close)
	for name, base := range map[string]string{"nobody is there": "http://127.0.0.1:1", "says nothing": mute.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, nil)
			a.known.customer, a.known.method = "cus_1", "pm_1"
			a.cfg.BaseURL, a.cfg.HTTP = base, &http.Client{Timeout: 50 * time.Millisecond}
			_, err := New(a.cfg).Charge(t.Context(), payment.Charge{Key: "k", Payer: payer, Money: payment.Money{AmountMinor: 1, Currency: "EUR"}})
			if !errors.Is(err, payment.ErrUnreachable) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		session string
		answers map[string]answer
		want    payment.Payment
	}{
		"nothing to cancel": {"", nil, declined("canceled")},
		"open":              {"cs_test_1", map[string]answer{expire: {200, "session_expired"}}, declined("expired")},
		"on its way":        {"pi_1", map[string]answer{intent: {200, "intent_processing"}}, onItsWay},
		"paid meanwhile":    {"cs_test_1", map[string]answer{expire: {400, "error_api"}, session: {200, "session_paid"}}, paid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, tc.answers)
			a.known.session, tc.want.Key = tc.session, "change:1"
			if got, err := a.Cancel(t.Context(), "change:1"); err != nil || got != tc.want {
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	for file, status := range map[string]int{"refund": 200, "error_already_refunded": 400} {
		a := newAccount(t, map[string]answer{refunds: {status, file}})
		if err := a.Refund(t.Context(), payment.Refund{Key: "refund:1", Of: "pi_1", Money: payment.Money{AmountMinor: 500, Currency: "EUR"}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if c := a.calls[0]; c.key != "refund:1" || c.form.Get("payment_intent") != "pi_1" || c.form.Get("amount") != "500" {
			t.Errorf("%+v", c)
		}
	}
	a := newAccount(t, map[string]answer{refunds: {500, "error_api"}})
	if err := a.Refund(t.Context(), payment.Refund{Key: "refund:1", Of: "pi_1"}); !errors.Is(err, payment.ErrUnreachable) || a.calls[0].form.Has("amount") {
		t.Errorf("%v", err)
	}
}
