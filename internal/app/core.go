package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/demo"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/internal/idempotency"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/place"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/presence"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/reporting"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/mongod"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
	"github.com/backendbook/backendbook/internal/topic"
	"github.com/backendbook/backendbook/internal/trace"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Options are what tests set and people don't. Zero values mean what production has.
type Options struct {
	Clock    clock.Clock
	Password account.Cost // of a hash
	Attach   bool         // use the managed MongoDB of a server that runs, as commands do
}

// core is the database and the services on it: what the server and the commands have in common.
type core struct {
	cfg *config.Config
	log *slog.Logger
	now clock.Clock

	mongod  *mongod.Server // nil with a MONGODB_URI
	db      *store.DB
	metrics *httpapi.Metrics
	tracer  *trace.Tracer // nil for no spans
	events  *event.Log
	tail    *event.Tail

	accounts  *account.Service
	sessions  *session.Service
	mail      *mail.Service
	bag       *bag.Service
	throttle  *throttle.Service
	places    *place.Finder // nil where none are known
	roles     *rbac.Service
	plans     *plan.Service
	documents *registry.Service
	jobs      *job.Manager
	content   blob.Store // files
	analytics *analytics.Service
	auth      *webauth.Service
	demo      *demo.Demo

	exports     *export.Service
	attachments *attachment.Service
	reporting   *reporting.Service
	topics      *topic.Service
	keys        *idempotency.Service // of requests
	factors     *factor.Service
	blobs       io.Closer // nil where nothing is to be closed
}

// openCore connects, brings the database to the plan of this version and makes the services. Nothing runs yet.
func openCore(ctx context.Context, cfg *config.Config, log *slog.Logger, opts Options) (*core, error) {
	c, err := connect(ctx, cfg, log, opts)
	if err != nil {
		return nil, err
	}
	report, err := c.db.Migrate(ctx, schema(), false)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate: %w", err), c.close(ctx))
	}
	for _, name := range append(report.Created, report.Applied...) {
		log.DebugContext(ctx, "migrated", "what", name)
	}
	for _, w := range report.Warnings {
		log.WarnContext(ctx, "migration_warning", "warning", w)
	}
	if err := c.assemble(opts); err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	if err := c.bootstrap(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bootstrap: %w", err), c.close(ctx))
	}
	return c, nil
}

// connect opens the database, starting the managed MongoDB if no other is named.
func connect(ctx context.Context, cfg *config.Config, log *slog.Logger, opts Options) (*core, error) {
	c := &core{cfg: cfg, log: log, now: opts.Clock, metrics: httpapi.NewMetrics(Version())}
	if c.now == nil {
		c.now = clock.System()
	}
	var err error
	if c.tracer, err = trace.New(ctx, cfg.ForTrace(Version()), log); err != nil {
		return nil, fmt.Errorf("telemetry.endpoint: %w", err)
	}
	to := cfg.ForStore()
	to.Observe, to.Tracer = c.metrics.ObserveMongo, c.tracer
	if to.URI == "" {
		if c.mongod, err = mongod.Start(ctx, cfg.ForMongod(opts.Attach), log); err != nil {
			return nil, err
		}
		to.URI = c.mongod.URI()
	} else {
		log.InfoContext(ctx, "mongodb_connecting", "database", to.Database, "patience", to.StartWait.String())
	}
	if c.db, err = store.Open(ctx, to, log); err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	return c, nil
}

// schema is what the database must hold: the declarations of all packages that keep something.
func schema() store.Plan {
	var p store.Plan
	for _, of := range []func() []store.Collection{
		event.Collections, ticket.Collections, throttle.Collections, mail.Collections, account.Collections, session.Collections, bag.Collections,
		factor.Collections, social.Collections, rbac.Collections, plan.Collections, payment.Collections, registry.Collections, analytics.Collections,
		blob.Collections, attachment.Collections, job.Collections, reporting.Collections, topic.Collections, presence.Collections, idempotency.Collections,
	} {
		p.Collections = append(p.Collections, of()...)
	}
	p.Migrations = slices.Concat(account.Migrations(), rbac.Migrations(), plan.Migrations(), registry.Migrations())
	return p
}

// permissions are all rights the code asks for.
func permissions() map[string]string {
	all := map[string]string{}
	for _, of := range []func() map[string]string{
		account.Permissions, rbac.Permissions, plan.Permissions, registry.Permissions, analytics.Permissions, job.Permissions, reporting.Permissions,
		topic.Permissions, presence.Permissions, graph.Permissions,
	} {
		maps.Copy(all, of())
	}
	return all
}

// assemble makes the services and hands each what it asks of the others.
func (c *core) assemble(opts Options) error {
	c.events = event.NewLog(c.db, c.now)
	c.tail = event.NewTail(c.db, c.now, c.log)
	c.roles = rbac.New(c.db, c.events, c.now, permissions(), c.tail.Lag, c.log, rbac.Config{
		UserExists: c.userExists, UsersLive: c.usersLive, RoleInUse: c.roleInUse,
	})
	hashing := c.cfg.ForAccount()
	if opts.Password != (account.Cost{}) {
		hashing.Cost = opts.Password
	}
	c.accounts = account.New(c.db, c.events, c.now, c.roles, hashing)
	policies, err := c.cfg.SessionPolicies()
	if err != nil {
		return fmt.Errorf("session.policies: %w", err)
	}
	limits := c.cfg.ForSession()
	limits.Limit = func(user string) session.Policy { return policies.OfRoles(user, c.roles.Obliges) }
	c.sessions = session.New(c.db, c.events, c.now, c.log, limits)
	c.bag = bag.New(c.db, c.now)
	c.topics = topic.New(c.db, c.now, c.roles)
	c.jobs = job.New(c.db, c.now, c.log, c.roles)
	c.jobs.Trace(c.tracer)
	if err := c.assemblePlans(); err != nil {
		return err
	}
	if err := c.openContent(); err != nil {
		return err
	}
	content := c.cfg.ForRegistry()
	content.Jobs, content.Files, content.Log = c.startJob, importFiles{c.content}, c.log
	c.documents = registry.New(c.db, c.events, c.now, c.roles, c.plans, content)
	c.plans.RegisterObjects(registry.FeatureDocuments, func(ctx context.Context, owner ref.Ref, _ int64, n int) ([]ref.Ref, error) {
		return c.documents.NewestOwned(ctx, owner, n)
	})
	for _, home := range registry.Homes() {
		c.roles.RegisterObject(home, func(ctx context.Context, id string) (map[string]any, error) {
			return c.documents.Attributes(ctx, ref.New(home, id))
		})
	}
	c.roles.OnDelete(c.documents.TargetDeleted)
	c.throttle = throttle.New(c.db, c.events, c.now)
	c.assembleAnalytics()
	c.exports = export.New(export.Deps{
		DB: c.db, Log: c.events, Analytics: c.analytics, Authz: c.roles, Jobs: c.jobs, Files: c.content, Now: c.now, Logger: c.log,
	}, export.Config{})
	ring, err := openRing(c.cfg)
	if err != nil {
		return fmt.Errorf("secret-keys: %w", err)
	}
	if err := c.assembleAuth(policies, ring); err != nil {
		return err
	}
	c.assembleAttachments(ring)
	c.keys = idempotency.New(c.db, ring, c.now, c.log)
	c.reporting = reporting.New(reporting.Deps{
		DB: c.db, Events: c.events, Authz: c.roles, Documents: c.documents, Reports: c.analytics, Users: c.accounts, Mail: c.mail, Now: c.now, Log: c.log,
	}, reporting.Config{})
	c.analytics.OnDelete(c.reporting.Unshown, c.documents.TargetDeleted)
	c.demo = demo.New(demo.Deps{
		DB: c.db, Roles: c.roles, Plans: c.plans, Documents: c.documents, Analytics: c.analytics,
		CreateUser: c.auth.Create, Dashboards: c.dashboards, Now: c.now, Log: c.log,
	}, c.cfg.ForDemo())
	c.registerTargets()
	c.registerJobs()
	return nil
}

// dashboards makes those of the templates, owned by the caller of ctx.
func (c *core) dashboards(ctx context.Context) error {
	for _, t := range []reporting.Template{reporting.TemplateFlights, reporting.TemplateProduct} {
		if _, err := c.reporting.FromTemplate(ctx, t); err != nil {
			return fmt.Errorf("dashboard %s: %w", t, err)
		}
	}
	return nil
}

// assembleAuth makes the ways in. What is wrong with a file they read keeps the server from starting.
func (c *core) assembleAuth(policies webauth.Policies, ring *keyring.Ring) (err error) {
	if c.mail, err = mail.New(c.db, c.now, c.log, ring, c.cfg.ForMail()); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if c.cfg.Session.Places != "" {
		if c.places, err = place.Open(c.cfg.Session.Places); err != nil {
			return fmt.Errorf("session.places: %w", err)
		}
	}
	tickets := ticket.New(c.db, c.now)
	factors, err := factor.New(c.db, c.events, c.now, tickets, ring, c.cfg.ForFactor())
	c.factors = factors
	if err != nil {
		return fmt.Errorf("factors: %w", err)
	}
	providers, err := c.cfg.ForSocial()
	if err != nil {
		return fmt.Errorf("auth.providers-file: %w", err)
	}
	others, err := social.New(c.db, c.events, c.now, tickets, c.log, providers)
	if err != nil {
		return fmt.Errorf("auth.providers-file: %w", err)
	}
	settings := c.cfg.ForWebauth()
	settings.Policies = policies
	c.auth = webauth.New(c.db, webauth.Deps{
		Accounts: c.accounts, Sessions: c.sessions, Factors: factors, Social: others, Tickets: tickets,
		Throttle: c.throttle, Mail: c.mail, Bag: c.bag, Events: c.events, Plans: c.plans, Roles: c.roles, Erase: c.startErasure,
		Now: c.now, Log: c.log, Permissions: slices.Sorted(maps.Keys(rbac.Keys(permissions()))),
	}, settings)
	return nil
}

func (c *core) userExists(ctx context.Context, id string) (bool, error) {
	found, err := c.accounts.ByIDs(ctx, []string{id})
	return len(found) == 1, err
}

// usersLive gives those of the users who can sign in.
func (c *core) usersLive(ctx context.Context, ids []string) ([]string, error) {
	found, err := c.accounts.ByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		u, ok := found[id]
		return !ok || u.DisabledAt != nil || u.DeactivatedAt != nil
	}), nil
}

// roleInUse names the plan that gives a role, so that no role is deleted under those who pay for it.
func (c *core) roleInUse(ctx context.Context, role string) (string, error) {
	all, err := c.plans.All(actor.With(ctx, actor.System()))
	for _, p := range all {
		if p.Role == role { // whatever its version: somebody may be on it
			return "plan " + p.Key, err
		}
	}
	return "", err
}

// flushLimit bounds the sending of the last spans.
const flushLimit = 3 * time.Second

// flush sends the spans that wait. Those that are lost have been told to the log.
func (c *core) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	if err := c.tracer.Close(ctx); err != nil {
		c.log.WarnContext(ctx, "spans_not_flushed", "error", err.Error())
	}
}

// closeLimit bounds the end of the managed MongoDB; after it, it is killed.
const closeLimit = 20 * time.Second

// close disconnects, then stops the managed MongoDB. The order matters: a driver that loses its server waits for it.
func (c *core) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	c.flush(ctx)
	if c.db != nil {
		c.db.Close(ctx)
	}
	c.places.Close()
	if c.blobs != nil {
		if err := c.blobs.Close(); err != nil {
			c.log.DebugContext(ctx, "blobs_close_failed", "error", err.Error())
		}
	}
	if c.mongod != nil {
		return c.mongod.Stop(ctx)
	}
	return nil
}
