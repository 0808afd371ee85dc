package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/clock"
)

// IngestCmd stores the rows of a file as events; see [analytics.Service.Ingest]. What is not said about the fields is
// guessed from the first row: texts become dimensions, numbers become values.
type IngestCmd struct {
	File    string   `arg:"" help:"A JSON array of objects, or one object on each line; - for standard input, which is then read into memory."`
	Event   string   `required:"" help:"Name of the events."`
	Time    string   `help:"Field that says when it happened. Otherwise the first of at, time, timestamp and date that the first row has."`
	Layout  string   `help:"How the time is written, as Go has it, such as 2006-01-02 15:04. Otherwise what fits the first row."`
	Dims    []string `help:"Fields that become dimensions. Otherwise all texts of the first row."`
	Values  []string `help:"Fields that become values. Otherwise all numbers of the first row."`
	Actor   string   `help:"Field that says whom it is about, as an id."`
	Session string   `help:"Field that holds the session, as an id."`
	Rate    int      `help:"Most events a second, so that a backfill leaves room for what happens now. 0 for as fast as it goes."`
	SkipBad bool     `help:"Store the good rows of a file with bad ones. Otherwise nothing of it is stored."`
}

// Run stores the file and says what became of it.
func (c *IngestCmd) Run(ctx context.Context, env *Env) error {
	file, err := c.open(env.In)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	m, err := c.mapping(file)
	if err != nil {
		return err
	}
	env.say("time: %s (%s); dimensions: %s; values: %s", m.Time, m.Layout, strings.Join(m.Dims, " "), strings.Join(m.Values, " "))
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	b := newBar(env.Err, clock.System())
	read := &counted{ReadSeeker: file}
	r, err := s.Analytics.Ingest(ctx, analytics.IngestCmd{
		File: read, Mapping: m, SkipBad: c.SkipBad, Rate: c.Rate,
		Progress: func(r analytics.IngestResult) {
			b.show(float64(read.at)/float64(max(size, 1)), r.Accepted+r.Duplicates, "events")
		},
	})
	b.end()
	for _, bad := range r.Failed {
		env.say("%s: line %d: %s", c.File, bad.Line, bad.Reason)
	}
	if err != nil {
		stored := "nothing was stored"
		if n := r.Accepted + r.Duplicates; n > 0 || c.SkipBad {
			stored = fmt.Sprintf("%d events were stored before it, and the same file again stores none of them twice", n)
		}
		return fmt.Errorf("%s: %w; %s", c.File, err, stored)
	}
	_, err = fmt.Fprintf(env.Out, "%d events stored, %d known already, %d bad rows left out\n", r.Accepted, r.Duplicates, r.Bad)
	return err
}

// counted knows how far it was read.
type counted struct {
	io.ReadSeeker

	at int64
}

// Read implements [io.Reader].
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	c.at += int64(n)
	return n, err
}

// Seek implements [io.Seeker].
func (c *counted) Seek(offset int64, whence int) (int64, error) {
	at, err := c.ReadSeeker.Seek(offset, whence)
	c.at = at
	return at, err
}

// open gives the file, which is read twice.
func (c *IngestCmd) open(in io.Reader) (io.ReadSeekCloser, error) {
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, usage("%v", err)
		}
		return f, nil
	}
	all, err := io.ReadAll(in)
	return memory{bytes.NewReader(all)}, err
}

type memory struct{ *bytes.Reader }

// Close implements [io.Closer].
func (memory) Close() error { return nil }

// mapping is what was said about the fields, and the rest as the first row has it. A first row that cannot be read is
// left for the ingestion to complain about: it knows the line.
func (c *IngestCmd) mapping(file io.ReadSeeker) (analytics.Mapping, error) {
	m := analytics.Mapping{Event: c.Event, Time: c.Time, Layout: c.Layout, Dims: c.Dims, Values: c.Values, Actor: c.Actor, Session: c.Session}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return m, err
	}
	row := firstRow(file)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return m, err
	}
	if row == nil {
		return m, nil
	}
	for _, name := range []string{"at", "time", "timestamp", "date"} {
		if m.Time == "" && row[name] != nil {
			m.Time = name
		}
	}
	if m.Time == "" {
		return m, usage("the first row has none of the fields at, time, timestamp and date: name the field of the time with --time")
	}
	if m.Layout == "" {
		m.Layout = layoutOf(row[m.Time])
	}
	for _, name := range slices.Sorted(maps.Keys(row)) {
		if name == m.Time || name == m.Actor || name == m.Session {
			continue
		}
		switch row[name].(type) {
		case string:
			if c.Dims == nil {
				m.Dims = append(m.Dims, name)
			}
		case float64:
			if c.Values == nil {
				m.Values = append(m.Values, name)
			}
		}
	}
	return m, nil
}

// firstRow is the first object of the file, or nil.
func firstRow(file io.Reader) map[string]any {
	r := bufio.NewReader(io.LimitReader(file, 1<<20))
	if mark, _ := r.Peek(3); string(mark) == "\ufeff" {
		_, _ = r.Discard(3)
	}
	d := json.NewDecoder(r)
	t, err := d.Token()
	if err != nil {
		return nil
	}
	row := map[string]any{}
	switch t {
	case json.Delim('['):
		if d.Decode(&row) != nil {
			return nil
		}
	case json.Delim('{'): // its begin is read already: field by field
		for d.More() {
			name, err := d.Token()
			key, ok := name.(string)
			var v any
			if err != nil || !ok || d.Decode(&v) != nil {
				return nil
			}
			row[key] = v
		}
	default:
		return nil
	}
	return row
}

// layoutOf guesses how a time is written; RFC 3339 when nothing fits.
func layoutOf(v any) string {
	text, _ := v.(string)
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006/01/02 15:04:05", "2006/01/02 15:04",
		time.DateOnly, "2006/01/02", "01/02/2006",
	} {
		if _, err := time.Parse(layout, text); err == nil {
			return layout
		}
	}
	return time.RFC3339
}
