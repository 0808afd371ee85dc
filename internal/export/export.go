package export

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Errors of exports.
var (
	ErrLarge = fault.Define(fault.Invalid, "EXPORT_TOO_LARGE", "this is too much for one download: start a job with exportEvents or exportReport")
	ErrEarly = fault.Define(fault.Conflict, "EXPORT_NOT_READY", "the job has not written the file to its end")
	ErrGone  = fault.Define(fault.NotFound, "EXPORT_GONE", "the file is no longer kept: start the job again")
)

// KeepFor is how long the file of a job is there.
const KeepFor = 7 * 24 * time.Hour

const (
	pageRows  = 1000
	partBytes = 8 << 20
	pageTime  = time.Minute // of reading one page

	kindEvents = "analytics.event.exported"
	kindReport = "analytics.report.exported"
)

// Authorizer is what this package needs of rbac.
type Authorizer interface {
	// Require fails unless the actor of ctx holds the permission.
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Deps are what the service stands on.
type Deps struct {
	DB        *store.DB
	Log       *event.Log
	Analytics *analytics.Service
	Authz     Authorizer
	Jobs      *job.Manager
	Files     blob.Store
	Now       clock.Clock
	Logger    *slog.Logger
}

// Config of the package. Zero values mean the defaults written beside them.
type Config struct {
	DirectRows int64 // what has more needs a job, default 100,000
	PartRows   int64 // what one step of a job writes at most, give or take a page, default 20,000
}

// Service is the business of this package. It is safe for concurrent use.
type Service struct {
	Deps
	cfg Config
}

// New makes the service and tells the manager of jobs how its job is done. Run [Service.Run] on a node or more.
func New(deps Deps, cfg Config) *Service {
	cfg.DirectRows, cfg.PartRows = cmp.Or(cfg.DirectRows, 100_000), cmp.Or(cfg.PartRows, 20_000)
	s := &Service{deps, cfg}
	deps.Jobs.Register(JobKind, job.Handler{Step: s.step})
	return s
}

// noted writes down that something was exported.
func (s *Service) noted(ctx context.Context, kind string, on ref.Ref, fact any) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error { return s.Log.Append(ctx, kind, on, fact) })
}
