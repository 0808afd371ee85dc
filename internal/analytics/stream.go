package analytics

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ijson"
)

// The bounds of a stream.
const (
	MaxStreamBytes = 64 << 20 // of all lines
	maxLine        = 32 << 10 // bytes: an event of the largest size fits, whatever is escaped in it
	maxHeld        = 1 << 20  // bytes of lines that wait to be stored together
	maxLineErrors  = 100
)

// Pace is how the use of ingest keys is slowed down.
type Pace interface {
	// Take counts one batch of a source, or refuses it with RATE_LIMITED. ip is that of the sender; public tells that anybody
	// may know the key.
	Take(ctx context.Context, source, ip string, public bool) error
}

// StreamCmd asks to store events that come one on a line.
type StreamCmd struct {
	Key    string    // an ingest key; empty for the actor of ctx
	Origin string    // of the page that sends, as its browser says; empty for none
	Body   io.Reader // a JSON object on each line, with the members of [EventCmd] in lowerCamelCase
}

// Streamed tells what became of a stream, also beside an error.
type Streamed struct {
	Accepted   int64       `json:"accepted"`   // events stored by this call
	Duplicates int64       `json:"duplicates"` // events that were stored already
	Failed     int64       `json:"failed"`     // lines that are no event
	Errors     []LineError `json:"errors"`     // of the first 100 of them
	// Line is the first line that was not looked at, or not stored, because of the error; 0 for none. Sending everything
	// again is safe.
	Line int `json:"line,omitempty"`
}

// LineError is why one line is no event. It quotes nothing of the line.
type LineError struct {
	Line    int    `json:"line"` // from 1
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (r *Streamed) fail(line int, f *fault.Error) {
	if r.Failed++; len(r.Errors) < maxLineErrors {
		r.Errors = append(r.Errors, LineError{line, f.Code, f.Field, f.Msg})
	}
}

// Stream stores the events of a body as they come, up to 1,000 at a time, on the disks of a majority when it returns. A bad
// line is told and left out; empty lines mean nothing. No more than one batch, of at most 1 MiB, is in memory. Cost: 1 write
// for each batch, and where plans count events 1 or 2 more; with a key 1 or 2 more for its pace.
//
// Errors: FORBIDDEN or, with a key, INGEST_KEY_INVALID, ORIGIN_REFUSED and RATE_LIMITED; QUOTA_EXCEEDED; INGEST_INVALID for a
// body that breaks off or is too long. After an error the result says how far it got.
func (s *Service) Stream(ctx context.Context, c StreamCmd) (Streamed, error) {
	w := streamWriter{Service: s, r: Streamed{Errors: []LineError{}}}
	var err error
	if c.Key == "" {
		w.from, err = s.sender(ctx)
	} else {
		w.from, w.source, err = s.keyed(ctx, c.Key, c.Origin)
	}
	if err != nil {
		return w.r, err
	}
	err = w.all(ctx, &lines{r: bufio.NewReaderSize(c.Body, maxLine)})
	return w.r, err
}

// streamWriter stores the events of a stream in batches.
type streamWriter struct {
	*Service

	from   sender
	source EventSource // none without a key
	r      Streamed
	batch  []Event
	held   int // bytes of the lines in the batch
	line   int // of the first event in the batch
}

func (w *streamWriter) all(ctx context.Context, in *lines) error {
	for {
		text, err := in.next()
		var bad *fault.Error
		switch {
		case errors.Is(err, io.EOF):
			return w.flush(ctx)
		case errors.As(err, &bad) && bad.Code == ErrEvent.Code:
			w.r.fail(in.line, bad)
			continue
		case err != nil:
			if ferr := w.flush(ctx); ferr != nil {
				return ferr
			}
			w.r.Line = in.line
			return err
		case len(bytes.TrimSpace(text)) == 0:
			continue
		}
		if err := w.add(ctx, text, in.line); err != nil {
			return err
		}
	}
}

// add takes one line.
func (w *streamWriter) add(ctx context.Context, text []byte, line int) error {
	cmd, bad := parseLine(text)
	var e Event
	if bad == nil {
		e, bad = w.from.event(cmd, w.now())
	}
	if bad != nil {
		w.r.fail(line, bad)
		return nil
	}
	if len(w.batch) == 0 {
		w.line = line
	}
	w.batch, w.held = append(w.batch, e), w.held+len(text)
	if len(w.batch) < MaxBatch && w.held < maxHeld {
		return nil
	}
	return w.flush(ctx)
}

func (w *streamWriter) flush(ctx context.Context) error {
	if len(w.batch) == 0 {
		return nil
	}
	var done Tracked
	err := w.paced(ctx)
	if err == nil {
		done, err = w.put(ctx, w.from, w.batch)
	}
	if err != nil {
		w.r.Line = w.line
		return err
	}
	w.r.Accepted += int64(done.Accepted)
	w.r.Duplicates += int64(done.Duplicates)
	w.batch, w.held = w.batch[:0], 0
	return nil
}

// paced counts a batch of a key.
func (w *streamWriter) paced(ctx context.Context) error {
	if w.source.ID == "" || w.cfg.Pace == nil {
		return nil
	}
	return w.cfg.Pace.Take(ctx, w.source.ID, actor.RequestFrom(ctx).IP, len(w.source.Origins) > 0)
}

// lines reads line by line.
type lines struct {
	r     *bufio.Reader
	line  int // of the text that next gave
	bytes int
}

// next gives the text of the next line, good until the call after. The error is io.EOF at the end, EVENT_INVALID for a line
// that is too long, and INGEST_INVALID where nothing more can be read.
func (l *lines) next() ([]byte, error) {
	l.line++
	text, err := l.r.ReadSlice('\n')
	l.bytes += len(text)
	long := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) && l.bytes <= MaxStreamBytes {
		var more []byte
		more, err = l.r.ReadSlice('\n')
		l.bytes += len(more)
	}
	switch {
	case l.bytes > MaxStreamBytes:
		return nil, ErrFile.Saying("a body has at most %d MiB: send the rest with another request", MaxStreamBytes>>20)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, ErrFile.Saying("the body breaks off").Because(err)
	case long:
		return nil, ErrEvent.Saying("a line has at most %d KiB", maxLine>>10)
	case len(text) > 0:
		return text, nil
	}
	return nil, err
}

var errLine = ErrEvent.Saying("the line is no JSON object with id, name, at, actor, session, consent, dims and values alone, each once")

// unambiguous reports whether a line is an object whose members the decoder takes for what they are: it would read "ID" as
// "id", and the last of both.
func unambiguous(line []byte) bool {
	v, err := ijson.Parse(line)
	members, isObject := v.(map[string]any)
	for name := range members {
		if name != strings.ToLower(name) {
			return false
		}
	}
	return err == nil && isObject
}

// parseLine reads the event of one line.
func parseLine(text []byte) (EventCmd, *fault.Error) {
	var l struct {
		ID      string         `json:"id"`
		Name    string         `json:"name"`
		At      *time.Time     `json:"at"`
		Actor   string         `json:"actor"`
		Session string         `json:"session"`
		Consent Consent        `json:"consent"`
		Dims    map[string]any `json:"dims"`
		Values  map[string]any `json:"values"`
	}
	if !utf8.Valid(text) {
		return EventCmd{}, ErrEvent.Saying("the line is not valid UTF-8")
	}
	if !unambiguous(text) {
		return EventCmd{}, errLine
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // a member that is misspelt is not lost without a word
	err := d.Decode(&l)
	var typ *json.UnmarshalTypeError
	var when *time.ParseError
	switch {
	case errors.As(err, &when):
		return EventCmd{}, ErrEvent.Saying("a time is written as RFC 3339 has it, such as 2026-01-02T03:04:05Z").On("at")
	case errors.As(err, &typ) && typ.Field != "":
		return EventCmd{}, ErrEvent.Saying("the member is of another kind").On(typ.Field)
	case err != nil:
		return EventCmd{}, errLine
	}
	return EventCmd{ID: l.ID, Name: l.Name, At: l.At, Actor: l.Actor, Session: l.Session, Consent: l.Consent, Dims: l.Dims, Values: l.Values}, nil
}
