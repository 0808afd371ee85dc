package analytics

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// Mapping says how a row of a file becomes an event. Its id is made of the content of the row, so the same row is the
// same event in whatever file and however often it is read; a row that a file holds twice is two events.
type Mapping struct {
	Event  string   // name of the events
	Time   string   // field that holds the time
	Layout string   // of the time, as package time has it, in UTC unless it says otherwise; empty for RFC 3339
	Dims   []string // fields that become dimensions of the same name: texts, numbers or booleans; null is left out
	Values []string // fields that become values: numbers; null is left out

	Actor, Session string // fields that hold whom it is about and the session, as texts; empty for none, null is left out
}

// IngestCmd asks to store the events of a file.
type IngestCmd struct {
	// File is a JSON array of objects, or objects one after the other (NDJSON). It is read twice, unless SkipBad.
	File    io.ReadSeeker
	Mapping Mapping
	// SkipBad stores the good rows of a file with bad ones. Otherwise the whole file is checked before any of it is stored.
	SkipBad bool
	// Rate is how many events are stored in a second at most, so that a backfill leaves room for what happens now; 0 for as
	// many as it goes.
	Rate int
	// Progress is told how far it is after each batch; nil for nobody.
	Progress func(IngestResult)
}

// IngestResult tells what became of a file, also beside an error.
type IngestResult struct {
	Read          int64      // rows
	Accepted      int64      // events stored by this call
	Duplicates    int64      // events that were stored already
	Bad           int64      // rows that are no event
	Failed        []RowError // the first 100 of them
	StoppedAtLine int        // line of the first row that was not looked at, or not stored, because of the error; 0 for none
}

const maxFailed = 100

func (r *IngestResult) fail(e RowError) {
	if r.Bad++; len(r.Failed) < maxFailed {
		r.Failed = append(r.Failed, e)
	}
}

// Ingest stores the rows of a file as events, 1,000 at a time. Doing it again with the same file stores nothing twice.
// Memory: one batch, and 30 to 60 bytes for each row, to tell equal rows apart. Cost: one write for each 1,000 rows.
//
// Errors: FORBIDDEN, INGEST_INVALID with the detail line, QUOTA_EXCEEDED. When the file is refused as a whole nothing of it is stored;
// after any other error the result says how far it got.
func (s *Service) Ingest(ctx context.Context, c IngestCmd) (IngestResult, error) {
	from, err := s.sender(ctx)
	if err != nil {
		return IngestResult{}, err
	}
	from.network = "" // of whoever reads the file: the events say nothing of theirs
	if !c.SkipBad {
		r, err := s.checkFile(ctx, from, c)
		if err != nil || r.Bad > 0 {
			return r, err
		}
		if _, err := c.File.Seek(0, io.SeekStart); err != nil {
			return r, fmt.Errorf("read the file again: %w", err)
		}
	}
	return s.storeFile(ctx, from, c)
}

// checkFile reads the whole file and refuses it if any row is bad.
func (s *Service) checkFile(ctx context.Context, from sender, c IngestCmd) (IngestResult, error) {
	var r IngestResult
	for row, err := range Rows(c.File, c.Mapping) {
		if ctx.Err() != nil {
			return r, ctxError(ctx)
		}
		if err == nil {
			r.Read++
			_, err = s.rowEvent(from, row)
		}
		if bad, ok := asRowError(err); ok {
			r.fail(bad)
		} else if err != nil {
			return r, err
		}
	}
	if r.Bad == 0 {
		return r, nil
	}
	first := r.Failed[0]
	return r, ErrFile.Saying("line %d: %s; nothing was stored", first.Line, first.Reason).With("line", first.Line).With("bad", r.Bad)
}

func (s *Service) rowEvent(from sender, row Row) (Event, error) {
	e, bad := from.event(row.Event, s.now())
	if bad != nil {
		return e, &RowError{Line: row.Line, Reason: fmt.Sprintf("%s (%s)", bad.Msg, bad.Field)}
	}
	return e, nil
}

// storeFile stores the good rows.
func (s *Service) storeFile(ctx context.Context, from sender, c IngestCmd) (IngestResult, error) {
	w := fileWriter{Service: s, from: from, cmd: c, pace: newPace(c.Rate, s.now)}
	for row, err := range Rows(c.File, c.Mapping) {
		var e Event
		if err == nil {
			w.r.Read++
			e, err = s.rowEvent(from, row)
		}
		if bad, ok := asRowError(err); ok {
			w.r.fail(bad)
			if bad.End {
				w.r.StoppedAtLine = bad.Line
			}
			continue
		}
		if err != nil {
			return w.r, err
		}
		if err := w.add(ctx, e, row.Line); err != nil {
			return w.r, err
		}
	}
	if err := w.flush(ctx); err != nil {
		return w.r, err
	}
	if w.r.StoppedAtLine > 0 {
		last := w.r.Failed[len(w.r.Failed)-1]
		return w.r, ErrFile.Saying("line %d: %s; the rows before it were stored", w.r.StoppedAtLine, last.Reason).With("line", w.r.StoppedAtLine)
	}
	return w.r, nil
}

// fileWriter stores the events of a file in batches.
type fileWriter struct {
	*Service

	from  sender
	cmd   IngestCmd
	r     IngestResult
	pace  pace
	batch []Event
	line  int // of the first row in the batch
}

func (w *fileWriter) add(ctx context.Context, e Event, line int) error {
	if len(w.batch) == 0 {
		w.line = line
	}
	if w.batch = append(w.batch, e); len(w.batch) < w.pace.most() {
		return nil
	}
	return w.flush(ctx)
}

func (w *fileWriter) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	var done Tracked
	err := w.pace.wait(ctx, len(w.batch))
	if err == nil {
		done, err = w.put(ctx, w.from, w.batch)
	}
	if err != nil {
		w.r.StoppedAtLine = w.line
		return err
	}
	w.r.Accepted += int64(done.Accepted)
	w.r.Duplicates += int64(done.Duplicates)
	w.batch = w.batch[:0]
	if w.cmd.Progress != nil {
		w.cmd.Progress(w.r)
	}
	return nil
}

// pace spreads events over time.
type pace struct {
	rate  int // events a second; 0 for as fast as it goes
	now   clock.Clock
	begin time.Time
	sent  int
}

func newPace(rate int, now clock.Clock) pace { return pace{rate: rate, now: now, begin: now()} }

// most is how many events go at once: a slow file goes in a batch each second.
func (p *pace) most() int {
	if p.rate > 0 {
		return min(p.rate, MaxBatch)
	}
	return MaxBatch
}

// wait returns when n more may go.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate > 0 {
		due := p.begin.Add(time.Duration(float64(p.sent) / float64(p.rate) * float64(time.Second)))
		if !clock.Sleep(ctx, due.Sub(p.now())) {
			return ctxError(ctx)
		}
	}
	p.sent += n
	return nil
}
