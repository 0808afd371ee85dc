package graph

import (
	"context"
	"errors"
	"time"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// On is the resolver for the on field.
func (r *attachmentResolver) On(ctx context.Context, obj *registry.Attachment) (model.RefTarget, error) {
	return pointed(ctx, obj.On)
}

// From is the resolver for the from field.
func (r *backlinkResolver) From(ctx context.Context, obj *registry.Reference) (*registry.Document, error) {
	d, err := loader.Document(ctx, obj.From)
	if err == nil && d == nil { // deleted since the page was read
		return nil, fault.ErrNotFound
	}
	return d, err
}

// On is the resolver for the on field.
func (r *bookmarkResolver) On(ctx context.Context, obj *registry.Bookmark) (model.RefTarget, error) {
	return target(ctx, obj.On)
}

// On is the resolver for the on field.
func (r *commentResolver) On(ctx context.Context, obj *registry.Comment) (model.RefTarget, error) {
	return target(ctx, obj.On)
}

// InReplyTo is the resolver for the inReplyTo field.
func (r *commentResolver) InReplyTo(ctx context.Context, obj *registry.Comment) (model.RefTarget, error) {
	return pointed(ctx, obj.InReplyTo)
}

// Aliases is the resolver for the aliases field.
func (r *contentTypeResolver) Aliases(ctx context.Context, obj *registry.ContentType) ([]string, error) {
	return append([]string{}, obj.Aliases...), nil
}

// Outdated is the resolver for the outdated field.
func (r *contentTypeResolver) Outdated(ctx context.Context, obj *registry.ContentType) (int, error) {
	n, err := r.Documents.Outdated(ctx, obj.ID)
	return int(n), err
}

// Fields is the resolver for the fields field.
func (r *contentTypeResolver) Fields(ctx context.Context, obj *registry.ContentType) ([]registry.Field, error) {
	return r.Documents.Fields(ctx, obj.ID)
}

// FilterSchema is the resolver for the filterSchema field.
func (r *contentTypeResolver) FilterSchema(ctx context.Context, obj *registry.ContentType) (map[string]any, error) {
	return r.Documents.FilterSchema(ctx, obj.ID)
}

// Before is the resolver for the before field.
func (r *differenceResolver) Before(ctx context.Context, obj *registry.Difference) (map[string]any, error) {
	return boxed(obj.Before, obj.Op != "add"), nil
}

// After is the resolver for the after field.
func (r *differenceResolver) After(ctx context.Context, obj *registry.Difference) (map[string]any, error) {
	return boxed(obj.After, obj.Op != "remove"), nil
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
	return userAt(ctx, obj.Owner)
}

// UpdatedBy is the resolver for the updatedBy field.
func (r *documentResolver) UpdatedBy(ctx context.Context, obj *registry.Document) (*account.User, error) {
	return userAt(ctx, obj.By.User)
}

// ImpersonatedBy is the resolver for the impersonatedBy field.
func (r *documentResolver) ImpersonatedBy(ctx context.Context, obj *registry.Document) (*account.User, error) {
	return userAt(ctx, obj.By.Impersonator)
}

// Deleting is the resolver for the deleting field.
func (r *documentResolver) Deleting(ctx context.Context, obj *registry.Document) (bool, error) {
	return obj.Deleting != "", nil
}

// References is the resolver for the references field.
func (r *documentResolver) References(ctx context.Context, obj *registry.Document) ([]registry.Reference, error) {
	return loader.References(ctx, obj.Ref())
}

// Backlinks is the resolver for the backlinks field.
func (r *documentResolver) Backlinks(ctx context.Context, obj *registry.Document, types []string, first *int, after *string, last *int, before *string) (*model.BacklinkConnection, error) {
	if args := pageArgs(first, after, last, before); args.Last != nil || args.After != nil || args.Before != nil {
		return r.backlinks(ctx, registry.BacklinksCmd{To: obj.Ref(), Types: types, Page: args})
	}
	p, err := loader.Backlinks(ctx, obj.Ref(), types, sizeOf(first))
	if err != nil {
		return nil, err
	}
	return backlinkConnection(ctx, p), nil
}

// History is the resolver for the history field.
func (r *documentResolver) History(ctx context.Context, obj *registry.Document, first *int, after *string, last *int, before *string) (*model.RevisionConnection, error) {
	p, err := r.Documents.History(ctx, obj.Ref(), pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.RevisionConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node registry.Change) model.RevisionEdge {
			return model.RevisionEdge{Cursor: cursor, Node: node}
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

// EvolveContentType is the resolver for the evolveContentType field.
func (r *mutationResolver) EvolveContentType(ctx context.Context, input model.EvolveContentTypeInput) (*model.EvolveContentTypePayload, error) {
	steps := make([]registry.Step, len(input.Steps))
	for i, st := range input.Steps {
		steps[i] = registry.Step{Op: st.Op, Field: st.Field, Value: st.Value["value"]}
		if st.To != nil {
			steps[i].To = *st.To
		}
	}
	t, check, err := r.Documents.Evolve(ctx, registry.EvolveCmd{
		Type: input.Type, Version: input.Version, Schema: input.Schema, Steps: steps, DryRun: input.DryRun, Force: input.Force,
	})
	if err != nil {
		return nil, err
	}
	return &model.EvolveContentTypePayload{ContentType: t, Check: check}, nil
}

// RenameContentType is the resolver for the renameContentType field.
func (r *mutationResolver) RenameContentType(ctx context.Context, input model.RenameContentTypeInput) (*model.RenameContentTypePayload, error) {
	t, err := r.Documents.Rename(ctx, registry.RenameCmd{Type: input.Type, Key: text(input.Key), Name: text(input.Name)})
	if err != nil {
		return nil, err
	}
	return &model.RenameContentTypePayload{ContentType: t}, nil
}

// SetContentTypeState is the resolver for the setContentTypeState field.
func (r *mutationResolver) SetContentTypeState(ctx context.Context, input model.SetContentTypeStateInput) (*model.SetContentTypeStatePayload, error) {
	t, err := r.Documents.SetState(ctx, input.Type, input.State)
	if err != nil {
		return nil, err
	}
	return &model.SetContentTypeStatePayload{ContentType: t}, nil
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
	d, err := r.Documents.Update(ctx, registry.UpdateCmd{On: input.ID, Rev: input.Rev, Patch: input.Patch, Merge: input.Merge})
	if err != nil {
		return nil, err
	}
	return &model.UpdateDocumentPayload{Document: d}, nil
}

// DeleteDocument is the resolver for the deleteDocument field.
func (r *mutationResolver) DeleteDocument(ctx context.Context, input model.DeleteDocumentInput) (*model.DeleteDocumentPayload, error) {
	out, err := r.Documents.Delete(ctx, registry.DeleteCmd{On: input.ID, Purge: input.Purge})
	if err != nil {
		return nil, err
	}
	if out.Job != "" {
		return &model.DeleteDocumentPayload{Deleted: []ref.Ref{}, Job: &out.Job}, nil
	}
	return &model.DeleteDocumentPayload{Deleted: out.Refs}, nil
}

// RestoreDocument is the resolver for the restoreDocument field.
func (r *mutationResolver) RestoreDocument(ctx context.Context, input model.RestoreDocumentInput) (*model.RestoreDocumentPayload, error) {
	docs, err := r.Documents.Restore(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	loader.Saw(ctx, docs)
	return &model.RestoreDocumentPayload{Documents: docs}, nil
}

// PurgeDocument is the resolver for the purgeDocument field.
func (r *mutationResolver) PurgeDocument(ctx context.Context, input model.PurgeDocumentInput) (*model.PurgeDocumentPayload, error) {
	purged, err := r.Documents.Purge(ctx, input.ID)
	if err != nil {
		return nil, err
	}
	return &model.PurgeDocumentPayload{Purged: purged}, nil
}

// RevertDocument is the resolver for the revertDocument field.
func (r *mutationResolver) RevertDocument(ctx context.Context, input model.RevertDocumentInput) (*model.RevertDocumentPayload, error) {
	d, err := r.Documents.Revert(ctx, registry.RevertCmd{On: input.ID, Rev: input.Rev, To: input.To})
	if err != nil {
		return nil, err
	}
	return &model.RevertDocumentPayload{Document: d}, nil
}

// UpdateDocuments is the resolver for the updateDocuments field.
func (r *mutationResolver) UpdateDocuments(ctx context.Context, input model.UpdateDocumentsInput) (*registry.BulkResult, error) {
	out, err := r.Documents.Bulk(ctx, registry.BulkCmd{
		ListCmd: registry.ListCmd{Type: input.Type, Filter: input.Filter, Page: pageArgs(&input.First, input.After, nil, nil)}, Patch: input.Patch,
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// DeleteDocuments is the resolver for the deleteDocuments field.
func (r *mutationResolver) DeleteDocuments(ctx context.Context, input model.DeleteDocumentsInput) (*registry.BulkResult, error) {
	out, err := r.Documents.Bulk(ctx, registry.BulkCmd{
		ListCmd: registry.ListCmd{Type: input.Type, Filter: input.Filter, Page: pageArgs(&input.First, input.After, nil, nil)}, Delete: true,
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// VerifyReferences is the resolver for the verifyReferences field.
func (r *mutationResolver) VerifyReferences(ctx context.Context, input model.VerifyReferencesInput) (*model.VerifyReferencesPayload, error) {
	job, err := r.Documents.StartVerify(ctx, input.Repair)
	if err != nil {
		return nil, err
	}
	return &model.VerifyReferencesPayload{Job: job}, nil
}

// About is the resolver for the about field.
func (r *noteResolver) About(ctx context.Context, obj *registry.Note) ([]model.RefTarget, error) {
	return targets(ctx, obj.About)
}

// ContentTypes is the resolver for the contentTypes field.
func (r *queryResolver) ContentTypes(ctx context.Context) ([]registry.ContentType, error) {
	return r.Resolver.Documents.Types(ctx)
}

// Document is the resolver for the document field.
func (r *queryResolver) Document(ctx context.Context, id ref.Ref, rev *int, asOf *time.Time) (*registry.Document, error) {
	var past registry.Past
	var err error
	switch {
	case rev != nil:
		past, err = r.Resolver.Documents.At(ctx, id, *rev)
	case asOf != nil:
		past, err = r.Resolver.Documents.AsOf(ctx, id, *asOf)
	default:
		return loader.Document(ctx, id)
	}
	if errors.Is(err, fault.ErrNotFound) {
		return nil, nil
	}
	return &past.Document, err
}

// DocumentDeleteReport is the resolver for the documentDeleteReport field.
func (r *queryResolver) DocumentDeleteReport(ctx context.Context, id ref.Ref) (*registry.DeleteReport, error) {
	report, err := r.Resolver.Documents.Report(ctx, id)
	return &report, err
}

// Trash is the resolver for the trash field.
func (r *queryResolver) Trash(ctx context.Context, typeArg string, first *int, after *string, last *int, before *string) (*model.TrashConnection, error) {
	p, err := r.Resolver.Documents.Trash(ctx, typeArg, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.TrashConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node registry.Trashed) model.TrashEdge {
			return model.TrashEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// Backlinks is the resolver for the backlinks field.
func (r *queryResolver) Backlinks(ctx context.Context, to ref.Ref, types []string, first *int, after *string, last *int, before *string) (*model.BacklinkConnection, error) {
	return r.backlinks(ctx, registry.BacklinksCmd{To: to, Types: types, Page: pageArgs(first, after, last, before)})
}

// Documents is the resolver for the documents field.
func (r *queryResolver) Documents(ctx context.Context, typeArg string, filter map[string]any, search *string, prefix *string, sort []registry.Sort, allowScan bool, first *int, after *string, last *int, before *string) (*model.DocumentConnection, error) {
	asked := registry.ListCmd{
		Type: typeArg, Filter: filter, Search: text(search), Prefix: text(prefix), Sort: sort, AllowScan: allowScan,
		Page: pageArgs(first, after, last, before),
		Bare: !selects(ctx, "nodes", "data") && !selects(ctx, "edges", "node", "data"),
	}
	p, err := r.Resolver.Documents.List(ctx, asked)
	if err != nil {
		return nil, err
	}
	loader.Saw(ctx, p.Items)
	return &model.DocumentConnection{
		Nodes: p.Items, PageInfo: pageInfo(p), Asked: asked,
		Edges: edges(ctx, p, func(cursor string, node registry.Document) model.DocumentEdge {
			return model.DocumentEdge{Cursor: cursor, Node: node}
		}),
	}, nil
}

// DocumentFacets is the resolver for the documentFacets field.
func (r *queryResolver) DocumentFacets(ctx context.Context, input model.DocumentFacetsInput) ([]model.DocumentFacet, error) {
	all, err := r.Resolver.Documents.Facets(ctx, registry.FacetsCmd{
		Type: input.Type, Filter: input.Filter, Search: text(input.Search), Fields: input.Fields, AllowScan: input.AllowScan,
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
	return target(ctx, obj.To.String())
}

// Author is the resolver for the author field.
func (r *revisionResolver) Author(ctx context.Context, obj *registry.Change) (*account.User, error) {
	return userAt(ctx, obj.By.User)
}

// ImpersonatedBy is the resolver for the impersonatedBy field.
func (r *revisionResolver) ImpersonatedBy(ctx context.Context, obj *registry.Change) (*account.User, error) {
	return userAt(ctx, obj.By.Impersonator)
}

// Document is the resolver for the document field.
func (r *revisionResolver) Document(ctx context.Context, obj *registry.Change) (*registry.Document, error) {
	past, err := r.Documents.At(ctx, obj.Of, obj.Rev)
	if errors.Is(err, registry.ErrRevision) {
		return nil, nil
	}
	return &past.Document, err
}

// Diff is the resolver for the diff field.
func (r *revisionResolver) Diff(ctx context.Context, obj *registry.Change, from *int) ([]registry.Difference, error) {
	if from == nil {
		return r.Documents.DiffBefore(ctx, obj.Of, obj.Rev)
	}
	return r.Documents.Diff(ctx, obj.Of, *from, obj.Rev)
}

// On is the resolver for the on field.
func (r *tagResolver) On(ctx context.Context, obj *registry.Tag) ([]model.RefTarget, error) {
	return targets(ctx, obj.On)
}

// Assignee is the resolver for the assignee field.
func (r *taskResolver) Assignee(ctx context.Context, obj *registry.Task) (model.RefTarget, error) {
	return pointed(ctx, obj.Assignee)
}

// About is the resolver for the about field.
func (r *taskResolver) About(ctx context.Context, obj *registry.Task) ([]model.RefTarget, error) {
	return targets(ctx, obj.About)
}

// DeletedBy is the resolver for the deletedBy field.
func (r *trashedDocumentResolver) DeletedBy(ctx context.Context, obj *registry.Trashed) (*account.User, error) {
	return userAt(ctx, obj.By.User)
}

// Attachment returns generated.AttachmentResolver implementation.
func (r *Resolver) Attachment() generated.AttachmentResolver { return &attachmentResolver{r} }

// Backlink returns generated.BacklinkResolver implementation.
func (r *Resolver) Backlink() generated.BacklinkResolver { return &backlinkResolver{r} }

// Bookmark returns generated.BookmarkResolver implementation.
func (r *Resolver) Bookmark() generated.BookmarkResolver { return &bookmarkResolver{r} }

// Comment returns generated.CommentResolver implementation.
func (r *Resolver) Comment() generated.CommentResolver { return &commentResolver{r} }

// ContentType returns generated.ContentTypeResolver implementation.
func (r *Resolver) ContentType() generated.ContentTypeResolver { return &contentTypeResolver{r} }

// Difference returns generated.DifferenceResolver implementation.
func (r *Resolver) Difference() generated.DifferenceResolver { return &differenceResolver{r} }

// Document returns generated.DocumentResolver implementation.
func (r *Resolver) Document() generated.DocumentResolver { return &documentResolver{r} }

// DocumentConnection returns generated.DocumentConnectionResolver implementation.
func (r *Resolver) DocumentConnection() generated.DocumentConnectionResolver {
	return &documentConnectionResolver{r}
}

// DocumentField returns generated.DocumentFieldResolver implementation.
func (r *Resolver) DocumentField() generated.DocumentFieldResolver { return &documentFieldResolver{r} }

// Note returns generated.NoteResolver implementation.
func (r *Resolver) Note() generated.NoteResolver { return &noteResolver{r} }

// Reference returns generated.ReferenceResolver implementation.
func (r *Resolver) Reference() generated.ReferenceResolver { return &referenceResolver{r} }

// Revision returns generated.RevisionResolver implementation.
func (r *Resolver) Revision() generated.RevisionResolver { return &revisionResolver{r} }

// Tag returns generated.TagResolver implementation.
func (r *Resolver) Tag() generated.TagResolver { return &tagResolver{r} }

// Task returns generated.TaskResolver implementation.
func (r *Resolver) Task() generated.TaskResolver { return &taskResolver{r} }

// TrashedDocument returns generated.TrashedDocumentResolver implementation.
func (r *Resolver) TrashedDocument() generated.TrashedDocumentResolver {
	return &trashedDocumentResolver{r}
}

type (
	attachmentResolver         struct{ *Resolver }
	backlinkResolver           struct{ *Resolver }
	bookmarkResolver           struct{ *Resolver }
	commentResolver            struct{ *Resolver }
	contentTypeResolver        struct{ *Resolver }
	differenceResolver         struct{ *Resolver }
	documentResolver           struct{ *Resolver }
	documentConnectionResolver struct{ *Resolver }
	documentFieldResolver      struct{ *Resolver }
	noteResolver               struct{ *Resolver }
	referenceResolver          struct{ *Resolver }
	revisionResolver           struct{ *Resolver }
	tagResolver                struct{ *Resolver }
	taskResolver               struct{ *Resolver }
	trashedDocumentResolver    struct{ *Resolver }
)
