package export

import (
	"context"
	"io"
	"maps"
	"strings"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/table"
)

// EventsCmd asks for events as a table.
type EventsCmd struct {
	analytics.Scan

	Format table.Format
	// Dims and Values get columns of their own in a CSV or an XLSX, such as dims.origin; all others are together in the columns dims
	// and values, as JSON. The other formats have them as objects, whole.
	Dims, Values []string
	// After is the cursor of an export before, or the time and the id of its last row with a comma between: this one has what comes
	// after. A CSV then has no header, so that it can be put behind the other.
	After string
	// All is given by those who do not mind how long it takes.
	All bool
}

// Done tells of an export that is whole.
type Done struct {
	Rows   int64
	Cursor string // of the last row, for After
}

// eventColumns are the columns of every event. Those that make the cursor come first.
var eventColumns = []struct {
	name string
	of   func(analytics.Event) any
}{
	{"at", func(e analytics.Event) any { return e.At.UTC() }},
	{"id", func(e analytics.Event) any { return e.ID }},
	{"name", func(e analytics.Event) any { return e.Name }},
	{"receivedAt", func(e analytics.Event) any { return e.ReceivedAt.UTC() }},
	{"user", func(e analytics.Event) any { return e.User }},
	{"actor", func(e analytics.Event) any { return e.Actor }},
	{"session", func(e analytics.Event) any { return e.Session }},
	{"source", func(e analytics.Event) any { return e.Source }},
}

const (
	dimsColumn   = "dims"
	valuesColumn = "values"
	maxColumns   = 50 // of those that are asked for: more than an event can have
)

// check refuses what no export can be made of, and gives the place it begins behind.
//
// Errors: BAD_USER_INPUT, BAD_CURSOR.
func (c EventsCmd) check() (analytics.Place, error) {
	if len(c.Dims) > maxColumns || len(c.Values) > maxColumns {
		return analytics.Place{}, fault.ErrInput.On("input.dims").Saying("at most %d dimensions and %d values get columns", maxColumns, maxColumns)
	}
	when, id, _ := strings.Cut(c.After, ",")
	if strings.HasPrefix(id, "'") { // as a CSV writes an id that begins with a dash
		c.After = when + "," + id[1:]
	}
	return analytics.ParsePlace(c.After)
}

// flat reports whether a row is a line of cells, not an object.
func (c EventsCmd) flat() bool { return c.Format == table.CSV || c.Format == table.XLSX }

func (c EventsCmd) columns() []string {
	var names []string
	for _, col := range eventColumns {
		names = append(names, col.name)
	}
	for _, d := range c.Dims {
		names = append(names, dimsColumn+"."+d)
	}
	for _, v := range c.Values {
		names = append(names, valuesColumn+"."+v)
	}
	return append(names, dimsColumn, valuesColumn)
}

// row is an event as a row. What it does not have is left out.
func (c EventsCmd) row(e analytics.Event) map[string]any {
	row := map[string]any{}
	for _, col := range eventColumns {
		if v := col.of(e); v != "" {
			row[col.name] = v
		}
	}
	if c.flat() {
		spread(row, dimsColumn, e.Dims, c.Dims)
		spread(row, valuesColumn, e.Values, c.Values)
		return row
	}
	spread(row, dimsColumn, e.Dims, nil)
	spread(row, valuesColumn, e.Values, nil)
	return row
}

// spread puts the named members of an object into columns of their own, and the rest into one.
func spread[T any](row map[string]any, column string, object map[string]T, names []string) {
	rest := maps.Clone(object)
	for _, name := range names {
		if v, has := rest[name]; has {
			row[column+"."+name] = v
			delete(rest, name)
		}
	}
	if len(rest) > 0 {
		row[column] = rest
	}
}

// exported is what the log says of an export.
type exported struct {
	Name   string `bson:"name,omitempty"`
	Metric string `bson:"metric,omitempty"`
	Format string `bson:"format"`
	After  string `bson:"after,omitempty"`
	Job    string `bson:"job,omitempty"`
}

func (c EventsCmd) fact(job string) exported {
	return exported{Name: c.Name, Format: string(c.Format), After: c.After, Job: job}
}

// Events writes the events to w as they are read, a page of 1,000 in memory. What is stored meanwhile is among them where it comes
// later in the order. ctx bounds the whole, and a minute each page. Cost: a count of up to 100,001 events, a commit, a read
// for each page.
//
// Errors: FORBIDDEN, also when the right is taken meanwhile; BAD_USER_INPUT, BAD_CURSOR, EXPORT_TOO_LARGE, TABLE_FORMAT, TABLE_SHEET; those of w.
func (s *Service) Events(ctx context.Context, cmd EventsCmd, w io.Writer) (Done, error) {
	at, err := cmd.check()
	if err != nil {
		return Done{}, err
	}
	if err := s.admit(ctx, cmd, at); err != nil {
		return Done{}, err
	}
	out, err := table.NewWriter(cmd.Format, w, cmd.columns(), table.Mark{Begun: cmd.After != "" && cmd.Format == table.CSV})
	if err != nil {
		return Done{}, err
	}
	if err := s.noted(ctx, kindEvents, ref.Ref{}, cmd.fact("")); err != nil {
		return Done{}, err
	}
	done := Done{}
	for {
		n, err := s.page(ctx, cmd, out, &at)
		done.Rows, done.Cursor = done.Rows+int64(n), at.String()
		switch {
		case err != nil:
			return done, err
		case n < pageRows:
			return done, out.Close()
		}
		if _, err := out.Flush(); err != nil {
			return done, err
		}
	}
}

// admit refuses what has too many rows for one download.
func (s *Service) admit(ctx context.Context, cmd EventsCmd, behind analytics.Place) error {
	if cmd.All {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	n, err := s.Analytics.CountEvents(ctx, cmd.Scan, behind, s.cfg.DirectRows+1)
	if err == nil && n > s.cfg.DirectRows {
		err = ErrLarge.With("limit", s.cfg.DirectRows)
	}
	return err
}

// page writes the next events and tells how many they are; fewer than pageRows are the last.
func (s *Service) page(ctx context.Context, cmd EventsCmd, out table.Writer, at *analytics.Place) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	events, err := s.Analytics.ScanEvents(ctx, cmd.Scan, *at, pageRows)
	if err != nil {
		return 0, err
	}
	for _, e := range events {
		if err := out.Write(cmd.row(e)); err != nil {
			return 0, err
		}
		*at = analytics.PlaceOf(e)
	}
	return len(events), nil
}
