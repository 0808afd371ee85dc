package ticket

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
)

func TestVoid(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for _, r := range []Request{
		{Kind: reset, Subject: "ada", TTL: time.Hour},
		{Kind: reset, Subject: "ada", TTL: time.Hour, Mailed: true},
		{Kind: verify, Subject: "ada", TTL: time.Hour},
		{Kind: "sign-in", Subject: "ada", TTL: time.Hour},
		{Kind: reset, Subject: "eve", TTL: time.Hour},
		{Kind: reset, TTL: time.Hour},
	} {
		n.issue(t, r)
	}
	for _, tc := range []struct {
		subject string
		kinds   []Kind
		want    int
	}{
		{"ada", []Kind{reset, "nothing"}, 2},
		{"ada", []Kind{reset}, 0},
		{"ada", nil, 2},
		{"nobody", nil, 0},
	} {
		if got, err := n.Void(t.Context(), tc.subject, tc.kinds...); err != nil || got != tc.want {
			t.Errorf("Void(%s, %v) = %d, %v; want %d", tc.subject, tc.kinds, got, err, tc.want)
		}
	}
	if _, err := n.Void(t.Context(), ""); err == nil {
		t.Error("Void() of nobody took those without a subject")
	}
	if n.count(t) != 2 {
		t.Errorf("%d tickets left, want eve's and nobody's", n.count(t))
	}
}

func TestVoidJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	later := errors.New("the flow goes wrong later")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if got, err := n.Void(ctx, "ada"); err != nil || got != 1 {
			t.Errorf("Void() = %d, %v", got, err)
		}
		return later
	})
	if !errors.Is(err, later) {
		t.Fatal(err)
	}
	n.mustVerify(t, Proof{Link: made.Link})
}

func TestOf(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	first := n.issue(t, Request{Kind: reset, Subject: "ada", TTL: time.Hour})
	second := n.issue(t, Request{Kind: verify, Subject: "ada", TTL: 2 * time.Hour})
	third := n.issue(t, Request{Kind: reset, Subject: "ada", TTL: 2 * time.Hour, Data: note{Step: 3}})
	n.issue(t, Request{Kind: reset, Subject: "eve", TTL: time.Hour})
	ids := func(all []Ticket) string {
		var s []string
		for _, one := range all {
			s = append(s, one.ID)
		}
		return strings.Join(s, " ")
	}
	check := func(want []Issued, kinds ...Kind) {
		t.Helper()
		var wanted []Ticket
		for _, one := range want {
			wanted = append(wanted, one.Ticket)
		}
		if got, err := n.Of(t.Context(), "ada", kinds...); err != nil || ids(got) != ids(wanted) {
			t.Errorf("Of(%v) = %s, %v; want %s", kinds, ids(got), err, ids(wanted))
		}
	}
	check([]Issued{third, second, first})
	check([]Issued{third, first}, reset)
	check([]Issued{third, second, first}, reset, verify)
	check(nil, "nothing")
	n.clock.Advance(time.Hour)
	check([]Issued{third, second})
	if _, err := n.Of(t.Context(), ""); err == nil {
		t.Error("Of() nobody is no mistake")
	}
	// What it gives is as good as what Verify gives: it can be amended and spent.
	all, err := n.Of(t.Context(), "ada", reset)
	if err != nil || n.Amend(t.Context(), all[0], note{Step: 4}) != nil {
		t.Fatalf("Of() = %v, %v, or no amending", all, err)
	}
	if all, err = n.Of(t.Context(), "ada", reset); err != nil || n.Spend(t.Context(), all[0]) != nil {
		t.Errorf("Of() = %v, %v, or no spending", all, err)
	}
}

func TestListAndDelete(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	var made []Issued
	for range 5 {
		made = append(made, n.issue(t, Request{Kind: reset, TTL: time.Hour}))
	}
	n.issue(t, Request{Kind: verify, TTL: time.Hour})
	size := 2
	var got []string
	args := page.Args{First: &size}
	for {
		p, err := n.List(t.Context(), reset, args)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range p.Items {
			got = append(got, one.ID)
		}
		if !p.HasNext {
			break
		}
		args.After = &p.Cursors[len(p.Cursors)-1]
	}
	if want := []string{made[4].ID, made[3].ID, made[2].ID, made[1].ID, made[0].ID}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("List() in pages of two = %v, want %v", got, want)
	}
	bad := 0
	if _, err := n.List(t.Context(), reset, page.Args{First: &bad}); !errors.Is(err, page.ErrSize) {
		t.Errorf("List(first: 0) = %v", err)
	}
	for _, tc := range []struct {
		name string
		kind Kind
		id   string
		err  error
	}{
		{"of another kind", verify, made[0].ID, fault.ErrNotFound},
		{"unknown", reset, "nothing", fault.ErrNotFound},
		{"there", reset, made[0].ID, nil},
		{"deleted", reset, made[0].ID, fault.ErrNotFound},
	} {
		if err := n.Delete(t.Context(), tc.kind, tc.id); !errors.Is(err, tc.err) {
			t.Errorf("%s: Delete() = %v", tc.name, err)
		}
	}
	n.refuses(t, "deleted", Proof{Flow: made[0].Flow})
	n.clock.Advance(time.Hour)
	if p, err := n.List(t.Context(), reset, page.Args{}); err != nil || len(p.Items) != 0 {
		t.Errorf("List() of expired ones = %d, %v", len(p.Items), err)
	}
	if err := n.Delete(t.Context(), reset, made[1].ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("Delete() of an expired one = %v", err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made, gone := n.issue(t, request(true)), n.issue(t, request(true))
	if err := n.Delete(t.Context(), reset, gone.ID); err != nil {
		t.Fatal(err)
	}
	got, err := n.Get(t.Context(), reset, made.ID)
	var data note
	if err != nil || got.ID != made.ID || got.Decode(&data) != nil || data.Email != "ada@example.org" {
		t.Errorf("Get() = %+v, %v", got, err)
	}
	for name, id := range map[string]string{"deleted": gone.ID, "unknown": "nothing", "": "", "a secret": made.Flow} {
		if got, err := n.Get(t.Context(), reset, id); !errors.Is(err, fault.ErrNotFound) || got.ID != "" {
			t.Errorf("%s: Get() = %v, %v", name, got, err)
		}
	}
	if _, err := n.Get(t.Context(), verify, made.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("of another kind: Get() = %v", err)
	}
	if err := n.Amend(t.Context(), got, note{Step: 2}); err != nil { // it is as good as what Verify gives
		t.Errorf("Amend() = %v", err)
	}
	if err := n.Spend(t.Context(), got); !errors.Is(err, ErrInvalid) {
		t.Errorf("Spend() what is out of date = %v", err)
	}
	n.clock.Advance(time.Hour)
	if _, err := n.Get(t.Context(), reset, made.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("expired: Get() = %v", err)
	}
}
