package export

import (
	"cmp"
	"context"
	"io"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/table"
)

// ReportCmd asks for the numbers of a report as a table: one row for each bucket and key.
type ReportCmd struct {
	analytics.Query

	Format table.Format
}

// columns of a report.
func (c ReportCmd) columns() []string {
	names := []string{"at", "key", "value", "count"}
	if c.Compare != "" && c.Compare != analytics.CompareNone {
		names = append(names, "compared", "comparedCount")
	}
	return names
}

func (c ReportCmd) fact(job string) exported {
	return exported{Metric: c.Metric, Format: string(c.Format), Job: job}
}

// reportRows are the points of a report, each with the one it is compared with. Both lists are by time, then by key.
func reportRows(r analytics.Report) []map[string]any {
	order := func(a, b analytics.Point) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) }
	rows := make([]map[string]any, 0, max(len(r.Points), len(r.Compared)))
	for shown, other := r.Points, r.Compared; len(shown) > 0 || len(other) > 0; {
		var first int
		switch {
		case len(shown) == 0:
			first = 1
		case len(other) == 0:
			first = -1
		default:
			first = order(shown[0], other[0])
		}
		row := map[string]any{"count": int64(0)}
		if first >= 0 {
			put(row, other[0], "compared", "comparedCount")
			other = other[1:]
		}
		if first <= 0 {
			put(row, shown[0], "value", "count")
			shown = shown[1:]
		}
		rows = append(rows, row)
	}
	return rows
}

func put(row map[string]any, p analytics.Point, value, count string) {
	row["at"], row["key"], row[count] = p.At, p.Key, p.Count
	if p.Value != nil {
		row[value] = *p.Value
	}
}

// Report writes a report to w. Its times are those of UTC, whatever the zone its days are of. Cost: that of the report, one commit.
//
// Errors: those of [analytics.Service.Report]; EXPORT_TOO_LARGE, TABLE_FORMAT, TABLE_SHEET; those of w.
func (s *Service) Report(ctx context.Context, cmd ReportCmd, w io.Writer) (rows int64, err error) {
	all, err := s.reportRows(ctx, cmd)
	if err != nil {
		return 0, err
	}
	if int64(len(all)) > s.cfg.DirectRows {
		return 0, ErrLarge.With("limit", s.cfg.DirectRows)
	}
	out, err := table.NewWriter(cmd.Format, w, cmd.columns(), table.Mark{})
	if err != nil {
		return 0, err
	}
	if err := s.noted(ctx, kindReport, ref.New(ref.Metric, cmd.Metric), cmd.fact("")); err != nil {
		return 0, err
	}
	return int64(len(all)), write(out, all)
}

func (s *Service) reportRows(ctx context.Context, cmd ReportCmd) ([]map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	r, err := s.Analytics.Report(ctx, cmd.Query)
	return reportRows(r), err
}

func write(out table.Writer, rows []map[string]any) error {
	for _, row := range rows {
		if err := out.Write(row); err != nil {
			return err
		}
	}
	return out.Close()
}
