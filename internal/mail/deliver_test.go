package mail

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// checkLogs finds what must never be in a log.
func checkLogs(t *testing.T, n node) {
	t.Helper()
	for _, never := range []string{"ada@", "example.org", "482913", "theSecret", sinkPassword, "Ada"} {
		if all := n.logs.String(); strings.Contains(all, never) {
			t.Errorf("the log holds %q:\n%s", never, all)
		}
	}
}

func TestTemporaryErrorsAreRetriedEverMoreRarely(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	busy := func(string) error { return &smtp.SMTPError{Code: 451, Message: "later"} }
	server.answer(nil, busy, nil)
	n := server.node(t, plainTCP)
	n.run(t)
	n.queue(t, signIn("ada@example.org"))
	var last time.Duration
	for try := 1; try <= 3; try++ {
		n.awaitTry(t, try)
		pause := n.only(t).DueAt.Sub(n.clock.Now())
		if pause < 2*last || pause > 8*time.Minute {
			t.Errorf("after try %d it waits %v, before that %v", try, pause, last)
		}
		last = pause
		n.clock.Advance(pause - time.Millisecond)
		if _, found, err := n.store.claim(t.Context(), n.clock.Now(), t0); found || err != nil {
			t.Fatalf("it was due early, %v", err)
		}
		n.clock.Advance(time.Millisecond)
	}
	server.answer(nil, nil, nil)
	n.clock.Advance(time.Hour) // the fourth try may have failed meanwhile
	n.await(t, stateSent, 1)
	if got := len(server.got()); got != 1 {
		t.Errorf("%d mails arrived", got)
	}
	if waits, _, given, err := n.Backlog(t.Context()); waits != 0 || given != 0 || err != nil {
		t.Errorf("Backlog() = %d, %d, %v", waits, given, err)
	}
}

// awaitTry waits until so many attempts have failed.
func (n node) awaitTry(t testing.TB, try int) {
	t.Helper()
	storetest.Eventually(t, 20*time.Second, func() bool {
		l := n.only(t)
		return l.Tries == try && (l.State == stateDead || l.Error != "" && l.DueAt.After(n.clock.Now()) && l.DueAt.Sub(n.clock.Now()) != n.pace.lease)
	}, fmt.Sprintf("attempt %d has failed", try))
}

func TestDeadAfterEightTriesAndRetried(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	server.answer(nil, func(string) error { return &smtp.SMTPError{Code: 451, Message: "later, https://x.example/#token=1"} }, nil)
	n := server.node(t, plainTCP)
	n.run(t)
	n.queue(t, signIn("ada@example.org"))
	for try := 1; try <= 8; try++ {
		n.awaitTry(t, try)
		n.clock.Advance(3 * time.Hour)
	}
	n.await(t, stateDead, 1)
	found, err := n.Dead(t.Context(), page.Args{})
	if err != nil || len(found.Items) != 1 {
		t.Fatalf("Dead() = %+v, %v", found, err)
	}
	l := found.Items[0]
	if l.To != "ada@example.org" || l.Template != "sign_in" || l.Locale != "en" || l.Tries != 8 || !l.QueuedAt.Equal(t0) || !l.DeadAt.After(t0) ||
		!strings.Contains(l.Error, "451") || strings.Contains(l.Error, "x.example") {
		t.Errorf("dead letter %+v", l)
	}
	if waits, _, given, err := n.Backlog(t.Context()); waits != 0 || given != 1 || err != nil {
		t.Errorf("Backlog() = %d, %d, %v", waits, given, err)
	}

	server.answer(nil, nil, nil)
	for range 2 {
		if err := n.Retry(t.Context(), l.ID); err != nil && !errors.Is(err, fault.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if p := parse(t, server.await(t, 1)[0].Raw); p.Get("Message-Id") != "<"+l.ID+"@book.example>" {
		t.Errorf("message id %s", p.Get("Message-Id"))
	}
	n.await(t, stateSent, 1)
	for _, id := range []string{l.ID, "nobody", ""} {
		if err := n.Retry(t.Context(), id); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("Retry(%q) = %v", id, err)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	p := defaultPace()
	for tries, around := range map[int]time.Duration{
		1: 5 * time.Second, 2: 20 * time.Second, 3: 80 * time.Second, 4: 320 * time.Second, 5: 1280 * time.Second, 6: 5120 * time.Second,
		7: 2 * time.Hour, 8: 2 * time.Hour, 1000: 2 * time.Hour,
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := p.after(tries)
			if d < around*3/4 || d > around*5/4 {
				t.Errorf("after(%d) = %v; want around %v", tries, d, around)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after(%d) is always the same", tries)
		}
	}
	if p.lease <= p.send+settleWait {
		t.Errorf("a lease of %v may end during an attempt", p.lease)
	}
}
