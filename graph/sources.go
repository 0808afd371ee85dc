package graph

import (
	"github.com/backendbook/backendbook/graph/loader"
)

// sources are the services' reads that the loaders join.
func (r *Resolver) sources() loader.Sources {
	return loader.Sources{
		Users:        r.Accounts.ByIDs,
		Roles:        r.Rights.ByIDs,
		Plans:        r.Plans.ByIDs,
		ContentTypes: r.Documents.TypesByIDs,
		Documents:    r.Documents.ByRefs,
		References:   r.Documents.References,
		Targets:      r.Documents.Resolve,
		Backlinks:    r.Documents.BacklinksOf,
		Standings:    r.Plans.Standings,
	}
}
