package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// From is the resolver for the from field.
func (r *backlinkResolver) From(ctx context.Context, obj *registry.Reference) (*registry.Document, error) {
	d, err := loader.Document(ctx, obj.From.ID)
	if err == nil && d == nil { // deleted since the page was read
		return nil, fault.ErrNotFound
	}
	return d, err
}

// Fields is the resolver for the fields field.
func (r *contentTypeResolver) Fields(ctx context.Context, obj *registry.ContentType) ([]registry.Field, error) {
	return r.Documents.Fields(ctx, obj.ID)
}

// FilterSchema is the resolver for the filterSchema field.
func (r *contentTypeResolver) FilterSchema(ctx context.Context, obj *registry.ContentType) (map[string]any, error) {
	return r.Documents.FilterSchema(ctx, obj.ID)
}

// Type is the resolver for the type field.
func (r *documentResolver) Type(ctx context.Context, obj *registry.Document) (*registry.ContentType, error) {
	t, err := loader.ContentType(ctx, obj.Type)
	if err == nil && t == nil {
		return nil, fault.ErrNotFound
	}
	return t, err
}

// Owner is the resolver for the owner field.
func (r *documentResolver) Owner(ctx context.Context, obj *registry.Document) (*account.User, error) {
	if obj.Owner.Type != ref.User {
		return nil, nil
	}
	return loader.User(ctx, obj.Owner.ID)
}

// References is the resolver for the references field.
func (r *documentResolver) References(ctx context.Context, obj *registry.Document) ([]registry.Reference, error) {
	return loader.References(ctx, obj.ID)
}

// Backlinks is the resolver for the backlinks field.
func (r *documentResolver) Backlinks(ctx context.Context, obj *registry.Document, first *int, after *string, last *int, before *string) (*model.BacklinkConnection, error) {
	p, err := r.Documents.Backlinks(ctx, obj.Ref(), pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	loader.SawReferences(ctx, p.Items)
	return &model.BacklinkConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(p, func(cursor string, node registry.Reference) model.BacklinkEdge {
			return model.BacklinkEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// Count is the resolver for the count field.
func (r *documentConnectionResolver) Count(ctx context.Context, obj *model.DocumentConnection, limit int) (int, error) {
	return r.Documents.Count(ctx, obj.Asked, limit)
}

// Operators is the resolver for the operators field.
func (r *documentFieldResolver) Operators(ctx context.Context, obj *registry.Field) ([]string, error) {
	return words(obj.Operators()), nil
}

// DefineContentType is the resolver for the defineContentType field.
func (r *mutationResolver) DefineContentType(ctx context.Context, input model.DefineContentTypeInput) (*model.DefineContentTypePayload, error) {
	t, err := r.Documents.Define(ctx, registry.DefineCmd{Key: input.Key, Name: input.Name, Schema: input.Schema})
	if err != nil {
		return nil, err
	}
	return &model.DefineContentTypePayload{ContentType: t}, nil
}

// CreateDocument is the resolver for the createDocument field.
func (r *mutationResolver) CreateDocument(ctx context.Context, input model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
	d, err := r.Documents.Create(ctx, registry.CreateCmd{Type: input.Type, Data: input.Data})
	if err != nil {
		return nil, err
	}
	return &model.CreateDocumentPayload{Document: d}, nil
}

// UpdateDocument is the resolver for the updateDocument field.
func (r *mutationResolver) UpdateDocument(ctx context.Context, input model.UpdateDocumentInput) (*model.UpdateDocumentPayload, error) {
	if input.ID.Type != ref.Document {
		return nil, fault.ErrNotFound
	}
	d, err := r.Documents.Update(ctx, registry.UpdateCmd{ID: input.ID.ID, Rev: input.Rev, Patch: input.Patch})
	if err != nil {
		return nil, err
	}
	return &model.UpdateDocumentPayload{Document: d}, nil
}

// DeleteDocument is the resolver for the deleteDocument field.
func (r *mutationResolver) DeleteDocument(ctx context.Context, input model.DeleteDocumentInput) (*model.DeleteDocumentPayload, error) {
	if input.ID.Type != ref.Document {
		return nil, fault.ErrNotFound
	}
	deleted, err := r.Documents.Delete(ctx, input.ID.ID)
	if err != nil {
		return nil, err
	}
	return &model.DeleteDocumentPayload{Deleted: deleted}, nil
}

// ContentTypes is the resolver for the contentTypes field.
func (r *queryResolver) ContentTypes(ctx context.Context) ([]registry.ContentType, error) {
	return r.Resolver.Documents.Types(ctx)
}

// Documents is the resolver for the documents field.
func (r *queryResolver) Documents(ctx context.Context, typeArg string, filter map[string]any, search *string, prefix *string, sort []registry.Sort, allowScan bool, first *int, after *string, last *int, before *string) (*model.DocumentConnection, error) {
	asked := registry.ListCmd{
		Type: typeArg, Filter: filter, Search: given(search), Prefix: given(prefix), Sort: sort, AllowScan: allowScan,
		Page: pageArgs(first, after, last, before),
	}
	p, err := r.Resolver.Documents.List(ctx, asked)
	if err != nil {
		return nil, err
	}
	loader.Saw(ctx, p.Items)
	return &model.DocumentConnection{
		Nodes: p.Items, PageInfo: pageInfo(p), Asked: asked,
		Edges: edges(p, func(cursor string, node registry.Document) model.DocumentEdge {
			return model.DocumentEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// DocumentFacets is the resolver for the documentFacets field.
func (r *queryResolver) DocumentFacets(ctx context.Context, input model.DocumentFacetsInput) ([]model.DocumentFacet, error) {
	all, err := r.Resolver.Documents.Facets(ctx, registry.FacetsCmd{
		Type: input.Type, Filter: input.Filter, Search: given(input.Search), Fields: input.Fields, AllowScan: input.AllowScan,
	})
	if err != nil {
		return nil, err
	}
	return documentFacets(all), nil
}

// Resolve is the resolver for the resolve field.
func (r *queryResolver) Resolve(ctx context.Context, refs []ref.Ref) ([]model.RefTarget, error) {
	targets, err := r.Resolver.Documents.Resolve(ctx, refs)
	if err != nil {
		return nil, err
	}
	out := make([]model.RefTarget, len(targets))
	docs := make([]registry.Document, 0, len(targets))
	for i, t := range targets {
		out[i] = refTarget(t)
		if d, ok := t.Object.(registry.Document); ok {
			docs = append(docs, d)
		}
	}
	loader.Saw(ctx, docs)
	return out, nil
}

// Target is the resolver for the target field.
func (r *referenceResolver) Target(ctx context.Context, obj *registry.Reference) (model.RefTarget, error) {
	t, err := loader.Target(ctx, obj.To)
	if err != nil {
		return nil, err
	}
	return refTarget(t), nil
}

// Backlink returns generated.BacklinkResolver implementation.
func (r *Resolver) Backlink() generated.BacklinkResolver { return &backlinkResolver{r} }

// ContentType returns generated.ContentTypeResolver implementation.
func (r *Resolver) ContentType() generated.ContentTypeResolver { return &contentTypeResolver{r} }

// Document returns generated.DocumentResolver implementation.
func (r *Resolver) Document() generated.DocumentResolver { return &documentResolver{r} }

// DocumentConnection returns generated.DocumentConnectionResolver implementation.
func (r *Resolver) DocumentConnection() generated.DocumentConnectionResolver {
	return &documentConnectionResolver{r}
}

// DocumentField returns generated.DocumentFieldResolver implementation.
func (r *Resolver) DocumentField() generated.DocumentFieldResolver { return &documentFieldResolver{r} }

// Reference returns generated.ReferenceResolver implementation.
func (r *Resolver) Reference() generated.ReferenceResolver { return &referenceResolver{r} }

type (
	backlinkResolver           struct{ *Resolver }
	contentTypeResolver        struct{ *Resolver }
	documentResolver           struct{ *Resolver }
	documentConnectionResolver struct{ *Resolver }
	documentFieldResolver      struct{ *Resolver }
	referenceResolver          struct{ *Resolver }
)
