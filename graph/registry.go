package graph

import (
	"context"
	"fmt"
	"strconv"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// refTarget is what a reference leads to as a member of the union.
func refTarget(t registry.Target) model.RefTarget {
	switch t.Outcome {
	case registry.Found:
		if d, ok := t.Object.(registry.Document); ok {
			return registry.AsNative(d)
		}
		return t.Object
	case registry.Gone:
		return t.Object
	case registry.Strange:
		of, _ := t.Object.(string)
		unknown := model.UnknownType{ID: t.Of}
		if of != "" {
			unknown.ContentType = new(ref.New(ref.ContentType, of))
		}
		return unknown
	case registry.Unknown:
		return model.UnknownTarget{ID: t.Of}
	case registry.Hidden:
	}
	return model.Forbidden{ID: t.Of}
}

// target is what a global id in the data of a document leads to. A text that is none is data that is hidden from the caller.
func target(ctx context.Context, global string) (model.RefTarget, error) {
	to, err := ref.Parse(global)
	if err != nil {
		return model.Forbidden{}, nil //nolint:nilerr // documented
	}
	t, err := loader.Target(ctx, to)
	if err != nil {
		return nil, err
	}
	return refTarget(t), nil
}

// pointed is target of an id that may be absent.
func pointed(ctx context.Context, global *string) (model.RefTarget, error) {
	if global == nil {
		return nil, nil //nolint:nilnil // the field is nullable
	}
	return target(ctx, *global)
}

// targets is target of several ids.
func targets(ctx context.Context, globals []string) ([]model.RefTarget, error) {
	all := make([]model.RefTarget, len(globals))
	for i, g := range globals {
		var err error
		if all[i], err = target(ctx, g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// userAt is the user a reference leads to; nil for the system and for nobody.
func userAt(ctx context.Context, at ref.Ref) (*account.User, error) {
	if at.Type != ref.User {
		return nil, nil //nolint:nilnil // the fields are nullable
	}
	return loader.User(ctx, at.ID)
}

// boxed is a value of any kind as the JSON object of the schema.
func boxed(v any, there bool) map[string]any {
	if !there {
		return nil
	}
	return map[string]any{"value": v}
}

// backlinks is one page of what leads to an object.
func (r *Resolver) backlinks(ctx context.Context, cmd registry.BacklinksCmd) (*model.BacklinkConnection, error) {
	p, err := r.Documents.Backlinks(ctx, cmd)
	if err != nil {
		return nil, err
	}
	loader.SawReferences(ctx, p.Items)
	return backlinkConnection(ctx, p), nil
}

func backlinkConnection(ctx context.Context, p page.Page[registry.Reference]) *model.BacklinkConnection {
	return &model.BacklinkConnection{
		Nodes: p.Items, PageInfo: pageInfo(p),
		Edges: edges(ctx, p, func(cursor string, node registry.Reference) model.BacklinkEdge {
			return model.BacklinkEdge{Cursor: cursor, Node: node}
		}),
	}
}

// words are operators as texts.
func words(ops []registry.FilterOp) []string {
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = string(op)
	}
	return out
}

// documentFacets are facets with their values as texts.
func documentFacets(all []registry.Facet) []model.DocumentFacet {
	out := make([]model.DocumentFacet, len(all))
	for i, f := range all {
		out[i] = model.DocumentFacet{Field: f.Field, Values: make([]model.DocumentFacetValue, len(f.Values))}
		for j, v := range f.Values {
			out[i].Values[j].Count = v.Count
			if v.Value != nil {
				out[i].Values[j].Value = new(facetText(v.Value))
			}
		}
	}
	return out
}

// facetText is a value as JSON writes it, a text without its quotes.
func facetText(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
