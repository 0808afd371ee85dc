package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
)

// IngestCmd stores the rows of a file as events. A row is a JSON object: texts become dimensions, numbers become values.
//
// The id of an event is made from its row, so the same file again stores nothing twice; that also is how to go on after a
// failure.
type IngestCmd struct {
	File    string `arg:"" help:"A JSON array of objects, or one object on each line; - for standard input."`
	Event   string `required:"" help:"Name of the events."`
	Time    string `help:"Field that says when it happened. Otherwise the first of at, time, timestamp and date that is there; without any it is now."`
	UpToNow bool   `help:"Move all times so that the last row happened now."`
}

// Run reads the whole file first: a broken one stores nothing.
func (c *IngestCmd) Run(ctx context.Context, env *Env) error {
	in := env.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage("%v", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	rows, err := c.read(in, env.Now())
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was stored", c.File, err)
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	var done analytics.Tracked
	for chunk := range slices.Chunk(rows, analytics.MaxBatch) {
		t, err := s.Analytics.Track(ctx, commands(chunk))
		if err != nil {
			return c.stopped(err, chunk, len(rows), done)
		}
		done.Accepted += t.Accepted
		done.Duplicates += t.Duplicates
	}
	_, err = fmt.Fprintf(env.Out, "%d events stored, %d known already\n", done.Accepted, done.Duplicates)
	return err
}

// stopped says which row was refused and how far it went.
func (c *IngestCmd) stopped(err error, chunk []row, total int, done analytics.Tracked) error {
	where := "the store failed"
	if i, ok := fault.From(err).Details["index"].(int); ok && i < len(chunk) {
		where = fmt.Sprintf("line %d", chunk[i].line)
	}
	return fmt.Errorf("%s: %s: %w; %d of %d rows were stored before it, and the same file again stores none of them twice",
		c.File, where, err, done.Accepted+done.Duplicates, total)
}

// row is an event and the line of the file it begins on.
type row struct {
	line int
	cmd  analytics.EventCmd
}

func commands(rows []row) []analytics.EventCmd {
	all := make([]analytics.EventCmd, len(rows))
	for i, r := range rows {
		all[i] = r.cmd
	}
	return all
}

// read takes the whole file. An error names the line.
func (c *IngestCmd) read(in io.Reader, now time.Time) ([]row, error) {
	all, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	lines := newLines(all)
	d := json.NewDecoder(bytes.NewReader(all))
	array := len(bytes.TrimLeft(all, " \t\r\n")) > 0 && bytes.TrimLeft(all, " \t\r\n")[0] == '['
	if array {
		_, _ = d.Token() // the bracket that was just seen
	}
	var rows []row
	seen := map[string]int{}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, lines.broken(err, d.InputOffset())
		}
		line := lines.at(d.InputOffset() - int64(len(raw)))
		cmd, err := c.event(raw, seen)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		rows = append(rows, row{line, cmd})
	}
	if array {
		if _, err := d.Token(); err != nil {
			return nil, lines.broken(err, d.InputOffset())
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something follows the rows", lines.at(d.InputOffset()))
	}
	if len(rows) == 0 {
		return nil, errors.New("there are no rows")
	}
	if c.UpToNow {
		moveToNow(rows, now)
	}
	return rows, nil
}

// moveToNow shifts all times by one amount, so that the latest is now.
func moveToNow(rows []row, now time.Time) {
	var last time.Time
	for _, r := range rows {
		if r.cmd.At != nil && r.cmd.At.After(last) {
			last = *r.cmd.At
		}
	}
	by := now.Sub(last)
	for i, r := range rows {
		if r.cmd.At != nil {
			rows[i].cmd.At = new(r.cmd.At.Add(by))
		}
	}
}

// event makes an event of a row. Rows that are equal are told apart by their number.
func (c *IngestCmd) event(raw json.RawMessage, seen map[string]int) (analytics.EventCmd, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return analytics.EventCmd{}, errors.New("a row must be a JSON object")
	}
	sum := sha256.Sum256(append([]byte(c.Event+"\n"), canonical(fields)...))
	id := hex.EncodeToString(sum[:16])
	n := seen[id]
	seen[id] = n + 1
	e := analytics.EventCmd{ID: id + "-" + strconv.Itoa(n), Name: c.Event, Dims: map[string]any{}, Values: map[string]any{}}
	if name := c.timeField(fields); name != "" {
		at, err := parseTime(fields[name])
		if err != nil {
			return e, fmt.Errorf("field %s: %w", name, err)
		}
		e.At = &at
		delete(fields, name)
	}
	for name, v := range fields {
		switch v := v.(type) {
		case nil:
		case string:
			e.Dims[name] = v
		case bool:
			e.Dims[name] = strconv.FormatBool(v)
		case float64:
			e.Values[name] = v
		default:
			return e, fmt.Errorf("field %s: texts, numbers and truth values can be stored, lists and objects cannot", name)
		}
	}
	return e, nil
}

// canonical is the row with sorted keys and no blanks: the order of keys and the layout of the file do not matter.
func canonical(fields map[string]any) []byte {
	b, err := json.Marshal(fields)
	if err != nil {
		panic("cli: JSON that was just read cannot be written: " + err.Error())
	}
	return b
}

func (c *IngestCmd) timeField(fields map[string]any) string {
	if c.Time != "" {
		return c.Time
	}
	for _, name := range []string{"at", "time", "timestamp", "date"} {
		if fields[name] != nil {
			return name
		}
	}
	return ""
}

var errTime = errors.New("this is no time: use 2006-01-02T15:04:05Z, 2006-01-02 15:04, 2006/01/02 15:04, 2006-01-02, or milliseconds since 1970")

// parseTime reads the forms of time that tables have; without a zone it is UTC.
func parseTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case float64:
		return time.UnixMilli(int64(v)).UTC(), nil
	case string:
		for _, layout := range []string{
			time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006/01/02 15:04:05", "2006/01/02 15:04", time.DateOnly, "2006/01/02",
		} {
			if at, err := time.Parse(layout, v); err == nil {
				return at.UTC(), nil
			}
		}
	}
	return time.Time{}, errTime
}

// lines turns offsets into line numbers.
type lines struct{ ends []int64 }

func newLines(text []byte) lines {
	var l lines
	for i, b := range text {
		if b == '\n' {
			l.ends = append(l.ends, int64(i))
		}
	}
	return l
}

// at is the line, from 1, of an offset.
func (l lines) at(offset int64) int {
	i, _ := slices.BinarySearch(l.ends, offset)
	return i + 1
}

// broken says where JSON stopped making sense. It quotes nothing of the file.
func (l lines) broken(err error, offset int64) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: this is not JSON", l.at(max(syntax.Offset-1, 0)))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("line %d: the file ends too early", len(l.ends)+1)
	default:
		return fmt.Errorf("line %d: this is not JSON", l.at(offset))
	}
}
