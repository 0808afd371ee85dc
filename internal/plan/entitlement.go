package plan

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Allowance is what a subject has of a feature, whatever it uses, and why.
type Allowance struct {
	Rule

	Kind   Kind
	Source string     // "override", "plan", "default" for the default plan, or "none"
	Until  *time.Time // end of the override; nil when it has none, or there is none
	Why    []string   // each step in words, such as "the plan Pro (version 2) allows 10"
}

// allowance is what the place has of a feature: a live override, or else what its plan says, or else what the default plan
// says, or else nothing; and what add-ons give besides.
func (p Place) allowance(c *catalogue, feature string) Allowance {
	a := Allowance{Rule: Rule{Feature: feature, Limit: new(int64(0))}, Kind: c.features[feature].Kind, Source: "none"}
	if r, ok := p.Plan.rule(feature); ok {
		a.Rule, a.Source = r, "plan"
		a.Why = append(a.Why, "the plan "+p.Plan.Name+" (version "+itoa(int64(p.Plan.Version))+") "+r.says(a.Kind))
	} else if def, err := c.defaultPlan(); err == nil {
		if r, ok := def.rule(feature); ok {
			a.Rule, a.Source = r, "default"
			a.Why = append(a.Why, "the plan "+p.Plan.Name+" says nothing of it; the default plan "+def.Name+" "+r.says(a.Kind))
		}
	}
	if len(a.Why) == 0 {
		why := "neither the plan " + p.Plan.Name + " nor the default plan has it"
		if c.features[feature].Open {
			a.Limit, why = nil, "neither the plan "+p.Plan.Name+" nor the default plan bounds it"
		}
		a.Why = append(a.Why, why)
	}
	for _, o := range p.Overrides {
		if o.Feature == feature && (o.ExpiresAt == nil || p.Now.Before(*o.ExpiresAt)) {
			reset := a.Reset
			a.Rule, a.Source, a.Until = o.Rule, "override", o.ExpiresAt
			if a.Reset == "" {
				a.Reset = reset
			}
			a.Why = append(a.Why, "an override by "+o.By.String()+" "+o.says(a.Kind)+until(o.ExpiresAt)+": "+o.Reason)
		}
	}
	for _, e := range p.Extras {
		if !p.has(e) || a.Limit == nil {
			continue
		}
		for _, g := range e.Gives {
			if g.Feature == feature {
				a.Limit = new(*a.Limit + g.Amount*e.Quantity)
				a.Why = append(a.Why, "the add-on "+e.Name+" gives "+itoa(g.Amount*e.Quantity)+" more"+until(e.Until))
			}
		}
	}
	return a
}

func until(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " until " + t.UTC().Format(time.RFC3339)
}

// says is the rule in words.
func (r Rule) says(k Kind) string {
	switch {
	case k == Boolean && r.On:
		return "has it"
	case k == Boolean:
		return "does not have it"
	case r.Value != "":
		return "sets " + r.Value
	case r.Limit == nil:
		return "allows any number"
	default:
		return "allows " + itoa(*r.Limit)
	}
}

// has reports whether an add-on counts now: a top-up until its end, another one while its plan does.
func (p Place) has(e Extra) bool {
	if e.Until != nil {
		return !p.Now.Before(e.Since) && p.Now.Before(*e.Until)
	}
	return p.Status != Expired && p.Status != Suspended
}

// held is the place of a subject with all it is allowed, for as long as that stays the same.
type held struct {
	m     Membership
	c     *catalogue
	place Place
	until time.Time // by the membership's clock; the zero time for ever
	read  time.Time // by the real clock
	all   map[string]Allowance
}

func hold(m Membership, c *catalogue, real time.Time, read time.Time) (*held, error) {
	p, err := m.at(c, real.Add(m.Offset))
	if err != nil {
		return nil, err
	}
	h := &held{m: m, c: c, place: p, read: read, all: make(map[string]Allowance, len(c.features))}
	soon := func(t *time.Time) {
		if t != nil && t.After(p.Now) && (h.until.IsZero() || t.Before(h.until)) {
			h.until = *t
		}
	}
	soon(p.Until)
	for _, o := range m.Overrides {
		soon(o.ExpiresAt)
	}
	for _, e := range m.Extras {
		soon(e.Until)
	}
	for key := range c.features {
		h.all[key] = p.allowance(c, key)
	}
	return h, nil
}

// fresh reports whether the answer still stands.
func (h *held) fresh(c *catalogue, real time.Time, keep time.Duration) bool {
	now := real.Add(h.m.Offset)
	return h.c == c && !now.Before(h.place.Now) && (h.until.IsZero() || now.Before(h.until)) && real.Sub(h.read) < keep
}

// of is what a subject is allowed, from memory; a subject that was not asked for lately costs one find. A node that cannot
// follow the change stream reads each time. In a transaction nothing is kept.
func (s *Service) of(ctx context.Context, subject ref.Ref) (*held, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	h, known := s.members.get(subject)
	follows := s.cfg.Lag == nil || s.cfg.Lag() < maxLag
	if known && follows {
		if h.fresh(c, now, s.cfg.CacheFor) {
			return h, nil
		}
		if now.Sub(h.read) < s.cfg.CacheFor { // only the time has come, or the catalogue is another
			if next, err := hold(h.m, c, now, h.read); err == nil {
				s.members.replace(subject, h, next)
				return next, nil
			}
		}
	}
	return s.read(ctx, subject, c, now)
}

// maxLag is how far the change stream may be behind for an answer from memory.
const maxLag = 5 * time.Second

func (s *Service) read(ctx context.Context, subject ref.Ref, c *catalogue, now time.Time) (*held, error) {
	mark := s.members.mark()
	m, err := s.membership(ctx, subject)
	if err != nil {
		return nil, err
	}
	if c, err = s.catalogueFor(ctx, m, c); err != nil {
		return nil, err
	}
	h, err := hold(m, c, now, now)
	if err != nil {
		return nil, err
	}
	s.members.put(ctx, subject, h, mark)
	return h, nil
}

// catalogueFor is a catalogue that has the plans of a membership.
func (s *Service) catalogueFor(ctx context.Context, m Membership, c *catalogue) (*catalogue, error) {
	_, known := c.plan(m.Plan)
	if known && m.Next != nil {
		_, known = c.plan(m.Next.Plan)
	}
	if known {
		return c, nil
	}
	return s.store.catalogue(ctx, s.now(), s.cfg.Features)
}

// Entitled refuses a subject whose plan does not have a BOOLEAN feature. It asks nobody's leave: it is how the product asks.
// Cost: none while the subject is in memory, else one find; no allocation.
//
// Errors: FEATURE_NOT_IN_PLAN with feature, plan and allowedBy; FEATURE_UNKNOWN.
func (s *Service) Entitled(ctx context.Context, subject ref.Ref, feature string) error {
	h, err := s.of(ctx, subject)
	if err != nil {
		return err
	}
	a, known := h.all[feature]
	switch {
	case !known || a.Kind != Boolean:
		return ErrUnlimited
	case a.On:
		return nil
	}
	return ErrFeature.With("feature", feature).With("plan", h.place.Plan.Key).With("allowedBy", h.c.allowing(subject, feature, 0))
}

// Within refuses a number above what the plan sets for a STATIC feature, such as the size of one file; what no plan sets bounds nothing.
// resets is when a smaller number is possible, if that is known. Cost: as [Service.Entitled].
//
// Errors: QUOTA_EXCEEDED as [Service.Consume], used being the number; FEATURE_UNKNOWN.
func (s *Service) Within(ctx context.Context, subject ref.Ref, feature string, n int64, resets *time.Time) error {
	h, err := s.of(ctx, subject)
	if err != nil {
		return err
	}
	a, known := h.all[feature]
	switch {
	case !known || a.Kind != Static || a.Value != "":
		return ErrUnlimited
	case a.Source == "none" || a.Limit == nil || n <= *a.Limit:
		return nil
	}
	return h.refusal(a, n, 0, resets)
}

// Number is what the plan sets for a STATIC feature; false when no plan says anything, and nil for any number. Who is not signed
// in has what the default plan says. Cost: as [Service.Entitled].
func (s *Service) Number(ctx context.Context, subject ref.Ref, feature string) (n *int64, set bool) {
	h, err := s.of(ctx, subject)
	if err != nil {
		return nil, false
	}
	a := h.all[feature]
	return a.Limit, a.Kind == Static && a.Source != "none" && a.Value == ""
}

// refusal is QUOTA_EXCEEDED in full.
func (h *held) refusal(a Allowance, used, more int64, resets *time.Time) error {
	e := ErrQuota.With("feature", a.Feature).With("limit", *a.Limit).With("used", used).With("plan", h.place.Plan.Key).
		With("allowedBy", h.c.allowing(h.m.Subject, a.Feature, used+more))
	if resets != nil {
		e = e.With("resetsAt", resets.UTC().Format(time.RFC3339Nano))
	}
	return e
}

// allowing is the keys of the plans on offer to a subject that allow so much of a feature, by rank.
func (c *catalogue) allowing(subject ref.Ref, feature string, n int64) []string {
	keys := []string{}
	for _, p := range c.plans {
		if !p.Current || p.Hidden || p.Closed || !p.seenBy(subject) {
			continue
		}
		r, ok := p.rule(feature)
		if !ok {
			continue
		}
		if c.features[feature].Kind == Boolean && r.On || c.features[feature].Kind != Boolean && (r.Limit == nil || r.soft() || n <= *r.Limit) {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

// Level says how near to its limit a use is.
type Level string

// The levels.
const (
	Fine     Level = "OK"
	Near     Level = "NEAR"     // 80 % and more
	Exceeded Level = "EXCEEDED" // above the limit
)

// Entitlement is what a subject may use of a feature now, what it uses, and why.
type Entitlement struct {
	Allowance

	Used     int64
	Reserved int64 // by reservations that are not committed yet
	Carried  int64 // left over of the period before
	ResetsAt *time.Time
}

// Total is the limit with what was carried over; nil for any number.
func (e Entitlement) Total() *int64 {
	if e.Limit == nil {
		return nil
	}
	return new(*e.Limit + e.Carried)
}

// Remaining is how many are left: nil for any number, 0 when over the limit.
func (e Entitlement) Remaining() *int64 {
	t := e.Total()
	if t == nil || e.Kind == Boolean || e.Kind == Static {
		return nil
	}
	return new(max(*t-e.Used-e.Reserved, 0))
}

// Overage is how much is used above the limit.
func (e Entitlement) Overage() int64 {
	if t := e.Total(); t != nil && e.Kind != Static {
		return max(e.Used-*t, 0)
	}
	return 0
}

// Level says how near to its limit the use is.
func (e Entitlement) Level() Level { return levelOf(e.Used, e.Total()) }

func levelOf(used int64, total *int64) Level {
	switch {
	case total == nil:
		return Fine
	case used > *total:
		return Exceeded
	case *total > 0 && used >= near(*total):
		return Near
	}
	return Fine
}

// near is 80 % of a limit, rounded up.
func near(limit int64) int64 { return limit - limit/5 }

// Entitlements is what a subject may use of each feature, by key; STATIC ones that no plan sets are left out. Another's needs plan.membership.read. Cost: one find, and one
// more for a subject that is not in memory.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, PLAN_NO_DEFAULT.
func (s *Service) Entitlements(ctx context.Context, subject ref.Ref) ([]Entitlement, error) {
	if err := s.require(ctx, subject, PermRead); err != nil {
		return nil, err
	}
	h, err := s.of(ctx, subject)
	if err != nil {
		return nil, err
	}
	return s.entitlements(ctx, h)
}

func (s *Service) entitlements(ctx context.Context, h *held) ([]Entitlement, error) {
	now := s.now().Add(h.m.Offset)
	docs, err := s.store.counters(ctx, h.periods(now))
	if err != nil {
		return nil, err
	}
	all := make([]Entitlement, 0, len(h.all))
	for _, f := range sorted(h.c.features) {
		e := Entitlement{Allowance: h.all[f.Key]}
		if f.Kind == Static && e.Source == "none" {
			continue // no plan says anything: nothing is bounded
		}
		if f.Kind == Counted || f.Kind == Metered {
			e = h.measure(e.Allowance, docs, now)
		}
		all = append(all, e)
	}
	return all, nil
}

// Entitlement is what a subject may use of one feature. Another's needs plan.membership.read. Cost: as [Service.Entitlements].
//
// Errors: those of Entitlements, FEATURE_UNKNOWN.
func (s *Service) Entitlement(ctx context.Context, subject ref.Ref, feature string) (Entitlement, error) {
	all, err := s.Entitlements(ctx, subject)
	if err != nil {
		return Entitlement{}, err
	}
	i := slices.IndexFunc(all, func(e Entitlement) bool { return e.Feature == feature })
	if i < 0 {
		return Entitlement{}, ErrUnlimited
	}
	return all[i], nil
}

// OverItem is a feature of which more is used, or would be, than is allowed.
type OverItem struct {
	Feature string
	Limit   int64
	Used    int64
	OnOver  OnOver
	Newest  []ref.Ref // the newest of what is too much, at most 100; none where nobody can name them
}

// Excess is how many are too many.
func (o OverItem) Excess() int64 { return o.Used - o.Limit }

// maxNamed is how many objects are named in a report.
const maxNamed = 100

// OverQuota is what a subject uses too much of, on its plan or, with the id of another, on that one; of features that count objects,
// and of STATIC ones that bound each object. Another's needs plan.membership.read. Cost: one find, and one for each feature with
// objects to name.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PLAN_UNKNOWN.
func (s *Service) OverQuota(ctx context.Context, subject ref.Ref, planID string) ([]OverItem, error) {
	if err := s.require(ctx, subject, PermRead); err != nil {
		return nil, err
	}
	h, err := s.of(ctx, subject)
	if err != nil {
		return nil, err
	}
	if planID == "" {
		return s.overQuota(ctx, h)
	}
	p, ok := h.c.plan(planID)
	if !ok {
		return nil, ErrUnknown
	}
	return s.overQuota(ctx, h.with(p))
}

// with is what would be allowed on another plan.
func (h *held) with(p Plan) *held {
	place := h.place
	place.Plan, place.Status = p, Active
	all := make(map[string]Allowance, len(h.all))
	for key := range h.all {
		all[key] = place.allowance(h.c, key)
	}
	return &held{m: h.m, c: h.c, place: place, all: all}
}

func (s *Service) overQuota(ctx context.Context, h *held) ([]OverItem, error) {
	all, err := s.entitlements(ctx, h)
	if err != nil {
		return nil, err
	}
	var over []OverItem
	for _, e := range all {
		item := OverItem{Feature: e.Feature, OnOver: e.OnOver, Used: e.Used}
		if item.OnOver == "" {
			item.OnOver = Block
		}
		switch names := s.objects[e.Feature]; {
		case e.Limit == nil || e.Value != "":
		case e.Kind == Counted && e.Overage() > 0:
			item.Limit = *e.Total()
			if names != nil {
				if item.Newest, err = names(ctx, h.m.Subject, 0, int(min(item.Excess(), maxNamed))); err != nil {
					return nil, err
				}
			}
			over = append(over, item)
		case e.Kind == Static && names != nil:
			item.Limit = *e.Limit
			if item.Newest, err = names(ctx, h.m.Subject, item.Limit, maxNamed); err != nil {
				return nil, err
			}
			if item.Used = item.Limit + int64(len(item.Newest)); len(item.Newest) > 0 {
				over = append(over, item)
			}
		}
	}
	return over, nil
}

// Standing tells whether a subject is within what its plan allows, whatever the state of its membership.
type Standing string

// The standings.
const (
	InOrder   Standing = "OK"
	OverQuota Standing = "OVER_QUOTA" // of a feature that counts objects: nothing is deleted, nothing is added
)

// StandingOf is the standing of a subject. Another's needs plan.membership.read. Cost: as [Service.Entitlements].
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) StandingOf(ctx context.Context, subject ref.Ref) (Standing, error) {
	if err := s.require(ctx, subject, PermRead); err != nil {
		return "", err
	}
	all, err := s.Standings(ctx, []ref.Ref{subject})
	return all[subject], err
}

// Standings is the standing of some subjects; those that the caller may not see are left out. Cost: two finds.
func (s *Service) Standings(ctx context.Context, subjects []ref.Ref) (map[ref.Ref]Standing, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	places, err := s.store.membershipsOf(ctx, subjects)
	if err != nil {
		return nil, err
	}
	now, all, ids := s.now(), map[ref.Ref]*held{}, []string{}
	for _, subject := range subjects {
		if s.require(ctx, subject, PermRead) != nil {
			continue
		}
		m, found := places[subject]
		if !found {
			if m, err = s.nobody(subject, c); err != nil {
				return nil, err
			}
		}
		if all[subject], err = hold(m, c, now, now); err != nil {
			return nil, err
		}
		ids = append(ids, all[subject].periods(now.Add(m.Offset))...)
	}
	docs, err := s.store.counters(ctx, ids)
	if err != nil {
		return nil, err
	}
	standings := map[ref.Ref]Standing{}
	for subject, h := range all {
		standings[subject] = InOrder
		for _, a := range h.all {
			if a.Kind == Counted && !a.soft() && levelOf(docs[counterID(subject, a.Feature, nil)].Used, a.Limit) == Exceeded {
				standings[subject] = OverQuota
			}
		}
	}
	return standings, nil
}

// Objects names what of a subject counts for a feature: for a COUNTED one the newest n, for a STATIC one the newest n of those whose
// number is above.
type Objects func(ctx context.Context, subject ref.Ref, above int64, n int) ([]ref.Ref, error)

// RegisterObjects lets reports name what counts for a feature. Only before serving.
func (s *Service) RegisterObjects(feature string, names Objects) { s.objects[feature] = names }

// RegisterOff calls off when a subject loses a BOOLEAN feature, once, in the transaction that takes it. Only before serving.
func (s *Service) RegisterOff(feature string, off func(ctx context.Context, subject ref.Ref) error) {
	s.off[feature] = append(s.off[feature], off)
}

// parseUsageSubject is the subject of the id of a counter.
func parseUsageSubject(id string) (ref.Ref, bool) {
	typ, rest, ok := strings.Cut(id, ":")
	if !ok {
		return ref.Ref{}, false
	}
	own, _, ok := strings.Cut(rest, ":")
	return ref.New(typ, own), ok
}

// errNotCountable is for what is neither counted nor metered.
var errNotCountable = fault.ErrInput.Saying("only what is counted or metered can be used up")
