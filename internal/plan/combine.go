package plan

import (
	"context"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/store"
)

// combiner lets uses that come at once share transactions. A use with a name is two documents, so it needs a transaction, and of
// transactions on one counter all but one at a time run in vain. So whoever comes while one is under way waits in line, and
// whoever is first in line when it ends takes all who wait along with their own. (Flat combining: Hendler, Incze, Shavit and
// Tzafrir, SPAA 2010.) Who comes alone waits for nobody.
type combiner struct {
	mu    sync.Mutex
	busy  bool
	queue []*waiting
}

// waiting is a use in line.
type waiting struct {
	ctx  context.Context //nolint:containedctx // of the caller, for as long as the caller waits
	c    *counting
	lead chan struct{} // closed when it is this one's turn to take the others along
	done chan struct{} // closed when it is dealt with

	used Used
	err  error
}

// The bounds of a batch.
const (
	maxBatch  = 200
	batchTime = 10 * time.Second // a batch outlives the request of whoever takes it along
)

// use counts one use, alone or together with others.
func (b *combiner) use(ctx context.Context, c *counting, s *Service) (Used, error) {
	if store.HasWitness(ctx) {
		return s.count(ctx, c)
	}
	w := &waiting{ctx: ctx, c: c, lead: make(chan struct{}), done: make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	if !b.busy {
		b.busy = true
		close(w.lead)
	}
	b.mu.Unlock()
	select {
	case <-w.lead:
	case <-w.done:
		return w.used, w.err
	case <-ctx.Done():
		if b.leave(w) {
			return Used{}, ctx.Err() // another try finds out whether it was counted
		}
		<-w.lead // it has just been told to lead
	}
	batch := b.take(w)
	s.countAll(ctx, batch)
	for _, other := range batch {
		close(other.done)
	}
	b.pass()
	return w.used, w.err
}

// leave takes a use out of the line; false when it is to lead.
func (b *combiner) leave(w *waiting) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.lead:
		return false
	default:
	}
	for i, q := range b.queue {
		if q == w {
			b.queue = append(b.queue[:i:i], b.queue[i+1:]...)
			break
		}
	}
	return true
}

// take gives all who wait, the leader first.
func (b *combiner) take(leader *waiting) []*waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch, rest := []*waiting{leader}, []*waiting(nil)
	for _, q := range b.queue {
		switch {
		case q == leader:
		case len(batch) < maxBatch:
			batch = append(batch, q)
		default:
			rest = append(rest, q)
		}
	}
	b.queue = rest
	return batch
}

// pass lets the next in line lead.
func (b *combiner) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.busy = false
		return
	}
	close(b.queue[0].lead)
}

// countAll counts the uses of a batch in one transaction. What goes wrong with all of them is tried with each alone.
func (s *Service) countAll(ctx context.Context, batch []*waiting) {
	if len(batch) > 1 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTime)
		defer cancel()
		if s.db.InTx(ctx, func(ctx context.Context) error { return s.countTogether(ctx, batch) }) == nil {
			return
		}
	}
	for _, w := range batch {
		w.used, w.err = s.count(w.ctx, w.c) //nolint:contextcheck // each within its own caller's time
	}
}

// countTogether is one try of it: it may run again. Each use is allowed or refused as if it had come alone, in the order of the batch.
func (s *Service) countTogether(ctx context.Context, batch []*waiting) error {
	names, ids := make([]useID, len(batch)), make([]string, len(batch))
	for i, w := range batch {
		names[i], ids[i] = w.c.name(), w.c.id()
	}
	known, err := s.store.usesOf(ctx, names)
	if err != nil {
		return err
	}
	found, err := s.store.counters(ctx, ids)
	if err != nil {
		return err
	}
	counters, changed := map[string]*counterDoc{}, map[string]bool{}
	var uses []useDoc
	for i, w := range batch {
		w.used, w.err = Used{}, nil
		if before, counted := known[names[i]]; counted {
			w.used, w.err = before.result(), before.differs(w.c.UseCmd, true)
			continue
		}
		d := counters[ids[i]]
		if d == nil {
			stored, there := found[ids[i]]
			if !there {
				if stored, _, err = s.counter(ctx, w.c); err != nil {
					return err
				}
			}
			d = &stored
			counters[ids[i]] = d
		}
		u, before, after, err := s.decide(w.c, d)
		if w.used, w.err = u, err; err != nil {
			continue
		}
		changed[ids[i]] = true
		use := newUse(w.c, u, s.now())
		uses, known[names[i]] = append(uses, use), use
		own := actor.WithRequest(actor.With(ctx, actor.From(w.ctx)), actor.RequestFrom(w.ctx)) //nolint:contextcheck // each in its own caller's name
		if err := s.tellLevel(own, w.c.h, w.c.a, *d, before, after); err != nil {
			return err
		}
	}
	if len(uses) == 0 {
		return nil
	}
	var write []counterDoc
	for id := range changed {
		write = append(write, *counters[id])
	}
	if err := s.store.putCounters(ctx, write); err != nil {
		return err
	}
	return s.store.insertUses(ctx, uses)
}
