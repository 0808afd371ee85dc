// Package graph is the GraphQL interface: it decodes, calls one service, and encodes. It holds no rule of a domain, reads
// no clock, writes no log line of its own and knows no BSON.
package graph

import (
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/export"
	"github.com/backendbook/backendbook/internal/idempotency"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/place"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/presence"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/reporting"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/topic"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Resolver holds the services the schema's fields are answered by.
type Resolver struct {
	Accounts  *account.Service
	Sessions  *session.Service
	Auth      *webauth.Service
	Bag       *bag.Service
	Places    *place.Finder // nil where none are known
	Rights    *rbac.Service
	Jobs      *job.Manager
	Plans     *plan.Service
	Documents *registry.Service
	Analytics *analytics.Service
	Lives     *live.Hub

	Attachments *attachment.Service
	Exports     *export.Service
	Reporting   *reporting.Service
	Topics      *topic.Service
	Presence    *presence.Service
	Idempotency *idempotency.Service
}
