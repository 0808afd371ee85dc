package registry

import (
	"context"
	"errors"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// BulkCmd asks to do the same to one page of the documents of a content type, in the order of their ids: so that the next page goes on
// behind it, whatever the change does to the filter.
type BulkCmd struct {
	ListCmd // which; its sort is not asked

	Patch  map[string]any // JSON Merge Patch (RFC 7396)
	Delete bool           // instead: to the trash
}

// BulkResult is what became of a page.
type BulkResult struct {
	Done   []ref.Ref
	Failed []BulkFailure
	Next   *string // cursor of the next page; nil after the last
}

// BulkFailure is a document that stayed as it was.
type BulkFailure struct {
	Document ref.Ref
	Code     string
	Message  string
}

// Bulk changes or deletes the documents of a page one by one, each in a transaction of its own: what is refused stays, and the others go
// on. A document that a deletion before has taken along is done. Cost: as [Service.List], and as [Service.Update] or [Service.Delete] for
// each.
//
// Errors: those of List. What a single document is refused for is its failure, not an error; the database being away is one, with
// what was done before beside it.
func (s *Service) Bulk(ctx context.Context, cmd BulkCmd) (BulkResult, error) {
	permission := PermUpdate
	if cmd.Delete {
		permission = PermDelete
	}
	out := BulkResult{Done: []ref.Ref{}, Failed: []BulkFailure{}}
	if err := s.authz.RequireSome(ctx, permission); err != nil {
		return out, err
	}
	cmd.Sort = []Sort{{Field: "id"}}
	p, err := s.List(ctx, cmd.ListCmd)
	if err != nil {
		return out, err
	}
	for _, d := range p.Items {
		err := s.bulkOne(ctx, cmd, d)
		var f *fault.Error
		switch {
		case err == nil, cmd.Delete && errors.Is(err, fault.ErrNotFound):
			out.Done = append(out.Done, d.Ref())
		case errors.As(err, &f) && f.Kind != fault.Internal && f.Kind != fault.Unavailable && f.Kind != fault.Timeout && f.Kind != fault.Canceled:
			out.Failed = append(out.Failed, BulkFailure{Document: d.Ref(), Code: f.Code, Message: f.Msg})
		default:
			return out, err
		}
	}
	if p.HasNext {
		out.Next = &p.Cursors[len(p.Cursors)-1]
	}
	return out, nil
}

func (s *Service) bulkOne(ctx context.Context, cmd BulkCmd, d Document) error {
	if cmd.Delete {
		_, err := s.Delete(ctx, DeleteCmd{On: d.Ref()})
		return err
	}
	_, err := s.Update(ctx, UpdateCmd{On: d.Ref(), Rev: d.Rev, Patch: cmd.Patch, Merge: true})
	return err
}
