package plan

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// The topics of this package, and the one on which the time is told once a second.
const (
	topicCatalogue = "plan.catalogue"
	topicTick      = "tick"
)

func topicOf(subject ref.Ref) string { return "plan.subject:" + subject.String() }

// changed tells that a membership or the catalogue is another; counted, that a counter is.
type (
	changed struct{}
	counted struct{ counter string }
)

// EntitlementList is what a subject may use, as a live channel tells it: all of it, each time it changes.
type EntitlementList struct {
	Place        Place
	Entitlements []Entitlement
}

// UsageList is what a subject uses of some features, as a live channel tells it.
type UsageList struct{ Usage []Entitlement }

// EntitlementsChannel tells how to follow what a subject may use, and its membership: whenever something changes or comes by the
// clock, but not with each use. Another's needs plan.membership.read. Cost: none; the source reads twice at each change.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE.
func (s *Service) EntitlementsChannel(ctx context.Context, subject ref.Ref) (
	key string, topics []string, newSource func() *Source, allowed func(ctx context.Context) error, err error,
) {
	return s.channel(ctx, subject, nil)
}

// UsageChannel tells how to follow what a subject uses of some features, with each use. Another's needs plan.membership.read.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, POLICY_STALE, BAD_USER_INPUT without features or with more than 100.
func (s *Service) UsageChannel(ctx context.Context, subject ref.Ref, features []string) (
	key string, topics []string, newSource func() *Source, allowed func(ctx context.Context) error, err error,
) {
	if len(features) == 0 || len(features) > 100 {
		return "", nil, nil, nil, fault.ErrInput.Saying("1 to 100 features are followed")
	}
	return s.channel(ctx, subject, slices.Compact(slices.Sorted(slices.Values(features))))
}

func (s *Service) channel(ctx context.Context, subject ref.Ref, features []string) (
	key string, topics []string, newSource func() *Source, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error { return s.require(ctx, subject, PermRead) }
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	key = strings.Join(append([]string{"plan", subject.String()}, features...), "\x00")
	newSource = func() *Source { return &Source{s: s, subject: subject, features: features} }
	return key, []string{topicOf(subject), topicCatalogue, topicTick}, newSource, allowed, nil
}

// Source computes what a subject may use. It satisfies live.Source and live.Staler, and belongs to the goroutine that calls it.
type Source struct {
	s        *Service
	subject  ref.Ref
	features []string // nil for the entitlements and the membership, else the usage of these

	list  EntitlementList
	until time.Time // by the membership's clock: when it changes by itself
	stale bool
}

// Load reads the state as of now. Cost: two finds.
func (l *Source) Load(ctx context.Context) error {
	h, err := l.s.of(ctx, l.subject)
	if err != nil {
		return err
	}
	all, err := l.s.entitlements(ctx, h)
	if err != nil {
		return err
	}
	if l.features != nil {
		all = slices.DeleteFunc(all, func(e Entitlement) bool { return !slices.Contains(l.features, e.Feature) })
		if len(all) < len(l.features) {
			return ErrUnlimited
		}
	}
	p := h.place
	p.Now = l.s.now().Add(h.m.Offset)
	p.From, p.To = p.period(p.Now)
	l.list, l.until, l.stale = EntitlementList{p, all}, h.until, false
	for _, e := range all {
		if e.ResetsAt != nil && (l.until.IsZero() || e.ResetsAt.Before(l.until)) {
			l.until = *e.ResetsAt
		}
	}
	return nil
}

// Snapshot is the [EntitlementList] or the [UsageList] as of now.
func (l *Source) Snapshot() any {
	if l.features != nil {
		return UsageList{l.list.Entitlements}
	}
	return l.list
}

// Apply notes what makes it stale: a change of the membership or of the catalogue, a counter that is followed, or the time.
func (l *Source) Apply(change any) any {
	switch c := change.(type) {
	case changed:
		l.stale = true
	case counted:
		l.stale = l.stale || slices.ContainsFunc(l.features, func(f string) bool {
			id := counterID(l.subject, f, nil)
			return c.counter == id || strings.HasPrefix(c.counter, id+":")
		})
	case time.Time:
		l.stale = l.stale || !l.until.IsZero() && !c.Add(l.list.Place.Offset).Before(l.until)
	}
	return nil
}

// Stale reports that the state is to be read anew.
func (l *Source) Stale() bool { return l.stale }
