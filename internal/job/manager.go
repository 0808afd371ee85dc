package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/trace"
)

const (
	parallel = 2  // jobs of one node at once
	maxTries = 10 // of one step
)

// pace is how fast a manager goes about its work.
type pace struct {
	claim    time.Duration // how long a job is held without a step being saved
	step     time.Duration // what one step may take: less than claim, and than the server lets a transaction live
	turn     time.Duration // after so long a job lets others have a turn
	poll     time.Duration // how often it looks for jobs that nobody woke it for
	retryMin time.Duration
	retryMax time.Duration
	saveWait time.Duration // for what is written down when the process is about to end
}

var usual = pace{
	claim: 30 * time.Second, step: 20 * time.Second, turn: 15 * time.Second, poll: time.Second,
	retryMin: time.Second, retryMax: time.Minute, saveWait: 2 * time.Second,
}

// Authorizer is what this package needs to know who may see and cancel jobs of others.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Manager starts jobs, and runs those that any node started.
type Manager struct {
	db       *store.DB
	store    *mongoStore
	now      clock.Clock
	log      *slog.Logger
	authz    Authorizer
	handlers map[string]Handler
	wake     chan struct{}
	pace     pace
	tracer   *trace.Tracer // nil for no spans
}

// New makes a manager that knows no kind of job yet.
func New(db *store.DB, now clock.Clock, log *slog.Logger, authz Authorizer) *Manager {
	return &Manager{
		db: db, store: newStore(db), now: now, log: log, authz: authz, pace: usual,
		handlers: map[string]Handler{}, wake: make(chan struct{}, parallel),
	}
}

// Trace has steps make spans, in the trace of who asked for the job. Only before Run.
func (m *Manager) Trace(t *trace.Tracer) { m.tracer = t }

// Register says how jobs of a kind are done. Only before Start and Run. It panics on a kind that is registered twice.
func (m *Manager) Register(kind string, h Handler) {
	if _, taken := m.handlers[kind]; taken || kind == "" || h.Step == nil {
		panic("job: kind is empty, has no step or is registered twice: " + kind)
	}
	m.handlers[kind] = h
}

// StartCmd is a job to be done.
type StartCmd struct {
	Kind  string
	On    ref.Ref // what it is about
	Args  any     // becomes JSON
	Total int64   // of the units it counts; 0 when nobody knows yet
}

// Start puts a job into the queue, in the caller's transaction if there is one. It will run as who asks now. Who may start
// what is for the caller to check. Cost: one insert.
//
// Errors: UNAUTHENTICATED for an anonymous visitor, whose rights nobody could check later.
func (m *Manager) Start(ctx context.Context, cmd StartCmd) (Job, error) {
	who := actor.From(ctx)
	if who.IsAnonymous() {
		return Job{}, fault.ErrUnauthenticated
	}
	if _, known := m.handlers[cmd.Kind]; !known {
		return Job{}, fmt.Errorf("job: nobody does jobs of kind %q", cmd.Kind)
	}
	args, err := json.Marshal(cmd.Args)
	if err != nil {
		return Job{}, fmt.Errorf("arguments of a job of kind %s: %w", cmd.Kind, err)
	}
	now := m.now()
	j := Job{
		ID: ref.NewID(), Kind: cmd.Kind, On: cmd.On, Args: args, State: Waiting, Total: cmd.Total,
		By: who.Ref(), Actor: askerOf(who), Trace: trace.Carry(ctx), CreatedAt: now, UpdatedAt: now,
	}
	if err := m.store.insert(ctx, j); err != nil {
		return Job{}, err
	}
	m.Wake()
	return j, nil
}

// Wake has the manager look for work now. A job that was started in a transaction is there only when that has committed, so
// whoever follows the collection calls it as well; without that the job waits for a second at most.
func (m *Manager) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // they are awake
	}
}

// Get is one job. Another's needs job.read. Cost: one find.
//
// Errors: JOB_NOT_FOUND, FORBIDDEN.
func (m *Manager) Get(ctx context.Context, id string) (Job, error) {
	return m.allowed(ctx, PermRead, id)
}

// allowed is the job, if it is the caller's own or they hold the permission.
func (m *Manager) allowed(ctx context.Context, permission, id string) (Job, error) {
	if actor.From(ctx).IsAnonymous() {
		return Job{}, fault.ErrUnauthenticated
	}
	j, err := m.store.get(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if !j.isOf(actor.From(ctx)) {
		if err := m.authz.Require(ctx, permission, j.Ref()); err != nil {
			return Job{}, err
		}
	}
	return j, nil
}

// Filter says which jobs are listed.
type Filter struct {
	By ref.Ref // who asked; zero for everybody
	On ref.Ref // what they are about; zero for anything

	key string // the key they were started with; empty for any
}

// List is a page of jobs, newest first, without their Args, Cursor and Result: a page of imports with many bad rows would be tens of
// megabytes. It needs job.read, unless By is the caller. Cost: one find.
//
// Errors: FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (m *Manager) List(ctx context.Context, f Filter, args page.Args) (page.Page[Job], error) {
	who := actor.From(ctx)
	err := m.authz.Require(ctx, PermRead, ref.Ref{})
	if err != nil && (who.IsAnonymous() || f.By != who.Ref()) {
		return page.Page[Job]{}, err
	}
	if err != nil { // their own: of a key, what was started with it
		f.key = who.Key
	}
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Job]{}, err
	}
	read, err := m.store.list(ctx, f, w)
	if err != nil {
		return page.Page[Job]{}, err
	}
	return page.Fold(w, read, func(j Job) page.Cursor { return page.Cursor{j.ID} }), nil
}

// Backlog is what waits to be done, and what went wrong.
type Backlog struct {
	Due    int           // jobs that somebody should be doing
	Late   time.Duration // for how long the oldest of them has been due, by the server's clock
	Failed int           // jobs that have failed since the given time
}

// Backlog counts the jobs that are due now and those that failed since a time. Cost: one aggregation.
func (m *Manager) Backlog(ctx context.Context, since time.Time) (Backlog, error) {
	return m.store.backlog(ctx, since)
}

// Cancel ends a job. What its steps have done stays done; the step under way is undone. Another's needs job.cancel.
// Cost: two finds and one update.
//
// Errors: JOB_NOT_FOUND, JOB_ENDED, FORBIDDEN.
func (m *Manager) Cancel(ctx context.Context, id string) (Job, error) {
	j, err := m.allowed(ctx, PermCancel, id)
	if err != nil {
		return Job{}, err
	}
	canceled, err := m.store.cancel(ctx, j.ID, m.now())
	switch {
	case err != nil:
		return Job{}, err
	case !canceled:
		return Job{}, ErrEnded
	}
	return m.store.get(ctx, id)
}

// Run does jobs until ctx ends, a few at once. The jobs it holds then are free for other nodes at once.
func (m *Manager) Run(ctx context.Context) {
	kinds := slices.Sorted(maps.Keys(m.handlers))
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() { m.work(ctx, kinds) })
	}
	workers.Wait()
}

// work does one job after the other.
func (m *Manager) work(ctx context.Context, kinds []string) {
	for ctx.Err() == nil {
		j, found, err := m.store.claim(ctx, kinds, m.now(), m.pace.claim)
		if err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "job_claim_failed", "error", err.Error())
		}
		if found {
			m.run(ctx, j)
			continue
		}
		m.rest(ctx)
	}
}

// rest waits until there may be work.
func (m *Manager) rest(ctx context.Context) {
	t := time.NewTimer(m.pace.poll)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-m.wake:
	case <-t.C:
	}
}

// run does steps of a claimed job until it ends, fails, is lost or has had its turn.
func (m *Manager) run(ctx context.Context, j Job) {
	turn, cancel := context.WithTimeout(ctx, m.pace.turn)
	defer cancel()
	for turn.Err() == nil {
		after, err := m.step(ctx, j)
		switch {
		case err == nil && after.State.Ended():
			m.log.InfoContext(ctx, "job_ended", "job", j.ID, "kind", j.Kind, "state", after.State)
			return
		case err == nil:
			j = after
			continue
		case isLost(err):
			return
		case ctx.Err() == nil:
			m.failed(ctx, j, err)
			return
		}
	}
	m.release(ctx, j)
}

// step does one step, and saves how far the job is, in one transaction.
func (m *Manager) step(ctx context.Context, held Job) (after Job, err error) {
	ctx, cancel := context.WithTimeout(actor.With(ctx, held.Actor.actor()), m.pace.step)
	defer cancel()
	ctx = actor.WithRequest(ctx, actor.Request{ID: held.ID, Operation: "job " + held.Kind})
	ctx, span := m.tracer.Job(ctx, held.Kind, held.Trace)
	defer func() {
		if err != nil && !isLost(err) {
			span.Fail(fault.From(err).Code)
		}
		span.End()
	}()
	err = m.db.InTx(ctx, func(ctx context.Context) error {
		j, err := m.store.held(ctx, held.ID, held.Fence)
		if err != nil {
			return err
		}
		before := j
		finished, err := m.call(ctx, &j)
		if err != nil {
			return err
		}
		after = before // the handler may change no more than these
		after.Cursor, after.Result, after.Done, after.Total = j.Cursor, j.Result, j.Done, j.Total
		after.UpdatedAt, after.Tries, after.Error, after.Code = m.now(), 0, "", ""
		if finished {
			after.State, after.FinishedAt = Done, new(m.now())
		}
		return m.store.save(ctx, after, m.pace.claim)
	})
	return after, err
}

// call makes a panic of a handler an error: one bad job must not end the process and all others with it.
func (m *Manager) call(ctx context.Context, j *Job) (finished bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			finished, err = false, fmt.Errorf("a step of job %s panicked: %v", j.ID, p)
		}
	}()
	return m.handlers[j.Kind].Step(ctx, j)
}

// failed writes down why a step failed, and when there is another try.
func (m *Manager) failed(ctx context.Context, j Job, err error) {
	f := fault.From(err)
	j.Tries++
	j.UpdatedAt = m.now()
	wait := min(m.pace.retryMin<<(j.Tries-1), m.pace.retryMax)
	if j.Tries >= maxTries || !passes(err) {
		j.State, j.FinishedAt = Failed, new(m.now())
	}
	m.log.WarnContext(ctx, "job_step_failed", "job", j.ID, "kind", j.Kind, "tries", j.Tries, "state", j.State, "error", err.Error())
	m.finish(ctx, j, func(ctx context.Context) error { return m.store.fail(ctx, j, f, wait) })
}

// release gives a job back that others may do on.
func (m *Manager) release(ctx context.Context, j Job) {
	m.finish(ctx, j, func(ctx context.Context) error { return m.store.release(ctx, j) })
}

// finish writes the last thing about a job that this worker held, also when the process is about to end. If it can not, the
// claim runs out by itself.
func (m *Manager) finish(ctx context.Context, j Job, write func(ctx context.Context) error) {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.pace.saveWait)
	defer cancel()
	if err := write(patient); err != nil && !isLost(err) {
		m.log.WarnContext(ctx, "job_not_released", "job", j.ID, "error", err.Error())
	}
}
