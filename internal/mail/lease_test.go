package mail

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestManyNodesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	const count = 60
	for i := range count / 2 {
		n.queue(t, signIn(fmt.Sprintf("user%d@example.org", i)))
	}
	nodes := []node{n, n.peer(t), n.peer(t)}
	for _, one := range nodes {
		one.run(t)
	}
	for i := range count / 2 {
		nodes[i%3].queue(t, signIn(fmt.Sprintf("user%d@example.org", count/2+i)))
	}
	n.await(t, stateSent, count)
	times := map[string]int{}
	for _, m := range server.got() {
		times[m.To]++
	}
	for to, n := range times {
		if n != 1 {
			t.Errorf("%s got %d mails", to, n)
		}
	}
	if len(times) != count {
		t.Errorf("%d people got mail; want %d", len(times), count)
	}
	if k := storetest.Count(t, n.db, collection, bson.D{{Key: "tries", Value: bson.D{{Key: "$ne", Value: 1}}}}); k != 0 {
		t.Errorf("%d letters took more than one try", k)
	}
}

// A letter that was taken by somebody who died is sent by another, when the lease is over and no earlier; and should the
// first one come back to life, it can't write over what has happened since.
func TestLeaseAndFence(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.queue(t, signIn("ada@example.org"))
	first, found, err := n.store.claim(t.Context(), t0, t0.Add(n.pace.lease))
	if err != nil || !found {
		t.Fatalf("claim: %v, %v", found, err)
	}
	n.clock.Advance(n.pace.lease - time.Millisecond)
	if _, found, err := n.store.claim(t.Context(), n.clock.Now(), n.clock.Now()); found || err != nil {
		t.Fatalf("the lease did not hold: %v", err)
	}
	n.clock.Advance(time.Millisecond)
	reached, hold := make(chan struct{}, 1), make(chan struct{})
	server.answer(nil, nil, func() error {
		reached <- struct{}{}
		<-hold
		return nil
	})
	n.run(t)
	<-reached
	n.refuseOutcomes(t, first) // the second one is at it
	close(hold)
	n.await(t, stateSent, 1)
	n.refuseOutcomes(t, first) // and has done it
	now := n.clock.Now()
	n.settle(t.Context(), first, func(ctx context.Context) (bool, error) { return n.store.release(ctx, first, now) })
	if !strings.Contains(n.logs.String(), "mail_lease_lost") {
		t.Error("a lost lease is not logged")
	}
	if l := n.only(t); l.State != stateSent || l.Tries != 2 || l.Fence != 2 {
		t.Errorf("the letter is %+v", l)
	}
}

// refuseOutcomes has who lost the lease of a letter write down each outcome.
func (n node) refuseOutcomes(t *testing.T, l letter) {
	t.Helper()
	now := n.clock.Now()
	for name, write := range map[string]func() (bool, error){
		"delivered": func() (bool, error) { return n.store.delivered(t.Context(), l, now, now) },
		"postponed": func() (bool, error) { return n.store.postpone(t.Context(), l, now, "x") },
		"released":  func() (bool, error) { return n.store.release(t.Context(), l, now) },
		"buried":    func() (bool, error) { return n.store.bury(t.Context(), l, now, now, "x") },
	} {
		if mine, err := write(); mine || err != nil {
			t.Errorf("%s by who lost the lease: %v, %v", name, mine, err)
		}
	}
}

// A mail over which every process dies does not go round for ever.
func TestPoisonIsBuriedUnsent(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.queue(t, signIn("ada@example.org"))
	for range n.pace.tries {
		if _, found, err := n.store.claim(t.Context(), n.clock.Now(), n.clock.Now()); !found || err != nil {
			t.Fatalf("claim: %v, %v", found, err)
		}
	}
	n.run(t)
	n.await(t, stateDead, 1)
	if len(server.got()) != 0 {
		t.Error("it was sent")
	}
}

func TestForeignSealIsBuried(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.queue(t, signIn("ada@example.org"))
	other := newNode(t, n.db, n.clock, keyring.Random(), n.cfg)
	stop := other.run(t)
	n.await(t, stateDead, 1)
	stop()
	if !strings.Contains(n.only(t).Error, "key") {
		t.Errorf("the error is %q", n.only(t).Error)
	}
	n.run(t) // the right key is back
	if err := n.Retry(t.Context(), n.only(t).ID); err != nil {
		t.Fatal(err)
	}
	server.await(t, 1)
}

// Stopping gives an attempt time to end; what is cut all the same is not counted, and sent by somebody else at once.
func TestStopWhileSending(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	reached, hold := make(chan struct{}, 1), make(chan struct{})
	server.answer(nil, nil, func() error {
		reached <- struct{}{}
		<-hold
		return &smtp.SMTPError{Code: 451, Message: "the client is gone anyway"}
	})
	n := server.node(t, plainTCP)
	stop := n.run(t)
	n.queue(t, signIn("ada@example.org"))
	<-reached
	stop()
	l := n.only(t)
	if l.State != stateWaiting || l.Tries != 0 || l.DueAt.After(n.clock.Now()) {
		t.Errorf("after the stop the letter is %+v", l)
	}
	server.answer(nil, nil, nil)
	close(hold)
	n.peer(t).run(t)
	n.await(t, stateSent, 1)
	if id := parse(t, server.await(t, 1)[0].Raw).Get("Message-Id"); id != "<"+l.ID+"@book.example>" {
		t.Errorf("message id %s", id)
	}
}

func TestStopWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	reached, hold := make(chan struct{}, 1), make(chan struct{})
	server.answer(nil, nil, func() error {
		reached <- struct{}{}
		<-hold
		return nil
	})
	n := server.node(t, plainTCP)
	n.pace.grace = 20 * time.Second
	stop := n.run(t)
	n.queue(t, signIn("ada@example.org"))
	<-reached
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	close(hold)
	<-stopped
	if l := n.only(t); l.State != stateSent {
		t.Errorf("the letter is %s", l.State)
	}
}

// A wake-up comes before the commit it belongs to; the mail leaves right after the commit all the same, though the next
// regular look is an hour away.
func TestWakesAfterTheCommit(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.pace.poll = time.Hour
	n.run(t)
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := n.Queue(ctx, signIn("ada@example.org")); err != nil {
			return err
		}
		if err := n.Queue(ctx, signIn("bob@example.org")); err != nil {
			return err
		}
		return overslept(t.Context(), n) // outside of the transaction: it cannot ping
	})
	if err != nil {
		t.Fatal(err)
	}
	server.await(t, 2)
}

// overslept returns when the node has woken up, looked into the outbox and found nothing.
func overslept(ctx context.Context, n node) error {
	for len(n.wake) > 0 && clock.Sleep(ctx, time.Millisecond) {
	}
	for range 20 { // each as long as a look takes
		if err := n.db.Ping(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func TestOutcomeIsWrittenThroughFaults(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.queue(t, signIn("ada@example.org"))
	off := storetest.FailPoint(t, n.db, bson.D{{Key: "times", Value: 2}}, bson.D{
		{Key: "failCommands", Value: bson.A{"update"}}, {Key: "errorCode", Value: 2}, // one that the driver does not retry
	})
	n.run(t)
	n.await(t, stateSent, 1)
	off()
	if got := len(server.got()); got != 1 {
		t.Errorf("%d mails arrived", got)
	}
}

func TestClaimSurvivesFaults(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.queue(t, signIn("ada@example.org"))
	off := storetest.FailPoint(t, n.db, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"findAndModify"}}, {Key: "errorCode", Value: 2},
	})
	n.run(t)
	storetest.Eventually(t, 20*time.Second, func() bool { return strings.Contains(n.logs.String(), "mail_claim_failed") }, "the fault is logged")
	off()
	n.await(t, stateSent, 1)
}
