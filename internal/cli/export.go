package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/table"
)

// ExportEventsCmd writes stored events as a table.
type ExportEventsCmd struct {
	Name   string    `arg:"" help:"Name of the events."`
	Format string    `enum:"csv,json,ndjson,xlsx" default:"ndjson" help:"csv, json, ndjson or xlsx."`
	From   time.Time `help:"Begin of the time they happened in."`
	To     time.Time `help:"End of it."`
	Where  []string  `placeholder:"DIM=VALUE" help:"Only events with this value of a dimension."`
	Dims   []string  `help:"Dimensions that get columns of their own in csv and xlsx. The others are together in one, as JSON."`
	Values []string  `help:"Values that get columns of their own."`
	After  string    `placeholder:"CURSOR" help:"Only what comes after an export before, as that has said at its end, or after its last row: its at and its id with a comma between."`
	Out    string    `short:"o" type:"path" help:"File to write, instead of standard output."`
}

// Run exports them.
func (c *ExportEventsCmd) Run(ctx context.Context, env *Env) error {
	where, err := dimFilters(c.Where)
	if err != nil {
		return err
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	return into(c.Out, env.Out, func(w io.Writer) error {
		done, err := s.Exports.Events(ctx, export.EventsCmd{
			Scan: analytics.Scan{Name: c.Name, Where: where, From: c.From, To: c.To}, Format: table.Format(strings.ToUpper(c.Format)),
			Dims: c.Dims, Values: c.Values, After: c.After, All: true,
		}, w)
		env.say("%d events; go on later with --after %s", done.Rows, done.Cursor)
		return err
	})
}

// dimFilters reads filters from the command line.
func dimFilters(texts []string) (filters []analytics.DimFilter, err error) {
	for _, text := range texts {
		dim, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usage("a filter is a dimension, =, and its value")
		}
		filters = append(filters, analytics.DimFilter{Dim: dim, In: []string{value}})
	}
	return filters, nil
}

// into has something write to a file, or where no name is given to out.
func into(name string, out io.Writer, write func(w io.Writer) error) (err error) {
	if name == "" {
		return write(out)
	}
	f, err := os.Create(name) //nolint:gosec // whoever is at the terminal says where
	if err != nil {
		return usage("%v", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}
