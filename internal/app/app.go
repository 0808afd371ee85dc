package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/health"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/presence"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/web"
)

// App is the whole server, built and with its background work running. Listen and Run serve it; Close ends it.
type App struct {
	*core
	hub      *live.Hub
	presence *presence.Service
	sockets  *graph.Sockets
	health   *health.Registry
	http     *httpapi.Server

	public, internal net.Listener

	facts      *facts
	slow       *slowLog
	operations *operations

	folded  atomic.Int64       // unix ms when the reports were last seen to hold all events
	stop    context.CancelFunc // ends the background work
	workers sync.WaitGroup
	made    []cli.SignIn
	once    sync.Once
}

// Build starts the managed MongoDB if there is no other, migrates, makes all services, starts to follow the change
// stream and loads the caches. ctx bounds the start alone.
func Build(ctx context.Context, cfg *config.Config, log *slog.Logger, opts Options) (*App, error) {
	c, err := openCore(ctx, cfg, log, opts)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	a := &App{
		core: c, stop: stop, hub: live.New(life, c.now, log, live.Config{Position: c.tail.Position, Present: func(ctx context.Context) (uint64, error) {
			at, err := c.db.ClusterTime(ctx)
			return event.Moment(at), err
		}}),
		facts:      &facts{db: c.db, events: c.events, analytics: c.analytics, log: log},
		operations: newOperations(c.analytics, c.now, log),
	}
	a.health = health.New(c.now, log, a.checks()...)
	a.slow = newSlowLog(c.db, log)
	a.presence = presence.New(c.db, c.now, log, c.roles, a.stats, a.health.Last)
	if err := a.start(ctx, life); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return a, nil
}

// start brings everything to life, each after what it needs: first the change stream, then the caches that follow it,
// then the data of the demo, then the interfaces.
func (a *App) start(ctx, life context.Context) error {
	a.follow()
	tail, err := a.tail.Start(life)
	if err != nil {
		return err
	}
	a.workers.Go(func() { <-tail })
	a.workers.Go(a.hub.Run)
	life = actor.With(life, actor.System())
	a.workers.Go(func() { a.sessions.Run(life) })
	a.workers.Go(func() { a.mail.Run(life) })
	a.workers.Go(func() { a.auth.Run(life) })
	a.workers.Go(func() { a.roles.Run(life) })
	a.workers.Go(func() { a.plans.Run(life) })
	a.workers.Go(func() { a.jobs.Run(life) })
	a.workers.Go(func() { a.attachments.Run(life) })
	a.workers.Go(func() { a.exports.Run(life) })
	a.workers.Go(func() { a.reporting.Run(life) })
	a.workers.Go(func() { a.analytics.Fold(life) })
	a.workers.Go(func() { a.analytics.Tail(life, a.hub.Publish) })
	a.folded.Store(a.now().UnixMilli())
	a.workers.Go(func() { a.watchFolder(life) })
	a.recordProduct(life)
	for what, load := range map[string]func(context.Context) error{
		"roles": a.roles.Load, "content types": a.documents.Load, "metrics": a.analytics.Load,
	} {
		if err := load(ctx); err != nil {
			return fmt.Errorf("load %s: %w", what, err)
		}
	}
	if a.made, err = a.seed(ctx); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if a.cfg.Demo.Enabled {
		a.workers.Go(func() { a.demo.Replay(life) })
	}
	if err := a.serveGraph(ctx); err != nil {
		return err
	}
	a.workers.Go(func() { a.slow.Run(life) })
	a.workers.Go(func() { a.health.Watch(life) })
	a.workers.Go(func() { a.presence.Run(life) })
	return nil
}

// follow lets the caches and the live channels hear of every committed change.
func (a *App) follow() {
	a.tail.Follow(a.sessions.Follower())
	a.tail.Follow(a.roles.Follower())
	a.tail.Follow(a.documents.Follower(a.hub.Publish))
	a.tail.Follow(a.analytics.Follower(a.hub.Publish))
	a.tail.Follow(a.analytics.FolderFollower(a.hub.Publish))
	a.tail.Follow(event.Follower{Name: "job", Collection: job.Collections()[0].Name, OnChange: func(_ context.Context, c event.Change) {
		id, _ := c.Key.StringValueOK()
		a.hub.Publish(job.Topic(id), job.Changed{})
		a.jobs.Wake()
	}})
	a.tail.Follow(a.auth.Follower(a.hub.Publish))
	a.tail.Follow(a.plans.Follower(a.hub.Publish))
	a.tail.Follow(a.attachments.Follower())
	if a.cfg.Analytics.Product {
		a.tail.Follow(a.facts.follower())
	}
	a.tail.Follow(a.reporting.Follower(a.hub.Publish))
	for _, f := range slices.Concat(a.topics.Followers(a.hub.Publish), presence.Followers(a.hub.Publish)) {
		a.tail.Follow(f)
	}
	a.tail.Follow(a.resync())
	a.roles.OnChange(a.hub.Recheck)
	a.roles.OnChange(a.auth.RightsChanged)
	a.roles.Publish(a.hub.Publish)
}

// serveGraph makes the interfaces.
func (a *App) serveGraph(ctx context.Context) error {
	resolver := &graph.Resolver{
		Accounts: a.accounts, Sessions: a.sessions, Auth: a.auth, Bag: a.bag, Places: a.places, Rights: a.roles, Plans: a.plans,
		Documents: a.documents, Analytics: a.analytics, Lives: a.hub, Jobs: a.jobs, Exports: a.exports, Attachments: a.attachments,
		Reporting: a.reporting, Topics: a.topics, Presence: a.presence, Idempotency: a.keys,
	}
	limits := a.cfg.ForGraph()
	limits.Clock = a.now
	limits.Down = a.db.Down
	server := graph.NewServer(resolver, limits, a.log, graph.Hooks{Observe: a.observe, Deprecated: a.metrics.CountDeprecated, Slow: a.slow.tell, Tracer: a.tracer})
	if err := graph.CheckAccess(server.Schema(), rbac.Keys(permissions())); err != nil {
		return err
	}
	if err := server.CheckGates(a.plans.Declared); err != nil {
		return err
	}
	trusted, err := a.cfg.TrustedDocuments()
	if err == nil {
		err = server.Trust(ctx, trusted)
	}
	if err != nil {
		return fmt.Errorf("graphql.trusted-documents: %w", err)
	}
	sockets := a.cfg.ForSockets()
	sockets.SocketsOf = a.socketsOf
	a.sockets = graph.NewSockets(server, a.auth.Authenticate, a.sessions, a.now, a.log, sockets)
	a.sessions.OnRole(a.sockets.Turn)
	server.HandleStreams(a.sockets)
	console, err := fs.Sub(web.Dist, "dist")
	if err != nil {
		return err
	}
	a.http = httpapi.New(a.cfg.ForHTTP(), httpapi.Deps{
		GraphQL: server, Authenticate: a.auth.Authenticate, Providers: a.auth, Invoices: invoices{a.core}, Payments: a.plans, Attachments: a.attachments, Tables: a.documents,
		Exports: a.exports, Events: a.analytics, Snippet: web.Snippet, Health: a.health, Metrics: a.metrics, Tracer: a.tracer, Down: a.db.Down, Console: console, Clock: a.now, Log: a.log,
	})
	a.measure()
	return nil
}

// observe counts an operation, for whoever watches the process and for the product's own events.
func (a *App) observe(field, kind, code, trusted string, took time.Duration) {
	a.metrics.ObserveGraphQL(field, kind, code, trusted, took)
	if a.cfg.Analytics.Product {
		a.operations.observe(field, kind, code, took)
	}
}

// Close ends the background work, waits for it, disconnects and then stops the managed MongoDB. Nothing is left running.
// Calling it again is harmless.
func (a *App) Close(ctx context.Context) (err error) {
	a.once.Do(func() {
		a.closeListeners()
		a.stop()
		a.workers.Wait()
		err = a.close(ctx)
	})
	return err
}

// URL is where the server answers; empty before Listen.
func (a *App) URL() string {
	if a.public == nil {
		return ""
	}
	return "http://" + reachable(a.public.Addr())
}

// InternalURL is where the metrics are; empty before Listen and without an internal listener.
func (a *App) InternalURL() string {
	if a.internal == nil {
		return ""
	}
	return "http://" + reachable(a.internal.Addr())
}

// SignIns are the sign-ins that this start has made.
func (a *App) SignIns() []cli.SignIn { return a.made }

// DB is the database, for tests.
func (a *App) DB() *store.DB { return a.db }
