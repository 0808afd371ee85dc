package reporting

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

const maxNamed = 10

// Unshown refuses if saved reports show a metric, whosever they are. Cost: all saved reports are read, 100 at a time.
//
// Errors: METRIC_IN_USE.
func (s *Service) Unshown(ctx context.Context, metric string) error {
	all := actor.With(ctx, actor.System())
	var showing []ref.Ref
	size := page.MaxSize
	for args := (page.Args{First: &size}); ; {
		p, err := s.Documents.List(all, registry.ListCmd{Type: ReportKey, Page: args})
		if err != nil {
			return err
		}
		for _, d := range p.Items {
			saved, _ := registry.AsNative(d).(registry.SavedReport)
			if q, err := queryOf(saved); err == nil && q.Metric == metric {
				showing = append(showing, d.Ref())
			}
		}
		if !p.HasNext {
			break
		}
		args.After = new(p.Cursors[len(p.Cursors)-1])
	}
	if len(showing) == 0 {
		return nil
	}
	named := []string{}
	readable, err := s.Documents.ByRefs(ctx, showing[:min(len(showing), maxNamed)])
	if err != nil {
		return err
	}
	for _, on := range showing {
		if _, may := readable[on]; may {
			named = append(named, on.String())
		}
	}
	return ErrShown.With("count", len(showing)).With("reports", named)
}
