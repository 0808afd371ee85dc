package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// maxNodes is how many ids `nodes` takes.
const maxNodes = 100

// findNodes gives the objects of one type that exist and that the caller may see, by id: one call of the owning service,
// which leaves out the absent and the hidden alike, after the same work. Every type that implements Node has a case.
func (r *Resolver) findNodes(ctx context.Context, typ string, ids []string) (map[string]model.Node, error) {
	switch typ {
	case ref.User:
		return asNodes(r.knownUsers(ctx, ids))
	case ref.Session:
		return asNodes(r.Sessions.ByIDs(ctx, ids))
	case ref.Device:
		return asNodes(r.Auth.DevicesByIDs(ctx, ids))
	case ref.Key:
		return asNodes(r.Sessions.KeysByIDs(ctx, ids))
	case ref.Factor:
		return asNodes(r.Auth.FactorsByIDs(ctx, ids))
	case ref.Identity:
		return asNodes(r.Auth.IdentitiesByIDs(ctx, ids))
	case ref.Role:
		return asNodes(r.Rights.ByIDs(ctx, ids))
	case ref.Grant:
		return asNodes(r.Rights.GrantsByIDs(ctx, ids))
	case ref.Plan:
		return asNodes(r.Plans.ByIDs(ctx, ids))
	case ref.Membership:
		return asNodes(r.Plans.MembershipsByIDs(ctx, ids))
	case ref.ContentType:
		return asNodes(r.Documents.TypesByIDs(ctx, ids))
	case ref.Job:
		return asNodes(r.Jobs.ByIDs(ctx, ids))
	case ref.Document:
		return asNodes(r.Documents.ByIDs(ctx, typ, ids))
	case ref.Note, ref.Task, ref.Comment, ref.Tag, ref.Attachment, ref.Bookmark, ref.Report, ref.Dashboard:
		return natives(r.Documents.ByIDs(ctx, typ, ids))
	default:
		return nil, nil //nolint:nilnil // no such type: nothing is found
	}
}

func asNodes[T any](found map[string]T, err error) (map[string]model.Node, error) {
	nodes := make(map[string]model.Node, len(found))
	for id, v := range found {
		nodes[id] = v
	}
	return nodes, err
}

// natives are documents of the content types of the code, each as the type it has in the schema.
func natives(found map[string]registry.Document, err error) (map[string]model.Node, error) {
	nodes := make(map[string]model.Node, len(found))
	for id, d := range found {
		nodes[id] = registry.AsNative(d)
	}
	return nodes, err
}

// knownUsers gives users to whoever is signed in; the service gives a name to anybody who has met its owner, which the
// sender of a bare id need not have.
func (r *Resolver) knownUsers(ctx context.Context, ids []string) (map[string]account.User, error) {
	if actor.From(ctx).IsAnonymous() {
		return map[string]account.User{}, nil
	}
	return r.Accounts.ByIDs(ctx, ids)
}

// nodes gives objects in the order of their ids, nil for each that is absent or hidden. Cost: one read for each type.
//
// Errors: BAD_USER_INPUT for too many.
func (r *Resolver) nodes(ctx context.Context, refs []ref.Ref) ([]model.Node, error) {
	if len(refs) > maxNodes {
		return nil, fault.ErrInput.Saying("at most %d objects are read at once", maxNodes).On("ids")
	}
	ids := map[string][]string{}
	asked := map[ref.Ref]bool{}
	for _, to := range refs {
		if !asked[to] {
			asked[to] = true
			ids[to.Type] = append(ids[to.Type], to.ID)
		}
	}
	found := make(map[ref.Ref]model.Node, len(refs))
	var docs []registry.Document
	for typ, of := range ids {
		nodes, err := r.findNodes(ctx, typ, of)
		if err != nil {
			return nil, err
		}
		for id, n := range nodes {
			found[ref.New(typ, id)] = n
			if d, ok := n.(registry.Document); ok {
				docs = append(docs, d)
			}
		}
	}
	loader.Saw(ctx, docs)
	out := make([]model.Node, len(refs))
	for i, to := range refs {
		out[i] = found[to]
	}
	return out, nil
}
