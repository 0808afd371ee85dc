package reporting

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// The events about alerts.
const (
	kindAlertCreated = "reporting.alert.created"
	kindAlertUpdated = "reporting.alert.updated"
	kindAlertDeleted = "reporting.alert.deleted"
	kindAlertPaused  = "reporting.alert.paused"
	kindAlertChanged = "reporting.alert.changed"
)

// changedFact is the data of the event that the state of an alert is another.
type changedFact struct {
	From  State    `bson:"from"`
	To    State    `bson:"to"`
	Value *float64 `bson:"value"`
}

// AlertCmd says what an alert is to be. A nil field stays as it is.
type AlertCmd struct {
	On         ref.Ref // a saved report; it never changes
	Condition  *Condition
	Threshold  *float64
	Recover    *float64 // nil with another threshold: the threshold
	For        *int
	Recipients []string // addresses of users
	Paused     *bool
}

// CreateAlert makes an alert that looks with the rights of the caller. Cost: for each recipient 1 read and those of the report, 1
// write and 1 commit.
//
// Errors: UNAUTHENTICATED, REPORTING_OWNER, FORBIDDEN, NOT_FOUND, REPORT_QUERY, REPORT_KIND, ALERT_INVALID, RECIPIENT_REFUSED,
// REPORTING_LIMIT, BAD_USER_INPUT.
func (s *Service) CreateAlert(ctx context.Context, cmd AlertCmd) (Alert, error) {
	user, err := owner(ctx)
	if err != nil {
		return Alert{}, err
	}
	if err := s.Authz.Require(ctx, PermAlert, ref.Ref{}); err != nil {
		return Alert{}, err
	}
	now := s.Now()
	a := Alert{ID: ref.NewID(), Owner: user, On: cmd.On, For: 1, State: OK, Since: now, CreatedAt: now, Version: 1}
	if cmd.Recipients == nil {
		cmd.Recipients = []string{}
	}
	if a, err = s.altered(ctx, a, cmd); err != nil {
		return Alert{}, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if n, err := s.store.alerts.count(ctx, user); err != nil || n >= maxOwned {
			return orLimit(err)
		}
		if err := s.store.alerts.insert(ctx, a); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindAlertCreated, a.Ref(), a)
	})
	return a, err
}

// altered is an alert after a command. It begins anew: what was seen of other numbers tells nothing.
func (s *Service) altered(ctx context.Context, a Alert, cmd AlertCmd) (Alert, error) {
	set(&a.Condition, cmd.Condition)
	set(&a.Threshold, cmd.Threshold)
	if cmd.Threshold != nil {
		a.Recover = a.Threshold
	}
	set(&a.Recover, cmd.Recover)
	set(&a.For, cmd.For)
	set(&a.Paused, cmd.Paused)
	if err := a.check(); err != nil {
		return a, err
	}
	if a.On.Type != ref.Report {
		return a, fault.ErrNotFound
	}
	_, q, err := s.saved(ctx, a.On)
	if err != nil {
		return a, err
	}
	if q.Last == 0 {
		return a, ErrAlert.Saying("an alert watches a report that is given by last: others do not move").On("input.report")
	}
	if _, err := s.Reports.Report(ctx, watched(q)); err != nil {
		return a, err
	}
	if cmd.Recipients != nil {
		if a.Recipients, err = s.recipients(ctx, a.Owner, cmd.Recipients, content{[]ref.Ref{a.On}, []string{q.Metric}}); err != nil {
			return a, err
		}
	}
	now := s.Now()
	if a.State != OK {
		a.State, a.Since = OK, now
	}
	a.Streak, a.Reason, a.DueAt = 0, "", &now
	if a.Paused {
		a.DueAt = nil
	}
	return a, nil
}

// UpdateAlert changes an alert of the caller's, which begins anew with OK.
//
// Errors: those of [Service.CreateAlert].
func (s *Service) UpdateAlert(ctx context.Context, id string, cmd AlertCmd) (Alert, error) {
	user, err := owner(ctx)
	if err != nil {
		return Alert{}, err
	}
	if err := s.Authz.Require(ctx, PermAlert, ref.Ref{}); err != nil {
		return Alert{}, err
	}
	var next Alert
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.store.alerts.get(ctx, id)
		if err == nil && cur.Owner != user {
			err = fault.ErrNotFound
		}
		if err != nil {
			return err
		}
		if next, err = s.altered(ctx, cur, cmd); err != nil {
			return err
		}
		return s.putAlert(ctx, kindAlertUpdated, cur, &next)
	})
	return next, err
}

// putAlert writes an alert over the one before, with its event, in the transaction of ctx.
func (s *Service) putAlert(ctx context.Context, kind string, before Alert, next *Alert) error {
	next.Version = before.Version + 1
	if ok, err := s.store.alerts.replace(ctx, *next, before.Version); err != nil || !ok {
		return orNotFound(err)
	}
	return s.Events.Append(ctx, kind, next.Ref(), *next)
}

// stopped is the alert when it is paused. It keeps its state, as the last that is known.
func (a Alert) stopped(reason string) Alert {
	a.Paused, a.Reason, a.DueAt = true, reason, nil
	a.Version++
	return a
}

// PauseAlert pauses an alert: one of the caller's, or with [PermManage] any.
//
// Errors: NOT_FOUND.
func (s *Service) PauseAlert(ctx context.Context, id string) (Alert, error) {
	var next Alert
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.Alert(ctx, id)
		if err != nil {
			return err
		}
		next = cur.stopped("")
		return s.putAlert(ctx, kindAlertPaused, cur, &next)
	})
	return next, err
}

// DeleteAlert deletes an alert: one of the caller's, or with [PermManage] any.
//
// Errors: NOT_FOUND.
func (s *Service) DeleteAlert(ctx context.Context, id string) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.Alert(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.alerts.remove(ctx, id); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindAlertDeleted, cur.Ref(), nil)
	})
}

// Alert is one of the caller's, or with [PermManage] any. One read.
//
// Errors: NOT_FOUND.
func (s *Service) Alert(ctx context.Context, id string) (Alert, error) {
	a, err := s.store.alerts.get(ctx, id)
	if err == nil {
		err = s.allowed(ctx, a.Owner)
	}
	if err != nil {
		return Alert{}, err
	}
	return a, nil
}

// Alerts lists those of the caller, or with [PermManage] everybody's, the newest first. One read.
//
// Errors: FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Alerts(ctx context.Context, everybody bool, args page.Args) (page.Page[Alert], error) {
	owner, err := s.listed(ctx, everybody)
	if err != nil {
		return page.Page[Alert]{}, err
	}
	return s.store.alerts.page(ctx, owner, args)
}

// evaluate looks at an alert that is due, with the rights of its owner. A change of its state commits with the event and the
// mails, and only if nobody else has looked meanwhile. Cost: what is computed, and 1 commit.
func (s *Service) evaluate(ctx context.Context, a Alert) error {
	now := s.Now()
	value, err := s.look(as(ctx, a.Owner), a, now)
	if err != nil {
		if ctx.Err() == nil && lasting(err) {
			return s.stopAlert(ctx, a, err)
		}
		return err // it stays due
	}
	next := a.observe(value, now)
	due := now.Add(s.cfg.Evaluate)
	next.DueAt = &due
	var to []mail.Message
	if next.State != a.State {
		if to, err = s.messages(ctx, a, next); err != nil {
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		mine, err := s.store.alerts.replace(ctx, next, a.Version)
		if err != nil || !mine || next.State == a.State {
			return err
		}
		for _, m := range to {
			if err := s.Mail.Queue(ctx, m); err != nil {
				return err
			}
		}
		return s.Events.Append(ctx, kindAlertChanged, a.Ref(), changedFact{a.State, next.State, value})
	})
}

// look reads the value.
func (s *Service) look(ctx context.Context, a Alert, now time.Time) (*float64, error) {
	if err := s.Authz.Require(ctx, PermAlert, ref.Ref{}); err != nil {
		return nil, err
	}
	_, q, err := s.saved(ctx, a.On)
	if err != nil {
		return nil, err
	}
	if q.Last == 0 {
		return nil, ErrAlert.Saying("the report is not given by last any more")
	}
	r, err := s.Reports.Report(ctx, watched(q))
	if err != nil {
		return nil, err
	}
	return a.reading(r, now), nil
}

// messages are the mails about a change: that it fires, and that this is over.
func (s *Service) messages(ctx context.Context, before, after Alert) ([]mail.Message, error) {
	if before.State != Firing && after.State != Firing {
		return nil, nil
	}
	saved, q, err := s.saved(as(ctx, after.Owner), after.On)
	if err != nil {
		return nil, err
	}
	readers, _, err := s.readers(ctx, after.Owner, after.Recipients, content{[]ref.Ref{after.On}, []string{q.Metric}})
	if err != nil {
		return nil, err
	}
	m := mail.Message{Template: "alert_recovered", Data: map[string]any{"Title": saved.Title, "Value": number(after.Value), "At": after.Since}}
	if after.State == Firing {
		m.Template = "alert_fired"
		m.Data["Condition"], m.Data["Threshold"] = string(after.Condition), number(&after.Threshold)
	}
	all := make([]mail.Message, len(readers))
	for i, u := range readers {
		m.To, m.Locale = u.Email(), u.Locale
		all[i] = m
	}
	return all, nil
}

// stopAlert pauses an alert that cannot be looked at, and tells its owner.
func (s *Service) stopAlert(ctx context.Context, a Alert, why error) error {
	reason := fault.From(why).Msg
	next := a.stopped(reason)
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		mine, err := s.store.alerts.replace(ctx, next, a.Version)
		if err != nil || !mine {
			return err
		}
		if err := s.tell(ctx, a.Owner, "alert_paused", s.labelOf(ctx, a.On), reason); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindAlertPaused, a.Ref(), next)
	})
}
