package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/table"
)

// RegistryImportCmd makes documents of a table.
type RegistryImportCmd struct {
	File    string            `arg:"" optional:"" help:"CSV with a header, JSON array or one JSON object on each line."`
	Type    string            `help:"Key of the content type."`
	Format  string            `enum:"auto,csv,json,ndjson" default:"auto" help:"auto goes by the name of the file."`
	Map     map[string]string `help:"Column and the field it becomes, such as \"IMDB Rating\"=imdbRating; without a field the column is left out. A column becomes the field of the same name, whatever its case and signs."`
	DryRun  bool              `help:"Only check the rows."`
	OnError string            `enum:"stop,skip" default:"stop" help:"What a bad row does: it ends the import, with the rows before it made, or it is left out."`
	Resume  string            `help:"Id of an import that was stopped: it goes on where it was."`
}

// errRows says that not all rows became documents.
var errRows = errors.New("not all rows are documents")

// Run imports the file and shows how far it is.
func (c *RegistryImportCmd) Run(ctx context.Context, env *Env) error {
	if (c.File == "") == (c.Resume == "") {
		return usage("name a file with --type, or an import with --resume")
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	id := strings.TrimPrefix(c.Resume, ref.Job+":")
	if c.Resume == "" {
		if id, err = c.start(ctx, s); err != nil {
			return err
		}
		env.say("the import is job %s", id)
	}
	j, err := watch(ctx, env, s.Jobs, id)
	if err != nil {
		return err
	}
	return c.report(env, j)
}

func (c *RegistryImportCmd) start(ctx context.Context, s *Services) (id string, err error) {
	format := c.Format
	if format == "auto" {
		if format = strings.TrimPrefix(strings.ToLower(filepath.Ext(c.File)), "."); format == "jsonl" {
			format = "ndjson"
		}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return "", usage("%v", err)
	}
	defer func() { _ = f.Close() }()
	return s.Documents.StartImport(ctx, registry.ImportCmd{
		Type: c.Type, Format: table.Format(strings.ToUpper(format)), Map: c.Map, DryRun: c.DryRun, Skip: c.OnError == "skip",
	}, f)
}

func (c *RegistryImportCmd) report(env *Env, j job.Job) error {
	var r registry.Tally
	if len(j.Result) > 0 {
		if err := json.Unmarshal(j.Result, &r); err != nil {
			return err
		}
	}
	cells := [][]string{{"ROW", "CODE", "WHERE", "WHAT"}}
	for _, p := range r.Problems {
		cells = append(cells, []string{strconv.FormatInt(p.Row, 10), p.Code, p.Pointer, p.Message})
	}
	if len(r.Problems) > 0 {
		if err := printTable(env.Err, cells); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(env.Out, "%d rows read, %d documents made, %d bad rows\n", r.Counts["read"], r.Counts["made"], r.Counts["bad"]); err != nil {
		return err
	}
	switch {
	case j.State != job.Done:
		return fmt.Errorf("the import has ended as %s: %s", j.State, cmp.Or(j.Error, j.Code))
	case r.Counts["bad"] > 0 || r.Refused != "":
		return errRows
	}
	return nil
}

// watch does jobs until one has ended, and tells how far that is. A server that runs may do it as well: only one of them does each step.
func watch(ctx context.Context, env *Env, jobs *job.Manager, id string) (job.Job, error) {
	work, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		jobs.Run(work)
	}()
	defer func() {
		stop()
		<-done
	}()
	b := newBar(env.Err, clock.System())
	defer b.end()
	for {
		j, err := jobs.Get(ctx, id)
		if err != nil {
			return j, err
		}
		var r registry.Tally
		_ = json.Unmarshal(j.Result, &r) // nothing yet
		part := 0.0
		if j.Total > 0 {
			part = float64(j.Done) / float64(j.Total)
		}
		b.show(part, r.Counts["read"], "rows")
		if j.State.Ended() {
			return j, nil
		}
		if !clock.Sleep(ctx, 200*time.Millisecond) {
			return j, fmt.Errorf("stopped; --resume %s goes on with it: %w", id, ctx.Err())
		}
	}
}

// RegistryExportCmd writes documents as a table.
type RegistryExportCmd struct {
	Type   string `required:"" help:"Key of the content type."`
	Format string `enum:"csv,json,ndjson,xlsx" default:"ndjson" help:"csv and xlsx have the top of the data alone."`
	Filter string `help:"Only documents that this filter selects, as JSON: see docs/filters.md."`
	Output string `short:"o" type:"path" help:"File to write, instead of standard output."`
}

// Run exports them.
func (c *RegistryExportCmd) Run(ctx context.Context, env *Env) error {
	cmd := registry.ExportCmd{ListCmd: registry.ListCmd{Type: c.Type, AllowScan: true}, Format: table.Format(strings.ToUpper(c.Format))}
	if c.Filter != "" {
		if err := json.Unmarshal([]byte(c.Filter), &cmd.Filter); err != nil {
			return usage("the filter is no JSON object: %v", err)
		}
	}
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	return into(c.Output, env.Out, func(w io.Writer) error {
		n, err := s.Documents.Export(ctx, cmd, w)
		env.say("%d documents", n)
		return err
	})
}

// RegistryVerifyCmd checks that references and documents agree.
type RegistryVerifyCmd struct {
	Repair bool `help:"Make the rows of references what the documents hold."`
}

// Run checks all documents.
func (c *RegistryVerifyCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	found, err := s.Documents.Verify(ctx, c.Repair)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%d documents; references: %d without a row, %d rows too many, %d that lead nowhere; %d repaired\n",
		found.Documents, found.Missing, found.Extra, found.Dangling, found.Repaired)
	if wrong := found.Missing + found.Extra + found.Dangling - found.Repaired; err == nil && wrong > 0 {
		err = fmt.Errorf("%d references are wrong", wrong)
	}
	return err
}

// JobListCmd lists jobs.
type JobListCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the newest.
func (c *JobListCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	most := page.MaxSize
	p, err := s.Jobs.List(ctx, job.Filter{}, page.Args{First: &most})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(env.Out, p.Items)
	}
	cells := [][]string{{"ID", "KIND", "STATE", "DONE", "TOTAL", "SINCE", "ERROR"}}
	for _, j := range p.Items {
		cells = append(cells, []string{
			j.ID, j.Kind, string(j.State), strconv.FormatInt(j.Done, 10), strconv.FormatInt(j.Total, 10), j.CreatedAt.Format(time.RFC3339), j.Code,
		})
	}
	return printTable(env.Out, cells)
}

// JobShowCmd tells of one job.
type JobShowCmd struct {
	ID string `arg:"" help:"Id of the job."`
}

// Run prints it.
func (c *JobShowCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	j, err := s.Jobs.Get(ctx, strings.TrimPrefix(c.ID, ref.Job+":"))
	if err != nil {
		return err
	}
	return printJSON(env.Out, map[string]any{
		"id": j.ID, "kind": j.Kind, "state": j.State, "done": j.Done, "total": j.Total, "code": j.Code, "error": j.Error,
		"result": json.RawMessage(cmp.Or(string(j.Result), "null")), "createdAt": j.CreatedAt, "updatedAt": j.UpdatedAt, "by": j.By.String(),
	})
}

// JobCancelCmd ends a job.
type JobCancelCmd struct {
	ID string `arg:"" help:"Id of the job."`
}

// Run ends it.
func (c *JobCancelCmd) Run(ctx context.Context, env *Env) error {
	s, release, err := env.Host.Open(ctx)
	if err != nil {
		return err
	}
	defer release()
	j, err := s.Jobs.Cancel(actor.With(ctx, actor.System()), strings.TrimPrefix(c.ID, ref.Job+":"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "%s is %s\n", j.ID, j.State)
	return err
}
