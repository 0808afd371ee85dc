package plan

import (
	"context"
	"slices"
)

// Catalogue is everything that is, was and will be on offer.
type Catalogue struct {
	Plans    []Plan // all versions, by rank
	Features []Feature
	Addons   []Addon
	Coupons  []Coupon
	YAML     string // the current versions as people write them
}

// WholeCatalogue gives it to who edits it. Needs plan.catalogue.write. Cost: none while it is cached, and 1 read for each role.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) WholeCatalogue(ctx context.Context) (Catalogue, error) {
	b, err := s.Export(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	text, err := b.YAML()
	if err != nil {
		return Catalogue{}, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	return Catalogue{Plans: slices.Clone(c.plans), Features: b.Features, Addons: b.Addons, Coupons: b.Coupons, YAML: string(text)}, nil
}
