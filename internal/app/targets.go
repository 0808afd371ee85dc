package app

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/ref"
)

// registerTargets lets references lead to the objects of every domain; those of metrics are to their reports. Sessions and
// credentials are not among them: no document may point there.
func (c *core) registerTargets() {
	c.documents.RegisterTarget(ref.User, byID(c.accounts.ByIDs))
	c.documents.RegisterTarget(ref.Role, byID(c.roles.ByIDs))
	c.documents.RegisterTarget(ref.Plan, byID(c.plans.ByIDs))
	c.documents.RegisterTarget(ref.Device, byID(c.auth.DevicesByIDs))
	c.documents.RegisterTarget(ref.Metric, func(ctx context.Context, keys []string) (map[string]any, error) {
		all, err := c.analytics.Metrics(ctx)
		found := make(map[string]any, len(keys))
		for _, m := range all {
			if slices.Contains(keys, m.Key) {
				found[m.Key] = m
			}
		}
		return found, err
	})
}

// byID is a look-up of one domain in the words of package registry.
func byID[T any](find func(context.Context, []string) (map[string]T, error)) func(context.Context, []string) (map[string]any, error) {
	return func(ctx context.Context, ids []string) (map[string]any, error) {
		found, err := find(ctx, ids)
		all := make(map[string]any, len(found))
		for id, v := range found {
			all[id] = v
		}
		return all, err
	}
}
