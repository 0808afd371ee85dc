package registry

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/table"
)

// ExportCmd asks for documents of a content type as a table.
type ExportCmd struct {
	ListCmd // which, and in what order; not the page

	Format table.Format
}

// errNoColumns is of a CSV of a type whose schema names no properties.
var errNoColumns = fault.Define(fault.Invalid, "EXPORT_COLUMNS", "the content type names no properties to be columns: export it as JSON")

// Export writes the data of the documents of a content type that the caller may see to w, without the fields that are hidden from
// them. The columns of a CSV or an XLSX are the properties that the schema names, in the order of the alphabet.
// Documents made meanwhile are left out. It tells how many it wrote, also beside an error, when the table has no end.
// No more than a page of documents is in memory.
// Cost: that of [Service.List] for each page.
//
// Errors: those of List before anything is written, and when rights are taken meanwhile; TABLE_FORMAT; TABLE_SHEET;
// EXPORT_COLUMNS; those of w.
func (s *Service) Export(ctx context.Context, cmd ExportCmd, w io.Writer) (written int64, err error) {
	size := page.MaxSize
	cmd.Page = page.Args{First: &size}
	p, err := s.List(ctx, cmd.ListCmd)
	if err != nil {
		return 0, err
	}
	t, err := s.types.key(ctx, cmd.Type)
	if err != nil {
		return 0, err
	}
	properties, _ := t.Schema["properties"].(map[string]any)
	if (cmd.Format == table.CSV || cmd.Format == table.XLSX) && len(properties) == 0 {
		return 0, errNoColumns
	}
	out, err := table.NewWriter(cmd.Format, w, slices.Sorted(maps.Keys(properties)), table.Mark{})
	if err != nil {
		return 0, err
	}
	for {
		for _, d := range p.Items {
			if err := out.Write(d.Data); err != nil {
				return written, err
			}
			written++
		}
		if !p.HasNext {
			return written, out.Close()
		}
		cmd.Page.After = &p.Cursors[len(p.Cursors)-1]
		if p, err = s.List(ctx, cmd.ListCmd); err != nil {
			return written, err
		}
	}
}
