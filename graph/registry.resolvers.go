package graph

import (
	"context"
	"fmt"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// From is the resolver for the from field.
func (r *backlinkResolver) From(ctx context.Context, obj *registry.Reference) (*registry.Document, error) {
	panic(fmt.Errorf("not implemented: From - from"))
}

// Type is the resolver for the type field.
func (r *documentResolver) Type(ctx context.Context, obj *registry.Document) (*registry.ContentType, error) {
	panic(fmt.Errorf("not implemented: Type - type"))
}

// Owner is the resolver for the owner field.
func (r *documentResolver) Owner(ctx context.Context, obj *registry.Document) (*account.User, error) {
	panic(fmt.Errorf("not implemented: Owner - owner"))
}

// References is the resolver for the references field.
func (r *documentResolver) References(ctx context.Context, obj *registry.Document) ([]registry.Reference, error) {
	panic(fmt.Errorf("not implemented: References - references"))
}

// Backlinks is the resolver for the backlinks field.
func (r *documentResolver) Backlinks(ctx context.Context, obj *registry.Document, first *int, after *string, last *int, before *string) (*model.BacklinkConnection, error) {
	panic(fmt.Errorf("not implemented: Backlinks - backlinks"))
}

// DefineContentType is the resolver for the defineContentType field.
func (r *mutationResolver) DefineContentType(ctx context.Context, input model.DefineContentTypeInput) (*model.DefineContentTypePayload, error) {
	panic(fmt.Errorf("not implemented: DefineContentType - defineContentType"))
}

// CreateDocument is the resolver for the createDocument field.
func (r *mutationResolver) CreateDocument(ctx context.Context, input model.CreateDocumentInput) (*model.CreateDocumentPayload, error) {
	panic(fmt.Errorf("not implemented: CreateDocument - createDocument"))
}

// UpdateDocument is the resolver for the updateDocument field.
func (r *mutationResolver) UpdateDocument(ctx context.Context, input model.UpdateDocumentInput) (*model.UpdateDocumentPayload, error) {
	panic(fmt.Errorf("not implemented: UpdateDocument - updateDocument"))
}

// DeleteDocument is the resolver for the deleteDocument field.
func (r *mutationResolver) DeleteDocument(ctx context.Context, input model.DeleteDocumentInput) (*model.DeleteDocumentPayload, error) {
	panic(fmt.Errorf("not implemented: DeleteDocument - deleteDocument"))
}

// ContentTypes is the resolver for the contentTypes field.
func (r *queryResolver) ContentTypes(ctx context.Context) ([]registry.ContentType, error) {
	panic(fmt.Errorf("not implemented: ContentTypes - contentTypes"))
}

// Documents is the resolver for the documents field.
func (r *queryResolver) Documents(ctx context.Context, typeArg string, first *int, after *string, last *int, before *string) (*model.DocumentConnection, error) {
	panic(fmt.Errorf("not implemented: Documents - documents"))
}

// Resolve is the resolver for the resolve field.
func (r *queryResolver) Resolve(ctx context.Context, refs []ref.Ref) ([]model.RefTarget, error) {
	panic(fmt.Errorf("not implemented: Resolve - resolve"))
}

// Target is the resolver for the target field.
func (r *referenceResolver) Target(ctx context.Context, obj *registry.Reference) (model.RefTarget, error) {
	panic(fmt.Errorf("not implemented: Target - target"))
}

// Backlink returns generated.BacklinkResolver implementation.
func (r *Resolver) Backlink() generated.BacklinkResolver { return &backlinkResolver{r} }

// Document returns generated.DocumentResolver implementation.
func (r *Resolver) Document() generated.DocumentResolver { return &documentResolver{r} }

// Reference returns generated.ReferenceResolver implementation.
func (r *Resolver) Reference() generated.ReferenceResolver { return &referenceResolver{r} }

type (
	backlinkResolver  struct{ *Resolver }
	documentResolver  struct{ *Resolver }
	referenceResolver struct{ *Resolver }
)
