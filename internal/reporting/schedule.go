package reporting

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/cron"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// Format is what the mails of a schedule hold.
type Format string

// The formats.
const (
	FormatHTML Format = "HTML"     // charts and totals
	FormatCSV  Format = "HTML_CSV" // the numbers attached besides
)

// Schedule sends a report or a dashboard by mail, at times of a wall clock.
type Schedule struct {
	ID         string     `bson:"_id"`
	Owner      string     `bson:"owner"` // id of the user whose rights it runs with
	On         ref.Ref    `bson:"on"`
	Cron       string     `bson:"cron"`
	TimeZone   string     `bson:"timeZone"`   // name of the IANA database
	Recipients []string   `bson:"recipients"` // ids of users
	Format     Format     `bson:"format"`
	Paused     bool       `bson:"paused"`
	Reason     string     `bson:"reason,omitempty"` // why the server has paused it; empty when somebody did
	NextAt     *time.Time `bson:"nextAt,omitempty"` // the next slot; nil while paused
	DueAt      *time.Time `bson:"dueAt,omitempty"`  // when to try: NextAt, or later after a failure
	LastAt     *time.Time `bson:"lastAt,omitempty"` // the last slot that was sent
	Tries      int        `bson:"tries"`            // failed ones of the slot
	Code       string     `bson:"code,omitempty"`   // of the last failure
	CreatedAt  time.Time  `bson:"createdAt"`
	Version    int64      `bson:"v"`
}

// Ref is the schedule as a reference.
func (s Schedule) Ref() ref.Ref { return ref.New(ref.Schedule, s.ID) }

// The events about schedules.
const (
	kindScheduleCreated = "reporting.schedule.created"
	kindScheduleUpdated = "reporting.schedule.updated"
	kindScheduleDeleted = "reporting.schedule.deleted"
	kindSchedulePaused  = "reporting.schedule.paused"
	kindScheduleSent    = "reporting.schedule.sent"
)

// plan sets when the schedule is next due, counted from now: what was missed before is not made up for.
//
// Errors: SCHEDULE_INVALID, BAD_USER_INPUT.
func (s Schedule) plan(now time.Time) (Schedule, error) {
	at, zone, err := s.times()
	if err != nil {
		return s, err
	}
	next := at.Next(now, zone)
	s.NextAt, s.DueAt, s.Tries, s.Code, s.Reason = &next, &next, 0, "", ""
	if s.Paused {
		s.NextAt, s.DueAt = nil, nil
	}
	return s, nil
}

func (s Schedule) times() (cron.Schedule, *time.Location, error) {
	at, err := cron.Parse(s.Cron)
	if err != nil {
		return at, nil, ErrCron.Saying("%s", err).On("input.cron")
	}
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		return at, nil, fault.ErrInput.Saying("there is no such time zone").On("input.timeZone")
	}
	return at, zone, nil
}

// slot is the latest one that is due, of perhaps several, and after is the schedule when it is done.
func (s Schedule) slot(now time.Time) (slot time.Time, after Schedule, err error) {
	at, zone, err := s.times()
	if err != nil || s.NextAt == nil || s.NextAt.After(now) {
		return time.Time{}, s, err
	}
	slot = at.Latest(s.NextAt.Add(-time.Millisecond), now, zone)
	after, err = s.plan(now)
	after.LastAt = &slot
	after.Version++
	return slot, after, err
}

const (
	retryFirst = 15 * time.Second // doubles
	retryMost  = 15 * time.Minute
)

// failed is the schedule after a try that came to nothing for a reason that may pass.
func (s Schedule) failed(now time.Time, err error) Schedule {
	wait := retryFirst << min(s.Tries, 10)
	due := now.Add(min(wait, retryMost))
	s.DueAt, s.Code = &due, fault.From(err).Code
	s.Tries++
	s.Version++
	return s
}

// stopped is the schedule paused by the server.
func (s Schedule) stopped(reason string) Schedule {
	s.Paused, s.Reason, s.NextAt, s.DueAt = true, reason, nil, nil
	s.Version++
	return s
}

// ScheduleCmd says what a schedule is to be. A nil field stays as it is.
type ScheduleCmd struct {
	On         ref.Ref // a saved report or a dashboard; it never changes
	Cron       *string
	TimeZone   *string
	Recipients []string // addresses of users: any of theirs; mail goes to the first one
	Format     *Format
	Paused     *bool
}

// CreateSchedule makes a schedule that runs with the rights of the caller. Cost: for each recipient 1 read and those of what is
// to be sent, 1 write and 1 commit.
//
// Errors: UNAUTHENTICATED, REPORTING_OWNER, FORBIDDEN, NOT_FOUND, REPORT_QUERY, REPORT_KIND, SCHEDULE_INVALID, RECIPIENT_REFUSED,
// REPORTING_LIMIT, BAD_USER_INPUT.
func (s *Service) CreateSchedule(ctx context.Context, cmd ScheduleCmd) (Schedule, error) {
	user, err := owner(ctx)
	if err != nil {
		return Schedule{}, err
	}
	if err := s.Authz.Require(ctx, PermSchedule, ref.Ref{}); err != nil {
		return Schedule{}, err
	}
	v := Schedule{ID: ref.NewID(), Owner: user, On: cmd.On, TimeZone: "UTC", Format: FormatHTML, CreatedAt: s.Now(), Version: 1}
	if cmd.Recipients == nil {
		cmd.Recipients = []string{}
	}
	if v, err = s.changed(ctx, v, cmd); err != nil {
		return Schedule{}, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if n, err := s.store.schedules.count(ctx, user); err != nil || n >= maxOwned {
			return orLimit(err)
		}
		if err := s.store.schedules.insert(ctx, v); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindScheduleCreated, v.Ref(), v)
	})
	return v, err
}

func orLimit(err error) error {
	if err == nil {
		err = ErrLimit
	}
	return err
}

// changed is a schedule after a command.
func (s *Service) changed(ctx context.Context, v Schedule, cmd ScheduleCmd) (Schedule, error) {
	set(&v.Cron, cmd.Cron)
	set(&v.TimeZone, cmd.TimeZone)
	set(&v.Format, cmd.Format)
	set(&v.Paused, cmd.Paused)
	if v.Format != FormatHTML && v.Format != FormatCSV {
		return v, fault.ErrInput.Saying("there is no such format").On("input.format")
	}
	c, err := s.of(ctx, v.On)
	if err != nil {
		return v, err
	}
	if may, err := s.mayRead(ctx, v.Owner, v.Owner, c); err != nil || !may {
		return v, orNotFound(err)
	}
	if cmd.Recipients != nil {
		if v.Recipients, err = s.recipients(ctx, v.Owner, cmd.Recipients, c); err != nil {
			return v, err
		}
	}
	return v.plan(s.Now())
}

func orNotFound(err error) error {
	if err == nil {
		err = fault.ErrNotFound
	}
	return err
}

// set puts what is given, if anything is.
func set[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

// UpdateSchedule changes a schedule of the caller's. It is next due after now: resuming makes up for nothing.
//
// Errors: those of [Service.CreateSchedule].
func (s *Service) UpdateSchedule(ctx context.Context, id string, cmd ScheduleCmd) (Schedule, error) {
	user, err := owner(ctx)
	if err != nil {
		return Schedule{}, err
	}
	if err := s.Authz.Require(ctx, PermSchedule, ref.Ref{}); err != nil {
		return Schedule{}, err
	}
	var next Schedule
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.store.schedules.get(ctx, id)
		if err == nil && cur.Owner != user {
			err = fault.ErrNotFound
		}
		if err != nil {
			return err
		}
		if next, err = s.changed(ctx, cur, cmd); err != nil {
			return err
		}
		return s.putSchedule(ctx, kindScheduleUpdated, cur, &next)
	})
	return next, err
}

// putSchedule writes a schedule over the one before, with its event, in the transaction of ctx.
func (s *Service) putSchedule(ctx context.Context, kind string, before Schedule, next *Schedule) error {
	next.Version = before.Version + 1
	if ok, err := s.store.schedules.replace(ctx, *next, before.Version); err != nil || !ok {
		return orNotFound(err) // deleted meanwhile: a change would be a conflict of the transaction
	}
	return s.Events.Append(ctx, kind, next.Ref(), *next)
}

// PauseSchedule pauses a schedule: one of the caller's, or with [PermManage] any.
//
// Errors: NOT_FOUND.
func (s *Service) PauseSchedule(ctx context.Context, id string) (Schedule, error) {
	var next Schedule
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.Schedule(ctx, id)
		if err != nil {
			return err
		}
		next = cur.stopped("")
		return s.putSchedule(ctx, kindSchedulePaused, cur, &next)
	})
	return next, err
}

// DeleteSchedule deletes a schedule: one of the caller's, or with [PermManage] any.
//
// Errors: NOT_FOUND.
func (s *Service) DeleteSchedule(ctx context.Context, id string) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.Schedule(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.schedules.remove(ctx, id); err != nil {
			return err
		}
		return s.Events.Append(ctx, kindScheduleDeleted, cur.Ref(), nil)
	})
}

// Schedule is one of the caller's, or with [PermManage] any. One read.
//
// Errors: NOT_FOUND.
func (s *Service) Schedule(ctx context.Context, id string) (Schedule, error) {
	v, err := s.store.schedules.get(ctx, id)
	if err == nil {
		err = s.allowed(ctx, v.Owner)
	}
	if err != nil {
		return Schedule{}, err
	}
	return v, nil
}

// Schedules lists those of the caller, or with [PermManage] everybody's, the newest first. One read.
//
// Errors: FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Schedules(ctx context.Context, everybody bool, args page.Args) (page.Page[Schedule], error) {
	owner, err := s.listed(ctx, everybody)
	if err != nil {
		return page.Page[Schedule]{}, err
	}
	return s.store.schedules.page(ctx, owner, args)
}
