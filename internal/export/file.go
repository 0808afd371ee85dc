package export

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/table"
)

const (
	sweepEvery = time.Hour
	sweepBatch = 500
	sweepAfter = KeepFor + 24*time.Hour // of a part: longer than the job writes after it
)

// File is what a job has written. Close it.
type File struct {
	Name       string
	Format     table.Format
	ModifiedAt time.Time
	io.ReadSeekCloser
}

// Open gives the file of a job to who may see the job and what is in it. Cost: one read, and one for each part that is read.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, JOB_NOT_FOUND, EXPORT_NOT_READY, EXPORT_GONE.
func (s *Service) Open(ctx context.Context, id string) (*File, error) {
	j, err := s.Jobs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if j.Kind != JobKind {
		return nil, job.ErrNotFound
	}
	what, p, err := read(j)
	if err != nil {
		return nil, err
	}
	if what.Events != nil {
		err = s.Authz.Require(ctx, analytics.PermRead, ref.Ref{})
	} else {
		err = s.Authz.Require(ctx, analytics.PermView, ref.New(ref.Metric, what.Report.Metric))
	}
	switch {
	case err != nil:
		return nil, err
	case j.State != job.Done:
		return nil, ErrEarly
	case s.Now().After(j.FinishedAt.Add(KeepFor)):
		return nil, ErrGone
	}
	return &File{
		Name: what.name() + "." + strings.ToLower(string(what.format())), Format: what.format(), ModifiedAt: *j.FinishedAt,
		ReadSeekCloser: &reader{ctx: ctx, files: s.Files, parts: p.Parts, size: p.size()},
	}, nil
}

// reader reads the parts one after the other, from any place in them.
type reader struct {
	ctx   context.Context //nolint:containedctx // it bounds this reading
	files blob.Store
	parts []part
	size  int64
	at    int64
	in    io.ReadCloser // of the part that at is in; nil before it is read
}

// Seek implements [io.Seeker].
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("export: seek before the beginning")
	}
	r.at = offset
	return offset, r.Close()
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.in == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.in.Read(p)
		r.at += int64(n)
		if errors.Is(err, io.EOF) { // of the part
			err = r.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// open goes to the part that the place is in.
func (r *reader) open() (err error) {
	offset := r.at
	for _, p := range r.parts {
		if offset < p.Size {
			r.in, _, err = r.files.Open(r.ctx, p.Key, offset, -1)
			return err
		}
		offset -= p.Size
	}
	return io.EOF
}

// Close implements [io.Closer].
func (r *reader) Close() error {
	if r.in == nil {
		return nil
	}
	in := r.in
	r.in = nil
	return in.Close()
}

// Run removes files that are no longer kept, every hour, until ctx ends. Several nodes may do it at once.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.Logger.WarnContext(ctx, "exports_not_swept", "error", err.Error())
			}
		}
	}
}

// Sweep removes parts that were written more than 8 days ago, those of jobs that failed and of steps that were cut short among them.
// Cost: a list of all parts.
func (s *Service) Sweep(ctx context.Context) error {
	before := s.Now().Add(-sweepAfter)
	for after := ""; ; {
		parts, err := s.Files.List(ctx, filesPrefix, after, sweepBatch)
		if err != nil || len(parts) == 0 {
			return err
		}
		for _, p := range parts {
			if p.ModifiedAt.Before(before) {
				if err := s.Files.Delete(ctx, p.Key); err != nil {
					return err
				}
			}
		}
		after = parts[len(parts)-1].Key
	}
}
