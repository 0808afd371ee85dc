package reporting

import (
	"context"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/store"
)

// Permissions of this package.
const (
	PermSchedule = "reporting.schedule.write"
	PermAlert    = "reporting.alert.write"
	PermManage   = "reporting.manage"
)

// Permissions says what each permission of this package allows.
func Permissions() map[string]string {
	return map[string]string{
		PermSchedule: "Have reports and dashboards that one may read sent by mail to others who may.",
		PermAlert:    "Watch reports that one may read.",
		PermManage:   "See the schedules and alerts of others, pause and delete them.",
	}
}

// The content types of this package.
const (
	ReportKey    = "core.report"
	DashboardKey = "core.dashboard"
)

// Errors of saved reports, schedules and alerts.
var (
	// ErrQuery says what is wrong with the query of a saved report.
	ErrQuery = fault.Define(fault.Invalid, "REPORT_QUERY", "the query of the saved report is not valid")
	// ErrKind refuses what a kind of report cannot do.
	ErrKind = fault.Define(fault.Invalid, "REPORT_KIND", "this is not done with reports of this kind")
	// ErrCron says which field is wrong.
	ErrCron = fault.Define(fault.Invalid, "SCHEDULE_INVALID", "this is no schedule")
	// ErrRecipient carries index. It is the same for an address of nobody.
	ErrRecipient = fault.Define(fault.Invalid, "RECIPIENT_REFUSED", "this is no address of a user who may read all of it")
	ErrLimit     = fault.Define(fault.Exhausted, "REPORTING_LIMIT", "one user has at most 100 schedules and 100 alerts")
	// ErrOwner refuses keys and impersonators: what runs later would have rights that they do not.
	ErrOwner = fault.Define(fault.Forbidden, "REPORTING_OWNER", "only people themselves set up what runs with their rights")
	ErrAlert = fault.Define(fault.Invalid, "ALERT_INVALID", "this is no alert")
	// ErrShown carries count, and reports: the first of them that the caller may read.
	ErrShown    = fault.Define(fault.Conflict, "METRIC_IN_USE", "saved reports show this metric")
	ErrTemplate = fault.Define(fault.Invalid, "TEMPLATE_UNKNOWN", "there is no such template")
)

const (
	maxOwned      = 100 // schedules, and alerts, of one user
	maxRecipients = 20  // of one schedule or alert
)

// Authorizer is what this package needs of rbac.
type Authorizer interface {
	// Require fails unless the actor of ctx holds the permission.
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Documents is what this package needs of registry.
type Documents interface {
	// ByRefs gives those of some documents that the actor of ctx may read.
	ByRefs(ctx context.Context, refs []ref.Ref) (map[ref.Ref]registry.Document, error)
	// Create makes a document of the actor of ctx, in the transaction of ctx.
	Create(ctx context.Context, cmd registry.CreateCmd) (registry.Document, error)
	// List reads a page of the documents of a type.
	List(ctx context.Context, cmd registry.ListCmd) (page.Page[registry.Document], error)
}

// Reports is what this package needs of analytics. Both check the rights of the actor of ctx.
type Reports interface {
	Report(ctx context.Context, q analytics.Query) (analytics.Report, error)
	ReportChannel(ctx context.Context, q analytics.Query) (
		key string, topics []string, newSource func() *analytics.ReportSource, allowed func(ctx context.Context) error, err error,
	)
}

// Users is what this package needs of account.
type Users interface {
	Occupied(ctx context.Context, email string) (account.User, bool, error)
	ByIDs(ctx context.Context, ids []string) (map[string]account.User, error)
}

// Mailer is what this package needs of mail: it joins the transaction of ctx.
type Mailer interface {
	Queue(ctx context.Context, m mail.Message) error
}

// Deps are what the service stands on.
type Deps struct {
	DB        *store.DB
	Events    *event.Log
	Authz     Authorizer
	Documents Documents
	Reports   Reports
	Users     Users
	Mail      Mailer
	Now       clock.Clock
	Log       *slog.Logger
}

// Config says how often somebody looks. Zero values mean the defaults written beside them.
type Config struct {
	Poll     time.Duration // between two looks for what is due, default 1 s
	Evaluate time.Duration // between two looks at an alert, default 30 s
	LeaseTTL time.Duration // a worker that died is replaced after this time, default 30 s; what is under way has two thirds of it
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	Deps
	cfg   Config
	store *mongoStore
}

// New makes the service. Run it, and register [Service.Follower] with the tail.
func New(d Deps, cfg Config) *Service {
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	if cfg.Evaluate == 0 {
		cfg.Evaluate = 30 * time.Second
	}
	if cfg.LeaseTTL == 0 {
		cfg.LeaseTTL = 30 * time.Second
	}
	return &Service{Deps: d, cfg: cfg, store: newStore(d.DB)}
}

// as is ctx with the rights of a user, as they are now.
func as(ctx context.Context, user string) context.Context {
	return actor.With(ctx, actor.Actor{User: user})
}

// owner is the person who asks, if they are here themself.
//
// Errors: UNAUTHENTICATED, REPORTING_OWNER.
func owner(ctx context.Context) (string, error) {
	a := actor.From(ctx)
	switch {
	case a.IsAnonymous():
		return "", fault.ErrUnauthenticated
	case !a.IsSelf():
		return "", ErrOwner
	}
	return a.User, nil
}

// allowed refuses those whom a schedule or an alert is none of the business of; for them it is not there.
func (s *Service) allowed(ctx context.Context, owner string) error {
	if a := actor.From(ctx); a.System || a.User != "" && a.User == owner && a.Key == "" {
		return nil
	}
	if s.Authz.Require(ctx, PermManage, ref.Ref{}) != nil {
		return fault.ErrNotFound
	}
	return nil
}

// listed is whose schedules or alerts the caller lists: their own, or everybody's ("").
func (s *Service) listed(ctx context.Context, everybody bool) (string, error) {
	if a := actor.From(ctx); !everybody {
		if a.User == "" {
			return "", fault.ErrUnauthenticated
		}
		return a.User, nil
	}
	return "", s.Authz.Require(ctx, PermManage, ref.Ref{})
}

// lasting reports whether an error would come again: the fault is in what was asked, or in who may ask it.
func lasting(err error) bool {
	switch fault.From(err).Kind { //nolint:exhaustive // the rest may pass
	case fault.Invalid, fault.Forbidden, fault.NotFound, fault.Unauthenticated:
		return true
	}
	return false
}
