package analytics

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"
)

// Row is one row of a file, made into an event.
type Row struct {
	Line  int // where it begins, from 1
	Event EventCmd
}

// RowError is a row that is no event. Its reason quotes nothing of the file.
type RowError struct {
	Line   int
	Reason string
	End    bool // nothing after it can be read
}

// Error is the line and the reason.
func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

func asRowError(err error) (RowError, bool) {
	var e *RowError
	if errors.As(err, &e) {
		return *e, true
	}
	return RowError{}, false
}

// Rows reads a file row by row; see [IngestCmd]. A row that is no event comes as a *[RowError], and the reading goes on
// unless it says otherwise. Any other error is one of reading, and the end. No more than one row, of at most 1 MiB, is in
// memory. The events are not checked yet: [Service.Track] does that.
func Rows(file io.Reader, m Mapping) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f := &framer{r: bufio.NewReaderSize(file, 64<<10), line: 1}
		if mark, _ := f.r.Peek(3); string(mark) == "\ufeff" {
			_, _ = f.r.Discard(3) // the mark that some editors begin a file with
		}
		seen := map[[16]byte]uint32{}
		for {
			raw, line, err := f.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			row := Row{Line: line}
			if row.Event, err = m.event(raw, seen); err != nil {
				err = &RowError{Line: line, Reason: err.Error()}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Why a row is no event.
var (
	errUTF8      = errors.New("the row is not valid UTF-8")
	errJSON      = errors.New("the row is not valid JSON")
	errTwice     = errors.New("the row has a field twice")
	errTimeField = errors.New("the field of the time is not there, or not a text")
	errTimeForm  = errors.New("the time is not written as the layout says")
)

// event makes the event of a row. seen counts the rows of equal content so far.
func (m Mapping) event(raw []byte, seen map[[16]byte]uint32) (EventCmd, error) {
	row, err := object(raw)
	if err != nil {
		return EventCmd{}, err
	}
	text, ok := row[m.Time].(string)
	if !ok {
		return EventCmd{}, errTimeField
	}
	layout := m.Layout
	if layout == "" {
		layout = time.RFC3339
	}
	at, err := time.Parse(layout, text)
	if err != nil {
		return EventCmd{}, errTimeForm
	}
	e := EventCmd{Name: m.Event, At: &at, Dims: map[string]any{}, Values: map[string]any{}}
	for _, field := range m.Dims {
		switch v := row[field].(type) {
		case nil:
		case string:
			e.Dims[field] = v
		case json.Number:
			e.Dims[field] = v.String()
		case bool:
			e.Dims[field] = strconv.FormatBool(v)
		default:
			return EventCmd{}, fmt.Errorf("the field %s is no text", field)
		}
	}
	for _, field := range m.Values {
		switch v := row[field].(type) {
		case nil:
		case json.Number:
			e.Values[field] = v
		default:
			return EventCmd{}, fmt.Errorf("the field %s is no number", field)
		}
	}
	for _, id := range []struct {
		field string
		to    *string
	}{{m.Actor, &e.Actor}, {m.Session, &e.Session}} {
		if id.field == "" || row[id.field] == nil {
			continue
		}
		if *id.to, ok = row[id.field].(string); !ok {
			return EventCmd{}, fmt.Errorf("the field %s is no text", id.field)
		}
	}
	e.ID, err = m.id(row, seen)
	return e, err
}

// id is made of the content of the row, whatever the order of its fields, and of how many equal rows came before it.
func (m Mapping) id(row map[string]any, seen map[[16]byte]uint32) (string, error) {
	content, err := json.Marshal(row) // with sorted keys
	if err != nil {
		return "", errJSON
	}
	sum := sha256.Sum256(append([]byte(m.Event+"\x00"), content...))
	key := [16]byte(sum[:16])
	nth := seen[key]
	seen[key]++
	sum = sha256.Sum256(binary.BigEndian.AppendUint32(sum[:], nth))
	return hex.EncodeToString(sum[:20]), nil
}

// object reads one JSON object; of two fields with one name it would not be clear which counts.
func object(raw []byte) (map[string]any, error) {
	if !utf8.Valid(raw) {
		return nil, errUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errJSON
	}
	row := map[string]any{}
	for dec.More() {
		name, err := dec.Token()
		key, ok := name.(string)
		if err != nil || !ok {
			return nil, errJSON
		}
		if _, twice := row[key]; twice {
			return nil, errTwice
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, errJSON
		}
		row[key] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, errJSON
	}
	return row, nil
}
