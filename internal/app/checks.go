package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/health"
)

// What checks find. They are told by /checks, doctor and systemHealth.
var (
	ErrStreamSilent      = fault.Define(fault.Unavailable, "CHANGE_STREAM_SILENT", "the change stream does not answer")
	ErrReportsBehind     = fault.Define(fault.Unavailable, "REPORTS_BEHIND", "stored events do not reach the reports")
	ErrMigrationsPending = fault.Define(fault.Unavailable, "MIGRATIONS_PENDING", "the database is not what this version needs: serving or `migrate` makes it so")
	ErrSchemaDiffers     = fault.Define(fault.Unavailable, "SCHEMA_DIFFERS", "the database holds indexes that this version did not make")
	ErrMailUndelivered   = fault.Define(fault.Unavailable, "MAIL_UNDELIVERED", "mails could not be delivered: `mail dead` lists them")
	ErrMailLate          = fault.Define(fault.Unavailable, "MAIL_LATE", "mails wait for too long")
	ErrJobsLate          = fault.Define(fault.Unavailable, "JOBS_LATE", "background jobs are due and nobody does them")
	ErrJobsFailed        = fault.Define(fault.Unavailable, "JOBS_FAILED", "background jobs have failed")
	ErrDiskLow           = fault.Define(fault.Unavailable, "DISK_LOW", "the disk is almost full")
	ErrClockSkewed       = fault.Define(fault.Unavailable, "CLOCK_SKEWED", "the clocks of this machine and of MongoDB differ")
)

// migrationsKept is how long it is believed that the database has what this version needs: looking costs a command for each collection.
const migrationsKept = time.Minute

// jobsFailedSince is how long a failed job is told.
const jobsFailedSince = 24 * time.Hour

// checks are those that need no running server: commands run them too.
func (c *core) checks() []health.Check {
	return []health.Check{
		{Name: "mongodb", Critical: true, Run: func(ctx context.Context) (string, error) {
			return "the primary takes writes with a majority", c.db.Probe(ctx)
		}},
		{Name: "migrations", Keep: migrationsKept, Run: c.checkMigrations},
		{Name: "mail", Run: c.checkMail},
		{Name: "jobs", Run: c.checkJobs},
		{Name: "disk", Run: c.checkDisk},
		{Name: "clock", Run: c.checkClock},
	}
}

// checks are all of them.
func (a *App) checks() []health.Check {
	return append(a.core.checks(),
		health.Check{Name: "change_stream", Critical: true, Run: a.checkStream},
		health.Check{Name: "policy", Critical: true, Run: func(ctx context.Context) (string, error) {
			return fmt.Sprintf("revision %d", a.roles.Rev()), a.roles.Ready(ctx)
		}},
		health.Check{Name: "folder", Run: a.checkFolder})
}

func (c *core) checkMigrations(ctx context.Context) (string, error) {
	plan, err := c.db.Migrate(ctx, schema(), true)
	switch n := len(plan.Created) + len(plan.Applied); {
	case err != nil:
		return "", err
	case n > 0:
		return "", ErrMigrationsPending.Saying("%d to do: serving does them, `migrate --dry-run` lists them", n)
	case len(plan.Warnings) > 0:
		return "", ErrSchemaDiffers.Saying("%s", strings.Join(plan.Warnings, "; "))
	}
	return "nothing to do", nil
}

func (c *core) checkMail(ctx context.Context) (string, error) {
	if c.mail.HasMailbox() {
		return "stays in the development mailbox: no mail.host is set", nil
	}
	waiting, oldest, dead, err := c.mail.Backlog(ctx)
	switch {
	case err != nil:
		return "", err
	case dead > 0:
		return "", ErrMailUndelivered.Saying("%d could not be delivered: `mail dead` lists them", dead)
	case waiting > 0 && c.now().Sub(oldest) > c.cfg.Health.MailAge:
		return "", ErrMailLate.Saying("%d wait, the oldest since %s: does a server run, and does %s answer?", waiting, oldest.Format(time.DateTime), c.cfg.Mail.Host)
	}
	return fmt.Sprintf("%d on their way through %s", waiting, c.cfg.Mail.Host), nil
}

func (c *core) checkJobs(ctx context.Context) (string, error) {
	b, err := c.jobs.Backlog(ctx, c.now().Add(-jobsFailedSince))
	switch {
	case err != nil:
		return "", err
	case b.Due > 0 && b.Late > c.cfg.Health.JobAge:
		return "", ErrJobsLate.Saying("%d are due, the oldest for %s: does a server run?", b.Due, b.Late.Round(time.Second))
	case b.Failed > 0:
		return "", ErrJobsFailed.Saying("%d failed within %s: `job list` shows them", b.Failed, jobsFailedSince)
	}
	return fmt.Sprintf("%d due", b.Due), nil
}

func (c *core) checkDisk(context.Context) (string, error) {
	free, all, err := diskOf(c.cfg.DataDir)
	if err != nil || all == 0 {
		return "not known", err
	}
	percent := int(100 * free / all) //nolint:gosec // at most 100
	if percent < c.cfg.Health.DiskFree {
		return "", ErrDiskLow.Saying("%d %% of the disk with data-dir are free", percent)
	}
	return fmt.Sprintf("%d %% free", percent), nil
}

// checkClock compares the clocks, which differ by half of the way there and back more or less.
func (c *core) checkClock(ctx context.Context) (string, error) {
	sent := c.now()
	theirs, err := c.db.Now(ctx)
	if err != nil {
		return "", err
	}
	way := c.now().Sub(sent) / 2
	skew := theirs.Sub(sent.Add(way)).Abs()
	if skew-way > c.cfg.Health.ClockSkew {
		return "", ErrClockSkewed.Saying("this machine and MongoDB differ by %s: does every machine run a time service?", skew.Round(time.Millisecond))
	}
	return fmt.Sprintf("differs by %d ms", skew.Milliseconds()), nil
}

// lagLimit is the silence after which the rights of this node are not answered for either; see rbac.Config.MaxStale.
const lagLimit = 5 * time.Second

// checkStream: a node that does not hear of changes serves old rights and silent channels.
func (a *App) checkStream(context.Context) (string, error) {
	lag := a.tail.Lag()
	if lag > lagLimit {
		return "", ErrStreamSilent
	}
	return fmt.Sprintf("lag %d ms", lag.Milliseconds()), nil
}

// checkFolder only warns: a recount of very many events may take longer, and then every node would leave at once.
func (a *App) checkFolder(context.Context) (string, error) {
	age := a.folderAge()
	if age > folderEvery+folderLimit {
		return "", ErrReportsBehind
	}
	return fmt.Sprintf("seen at work %.0f s ago", age.Seconds()), nil
}
