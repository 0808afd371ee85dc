package analytics

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// Bounds of a metric.
const (
	maxDimensions = 16 // each costs one more rollup of each resolution for an event
	defaultKeys   = 1000
	maxKeys       = 5000
	minuteDays    = 7
	hourDays      = 400
	maxKeepDays   = 3650
)

// check refuses a definition that could not be counted.
func (m Metric) check() error {
	switch {
	case !ref.IsKey(m.Key):
		return ErrDefine.On("input.key").Saying("a metric key is 2 to 64 lower-case letters, digits, dots, dashes or underscores")
	case !isName(m.Event, ".-"):
		return ErrDefine.On("input.event").Saying("an event name is 1 to 64 letters, digits, dots, dashes or underscores")
	case m.Value != "" && !isName(m.Value, ""):
		return ErrDefine.On("input.value").Saying("the name of a value is 1 to 64 letters, digits or underscores")
	case m.Unique != "" && !isName(m.Unique, ""):
		return ErrDefine.On("input.unique").Saying("what is counted once is actor, session, user or the name of a dimension")
	case m.Quantiles && m.Value == "":
		return ErrDefine.On("input.quantiles").Saying("quantiles need a value")
	case len(m.Dimensions) > maxDimensions:
		return ErrDefine.On("input.dimensions").Saying("a metric has at most %d dimensions", maxDimensions)
	case m.MaxKeys < 0 || m.MaxKeys > maxKeys:
		return ErrDefine.On("input.maxKeys").Saying("at most %d values of a dimension have rollups of their own", maxKeys)
	case m.MinuteDays < 0 || m.HourDays < 0 || m.MinuteDays > maxKeepDays || m.HourDays > maxKeepDays:
		return ErrDefine.On("input.minuteDays").Saying("rollups are kept for 1 to %d days", maxKeepDays)
	}
	for i, d := range m.Dimensions {
		if !isName(d, "") || slices.Contains(m.Dimensions[:i], d) {
			return ErrDefine.On("input.dimensions").Saying("dimensions are different names of 1 to 64 letters, digits or underscores")
		}
	}
	if err := checkFilters(m.Where, "input.where"); err != nil {
		bad := fault.From(err)
		return ErrDefine.On(bad.Field).Saying("%s", bad.Msg)
	}
	return nil
}

// filled is the metric with the defaults in the place of zeros.
func (m Metric) filled() Metric {
	m.MaxKeys = cmp.Or(m.MaxKeys, defaultKeys)
	m.MinuteDays, m.HourDays = cmp.Or(m.MinuteDays, minuteDays), cmp.Or(m.HourDays, hourDays)
	return m
}

// sameBasis reports whether both count the same events in the same way, whatever they are broken down by.
func (m Metric) sameBasis(o Metric) bool {
	return m.Event == o.Event && m.Value == o.Value && m.Unique == o.Unique && m.Quantiles == o.Quantiles &&
		slices.EqualFunc(m.Where, o.Where, DimFilter.equal)
}

func (m Metric) equal(o Metric) bool {
	return m.Key == o.Key && m.sameBasis(o) && slices.Equal(m.Dimensions, o.Dimensions) &&
		m.MaxKeys == o.MaxKeys && m.MinuteDays == o.MinuteDays && m.HourDays == o.HourDays
}

func (f DimFilter) equal(o DimFilter) bool {
	return f.Dim == o.Dim && f.Not == o.Not && slices.Equal(f.In, o.In)
}

// DefineMetric makes a metric or changes it; defining it as it is changes nothing. Events stored before count too: the
// folder computes the rollups anew, and until it is done reports of the metric say that they are not exact. Rollups of
// events that are no longer kept stay, unless the change is to what is counted, and not only to how it is broken down.
// Cost: 1 read, 2 writes, 1 commit.
//
// Errors: FORBIDDEN, METRIC_INVALID.
func (s *Service) DefineMetric(ctx context.Context, m Metric) (Metric, error) {
	if err := s.authz.Require(ctx, PermManage, ref.New(ref.Metric, m.Key)); err != nil {
		return Metric{}, err
	}
	if err := m.check(); err != nil {
		return Metric{}, err
	}
	m = m.filled()
	m.Dimensions = append([]string{}, m.Dimensions...) // stored as an empty list, not as null
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		cur, err := s.store.metric(ctx, m.Key)
		if err != nil && !errors.Is(err, ErrMetric) {
			return err
		}
		if m.Version, m.Basis = cur.Version, cur.Basis; cur.equal(m) {
			return nil
		}
		if cur.orNil() == nil {
			if m.Version, err = s.store.lastVersion(ctx, m.Key); err != nil {
				return err
			}
		}
		m.Version++
		if !m.sameBasis(cur) || m.Basis == 0 {
			m.Basis = m.Version
		}
		if err := s.store.putMetric(ctx, m); err != nil {
			return err
		}
		return s.events.Append(ctx, eventDefined, ref.New(ref.Metric, m.Key), defined{Before: cur.orNil(), After: m})
	})
	s.metrics.forget()
	if err != nil {
		return Metric{}, err
	}
	return m, nil
}

// The facts this package records.
const (
	eventPrefix      = "analytics.metric."
	eventDefined     = eventPrefix + "defined"
	eventDeleted     = eventPrefix + "deleted"
	eventInvalidated = eventPrefix + "invalidated"
	eventFolded      = eventPrefix + "folded"
)

type defined struct {
	Before *Metric `bson:"before"`
	After  Metric  `bson:"after"`
}

func (m Metric) orNil() *Metric {
	if m.Version == 0 {
		return nil
	}
	return &m
}

// Rebuild has the rollups of every metric computed anew from the stored events. It returns at once: the folder does it
// in the background, in place, and reports say meanwhile that they are not exact.
//
// Errors: FORBIDDEN.
func (s *Service) Rebuild(ctx context.Context) error {
	if err := s.authz.Require(ctx, PermManage, ref.Ref{}); err != nil {
		return err
	}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		all, err := s.store.allMetrics(ctx)
		if err != nil {
			return err
		}
		for _, m := range all {
			if err := s.invalidate(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	s.metrics.forget()
	return err
}

// invalidate has the rollups of a metric computed anew, in the transaction of ctx.
func (s *Service) invalidate(ctx context.Context, m Metric) error {
	m.Version++
	if err := s.store.putMetric(ctx, m); err != nil {
		return err
	}
	return s.events.Append(ctx, eventInvalidated, ref.New(ref.Metric, m.Key), nil)
}

// Metrics lists the metrics that the caller may see, by key. Cost: none while they are in memory, else 1 read.
//
// Errors: FORBIDDEN.
func (s *Service) Metrics(ctx context.Context) ([]Metric, error) {
	sc, err := s.authz.Scope(ctx, PermView, ref.Metric)
	switch {
	case err != nil:
		return nil, err
	case sc.IsNone():
		return nil, cmp.Or(s.authz.Require(ctx, PermView, ref.Ref{}), error(fault.ErrForbidden))
	}
	byKey, err := s.metrics.get(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.SortedFunc(maps.Values(byKey), func(a, b Metric) int { return strings.Compare(a.Key, b.Key) })
	return slices.DeleteFunc(all, func(m Metric) bool { return !sc.Match(map[string]any{"id": m.Key}) }), nil
}

// Load reads the metrics into memory. Call it after the tail has started.
func (s *Service) Load(ctx context.Context) error {
	s.metrics.forget()
	_, err := s.metrics.get(ctx)
	return err
}

// metric finds one definition.
//
// Errors: METRIC_UNKNOWN.
func (s *Service) metric(ctx context.Context, key string) (Metric, error) {
	byKey, err := s.metrics.get(ctx)
	if err != nil {
		return Metric{}, err
	}
	m, ok := byKey[key]
	if !ok {
		return Metric{}, ErrMetric.On("input.metric")
	}
	return m, nil
}
