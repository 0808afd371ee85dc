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
	cfg.Log, cfg.Quota, cfg.Pace = c.log, c.plans, ingestPace{c.throttle}
	c.analytics = analytics.New(c.db, c.events, c.now, c.roles, cfg)
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
