package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/registry"
)

// refTarget is what a reference leads to as a member of the union.
func refTarget(t registry.Target) model.RefTarget {
	switch t.Outcome {
	case registry.Found, registry.Gone:
		return t.Object
	case registry.Unknown:
		return model.UnknownTarget{ID: t.Of}
	case registry.Hidden:
	}
	return model.Forbidden{ID: t.Of}
}
