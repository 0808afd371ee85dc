package job

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Permissions of this package.
const (
	PermRead   = "job.read"   // see the jobs of others
	PermCancel = "job.cancel" // cancel the jobs of others
)

// Permissions describes them for the catalogue of permissions.
func Permissions() map[string]string {
	return map[string]string{
		PermRead:   "see the background jobs of others",
		PermCancel: "cancel the background jobs of others",
	}
}

// Errors of this package.
var (
	ErrNotFound = fault.Define(fault.NotFound, "JOB_NOT_FOUND", "there is no such job")
	ErrEnded    = fault.Define(fault.Conflict, "JOB_ENDED", "the job has ended already")
)

// State is where a job is in its life.
type State string

// The states. The last three are ends.
const (
	Waiting  State = "WAITING" // not begun yet
	Running  State = "RUNNING" // begun; also while it waits for another try or another node
	Done     State = "DONE"
	Failed   State = "FAILED"
	Canceled State = "CANCELED"
)

// Ended reports whether a job of this state never changes again.
func (s State) Ended() bool { return s == Done || s == Failed || s == Canceled }

// Job is one piece of background work. Its handler may change Cursor, Result, Done and Total; all else is the manager's.
type Job struct {
	ID         string     `bson:"_id"`
	Kind       string     `bson:"kind"`             // which handler does it
	On         ref.Ref    `bson:"on"`               // what it is about; zero for nothing in particular
	Args       []byte     `bson:"args,omitempty"`   // JSON of what was asked
	Cursor     []byte     `bson:"cursor,omitempty"` // JSON of how far it is, in the handler's own form
	Result     []byte     `bson:"result,omitempty"` // JSON of what came of it so far, to be shown
	State      State      `bson:"state"`
	Done       int64      `bson:"done"`            // of Total
	Total      int64      `bson:"total"`           // 0 when nobody knows
	Error      string     `bson:"error,omitempty"` // of the last try, safe to show
	Code       string     `bson:"code,omitempty"`  // of the last try
	By         ref.Ref    `bson:"by"`              // who asked
	CreatedAt  time.Time  `bson:"createdAt"`
	StartedAt  *time.Time `bson:"startedAt,omitempty"`
	UpdatedAt  time.Time  `bson:"updatedAt"`
	FinishedAt *time.Time `bson:"finishedAt,omitempty"`

	Actor asker  `bson:"actor"`
	Tries int    `bson:"tries"`           // failed ones since the last step that was saved
	Fence int64  `bson:"fence"`           // of the claim it is held by
	Trace string `bson:"trace,omitempty"` // traceparent of who asked
}

// Ref is the job as a reference.
func (j Job) Ref() ref.Ref { return ref.New(ref.Job, j.ID) }

// asker is whose rights a job runs with, and the bounds they asked within.
type asker struct {
	User         string   `bson:"user,omitempty"`
	Key          string   `bson:"key,omitempty"`
	Scoped       bool     `bson:"scoped,omitempty"` // a scope may be empty, which is not the same as none
	Scope        []string `bson:"scope,omitempty"`
	Role         string   `bson:"role,omitempty"`
	Impersonator string   `bson:"impersonator,omitempty"`
	ReadOnly     bool     `bson:"readOnly,omitempty"`
	System       bool     `bson:"system,omitempty"`
}

func askerOf(a actor.Actor) asker {
	return asker{a.User, a.Key, a.Scope != nil, a.Scope.List(), a.Role, a.Impersonator, a.ReadOnly, a.System}
}

func (a asker) actor() actor.Actor {
	as := actor.Actor{User: a.User, Key: a.Key, Role: a.Role, Impersonator: a.Impersonator, ReadOnly: a.ReadOnly, System: a.System}
	if a.Scoped {
		as.Scope = actor.NewScope(a.Scope...)
	}
	return as
}

// isOf reports whether the job is the actor's own. A key owns what was started with it, not all that its user did.
func (j Job) isOf(a actor.Actor) bool {
	return a.System || a.User != "" && j.Actor.User == a.User && (a.Key == "" || a.Key == j.Actor.Key)
}

// Handler does the jobs of one kind.
type Handler struct {
	// Step does the next bounded piece of work in the transaction of ctx, as who asked, and tells whether it was the last.
	// It may run again for the same piece when the transaction does: then j is as it was before.
	Step func(ctx context.Context, j *Job) (finished bool, err error)
}

// passes reports whether the reason of a failure may be gone at the next try. An error that nobody classified may be.
func passes(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return true
	}
	again := []fault.Kind{fault.Internal, fault.Timeout, fault.Unavailable, fault.Canceled}
	return slices.Contains(again, f.Kind) || errors.Is(err, store.ErrContended)
}
