package payment

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var (
	t0  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ann = ref.New(ref.User, "ann")
	bob = ref.New(ref.User, "bob")
	ten = Money{AmountMinor: 1000, Currency: "EUR"}
)

// open is a test provider on a database of its own, and the interface it has to have.
func open(t *testing.T) (*Test, *store.DB) {
	t.Helper()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	return NewTest(db, clock.NewManual(t0).Now, "https://book.example/pay/"), db
}

var _ Provider = (*Test)(nil)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func charge(t *testing.T, p *Test, key string) Payment {
	t.Helper()
	got, err := p.Charge(t.Context(), Charge{Key: key, Payer: ann, Money: ten, Purpose: "Basic"})
	must(t, err)
	return got
}

func behave(t *testing.T, p *Test, b Behavior) {
	t.Helper()
	must(t, p.Behave(t.Context(), ann, b))
}

// What each behavior makes of a charge, of the same one again, and of the same one when the payer behaves well again.
func TestBehaviors(t *testing.T) {
	t.Parallel()
	const key = "change:1"
	paid := Payment{Key: key, State: Paid, Ref: "test:" + key}
	declined := Payment{Key: key, State: Declined, Reason: "card_declined"}
	pending := Payment{Key: key, State: Pending, URL: "https://book.example/pay/" + key}
	for _, tc := range []struct {
		name   string
		b      Behavior
		absent bool
		first  Payment
		err    error
		then   Payment // when it pays again
		kept   int     // charges the provider knows after the first
	}{
		{"nothing said", "", false, paid, nil, paid, 1},
		{"pays", Pays, false, paid, nil, paid, 1},
		{"pays, absent", Pays, true, paid, nil, paid, 1},
		{"declines", Declines, false, declined, nil, declined, 1},
		{"unreachable", Unreachable, false, Payment{}, ErrUnreachable, paid, 0},
		{"pays silently", PaysSilently, false, Payment{}, ErrUnreachable, paid, 1},
		{"asks the payer", AsksPayer, false, pending, nil, pending, 1},
		{"asks the payer, who is absent", AsksPayer, true, declined, nil, declined, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, db := open(t)
			if tc.b != "" {
				behave(t, p, tc.b)
			}
			c := Charge{Key: key, Payer: ann, Money: ten, Purpose: "Basic", Absent: tc.absent}
			got, err := p.Charge(t.Context(), c)
			if !errors.Is(err, tc.err) || got != tc.first {
				t.Errorf("first: %+v, %v", got, err)
			}
			if n := storetest.Count(t, db, "test_payments"); n != tc.kept {
				t.Errorf("%d charges are kept", n)
			}
			behave(t, p, Pays)
			for range 2 {
				if got, err := p.Charge(t.Context(), c); err != nil || got != tc.then {
					t.Errorf("again: %+v, %v", got, err)
				}
			}
			if n := storetest.Count(t, db, "test_payments"); n != 1 {
				t.Errorf("%d charges in the end", n)
			}
			d, _, err := p.store.test(t.Context(), key)
			must(t, err)
			if d.Payer != ann || d.Money != ten || d.Purpose != "Basic" || !d.At.Equal(t0) {
				t.Errorf("kept: %+v", d)
			}
		})
	}
}

func TestBehave(t *testing.T) {
	t.Parallel()
	p, _ := open(t)
	for _, b := range []Behavior{"", "pays", "EXPLODES"} {
		if err := p.Behave(t.Context(), ann, b); !errors.Is(err, fault.ErrInput) || fault.From(err).Field != "input.behavior" {
			t.Errorf("%q: %v", b, err)
		}
	}
	for _, b := range Behaviors() {
		behave(t, p, b)
	}
	// It is each payer's own, and the same on every node.
	behave(t, p, Declines)
	other := NewTest(storetest.Open(t, p.store.tests.Database().Name()), clock.NewManual(t0).Now, "")
	if got := charge(t, other, "k1"); got.State != Declined {
		t.Errorf("ann on another node: %+v", got)
	}
	if got, err := other.Charge(t.Context(), Charge{Key: "k2", Payer: bob, Money: ten}); err != nil || got.State != Paid {
		t.Errorf("bob: %+v, %v", got, err)
	}
}

// Many ask at once with one key, on two nodes, while the payer changes their mind: all learn the same.
func TestOneOutcomeForAKey(t *testing.T) {
	t.Parallel()
	p, db := open(t)
	nodes := []*Test{p, NewTest(storetest.Open(t, db.Database().Name()), clock.NewManual(t0).Now, "https://book.example/pay/")}
	for round, key := range []string{"a", "b", "c", "d"} {
		var mu sync.Mutex
		var all []Payment
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				b := []Behavior{Pays, Declines, AsksPayer, Pays}[(i+round)%4]
				if err := p.Behave(t.Context(), ann, b); err != nil {
					t.Error(err)
				}
				got, err := nodes[i%2].Charge(t.Context(), Charge{Key: key, Payer: ann, Money: ten})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, got)
			})
		}
		wg.Wait()
		if len(slices.Compact(all)) != 1 {
			t.Errorf("%s has several outcomes: %+v", key, all)
		}
	}
	if n := storetest.Count(t, db, "test_payments"); n != 4 {
		t.Errorf("%d charges", n)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	p, _ := open(t)
	behave(t, p, AsksPayer)
	charge(t, p, "k")
	charge(t, p, "l")
	for name, tc := range map[string]struct {
		payer ref.Ref
		key   string
	}{
		"another": {bob, "k"}, "nobody": {ref.Ref{}, "k"}, "an unknown key": {ann, "x"}, "no key": {ann, ""},
	} {
		for _, pays := range []bool{true, false} {
			if got, err := p.Complete(t.Context(), tc.payer, tc.key, pays); !errors.Is(err, fault.ErrNotFound) || got != (Payment{}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	if got := charge(t, p, "k"); got.State != Pending {
		t.Errorf("after the attempts of others: %+v", got)
	}
	for _, pays := range []bool{true, false, true} { // the first time decides
		if got, err := p.Complete(t.Context(), ann, "k", pays); err != nil || got.State != Paid || got.Ref != "test:k" || got.URL != "" {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := p.Complete(t.Context(), ann, "l", !pays); err != nil || got.State != Declined || got.Ref != "" || got.Reason == "" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if got := charge(t, p, "k"); got.State != Paid {
		t.Errorf("charged again: %+v", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	p, db := open(t)
	behave(t, p, AsksPayer)
	charge(t, p, "pending")
	behave(t, p, Pays)
	charge(t, p, "paid")
	behave(t, p, Declines)
	charge(t, p, "declined")
	for _, tc := range []struct {
		key  string
		want Payment
	}{
		{"pending", Payment{Key: "pending", State: Declined, Reason: "card_declined"}},
		{"paid", Payment{Key: "paid", State: Paid, Ref: "test:paid"}},
		{"declined", Payment{Key: "declined", State: Declined, Reason: "card_declined"}},
		{"unknown", Payment{Key: "unknown", State: Declined, Reason: "canceled"}},
	} {
		for range 2 {
			if got, err := p.Cancel(t.Context(), tc.key); err != nil || got != tc.want {
				t.Errorf("%s: %+v, %v", tc.key, got, err)
			}
		}
	}
	if got, err := p.Complete(t.Context(), ann, "pending", true); err != nil || got.State != Declined {
		t.Errorf("it can still be paid: %+v, %v", got, err)
	}
	if n := storetest.Count(t, db, "test_payments"); n != 3 {
		t.Errorf("%d charges: to cancel an unknown one makes none", n)
	}
	// The payer pays while somebody cancels: both hear of one outcome.
	behave(t, p, AsksPayer)
	for _, key := range []string{"1", "2", "3", "4"} {
		charge(t, p, key)
		var wg sync.WaitGroup
		var a, b Payment
		var errs [2]error
		wg.Go(func() { a, errs[0] = p.Complete(t.Context(), ann, key, true) })
		wg.Go(func() { b, errs[1] = p.Cancel(t.Context(), key) })
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil || a != b || a.State == Pending {
			t.Errorf("%+v and %+v, %v", a, b, err)
		}
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	p, _ := open(t)
	paid := charge(t, p, "k")
	behave(t, p, Declines)
	charge(t, p, "no")
	refunds := func() []string {
		t.Helper()
		d, _, err := p.store.test(t.Context(), "k")
		must(t, err)
		return d.Refunds
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := p.Refund(t.Context(), Refund{Key: "r1", Of: paid.Ref, Money: Money{300, "EUR"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := refunds(); !slices.Equal(got, []string{"r1"}) {
		t.Errorf("the same one four times: %v", got)
	}
	must(t, p.Refund(t.Context(), Refund{Key: "r2", Of: paid.Ref}))
	if got := refunds(); !slices.Equal(got, []string{"r1", "r2"}) {
		t.Errorf("another one: %v", got)
	}
	for _, of := range []string{"test:no", "test:nothing", "test:", "x", ""} {
		if err := p.Refund(t.Context(), Refund{Key: "r", Of: of}); !errors.Is(err, fault.ErrInternal) {
			t.Errorf("of %q: %v", of, err)
		}
	}
	if got := charge(t, p, "k"); got != paid {
		t.Errorf("a refund changes what became of the charge: %+v", got)
	}
}

func TestTheTestProviderSendsNoNotice(t *testing.T) {
	t.Parallel()
	p := &Test{}
	if n, err := p.Notice(context.Background(), http.Header{}, []byte("{}")); n != nil || !errors.Is(err, ErrWebhook) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	k, other := NewKnown(db), NewKnown(storetest.Open(t, db.Database().Name()))
	payer := func(of ref.Ref, customer, method string) {
		t.Helper()
		if c, m, err := other.Payer(t.Context(), of); err != nil || c != customer || m != method {
			t.Errorf("%s: %q %q, %v", of, c, m, err)
		}
	}
	payer(ann, "", "")
	must(t, k.Remember(t.Context(), ann, "cus_1", ""))
	payer(ann, "cus_1", "")
	must(t, k.Remember(t.Context(), ann, "cus_1", "pm_1"))
	must(t, k.Remember(t.Context(), ann, "cus_1", "")) // leaves the method
	payer(ann, "cus_1", "pm_1")
	must(t, k.Remember(t.Context(), ann, "cus_2", "pm_2"))
	payer(ann, "cus_2", "pm_2")
	payer(bob, "", "")
	payer(ref.New(ref.Document, "ann"), "", "") // the type counts

	session := func(key, want string) {
		t.Helper()
		if s, err := other.Session(t.Context(), key); err != nil || s != want {
			t.Errorf("%s: %q, %v", key, s, err)
		}
	}
	session("k", "")
	must(t, k.KeepSession(t.Context(), "k", "cs_1"))
	session("k", "cs_1")
	must(t, k.KeepSession(t.Context(), "k", "cs_2"))
	session("k", "cs_2")
	session("l", "")
}

func failing(commands ...any) bson.D {
	return bson.D{{Key: "failCommands", Value: bson.A(commands)}, {Key: "errorCode", Value: 8000}}
}

// A database that does not answer is no payer without behavior, no charge without outcome.
func TestTheDatabaseFails(t *testing.T) {
	t.Parallel()
	p, db := open(t)
	k := NewKnown(db)
	behave(t, p, AsksPayer)
	charge(t, p, "k")
	off := storetest.FailPoint(t, db, "alwaysOn", failing("find"))
	for name, call := range map[string]func() error{
		"Charge":   func() error { _, err := p.Charge(t.Context(), Charge{Key: "k", Payer: ann, Money: ten}); return err },
		"Complete": func() error { _, err := p.Complete(t.Context(), ann, "k", true); return err },
		"Cancel":   func() error { _, err := p.Cancel(t.Context(), "k"); return err },
		"Payer":    func() error { _, _, err := k.Payer(t.Context(), ann); return err },
		"Session":  func() error { _, err := k.Session(t.Context(), "k"); return err },
	} {
		if err := call(); err == nil || errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	off()
	defer storetest.FailPoint(t, db, "alwaysOn", failing("update", "insert"))()
	for name, call := range map[string]func() error{
		"Charge":      func() error { _, err := p.Charge(t.Context(), Charge{Key: "new", Payer: ann, Money: ten}); return err },
		"Complete":    func() error { _, err := p.Complete(t.Context(), ann, "k", false); return err },
		"Refund":      func() error { return p.Refund(t.Context(), Refund{Key: "r", Of: "test:k"}) },
		"Behave":      func() error { return p.Behave(t.Context(), ann, Pays) },
		"Remember":    func() error { return k.Remember(t.Context(), ann, "c", "m") },
		"KeepSession": func() error { return k.KeepSession(t.Context(), "k", "s") },
	} {
		if err := call(); err == nil || errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIsCurrency(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"EUR": true, "XXX": true, "eur": false, "EU": false, "EURO": false, "E1R": false, "": false, "ÄÄ": false} {
		if IsCurrency(s) != want {
			t.Errorf("%q", s)
		}
	}
}
