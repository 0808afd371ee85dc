package job

import (
	"context"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
)

// Topic is where it is told that a job has changed, as [Changed].
func Topic(id string) string { return "job:" + id }

// Changed says that a job is another.
type Changed struct{}

// Progress is a job as a live channel tells it.
type Progress struct{ Job }

// Channel tells how to follow a job: all of it, each time it changes. Another's needs job.read. Cost: one find.
//
// Errors: JOB_NOT_FOUND, FORBIDDEN.
func (m *Manager) Channel(ctx context.Context, id string) (
	key string, topics []string, newSource func() *Source, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error {
		_, err := m.Get(ctx, id)
		return err
	}
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	return "job:" + id, []string{Topic(id)}, func() *Source { return &Source{m: m, id: id} }, allowed, nil
}

// Source computes a live job. It satisfies live.Source and live.Staler, and is used by one goroutine.
type Source struct {
	m     *Manager
	id    string
	now   Progress
	stale bool
}

// Load reads the job as it is now. Cost: one find.
func (s *Source) Load(ctx context.Context) error {
	j, err := s.m.store.get(ctx, s.id)
	s.now, s.stale = Progress{j}, err != nil
	return err
}

// Snapshot is the [Progress] as of now.
func (s *Source) Snapshot() any { return s.now }

// Apply notes that the job is another.
func (s *Source) Apply(change any) any {
	if _, ok := change.(Changed); ok {
		s.stale = true
	}
	return nil
}

// Stale reports that the job is to be read anew.
func (s *Source) Stale() bool { return s.stale }

// ByIDs gives those of some jobs that the caller may see. Cost: one find.
func (m *Manager) ByIDs(ctx context.Context, ids []string) (map[string]Job, error) {
	found := map[string]Job{}
	if actor.From(ctx).IsAnonymous() {
		return found, nil
	}
	all, err := m.store.byIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	others := m.authz.Require(ctx, PermRead, ref.Ref{}) == nil
	for id, j := range all {
		if others || j.isOf(actor.From(ctx)) {
			found[id] = j
		}
	}
	return found, nil
}
