package mail

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store"
)

// pace is how fast mails are delivered. Tests have a quicker one.
type pace struct {
	workers int           // deliveries at once on this node
	tries   int           // attempts before a letter is dead
	poll    time.Duration // how often to look for letters that are due again, or that other nodes left behind
	eager   time.Duration // the first pause after something was queued here; it doubles up to poll
	send    time.Duration // one attempt may take so long
	lease   time.Duration // a letter taken is nobody else's for so long: above send by what clocks of nodes may differ
	grace   time.Duration // for attempts under way when the server stops
	backoff time.Duration // around the first pause between attempts; each is four times the last
	longest time.Duration // no pause is longer
}

// defaultPace tries a letter at 0 s, 5 s, 25 s, 2 min, 7 min, 28 min, 2 h and 4 h: soon while a code is good, and beyond
// the time for which servers turn unknown senders away (greylisting).
func defaultPace() pace {
	return pace{
		workers: 4, tries: 8, poll: 2 * time.Second, eager: 5 * time.Millisecond, send: time.Minute, lease: 3 * time.Minute,
		grace: 5 * time.Second, backoff: 5 * time.Second, longest: 2 * time.Hour,
	}
}

// after is the pause after so many attempts: exponential, and spread by half so that the letters of one outage do not all
// come back at once.
func (p pace) after(tries int) time.Duration {
	d := p.backoff
	for range tries - 1 {
		if d *= 4; d >= p.longest {
			d = p.longest
			break
		}
	}
	return d*3/4 + rand.N(d/2+1)
}

// How long letters that have come to their end are kept.
const (
	keepSent = 7 * 24 * time.Hour
	keepDead = 14 * 24 * time.Hour // also those in the mailbox
)

// Run delivers mail until ctx ends; attempts under way then have some seconds to come to their end before they are cut,
// and it returns when they have. With the development mailbox it only keeps that short. Any number of nodes may run it:
// each letter is with one of them at a time.
func (s *Service) Run(ctx context.Context) {
	if s.smtp == nil {
		s.tidy(ctx)
		return
	}
	patient, cut := store.Linger(ctx, s.pace.grace)
	defer cut()
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, s.pace.workers)
	for pause := s.pace.eager; ; {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		now := s.now()
		l, found, err := s.store.claim(ctx, now, now.Add(s.pace.lease))
		if found {
			under.Go(func() {
				defer func() { <-slots }()
				s.deliver(patient, l)
			})
			continue
		}
		<-slots
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "mail_claim_failed", "error", err.Error())
			pause = s.pace.poll
		}
		var more bool
		if pause, more = s.rest(ctx, pause); !more {
			return
		}
	}
}

// rest waits for the next look at the outbox and gives the pause after that. What was queued here may not have committed
// yet when its wake-up comes: hence some quick looks after one.
func (s *Service) rest(ctx context.Context, pause time.Duration) (next time.Duration, more bool) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return 0, false
	case <-s.wake:
		return s.pace.eager, true
	case <-t.C:
		return min(2*pause, s.pace.poll), true
	}
}

// tidy is Run for the development mailbox.
func (s *Service) tidy(ctx context.Context) {
	for more := true; more; _, more = s.rest(ctx, s.pace.poll) {
		if err := s.store.trim(ctx, s.keep); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "mailbox_trim_failed", "error", err.Error())
		}
	}
}

// deliver makes one attempt for a claimed letter and writes down what came of it. An attempt that ctx cut short does not
// count.
func (s *Service) deliver(ctx context.Context, l letter) {
	log := s.log.With("mail", l.ID, "template", l.Template, "tries", l.Tries)
	err := s.attempt(ctx, l)
	now := s.now()
	var write func(context.Context) (bool, error)
	switch bad := asFailure(err); {
	case err == nil:
		log.DebugContext(ctx, "mail_sent", "waited_ms", now.Sub(l.QueuedAt).Milliseconds())
		write = func(ctx context.Context) (bool, error) { return s.store.delivered(ctx, l, now, now.Add(keepSent)) }
	case ctx.Err() != nil:
		write = func(ctx context.Context) (bool, error) { return s.store.release(ctx, l, now) }
	case bad.permanent, l.Tries >= s.pace.tries:
		log.ErrorContext(ctx, "mail_dead", "stage", bad.stage, "smtp_code", bad.code)
		write = func(ctx context.Context) (bool, error) {
			return s.store.bury(ctx, l, now, now.Add(keepDead), bad.reason)
		}
	default:
		due := now.Add(s.pace.after(l.Tries))
		log.WarnContext(ctx, "mail_delayed", "stage", bad.stage, "smtp_code", bad.code, "next_ms", due.Sub(now).Milliseconds())
		write = func(ctx context.Context) (bool, error) { return s.store.postpone(ctx, l, due, bad.reason) }
	}
	s.settle(ctx, l, write)
}

// attempt sends a letter.
func (s *Service) attempt(ctx context.Context, l letter) error {
	if l.Tries > s.pace.tries {
		return &failure{permanent: true, stage: "claim", reason: "every process that tried to send this has died over it"}
	}
	says, err := s.open(l)
	if err != nil {
		return &failure{permanent: true, stage: "unseal", reason: "its content is sealed with a key this server does not have"}
	}
	ctx, cancel := context.WithTimeout(ctx, s.pace.send)
	defer cancel()
	return s.smtp.send(ctx, l, says)
}

// Writing down an outcome is worth some patience: a sent letter whose mark is lost is sent again.
const (
	settleTries = 5
	settlePause = 100 * time.Millisecond // doubles
	settleWait  = 20 * time.Second
)

// settle writes down an outcome, also when ctx has ended meanwhile.
func (s *Service) settle(ctx context.Context, l letter, write func(context.Context) (bool, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWait)
	defer cancel()
	var mine bool
	var err error
	for i := range settleTries {
		if mine, err = write(ctx); err == nil || !clock.Sleep(ctx, settlePause<<i) {
			break
		}
	}
	switch {
	case err != nil:
		s.log.ErrorContext(ctx, "mail_outcome_lost", "mail", l.ID, "effect", "it is tried again when its lease ends", "error", err.Error())
	case !mine:
		s.log.WarnContext(ctx, "mail_lease_lost", "mail", l.ID, "effect", "it may have been sent twice")
	}
}
