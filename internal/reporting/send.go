package reporting

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// sent is the data of the event that a slot was sent.
type sent struct {
	Slot       time.Time `bson:"slot"`
	Recipients []string  `bson:"recipients"` // ids of users
	Left       int       `bson:"left"`       // recipients who may not read it any more
	By         string    `bson:"by,omitempty"`
}

// RunScheduleNow sends what the schedule would send now, besides its slots: for its owner, or with [PermManage].
//
// Errors: NOT_FOUND, and those of what is run.
func (s *Service) RunScheduleNow(ctx context.Context, id string) (Schedule, error) {
	v, err := s.Schedule(ctx, id)
	if err != nil {
		return Schedule{}, err
	}
	l, err := s.compose(as(ctx, v.Owner), v, s.Now())
	if err != nil {
		return Schedule{}, err
	}
	by := actor.From(ctx)
	err = s.DB.InTx(ctx, func(ctx context.Context) error { return s.post(ctx, v, l, by.User) })
	return v, err
}

// letter is the mail of one slot, and to whom it goes.
type letter struct {
	message mail.Message
	to      []account.User
	left    int
	slot    time.Time
}

// compose makes the mail of a slot with the rights of ctx, which are those of the owner.
func (s *Service) compose(ctx context.Context, v Schedule, slot time.Time) (letter, error) {
	users, err := s.Users.ByIDs(ctx, []string{v.Owner})
	if err != nil {
		return letter{}, err
	}
	who, there := users[v.Owner]
	if !there || who.DisabledAt != nil || who.DeactivatedAt != nil || who.DeleteAfter != nil {
		return letter{}, fault.ErrForbidden.Saying("the account of the owner is closed")
	}
	if err := s.Authz.Require(ctx, PermSchedule, ref.Ref{}); err != nil {
		return letter{}, err
	}
	p, err := s.print(ctx, v.On, v.Format == FormatCSV)
	if err != nil {
		return letter{}, err
	}
	l := letter{slot: slot}
	if l.to, l.left, err = s.readers(ctx, v.Owner, v.Recipients, p.content); err != nil {
		return letter{}, err
	}
	zone, err := time.LoadLocation(v.TimeZone)
	if err != nil {
		return letter{}, err
	}
	l.message = mail.Message{Template: "report", Files: p.files, Data: map[string]any{
		"Title": p.title, "When": slot.In(zone).Format("Mon, 2 Jan 2006 15:04 MST"), "Sender": who.Name, "Sections": p.sections,
	}}
	return l, nil
}

// post queues the mails of a slot, with the event, in the transaction of ctx.
func (s *Service) post(ctx context.Context, v Schedule, l letter, by string) error {
	fact := sent{Slot: l.slot, Left: l.left, By: by}
	for _, u := range l.to {
		m := l.message
		m.To, m.Locale = u.Email(), u.Locale
		if err := s.Mail.Queue(ctx, m); err != nil {
			return err
		}
		fact.Recipients = append(fact.Recipients, u.ID)
	}
	return s.Events.Append(ctx, kindScheduleSent, v.Ref(), fact)
}

// runSchedule sends the slot that is due, or writes down why not. Whoever else ran the same slot meanwhile has moved the
// schedule on: then nothing is done. Cost: what is computed, and 1 commit.
func (s *Service) runSchedule(ctx context.Context, v Schedule) error {
	now := s.Now()
	slot, after, err := v.slot(now)
	if err != nil {
		return s.stop(ctx, v, err) // the zone is not known to this version
	}
	if slot.IsZero() {
		return nil
	}
	l, err := s.compose(as(ctx, v.Owner), v, slot)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil && lasting(err):
		return s.stop(ctx, v, err)
	case err != nil:
		s.Log.WarnContext(ctx, "report_delayed", "schedule", v.ID, "tries", v.Tries+1, "error", err.Error())
		_, err = s.store.schedules.replace(ctx, v.failed(now, err), v.Version)
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		mine, err := s.store.schedules.replace(ctx, after, v.Version)
		if err != nil || !mine {
			return err
		}
		return s.post(ctx, v, l, "")
	})
}

// stop pauses a schedule that cannot run, and tells its owner.
func (s *Service) stop(ctx context.Context, v Schedule, why error) error {
	reason := fault.From(why).Msg
	next := v.stopped(reason)
	next.Code = fault.From(why).Code
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		mine, err := s.store.schedules.replace(ctx, next, v.Version)
		if err != nil || !mine {
			return err
		}
		if err := s.tell(ctx, v.Owner, "report_paused", s.labelOf(ctx, v.On), reason); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindSchedulePaused, v.Ref(), next)
	})
}

// tell queues the mail that something of a user's was paused.
func (s *Service) tell(ctx context.Context, user, template, title, reason string) error {
	found, err := s.Users.ByIDs(ctx, []string{user})
	if err != nil {
		return err
	}
	u, there := found[user]
	if !there || !live(u) {
		return nil
	}
	return s.Mail.Queue(ctx, mail.Message{To: u.Email(), Locale: u.Locale, Template: template, Data: map[string]any{
		"Name": u.Name, "Title": title, "Reason": reason,
	}})
}

// labelOf names a document to its user who once could read it.
func (s *Service) labelOf(ctx context.Context, on ref.Ref) string {
	found, err := s.Documents.ByRefs(actor.With(ctx, actor.System()), []ref.Ref{on})
	if d, there := found[on]; err == nil && there {
		return d.Label
	}
	return on.String()
}

// Run sends what is due and watches the alerts, until ctx ends. Every node runs it; one at a time does each of the two.
func (s *Service) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.alone(ctx, "reporting.alerts", s.watchTurn)
	}()
	s.alone(ctx, "reporting.schedules", s.sendTurn)
	<-done
}

// turn does what is due now. It calls renew before each piece of work and ends when that fails.
type turn func(ctx context.Context, renew func(context.Context) error) error

// alone takes turns again and again while this node holds the lease of that name.
func (s *Service) alone(ctx context.Context, name string, do turn) {
	for {
		lease, err := s.DB.TryLease(ctx, name, s.cfg.LeaseTTL)
		for err == nil {
			err = do(ctx, lease.Renew)
			if err == nil && clock.Sleep(ctx, s.cfg.Poll) {
				err = lease.Renew(ctx)
			}
			if ctx.Err() != nil {
				break
			}
		}
		if lease != nil {
			_ = lease.Release(context.WithoutCancel(ctx)) // it runs out by itself if this is lost
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrLeaseHeld) {
			s.Log.WarnContext(ctx, "reporting_failed", "work", name, "error", err.Error())
		}
		if !clock.Sleep(ctx, s.cfg.Poll) {
			return
		}
	}
}

// batch is how many are taken up before it is looked again what has been due for the longest.
const batch = 50

// each does the work for all that are due, one after the other, each in a part of the time of the lease. What fails for one
// does not keep the others from theirs.
func each[T any](ctx context.Context, s *Service, due func(context.Context, time.Time, int64) ([]T, error), renew func(context.Context) error, work func(context.Context, T) error) error {
	all, err := due(ctx, s.Now(), batch)
	if err != nil {
		return err
	}
	var failed error
	for _, v := range all {
		if err := renew(ctx); err != nil {
			return err
		}
		bound, cancel := context.WithTimeout(ctx, s.cfg.LeaseTTL*2/3)
		err := work(bound, v)
		cancel()
		if err != nil {
			failed = err
		}
	}
	return failed
}

func (s *Service) sendTurn(ctx context.Context, renew func(context.Context) error) error {
	return each(ctx, s, s.store.schedules.due, renew, s.runSchedule)
}

func (s *Service) watchTurn(ctx context.Context, renew func(context.Context) error) error {
	return each(ctx, s, s.store.alerts.due, renew, s.evaluate)
}
