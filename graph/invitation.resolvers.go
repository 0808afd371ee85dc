package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Invite is the resolver for the invite field.
func (r *mutationResolver) Invite(ctx context.Context, input model.InviteInput) (*model.InvitationPayload, error) {
	return invitationPayload(r.Auth.Invite(ctx, webauth.InviteCmd{
		Email: input.Email, Role: text(input.Role), Plan: text(input.Plan), Days: input.Days,
	}))
}

// RevokeInvitation is the resolver for the revokeInvitation field.
func (r *mutationResolver) RevokeInvitation(ctx context.Context, input model.RevokeInvitationInput) (*model.InvitationPayload, error) {
	return invitationPayload(r.Auth.RevokeInvitation(ctx, input.Invitation))
}

// Invitations is the resolver for the invitations field.
func (r *queryResolver) Invitations(ctx context.Context, first *int, after *string, last *int, before *string) (*model.InvitationConnection, error) {
	p, err := r.Auth.Invitations(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	out := &model.InvitationConnection{Edges: []model.InvitationEdge{}, Nodes: []model.Invitation{}, PageInfo: pageInfo(p)}
	for i, inv := range p.Items {
		out.Nodes = append(out.Nodes, invitation(inv))
		out.Edges = append(out.Edges, model.InvitationEdge{Cursor: p.Cursors[i], Node: out.Nodes[i]})
	}
	return out, nil
}
