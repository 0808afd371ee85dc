package graph

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/ref"
)

// AttachmentLink is the resolver for the attachmentLink field.
func (r *queryResolver) AttachmentLink(ctx context.Context, input model.AttachmentLinkInput) (*attachment.Link, error) {
	if input.ID.Type != ref.Attachment {
		return nil, ref.ErrID
	}
	ttl := time.Duration(0)
	if input.TTL != nil {
		ttl = time.Duration(max(min(*input.TTL, 1<<30), -1)) * time.Second
		if ttl == 0 {
			ttl = -1 // no time at all is no wish for the usual one
		}
	}
	link, err := r.Attachments.Link(ctx, input.ID.ID, input.Thumbnail, ttl)
	return &link, err
}
