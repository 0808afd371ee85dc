package ticket

import (
	"errors"
	"testing"
	"time"
)

func TestReq23ATicketLivesItsTime(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, Request{Kind: reset, Subject: "ada", TTL: 24 * time.Hour, Mailed: true})
	bare := n.issue(t, Request{Kind: reset, Subject: "ada", TTL: 24 * time.Hour})
	n.clock.Advance(24*time.Hour - time.Millisecond)
	got := n.mustVerify(t, Proof{Link: made.Link})
	n.mustVerify(t, Proof{Flow: made.Flow, Code: made.Code})
	n.mustVerify(t, Proof{Flow: bare.Flow})
	n.clock.Advance(time.Millisecond)
	n.refuses(t, "expired, by link", Proof{Link: made.Link})
	n.refuses(t, "expired, by code", Proof{Flow: made.Flow, Code: made.Code})
	n.refuses(t, "expired, by flow", Proof{Flow: bare.Flow})
	_, err := n.Renew(t.Context(), reset, made.Flow)
	for name, err := range map[string]error{"Renew": err, "Amend": n.Amend(t.Context(), got, nil), "Spend": n.Spend(t.Context(), got)} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s after the end = %v", name, err)
		}
	}
	if n.count(t) != 2 || n.tries(t, made.ID) != Tries { // the documents are there: it was the clock that decided
		t.Errorf("%d tickets, %d tries", n.count(t), n.tries(t, made.ID))
	}
	if voided, err := n.Void(t.Context(), "ada"); err != nil || voided != 2 {
		t.Errorf("Void() = %d, %v: a user who is deleted leaves nothing", voided, err)
	}
}

func TestManyNodes(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	fast, slow := n.peer(2*time.Second), n.peer(-2*time.Second)
	made := n.issue(t, request(true))
	for _, c := range []node{n, fast, slow} {
		c.clock.Advance(time.Hour - time.Second)
	}
	n.mustVerify(t, Proof{Link: made.Link})
	slow.mustVerify(t, Proof{Link: made.Link})
	fast.refuses(t, "a second before its end, on a clock that is two fast", Proof{Link: made.Link})

	// Tries and secrets are shared.
	for i := range Tries {
		[]node{n, slow}[i%2].refuses(t, "wrong", Proof{Flow: made.Flow, Code: wrong(made.Code, i)})
	}
	slow.refuses(t, "no tries, on the other node", Proof{Flow: made.Flow, Code: made.Code})
	again, err := slow.Renew(t.Context(), reset, made.Flow)
	if err != nil {
		t.Fatal(err)
	}
	n.refuses(t, "renewed on another node", Proof{Link: made.Link})
	if err := n.use(t.Context(), Proof{Flow: again.Flow, Code: again.Code}); err != nil {
		t.Fatal(err)
	}
	slow.refuses(t, "spent on another node", Proof{Link: again.Link})
}
