package rbac

import (
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// Compiled is a service that answers checks from just these roles and grants, for benchmarks beside other engines. It has no
// database: it can neither write nor read.
func Compiled(catalogue map[string]string, roles []Role, grants []Grant, now clock.Clock) *Service {
	s := &Service{
		cat: newCatalogue(catalogue), now: now, lag: func() time.Duration { return 0 }, log: slog.New(slog.DiscardHandler),
		cfg: Config{MaxStale: time.Minute}, moved: make(chan struct{}), predicates: map[uint32][]rule{}, objects: map[string]Attributes{},
	}
	s.snap.Store(build(s.cat, stored{rev: 1, roles: roles, grants: grants}, now().UnixMilli()))
	return s
}
