package analytics

import (
	"context"
	"fmt"
	"io"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// Mapping says how a row of a file becomes an event. Its id is made of the content of the row, so the same row is the
// same event in whatever file and however often it is read; a row that a file holds twice is two events.
type Mapping struct {
	Event  string   // name of the events
	Time   string   // field that holds the time
	Layout string   // of the time, as package time has it, in UTC unless it says otherwise; empty for RFC 3339
	Dims   []string // fields that become dimensions of the same name: texts, numbers or booleans; null is left out
	Values []string // fields that become values: numbers; null is left out
}

// IngestCmd asks to store the events of a file.
type IngestCmd struct {
	// File is a JSON array of objects, or objects one after the other (NDJSON). It is read twice, unless SkipBad.
	File    io.ReadSeeker
	Mapping Mapping
	// SkipBad stores the good rows of a file with bad ones. Otherwise the whole file is checked before any of it is stored.
	SkipBad bool
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
// Errors: FORBIDDEN, INGEST_INVALID with the detail line. When the file is refused as a whole nothing of it is stored;
// after any other error the result says how far it got.
func (s *Service) Ingest(ctx context.Context, c IngestCmd) (IngestResult, error) {
	if err := s.authz.Require(ctx, PermTrack, ref.Ref{}); err != nil {
		return IngestResult{}, err
	}
	if !c.SkipBad {
		r, err := s.checkFile(ctx, c)
		if err != nil || r.Bad > 0 {
			return r, err
		}
		if _, err := c.File.Seek(0, io.SeekStart); err != nil {
			return r, fmt.Errorf("read the file again: %w", err)
		}
	}
	return s.storeFile(ctx, c)
}

// checkFile reads the whole file and refuses it if any row is bad.
func (s *Service) checkFile(ctx context.Context, c IngestCmd) (IngestResult, error) {
	var r IngestResult
	for row, err := range Rows(c.File, c.Mapping) {
		if ctx.Err() != nil {
			return r, ctxError(ctx)
		}
		if err == nil {
			r.Read++
			err = s.checkRow(row)
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

func (s *Service) checkRow(row Row) error {
	if _, bad := row.Event.event(s.now(), ""); bad != nil {
		return &RowError{Line: row.Line, Reason: fmt.Sprintf("%s (%s)", bad.Msg, bad.Field)}
	}
	return nil
}

// storeFile stores the good rows.
func (s *Service) storeFile(ctx context.Context, c IngestCmd) (IngestResult, error) {
	var r IngestResult
	user := actor.From(ctx).User
	batch := make([]Event, 0, MaxBatch)
	from := 0 // line of the first row in the batch
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		done, err := s.store.insertEvents(ctx, batch)
		if err != nil {
			r.StoppedAtLine = from
			return err
		}
		r.Accepted += int64(done.Accepted)
		r.Duplicates += int64(done.Duplicates)
		batch = batch[:0]
		return nil
	}
	for row, err := range Rows(c.File, c.Mapping) {
		if err == nil {
			r.Read++
			err = s.checkRow(row)
		}
		if bad, ok := asRowError(err); ok {
			r.fail(bad)
			if bad.End {
				r.StoppedAtLine = bad.Line
			}
			continue
		}
		if err != nil {
			return r, err
		}
		if len(batch) == 0 {
			from = row.Line
		}
		e, _ := row.Event.event(s.now(), user) // checked above
		if batch = append(batch, e); len(batch) == MaxBatch {
			if err := flush(); err != nil {
				return r, err
			}
		}
	}
	if err := flush(); err != nil {
		return r, err
	}
	if r.StoppedAtLine > 0 {
		last := r.Failed[len(r.Failed)-1]
		return r, ErrFile.Saying("line %d: %s; the rows before it were stored", r.StoppedAtLine, last.Reason).With("line", r.StoppedAtLine)
	}
	return r, nil
}
