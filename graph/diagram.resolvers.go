package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/internal/diagram"
)

// SVG is the resolver for the svg field.
func (r *contentTypeDiagramResolver) SVG(ctx context.Context, obj *diagram.Graph) (string, error) {
	return string(diagram.SVG(*obj)), nil
}

// Mermaid is the resolver for the mermaid field.
func (r *contentTypeDiagramResolver) Mermaid(ctx context.Context, obj *diagram.Graph) (string, error) {
	return diagram.Mermaid(*obj), nil
}

// ContentTypeDiagram is the resolver for the contentTypeDiagram field.
func (r *queryResolver) ContentTypeDiagram(ctx context.Context) (*diagram.Graph, error) {
	g, err := r.Resolver.Documents.Diagram(ctx)
	if err != nil {
		return nil, err
	}
	return &g, nil
}

// ContentTypeDiagram returns generated.ContentTypeDiagramResolver implementation.
func (r *Resolver) ContentTypeDiagram() generated.ContentTypeDiagramResolver {
	return &contentTypeDiagramResolver{r}
}

type contentTypeDiagramResolver struct{ *Resolver }
