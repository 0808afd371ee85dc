package ticket

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/token"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for _, mailed := range []bool{true, false} {
		made := n.issue(t, request(mailed))
		if made.ID == "" || made.Kind != reset || made.Subject != "ada" || !made.CreatedAt.Equal(t0) || !made.ExpiresAt.Equal(t0.Add(time.Hour)) {
			t.Errorf("Issue() = %+v", made.Ticket)
		}
		_, flowGood := token.Parse("bbf_", made.Flow)
		_, linkGood := token.Parse("bbl_", made.Link)
		_, codeGood := normalCode(made.Code)
		if !flowGood || linkGood != mailed || codeGood != mailed {
			t.Errorf("mailed %v: flow %v, link %v, code %v", mailed, flowGood, linkGood, codeGood)
		}
		got, err := n.Peek(t.Context(), reset, made.Flow)
		var data note
		if err != nil || got.Decode(&data) != nil || data != (note{"ada@example.org", 1}) || got.ID != made.ID {
			t.Errorf("Peek() = %+v, %v with %+v", got, err, data)
		}
	}
}

func TestIssueRefusesMistakes(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for name, r := range map[string]Request{
		"no kind":            {TTL: time.Hour},
		"no lifetime":        {Kind: reset},
		"data of no meaning": {Kind: reset, TTL: time.Hour, Data: make(chan int)},
	} {
		if _, err := n.Issue(t.Context(), r); err == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("%s: Issue() = %v", name, err)
		}
	}
	if n.count(t) != 0 {
		t.Errorf("%d tickets", n.count(t))
	}
}

func TestIssueJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	later := errors.New("the flow goes wrong later")
	var made Issued
	err := n.db.InTx(t.Context(), func(ctx context.Context) (err error) {
		if made, err = n.Issue(ctx, request(true)); err != nil {
			return err
		}
		if _, err := n.Peek(ctx, reset, made.Flow); err != nil {
			t.Errorf("Peek() in the transaction that issues = %v", err)
		}
		return later
	})
	if !errors.Is(err, later) || n.count(t) != 0 {
		t.Errorf("the transaction ended with %v and left %d tickets", err, n.count(t))
	}
	n.refuses(t, "never committed", Proof{Link: made.Link})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	mail, bare, other := n.issue(t, request(true)), n.issue(t, request(false)), n.issue(t, request(true))
	for _, tc := range []struct {
		name string
		p    Proof
		want string // id
	}{
		{"link", Proof{Link: mail.Link}, mail.ID},
		{"flow and code", Proof{Flow: mail.Flow, Code: mail.Code}, mail.ID},
		{"flow and code as people paste it", Proof{Flow: mail.Flow, Code: " " + mail.Code[:3] + "-" + mail.Code[3:] + "\n"}, mail.ID},
		{"flow and link", Proof{Flow: mail.Flow, Link: mail.Link}, mail.ID},
		{"flow of a ticket that was not mailed", Proof{Flow: bare.Flow}, bare.ID},
		{"flow of a mailed ticket", Proof{Flow: mail.Flow}, ""},
		{"code alone", Proof{Code: mail.Code}, ""},
		{"link of one, flow of another", Proof{Flow: other.Flow, Link: mail.Link}, ""},
		{"link of one, flow of one not mailed", Proof{Flow: bare.Flow, Link: mail.Link}, ""},
		{"code for a ticket that has none", Proof{Flow: bare.Flow, Code: mail.Code}, ""},
		{"all three", Proof{Flow: mail.Flow, Link: mail.Link, Code: mail.Code}, ""},
		{"nothing", Proof{}, ""},
	} {
		got, err := n.Verify(t.Context(), reset, tc.p)
		if tc.want == "" {
			isRefusal(t, tc.name, got, err)
			continue
		}
		var data note
		if err != nil || got.ID != tc.want || got.Subject != "ada" || got.Decode(&data) != nil || data.Email != "ada@example.org" {
			t.Errorf("%s: Verify() = %+v, %v", tc.name, got, err)
		}
	}
	if left := n.tries(t, mail.ID); left != Tries {
		t.Errorf("%d tries left, though no code was wrong", left)
	}
	// The code of another ticket is as wrong as any, unless chance made them equal.
	if other.Code != mail.Code {
		n.refuses(t, "code of one, flow of another", Proof{Flow: other.Flow, Code: mail.Code})
	}
}

func TestRefusedAlike(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	spent, voided, renewed, other, guessed := n.issue(t, request(true)), n.issue(t, Request{Kind: reset, Subject: "eve", TTL: time.Hour, Mailed: true}),
		n.issue(t, request(true)), n.issue(t, Request{Kind: verify, TTL: time.Hour, Mailed: true}), n.issue(t, request(true))
	if err := n.Spend(t.Context(), spent.Ticket); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Void(t.Context(), "eve"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Renew(t.Context(), reset, renewed.Flow); err != nil {
		t.Fatal(err)
	}
	for i := range Tries {
		n.refuses(t, "wrong", Proof{Flow: guessed.Flow, Code: wrong(guessed.Code, i)})
	}
	unknownFlow, _ := token.New(flowPrefix)
	unknownLink, _ := token.New(linkPrefix)
	for name, p := range map[string]Proof{
		"unknown link":            {Link: unknownLink},
		"unknown flow":            {Flow: unknownFlow},
		"code of an unknown flow": {Flow: unknownFlow, Code: "123456"},
		"spent, by link":          {Link: spent.Link},
		"spent, by code":          {Flow: spent.Flow, Code: spent.Code},
		"voided":                  {Link: voided.Link},
		"renewed, by link":        {Link: renewed.Link},
		"of another kind":         {Link: other.Link},
		"out of tries":            {Flow: guessed.Flow, Code: guessed.Code},
		"malformed":               {Link: "bbl_x"},
		"an operator":             {Link: `{"$gt":""}`},
	} {
		n.refuses(t, name, p)
	}
	for name, flow := range map[string]string{"unknown": unknownFlow, "spent": spent.Flow, "of another kind": other.Flow, "a link": renewed.Link, "": ""} {
		got, err := n.Peek(t.Context(), reset, flow)
		isRefusal(t, "Peek "+name, got, err)
		again, err := n.Renew(t.Context(), reset, flow)
		isRefusal(t, "Renew "+name, again.Ticket, err)
		if again.Link != "" || again.Code != "" {
			t.Errorf("Renew %s gives secrets", name)
		}
	}
}

func TestReq26AKindIsNeverAnother(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	kinds := []Kind{"reset", "verify", "sign-in", "oauth", "Reset", "rese", "reset "}
	for _, kind := range kinds {
		mail := n.issue(t, Request{Kind: kind, TTL: time.Hour, Mailed: true})
		bare := n.issue(t, Request{Kind: kind, TTL: time.Hour})
		for _, as := range append(kinds, "") {
			for _, p := range []Proof{{Link: mail.Link}, {Flow: mail.Flow, Code: mail.Code}, {Flow: mail.Flow, Link: mail.Link}, {Flow: bare.Flow}} {
				got, err := n.Verify(t.Context(), as, p)
				if (err == nil) != (as == kind) {
					t.Errorf("a ticket of kind %q as %q: %v, %v", kind, as, got, err)
				}
			}
			_, err := n.Peek(t.Context(), as, bare.Flow)
			if (err == nil) != (as == kind) {
				t.Errorf("Peek: a ticket of kind %q as %q: %v", kind, as, err)
			}
		}
		if left := n.tries(t, mail.ID); left != Tries {
			t.Errorf("a question of another kind cost %d tries", Tries-left)
		}
	}
}

func TestReq30LookingChangesNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	mail, bare := n.issue(t, request(true)), n.issue(t, request(false))
	before, bareBefore := n.stored(t, mail.ID), n.stored(t, bare.ID)
	for range 10 {
		n.mustVerify(t, Proof{Link: mail.Link})
		n.mustVerify(t, Proof{Flow: mail.Flow, Link: mail.Link})
		n.mustVerify(t, Proof{Flow: mail.Flow, Code: mail.Code})
		n.mustVerify(t, Proof{Flow: bare.Flow})
		if _, err := n.Peek(t.Context(), reset, mail.Flow); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(before, n.stored(t, mail.ID)) || !bytes.Equal(bareBefore, n.stored(t, bare.ID)) {
		t.Error("a ticket that was only looked at has changed")
	}
}

func TestSpend(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	got := n.mustVerify(t, Proof{Link: made.Link})
	later := errors.New("the flow goes wrong later")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := n.Spend(ctx, got); err != nil {
			return err
		}
		return later
	})
	if !errors.Is(err, later) {
		t.Fatal(err)
	}
	n.mustVerify(t, Proof{Link: made.Link}) // the flow did not get through, so the ticket is still good
	if err := n.use(t.Context(), Proof{Link: made.Link}); err != nil {
		t.Fatal(err)
	}
	if err := n.Spend(t.Context(), got); !errors.Is(err, ErrInvalid) {
		t.Errorf("Spend() a second time = %v", err)
	}
	if n.count(t) != 0 {
		t.Error("a spent ticket is still there")
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	for i := range Tries {
		n.refuses(t, "wrong", Proof{Flow: made.Flow, Code: wrong(made.Code, i)})
	}
	proved := n.mustVerify(t, Proof{Link: made.Link}) // 256 bits need no tries
	n.clock.Advance(10 * time.Minute)
	again, err := n.Renew(t.Context(), reset, made.Flow)
	if err != nil || again.ID != made.ID || again.Flow != made.Flow || !again.ExpiresAt.Equal(made.ExpiresAt) || again.Link == made.Link {
		t.Fatalf("Renew() = %+v, %v", again.Ticket, err)
	}
	if left := n.tries(t, made.ID); left != Tries {
		t.Errorf("%d tries after Renew", left)
	}
	n.refuses(t, "the old link", Proof{Link: made.Link})
	if again.Code != made.Code {
		n.refuses(t, "the old code", Proof{Flow: made.Flow, Code: made.Code})
	}
	if err := n.Spend(t.Context(), proved); !errors.Is(err, ErrInvalid) {
		t.Errorf("what the old link proved: Spend() = %v", err)
	}
	n.mustVerify(t, Proof{Link: again.Link})
	got := n.mustVerify(t, Proof{Flow: again.Flow, Code: again.Code})
	var data note
	if got.Decode(&data) != nil || data.Email != "ada@example.org" {
		t.Errorf("data after Renew: %+v", data)
	}
	if err := n.Spend(t.Context(), got); err != nil {
		t.Errorf("Spend() = %v", err)
	}
}

func TestRenewOnlyWhatWasMailed(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	bare := n.issue(t, request(false))
	if _, err := n.Renew(t.Context(), reset, bare.Flow); !errors.Is(err, ErrInvalid) {
		t.Errorf("Renew() = %v", err)
	}
	n.mustVerify(t, Proof{Flow: bare.Flow}) // and it has not become a mailed one
}

func TestRenewJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	later := errors.New("the mail could not be queued")
	var again Issued
	err := n.db.InTx(t.Context(), func(ctx context.Context) (err error) {
		if again, err = n.Renew(ctx, reset, made.Flow); err != nil {
			return err
		}
		return later
	})
	if !errors.Is(err, later) {
		t.Fatal(err)
	}
	n.refuses(t, "never committed", Proof{Link: again.Link})
	n.mustVerify(t, Proof{Link: made.Link})
	n.mustVerify(t, Proof{Flow: made.Flow, Code: made.Code})
}

func TestAmend(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	old := n.mustVerify(t, Proof{Link: made.Link})
	if err := n.Amend(t.Context(), old, note{"eve@example.org", 2}); err != nil {
		t.Fatal(err)
	}
	// What was read before says an address that is no longer the one: neither may go through.
	if err := n.Amend(t.Context(), old, note{"ada@example.org", 3}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Amend() what is out of date = %v", err)
	}
	if err := n.Spend(t.Context(), old); !errors.Is(err, ErrInvalid) {
		t.Errorf("Spend() what is out of date = %v", err)
	}
	got := n.mustVerify(t, Proof{Link: made.Link})
	var data note
	if err := got.Decode(&data); err != nil || data != (note{"eve@example.org", 2}) {
		t.Errorf("data = %+v, %v", data, err)
	}
	if err := n.Amend(t.Context(), got, make(chan int)); err == nil || errors.Is(err, ErrInvalid) {
		t.Errorf("Amend() with data of no meaning = %v", err)
	}
	if err := n.Spend(t.Context(), got); err != nil {
		t.Errorf("Spend() = %v", err)
	}
	if err := n.Amend(t.Context(), got, note{}); !errors.Is(err, ErrInvalid) || n.count(t) != 0 {
		t.Errorf("Amend() what is spent = %v, %d tickets", err, n.count(t))
	}
}
