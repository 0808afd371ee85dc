package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// catalogue is everything on offer, and all versions that somebody may still have, as of one read. It is immutable.
type catalogue struct {
	plans    []Plan          // by rank
	byID     map[string]Plan // with those that were deleted
	features map[string]Feature
	addons   map[string]Addon
	coupons  map[string]Coupon
	read     time.Time
}

func newCatalogue(plans []Plan, features []Feature, addons []Addon, coupons []Coupon, read time.Time) *catalogue {
	c := &catalogue{byID: keyed(plans, func(p Plan) string { return p.ID }), read: read}
	c.plans = slices.DeleteFunc(plans, func(p Plan) bool { return p.DeletedAt != nil })
	slices.SortFunc(c.plans, byRank)
	c.features = keyed(features, func(f Feature) string { return f.Key })
	c.addons = keyed(addons, func(a Addon) string { return a.Key })
	c.coupons = keyed(coupons, func(x Coupon) string { return x.Key })
	return c
}

func keyed[K comparable, T any](all []T, key func(T) K) map[K]T {
	m := make(map[K]T, len(all))
	for _, v := range all {
		m[key(v)] = v
	}
	return m
}

func (c *catalogue) plan(id string) (Plan, bool) {
	p, ok := c.byID[id]
	return p, ok
}

// must is a plan that somebody has.
func (c *catalogue) must(id string) (Plan, error) {
	p, ok := c.plan(id)
	if !ok {
		return p, fault.ErrInternal.Because(fmt.Errorf("plan %s is not in the catalogue", id))
	}
	return p, nil
}

// current is the newest version of a family.
func (c *catalogue) current(key string) (Plan, bool) {
	i := slices.IndexFunc(c.plans, func(p Plan) bool { return p.Key == key && p.Current })
	if i < 0 {
		return Plan{}, false
	}
	return c.plans[i], true
}

// lastVersion is the highest number of a family, also of what was deleted; 0 when there was none.
func (c *catalogue) lastVersion(key string) int {
	last := 0
	for _, p := range c.byID {
		if p.Key == key {
			last = max(last, p.Version)
		}
	}
	return last
}

// defaultPlan is the one plan new subjects are on.
//
// Errors: PLAN_NO_DEFAULT.
func (c *catalogue) defaultPlan() (Plan, error) {
	var found []Plan
	for _, p := range c.plans {
		if p.Default && p.Current {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return Plan{}, ErrNoDefault
	}
	return found[0], nil
}

// catalogue is everything on offer: what is in memory, or else four finds. What is read in a transaction is not kept, as it
// may be older than what was forgotten, or never commit.
func (s *Service) catalogue(ctx context.Context) (*catalogue, error) {
	s.mu.Lock()
	c, forgot := s.cached, s.forgot
	s.mu.Unlock()
	now := s.now()
	if c != nil && now.Sub(c.read) < s.cfg.CacheFor {
		return c, nil
	}
	c, err := s.store.catalogue(ctx, now, s.cfg.Features)
	if err != nil {
		return nil, err
	}
	if !store.InTransaction(ctx) {
		s.mu.Lock()
		if s.forgot == forgot {
			s.cached = c
		}
		s.mu.Unlock()
	}
	return c, nil
}

// catalogueWith is the catalogue; read anew when a plan is not in the one in memory, as it may have been made on another node
// a moment ago.
func (s *Service) catalogueWith(ctx context.Context, ids ...string) (*catalogue, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, known := c.plan(id); !known {
			return s.store.catalogue(ctx, s.now(), s.cfg.Features)
		}
	}
	return c, nil
}

func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached = nil
	s.forgot++
}

// CheckCatalogue tells at start-up whether the catalogue will do.
//
// Errors: PLAN_NO_DEFAULT; BAD_USER_INPUT when one of the features named is not declared.
func (s *Service) CheckCatalogue(ctx context.Context, features ...string) error {
	c, err := s.catalogue(ctx)
	if err != nil {
		return err
	}
	for _, key := range features {
		if _, known := c.features[key]; !known {
			return fault.ErrInput.Saying("there is no feature %s", key)
		}
	}
	_, err = c.defaultPlan()
	return err
}

// Declared reports whether the code, and so every catalogue, has a feature.
func (s *Service) Declared(feature string) bool {
	return slices.ContainsFunc(s.cfg.Features, func(f Feature) bool { return f.Key == feature })
}

// All is every version of every plan, by rank; for who edits the catalogue or moves others, and the system. Cost: none while
// it is cached, else four finds.
//
// Errors: UNAUTHENTICATED, FORBIDDEN.
func (s *Service) All(ctx context.Context) ([]Plan, error) {
	if err := s.requireAny(ctx, PermCatalogueWrite, PermWrite, PermRead); err != nil {
		return nil, err
	}
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(c.plans), nil
}

// OnOffer is what a subject may choose from, by rank: the current version of what is neither hidden nor closed nor for somebody
// else, and the plan it is on. It is public; the zero Ref is anybody. Cost: as [Service.All], and one find for a subject.
func (s *Service) OnOffer(ctx context.Context, subject ref.Ref) ([]Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	mine := ""
	if !subject.IsZero() {
		m, err := s.membership(ctx, subject)
		if err != nil {
			return nil, err
		}
		mine = m.Plan
	}
	var all []Plan
	for _, p := range c.plans {
		if p.ID == mine || p.Current && !p.Hidden && !p.Closed && p.seenBy(subject) {
			all = append(all, p)
		}
	}
	return all, nil
}

// Features is what plans differ in, by key. It is public. Cost: none while it is cached.
func (s *Service) Features(ctx context.Context) ([]Feature, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return sorted(c.features), nil
}

// Addons is what can be bought besides a plan, by key. It is public. Cost: none while it is cached.
func (s *Service) Addons(ctx context.Context) ([]Addon, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sorted(c.addons), func(a Addon) bool { return a.Closed }), nil
}

func sorted[T any](m map[string]T) []T {
	all := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[k])
	}
	return all
}

// ByIDs gives these plans; absent ones are left out. What somebody knows the id of may be seen. Cost: as [Service.All].
func (s *Service) ByIDs(ctx context.Context, ids []string) (map[string]Plan, error) {
	c, err := s.catalogueWith(ctx, ids...)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Plan, len(ids))
	for _, id := range ids {
		if p, ok := c.plan(id); ok {
			found[id] = p
		}
	}
	return found, nil
}

// ByKey is the current version of the plan of that key. Cost: as [Service.All].
//
// Errors: PLAN_UNKNOWN.
func (s *Service) ByKey(ctx context.Context, key string) (Plan, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return Plan{}, err
	}
	p, ok := c.current(key)
	if !ok {
		return Plan{}, ErrUnknown
	}
	return p, nil
}
