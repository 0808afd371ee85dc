package app

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/throttle"
)

// assembleAnalytics makes the events and reports.
func (c *core) assembleAnalytics() {
	cfg := c.cfg.ForAnalytics()
	cfg.Log, cfg.Quota, cfg.Pace = c.log, eventQuota{c.plans}, ingestPace{c.throttle}
	c.analytics = analytics.New(c.db, c.events, c.now, c.roles, cfg)
}

// planner is what counting events needs of plan.
type planner interface {
	analytics.Quota
	Bounds(ctx context.Context, subject ref.Ref, feature string) (bool, error)
}

// eventQuota counts stored events for the plans that say something of them. A plan that says nothing bounds nothing: who has
// tracked before the feature was there goes on.
type eventQuota struct{ planner }

// Consume implements [analytics.Quota].
func (q eventQuota) Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	if bound, err := q.Bounds(ctx, subject, feature); err != nil || !bound {
		return err
	}
	return q.planner.Consume(ctx, subject, feature, n)
}

// Release implements [analytics.Quota].
func (q eventQuota) Release(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	if bound, err := q.Bounds(ctx, subject, feature); err != nil || !bound {
		return err
	}
	return q.planner.Release(ctx, subject, feature, n)
}

// The limits of ingest keys, in batches of at most 1,000 events: of all who use one, and of one network that uses a public
// one. A page sends a batch each few seconds, and many people may share an address.
var (
	limitSource  = throttle.Limit{Name: "ingest_source", Burst: 2000, Every: 5 * time.Millisecond}
	limitNetwork = throttle.Limit{Name: "ingest_network", Burst: 300, Every: 200 * time.Millisecond}
)

// ingestPace bounds how fast ingest keys are used.
type ingestPace struct{ *throttle.Service }

// Take implements [analytics.Pace].
func (p ingestPace) Take(ctx context.Context, source, ip string, public bool) error {
	on := ref.New(ref.EventSource, source)
	all := throttle.Bucket{Limit: limitSource, Key: source, On: on}
	if network := throttle.Network(ip); public && network != "" {
		return p.Service.Take(ctx, throttle.Bucket{Limit: limitNetwork, Key: source + " " + network, On: on}, all)
	}
	return p.Service.Take(ctx, all)
}
