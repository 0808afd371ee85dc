package trace

import (
	"context"
	"sync"
	"time"
)

// maxListed bounds the commands a listing [Work] keeps.
const maxListed = 200

// Command is one command of the database, as its client saw it.
type Command struct {
	Name       string // such as "find"
	Collection string // empty for a command that has none
	Database   string
	At         time.Duration // after the work began
	Took       time.Duration // network included
	Failed     bool
	Body       []byte // of a read, to be explained; never to be shown
}

// Work is what was asked of the database on behalf of one context. It is safe for concurrent use.
type Work struct {
	outer *Work // what watched the context before, and goes on; nil for nothing

	mu      sync.Mutex
	n       map[string]int
	began   time.Time
	took    time.Duration
	slowest Command
	listing bool
	list    []Command
}

type workKey struct{}

// Watch gives a context whose commands are noted, also by what watched the context before.
func Watch(ctx context.Context) (context.Context, *Work) {
	w := &Work{outer: WorkOf(ctx)}
	return context.WithValue(ctx, workKey{}, w), w
}

// WorkOf is what watches the context; nil for nothing.
func WorkOf(ctx context.Context) *Work {
	w, _ := ctx.Value(workKey{}).(*Work)
	return w
}

// List has the work keep a list of the commands, and not only their sum, from now on: [Command.At] counts from began.
func (w *Work) List(began time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listing, w.began = true, began
}

// Sent counts a command that was sent.
func (w *Work) Sent(name string) {
	if w.outer != nil {
		w.outer.Sent(name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n == nil {
		w.n = map[string]int{}
	}
	w.n[name]++
}

// Ended notes a command that has been answered, or has failed.
func (w *Work) Ended(c Command) {
	if w.outer != nil {
		w.outer.Ended(c)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took += c.Took
	if c.Took > w.slowest.Took {
		w.slowest = c
	}
	if w.listing && len(w.list) < maxListed {
		c.Body = nil
		c.At = max(time.Since(w.began)-c.Took, 0)
		w.list = append(w.list, c)
	}
}

// Count is how many commands of that name were sent, such as "find".
func (w *Work) Count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n[name]
}

// Finds is how many reads were sent.
func (w *Work) Finds() int { return w.Count("find") + w.Count("aggregate") }

// Total is how many commands were sent.
func (w *Work) Total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := 0
	for _, n := range w.n {
		sum += n
	}
	return sum
}

// Took is the sum of the durations of all commands: of those at the same time too.
func (w *Work) Took() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.took
}

// Slowest is the command that took longest; false without one.
func (w *Work) Slowest() (Command, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slowest, w.slowest.Name != ""
}

// Listed are the first commands, without their bodies, if they were to be listed.
func (w *Work) Listed() []Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list
}
