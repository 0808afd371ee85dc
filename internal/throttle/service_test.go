package throttle

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestTake(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, eve := user("ada"), user("eve")
	n.mustTake(t, 5, ada)
	if wait := n.refused(t, ada); wait != 10 {
		t.Errorf("retryAfter = %d, want 10", wait)
	}
	n.mustTake(t, 5, eve)                             // another key
	n.mustTake(t, 3, Bucket{Limit: byIP, Key: "ada"}) // another limit
	for range 10 {                                    // hammering moves nothing
		n.refused(t, ada)
	}
	n.clock.Advance(10*time.Second - time.Millisecond)
	if wait := n.refused(t, ada); wait != 1 {
		t.Errorf("retryAfter a millisecond before = %d, want 1", wait)
	}
	n.clock.Advance(time.Millisecond)
	n.mustTake(t, 1, ada)
	n.refused(t, ada)
	n.clock.Advance(25 * time.Second)
	if got := n.takes(t, 9, ada); got != 2 {
		t.Errorf("%d passed after 25 s, want 2", got)
	}
	n.clock.Advance(time.Hour)
	if got := n.takes(t, 9, ada); got != 5 {
		t.Errorf("%d passed after an hour, want the burst and no more", got)
	}
}

func TestReq22RetryAfterIsTrue(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	l := Limit{Name: "odd", Burst: 2, Every: 1700 * time.Millisecond}
	b := Bucket{Limit: l, Key: "k"}
	n.mustTake(t, 2, b)
	for range 5 {
		wait := n.refused(t, b)
		n.clock.Advance(time.Duration(wait-1) * time.Second)
		n.refused(t, b)
		n.clock.Advance(time.Second)
		n.mustTake(t, 1, b)
		n.takes(t, 5, b)
	}
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, net, mail := user("ada"), ip("192.0.2.7"), user("ada@example.org")
	n.mustTake(t, 3, net, ada)
	for range 3 { // the network has none left: whichever place it has, the others lose nothing
		n.refused(t, net, ada, mail)
		n.refused(t, ada, net, mail)
		n.refused(t, ada, mail, net)
	}
	if got := n.takes(t, 9, ada); got != 2 {
		t.Errorf("ada has %d left, want 2", got)
	}
	if got := n.takes(t, 9, mail); got != 5 {
		t.Errorf("mail has %d left, want 5", got)
	}
	if wait := n.refused(t, net, ada); wait != 60 {
		t.Errorf("retryAfter = %d, want the network's 60", wait)
	}
	// A bucket named twice pays twice, and gets both back.
	twice := user("twice")
	n.mustTake(t, 2, twice, twice)
	n.refused(t, twice, twice)
	if got := n.takes(t, 9, twice); got != 1 {
		t.Errorf("%d left, want 1", got)
	}
}

func TestReq19TheFirstBucketShieldsTheOthers(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	victim, attacker := user("victim"), ip("203.0.113.5")
	if got := n.takes(t, 100, attacker, victim); got != 3 {
		t.Errorf("the attacker had %d attempts", got)
	}
	ctx, count := store.WithCounter(t.Context())
	if err := n.Take(ctx, attacker, victim); !errors.Is(err, ErrLimited) || count.Total() != 1 {
		t.Errorf("Take() = %v with %d commands: the victim's bucket was touched", err, count.Total())
	}
	n.mustTake(t, 2, ip("198.51.100.1"), victim)
	n.clock.Advance(15 * time.Minute)
	n.mustTake(t, 3, ip("198.51.100.1"), victim)
}

func TestReq17OneBucketIsNotClearedByAnother(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	net := ip("203.0.113.5")
	n.mustTake(t, 3, net, user("mallory"))
	if err := n.fill(t.Context(), user("mallory")); err != nil { // he knows his own password
		t.Fatal(err)
	}
	n.refused(t, net, user("mallory"))
	if got := n.takes(t, 9, user("mallory")); got != 5 {
		t.Errorf("%d left after fill", got)
	}
}

func TestReq18UnknownIsNoBucket(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	n.mustTake(t, 10, ip(""), ip("garbage"), Bucket{Limit: byUser})
	if got := storetest.Count(t, n.db, collection); got != 0 {
		t.Errorf("%d buckets of nobody", got)
	}
	n.mustTake(t, 5, ip("garbage"), user("ada"))
	n.refused(t, ip("garbage"), user("ada"))
	n.mustTake(t, 3) // no bucket, no limit
	if err := errors.Join(n.Refund(t.Context(), ip("")), n.Refund(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestReq16NetworksShareABucket(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for i := range 3 {
		n.mustTake(t, 1, ip("2001:db8:1:2::"+strconv.Itoa(i)))
	}
	n.refused(t, ip("2001:db8:1:2:ffff::9"))
	n.mustTake(t, 1, ip("2001:db8:1:3::1"))
	n.mustTake(t, 2, ip("192.0.2.7"))
	n.mustTake(t, 1, ip("::ffff:192.0.2.7"))
	n.refused(t, ip("192.0.2.7"))
}

func TestMistakesAreNoRefusals(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	bad := Bucket{Limit: Limit{Name: "bad", Burst: 0, Every: time.Second}, Key: "k"}
	for name, err := range map[string]error{
		"Take": n.Take(t.Context(), user("ada"), bad), "Refund": n.Refund(t.Context(), bad),
	} {
		if err == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("%s() of a limit that makes no sense = %v", name, err)
		}
	}
	if got := storetest.Count(t, n.db, collection); got != 0 {
		t.Errorf("%d buckets: something was taken", got)
	}
}

func TestRefund(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, eve := user("ada"), user("eve")
	n.mustTake(t, 5, ada)
	if err := n.Refund(t.Context(), ada, eve); err != nil {
		t.Fatal(err)
	}
	if got := n.takes(t, 9, ada); got != 1 {
		t.Errorf("%d after one refund", got)
	}
	for range 8 { // never more than the burst, also from a bucket that is almost full or has no document
		if err := n.Refund(t.Context(), ada, eve); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.takes(t, 9, ada); got != 5 {
		t.Errorf("%d after eight refunds, want 5", got)
	}
	if got := n.takes(t, 9, eve); got != 5 {
		t.Errorf("%d of a bucket that was only given to, want 5", got)
	}
	n.clock.Advance(45 * time.Second) // half of one is missing
	if err := n.Refund(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if r, _ := n.stored(t, ada); !r.Tat.Equal(n.now()) {
		t.Errorf("full at %v, want now", r.Tat)
	}
	if got := n.takes(t, 9, ada); got != 5 {
		t.Errorf("%d, want 5", got)
	}
}

func TestNoAttemptIsGivenBackByARollback(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	for range 5 {
		n.rolledBack(t, func(ctx context.Context) error {
			err := n.Take(ctx, ada)
			if !store.InTransaction(ctx) {
				t.Error("the caller has lost its transaction")
			}
			return err
		})
	}
	n.refused(t, ada)
	// The refusal and its event stay too.
	eve := user("eve")
	n.mustTake(t, 5, eve)
	n.rolledBack(t, func(ctx context.Context) error {
		if err := n.Take(ctx, eve); !errors.Is(err, ErrLimited) {
			t.Errorf("Take() = %v", err)
		}
		return nil
	})
	if got := len(n.events(t)); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
	// And so does what is given back: what holds for one node must not wait for the commit of another.
	n.rolledBack(t, func(ctx context.Context) error { return n.Refund(ctx, ada) })
	n.rolledBack(t, func(ctx context.Context) error { return n.fill(ctx, eve) })
	if a, e := n.takes(t, 9, ada), n.takes(t, 9, eve); a != 1 || e != 5 {
		t.Errorf("ada has %d, eve %d; want 1 and 5", a, e)
	}
}

func TestACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, net := user("ada"), ip("192.0.2.7")
	n.mustTake(t, 3, net)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := n.Take(ctx, ada); !errors.Is(err, fault.ErrCanceled) {
		t.Errorf("Take() = %v, want CANCELED", err)
	}
	// He leaves between the refusal and what has to be done about it.
	err := n.refuse(ctx, net, []Bucket{ada}, false, limited(time.Second))
	if !errors.Is(err, ErrLimited) || fault.From(err).Err != nil || len(n.events(t)) != 1 {
		t.Errorf("refuse() = %v, %d events", err, len(n.events(t)))
	}
}
