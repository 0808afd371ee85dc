package reporting

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/chart"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/table"
)

// What a mail holds at most: each recipient has a copy in the outbox, and Gmail cuts what is longer than 102 KB of HTML.
const (
	maxSections = 12      // reports of a dashboard
	maxRows     = 10      // of the table of totals
	maxLines    = 5_000   // of an attached table
	maxBytes    = 1 << 20 // of all files
	chartWidth  = 500
	chartHeight = 220
)

// printed is what a mail says, and what its readers must be allowed to read.
type printed struct {
	content

	title    string
	sections []mail.Section
	files    []mail.File
	bytes    int
}

// print runs a report, or all those of a dashboard, with the rights of ctx. A report of a dashboard that cannot be run is a note;
// if none can, it is an error.
//
// Errors: NOT_FOUND and those of [Service.Report].
func (s *Service) print(ctx context.Context, on ref.Ref, withTables bool) (*printed, error) {
	p := &printed{content: content{documents: []ref.Ref{on}}}
	if on.Type != ref.Dashboard {
		ran, err := s.Report(ctx, on)
		if err != nil {
			return nil, err
		}
		p.title = ran.Saved.Title
		return p, p.add(ran, withTables)
	}
	board, err := s.dashboard(ctx, on)
	if err != nil {
		return nil, err
	}
	p.title = board.Title
	tiles := tilesOf(board)
	var failed error
	for _, on := range tiles[:min(len(tiles), maxSections)] {
		ran, err := s.Report(ctx, on)
		switch {
		case err != nil && !lasting(err):
			return nil, err
		case err != nil:
			failed = err
			p.sections = append(p.sections, mail.Section{Title: cmp.Or(ran.Saved.Title, "–"), Note: fault.From(err).Msg})
			continue
		}
		p.documents = append(p.documents, on)
		if err := p.add(ran, withTables); err != nil {
			return nil, err
		}
	}
	if failed != nil && len(p.metrics) == 0 {
		return nil, failed
	}
	return p, nil
}

// dashboard reads a dashboard.
//
// Errors: NOT_FOUND.
func (s *Service) dashboard(ctx context.Context, on ref.Ref) (registry.Dashboard, error) {
	found, err := s.Documents.ByRefs(ctx, []ref.Ref{on})
	if err != nil {
		return registry.Dashboard{}, err
	}
	d, is := registry.AsNative(found[on]).(registry.Dashboard)
	if !is {
		return registry.Dashboard{}, fault.ErrNotFound
	}
	return d, nil
}

// tilesOf are the reports of a dashboard, from the top left to the bottom right, each once.
func tilesOf(d registry.Dashboard) (reports []ref.Ref) {
	tiles := slices.Clone(d.Tiles)
	slices.SortStableFunc(tiles, func(a, b registry.Tile) int { return (a.Y-b.Y)*100 + a.X - b.X })
	for _, t := range tiles {
		if t.Report == nil {
			continue
		}
		if r, err := ref.Parse(*t.Report); err == nil && !slices.Contains(reports, r) {
			reports = append(reports, r)
		}
	}
	return reports
}

// add prints one report.
func (p *printed) add(ran Ran, withTable bool) error {
	r, n := ran.Report, len(p.sections)+1
	zone, err := time.LoadLocation(r.Query.TimeZone)
	if err != nil {
		return err
	}
	section := mail.Section{Title: ran.Saved.Title, Note: noteOf(r, zone)}
	picture, err := draw(ran, zone)
	switch {
	case err == nil && p.bytes+len(picture) <= maxBytes:
		id := fmt.Sprintf("chart%d", n)
		section.Picture = htmltemplate.URL("cid:" + id) //nolint:gosec // of our own making
		p.attach(mail.File{Name: id + ".png", ContentType: "image/png", ID: id, Data: picture})
	case err != nil && !errors.Is(err, chart.ErrEmpty):
		return err
	}
	section.Columns, section.Rows = totals(r)
	if withTable {
		text, cut, err := csvOf(r, zone, min(maxBytes-p.bytes, maxBytes/2))
		if err != nil {
			return err
		}
		if cut {
			section.Note += "; the attached table is cut"
		}
		p.attach(mail.File{Name: fmt.Sprintf("%d-%s.csv", n, fileName(ran.Saved.Title)), ContentType: "text/csv; charset=utf-8", Data: text})
	}
	p.sections = append(p.sections, section)
	p.metrics = append(p.metrics, r.Query.Metric)
	return nil
}

func (p *printed) attach(f mail.File) {
	p.files = append(p.files, f)
	p.bytes += len(f.Data)
}

// noteOf says what time the numbers are of, and how good they are.
func noteOf(r analytics.Report, zone *time.Location) string {
	layout := "2 Jan 2006 15:04"
	if r.Query.Step != analytics.Minute && r.Query.Step != analytics.Hour {
		layout = "2 Jan 2006"
	}
	last := r.To.Add(-time.Millisecond)
	note := r.From.In(zone).Format(layout) + " – " + last.In(zone).Format(layout)
	switch {
	case len(r.Totals) == 0:
		note += "; no events"
	case !r.Exact:
		note += "; being counted anew"
	case r.Approximate:
		note += fmt.Sprintf("; estimated to %.2g %%", 100*r.Error)
	}
	return note
}

// widths are about those of the steps.
var widths = map[analytics.Step]time.Duration{
	analytics.Minute: time.Minute, analytics.Hour: time.Hour, analytics.Day: 24 * time.Hour, analytics.Week: 7 * 24 * time.Hour,
	analytics.Month: 31 * 24 * time.Hour, analytics.Quarter: 92 * 24 * time.Hour, analytics.Year: 366 * 24 * time.Hour,
}

// draw is the picture of a report, with the keys in the order of the totals.
//
// Errors: chart.ErrEmpty, also for kinds without a picture.
func draw(ran Ran, zone *time.Location) ([]byte, error) {
	r := ran.Report
	c := chart.Chart{
		Kind: chart.Line, Zone: zone, From: r.From, To: r.To, Step: widths[r.Query.Step], Width: chartWidth, Height: chartHeight,
	}
	switch ran.Saved.Kind {
	case kindBar:
		c.Kind = chart.Bar
	case kindArea:
		c.Kind = chart.Area
	case kindTable, kindValue:
		return nil, chart.ErrEmpty
	}
	at := map[string]int{}
	for _, t := range r.Totals {
		at[t.Key] = len(c.Series)
		c.Series = append(c.Series, chart.Series{Name: t.Key})
	}
	for _, p := range r.Points {
		i, known := at[p.Key]
		if known && p.Value != nil {
			c.Series[i].Points = append(c.Series[i].Points, chart.Point{At: p.At, Value: *p.Value})
		}
	}
	return chart.PNG(c)
}

// totals is the table of a report: a row for each key, those with the most events first.
func totals(r analytics.Report) (columns []string, rows [][]string) {
	compares := r.Query.Compare != "" && r.Query.Compare != analytics.CompareNone
	columns = []string{r.Query.By, strings.ToLower(string(r.Query.Aggregate)), "events"}
	if compares {
		columns = append(columns, "before")
	}
	for _, t := range r.Totals[:min(len(r.Totals), maxRows)] {
		row := []string{t.Key, number(t.Value), strconv.FormatInt(t.Count, 10)}
		if compares {
			row = append(row, number(t.Compared))
		}
		rows = append(rows, row)
	}
	return columns, rows
}

// number is a value for people: four digits at least, and no more than two after the point.
func number(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case math.Abs(*v) >= 1e15 || *v != 0 && math.Abs(*v) < 0.01:
		return strconv.FormatFloat(*v, 'g', 4, 64)
	}
	return strconv.FormatFloat(math.Round(*v*100)/100, 'f', -1, 64)
}

// csvOf is the points of a report as CSV, for as many as the bounds allow. Times are in the zone of the report.
func csvOf(r analytics.Report, zone *time.Location, most int) (text []byte, cut bool, err error) {
	var out bytes.Buffer
	w, err := table.NewWriter(table.CSV, &out, []string{"at", "key", "value", "events"}, table.Mark{})
	if err != nil {
		return nil, false, err
	}
	for i, p := range r.Points {
		if i == maxLines || out.Len() > most-slack {
			cut = true
			break
		}
		if i%100 == 99 {
			if _, err := w.Flush(); err != nil {
				return nil, false, err
			}
		}
		row := map[string]any{"at": p.At.In(zone).Format(time.RFC3339), "key": p.Key, "events": p.Count}
		if p.Value != nil {
			row["value"] = *p.Value
		}
		if err := w.Write(row); err != nil {
			return nil, false, err
		}
	}
	err = w.Close()
	return out.Bytes(), cut, err
}

// slack is more than 100 rows are.
const slack = 8 << 10

// fileName keeps what every system takes in a name.
func fileName(title string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, title)
	return name[:min(len(name), 60)]
}
