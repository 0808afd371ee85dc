package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/table"
)

const (
	// JobKind is the job that writes a file.
	JobKind = "analytics.export"
	// FilesPath is where the file of a job is downloaded: the id of the job follows.
	FilesPath = "/exports/files/"

	filesPrefix = "exports/"
	countTime   = 5 * time.Second // of finding out how many rows there will be
)

// asked is what a job is to write: one of the two.
type asked struct {
	Events *EventsCmd `json:"events,omitempty"`
	Report *ReportCmd `json:"report,omitempty"`
}

func (a asked) format() table.Format {
	if a.Events != nil {
		return a.Events.Format
	}
	return a.Report.Format
}

// name is that of the file.
func (a asked) name() string {
	if a.Events != nil {
		return a.Events.Name
	}
	return a.Report.Metric
}

// progress is how far a job is.
type progress struct {
	After analytics.Place `json:"after"`
	Mark  table.Mark      `json:"mark"`
	Parts []part          `json:"parts"`
	Rows  int64           `json:"rows"`
}

// part is a piece of the file.
type part struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
}

func (p progress) size() (n int64) {
	for _, part := range p.Parts {
		n += part.Size
	}
	return n
}

// result is what a job tells of itself.
type result struct {
	Counts map[string]int64 `json:"counts"`
	File   string           `json:"file,omitempty"`
	Until  *time.Time       `json:"until,omitempty"` // the file is there
}

// StartEvents starts a job that writes events to a file, as the actor, who may see it with job and download it from [FilesPath]. Cost: one commit.
//
// Errors: FORBIDDEN, BAD_USER_INPUT, TABLE_FORMAT, TABLE_SHEET for more rows than a spreadsheet has.
func (s *Service) StartEvents(ctx context.Context, cmd EventsCmd) (job.Job, error) {
	if _, err := cmd.check(); err != nil {
		return job.Job{}, err
	}
	// This asks for the right too, and for a name.
	if _, err := s.Analytics.CountEvents(ctx, cmd.Scan, analytics.Place{}, 1); err != nil {
		return job.Job{}, err
	}
	return s.start(ctx, asked{Events: &cmd}, kindEvents, ref.Ref{}, cmd.fact)
}

// StartReport does the same for a report. Only who may see all of the metric may have its file. Cost: that of the report, one commit.
//
// Errors: those of [analytics.Service.Report]; TABLE_FORMAT.
func (s *Service) StartReport(ctx context.Context, cmd ReportCmd) (job.Job, error) {
	on := ref.New(ref.Metric, cmd.Metric)
	if err := s.Authz.Require(ctx, analytics.PermView, on); err != nil {
		return job.Job{}, err
	}
	if _, err := s.Analytics.Report(ctx, cmd.Query); err != nil {
		return job.Job{}, err
	}
	return s.start(ctx, asked{Report: &cmd}, kindReport, on, cmd.fact)
}

func (s *Service) start(ctx context.Context, what asked, kind string, on ref.Ref, fact func(job string) exported) (j job.Job, err error) {
	if !slices.Contains([]table.Format{table.CSV, table.JSON, table.NDJSON, table.XLSX}, what.format()) {
		return j, table.ErrFormat.On("input.format")
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if j, err = s.Jobs.Start(ctx, job.StartCmd{Kind: JobKind, On: on, Args: what}); err != nil {
			return err
		}
		return s.Log.Append(ctx, kind, on, fact(j.ID))
	})
	return j, err
}

// step writes the next part of a file. What is read and kept is none of the transaction's business: the job names the part in it.
func (s *Service) step(ctx context.Context, j *job.Job) (finished bool, err error) {
	what, p, err := read(*j)
	if err != nil {
		return false, err
	}
	outside := store.Outside(ctx)
	if what.Events != nil && len(p.Parts) == 0 {
		if j.Total, err = s.total(outside, *what.Events); err != nil {
			return false, err
		}
	}
	var buf bytes.Buffer
	if what.Events != nil {
		finished, err = s.eventsPart(outside, *what.Events, &p, &buf)
	} else {
		finished, err = true, s.reportPart(outside, *what.Report, &p, &buf)
	}
	if err != nil {
		return false, err
	}
	next := part{Key: filesPrefix + j.ID + "/" + ref.NewID(), Size: int64(buf.Len())} // a key of its own, for an attempt before may have left one
	if next.Size > 0 {
		if _, err := s.Files.Put(outside, next.Key, &buf, blob.Meta{ContentType: what.format().MediaType(), Size: next.Size}); err != nil {
			return false, err
		}
		p.Parts = append(p.Parts, next)
	}
	told := result{Counts: map[string]int64{"rows": p.Rows, "bytes": p.size()}}
	j.Done = p.Rows
	if finished {
		j.Total, told.File, told.Until = p.Rows, FilesPath+j.ID, new(s.Now().Add(KeepFor))
	}
	if j.Cursor, err = json.Marshal(p); err != nil {
		return false, err
	}
	j.Result, err = json.Marshal(told)
	return finished, err
}

func read(j job.Job) (what asked, p progress, err error) {
	if err := json.Unmarshal(j.Args, &what); err != nil {
		return what, p, fmt.Errorf("arguments of job %s: %w", j.ID, err)
	}
	if len(j.Cursor) > 0 {
		err = json.Unmarshal(j.Cursor, &p)
	}
	return what, p, err
}

// total is how many rows there will be; 0 when that takes too long to find out.
//
// Errors: TABLE_SHEET for more than a spreadsheet has.
func (s *Service) total(ctx context.Context, cmd EventsCmd) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	n, err := s.Analytics.CountEvents(ctx, cmd.Scan, analytics.Place{}, 0)
	switch {
	case err != nil && errors.Is(err, fault.ErrTimeout):
		return 0, nil
	case err == nil && cmd.Format == table.XLSX && n > table.MaxSheetRows:
		return 0, table.ErrSheet.Saying("a spreadsheet has at most %d rows, and these are %d: export as CSV or NDJSON", table.MaxSheetRows, n)
	}
	return n, err
}

// eventsPart writes whole pages, so that the same events make the same parts.
func (s *Service) eventsPart(ctx context.Context, cmd EventsCmd, p *progress, buf *bytes.Buffer) (last bool, err error) {
	out, err := table.NewWriter(cmd.Format, buf, cmd.columns(), p.Mark)
	if err != nil {
		return false, err
	}
	for begun := p.Rows; p.Rows-begun < s.cfg.PartRows && buf.Len() < partBytes; {
		n, err := s.page(ctx, cmd, out, &p.After)
		if err != nil {
			return false, err
		}
		p.Rows += int64(n)
		if n < pageRows {
			return true, out.Close()
		}
	}
	p.Mark, err = out.Flush()
	return false, err
}

// reportPart writes all of it: a report is in memory anyway.
func (s *Service) reportPart(ctx context.Context, cmd ReportCmd, p *progress, buf *bytes.Buffer) error {
	rows, err := s.reportRows(ctx, cmd)
	if err != nil {
		return err
	}
	out, err := table.NewWriter(cmd.Format, buf, cmd.columns(), table.Mark{})
	if err != nil {
		return err
	}
	p.Rows = int64(len(rows))
	return write(out, rows)
}
