package presence

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

const topicNodes = "presence.nodes"

func topicOf(object string) string { return "presence:" + object }

// watched is who watches an object through a node now.
type watched struct {
	node     string
	watchers []Watcher
}

// WatcherList is everybody who watches an object, by user.
type WatcherList struct{ Watchers []Watcher }

// Channel tells how to follow who watches an object; as long as it is followed the caller is among them. Who may do so is for
// allowed to say, the same as for the object itself.
//
// Errors: UNAUTHENTICATED, and those of allowed.
func (s *Service) Channel(ctx context.Context, object ref.Ref, allowed func(ctx context.Context) error) (
	key string, topics []string, newSource func() *WatcherSource, enter func() (leave func()), err error,
) {
	who := actor.From(ctx).User
	if who == "" {
		return "", nil, nil, nil, fault.ErrUnauthenticated
	}
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	id := object.String()
	newSource = func() *WatcherSource {
		return &WatcherSource{read: func(ctx context.Context) (map[string][]Watcher, error) { return s.store.watchersOf(ctx, id) }}
	}
	return topicOf(id), []string{topicOf(id)}, newSource, func() func() { return s.enter(id, who) }, nil
}

// WatcherSource computes who watches an object. It satisfies live.Source and live.Merger, and is used by one goroutine.
type WatcherSource struct {
	read   func(ctx context.Context) (map[string][]Watcher, error)
	byNode map[string][]Watcher
}

// Load reads who watches it. Cost: one find.
func (w *WatcherSource) Load(ctx context.Context) (err error) {
	w.byNode, err = w.read(ctx)
	return err
}

// Apply notes who watches through a node and gives the whole [WatcherList].
func (w *WatcherSource) Apply(change any) any {
	c, ok := change.(watched)
	if !ok || slices.Equal(w.byNode[c.node], c.watchers) {
		return nil
	}
	if w.byNode[c.node] = c.watchers; len(c.watchers) == 0 {
		delete(w.byNode, c.node)
	}
	return w.Snapshot()
}

// Snapshot is the [WatcherList] of all nodes.
func (w *WatcherSource) Snapshot() any {
	all := map[string]Watcher{}
	for _, list := range w.byNode {
		for _, one := range list {
			if known, here := all[one.User]; here {
				one.Channels += known.Channels
				if known.Since.Before(one.Since) {
					one.Since = known.Since
				}
			}
			all[one.User] = one
		}
	}
	return WatcherList{slices.SortedFunc(maps.Values(all), byUser)}
}

// Merge gives the newer of two lists.
func (w *WatcherSource) Merge(_, newer any) any { return newer }

// NodeList is all nodes that live.
type NodeList struct{ Nodes []Node }

// HealthChannel tells how to follow the health of all nodes.
//
// Errors: FORBIDDEN.
func (s *Service) HealthChannel(ctx context.Context) (
	key string, topics []string, newSource func() *HealthSource, allowed func(ctx context.Context) error, err error,
) {
	allowed = func(ctx context.Context) error { return s.authz.Require(ctx, PermHealth, ref.Ref{}) }
	if err := allowed(ctx); err != nil {
		return "", nil, nil, nil, err
	}
	newSource = func() *HealthSource {
		return &HealthSource{now: s.now, read: func(ctx context.Context) ([]Node, error) { return s.store.nodes(ctx, s.now()) }}
	}
	return topicNodes, []string{topicNodes, topicTick}, newSource, allowed, nil
}

// topicTick is where the clock is told.
const topicTick = "tick"

// HealthSource computes the health of all nodes. It satisfies live.Source, live.Flusher and live.Merger, and is used by one
// goroutine.
type HealthSource struct {
	now     clock.Clock
	read    func(ctx context.Context) ([]Node, error)
	nodes   map[string]Node
	changed bool
}

// Load reads the nodes. Cost: one find.
func (h *HealthSource) Load(ctx context.Context) error {
	found, err := h.read(ctx)
	h.nodes, h.changed = make(map[string]Node, len(found)), false
	for _, n := range found {
		h.nodes[n.ID] = n
	}
	return err
}

// Apply notes a sign of life, the end of a node, or the time.
func (h *HealthSource) Apply(change any) any {
	switch c := change.(type) {
	case Node:
		switch {
		case c.Until.IsZero():
			delete(h.nodes, c.ID)
		case !c.At.After(h.nodes[c.ID].At):
			return nil
		default:
			h.nodes[c.ID] = c
		}
		h.changed = true
	case time.Time:
		for id, n := range h.nodes {
			if h.now().After(n.Until) {
				delete(h.nodes, id)
				h.changed = true
			}
		}
	}
	return nil
}

// Flush gives the whole [NodeList] if it has changed.
func (h *HealthSource) Flush() any {
	if !h.changed {
		return nil
	}
	h.changed = false
	return h.Snapshot()
}

// Snapshot is the [NodeList] as of now, by id.
func (h *HealthSource) Snapshot() any {
	return NodeList{slices.SortedFunc(maps.Values(h.nodes), func(a, b Node) int { return strings.Compare(a.ID, b.ID) })}
}

// Merge gives the newer of two lists.
func (h *HealthSource) Merge(_, newer any) any { return newer }
