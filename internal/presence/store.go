package presence

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	nodesCollection    = "nodes"
	watchersCollection = "watchers"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: nodesCollection}, {Name: watchersCollection, Indexes: []store.Index{
		{Name: "node", Keys: []string{"node"}},
		{Name: "object", Keys: []string{"object"}},
	}}}
}

// watchersDoc is who watches an object through a node.
type watchersDoc struct {
	ID       string    `bson:"_id"`
	Node     string    `bson:"node"`
	Object   string    `bson:"object"`
	Watchers []Watcher `bson:"watchers"`
}

type mongoStore struct{ live, watchers *mongo.Collection }

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{db.Collection(nodesCollection), db.Collection(watchersCollection)}
}

// beat writes a sign of life, and gives the nodes that are silent.
func (m *mongoStore) beat(ctx context.Context, n Node) (silent []string, err error) {
	if _, err := m.live.ReplaceOne(ctx, bson.D{store.Eq("_id", n.ID)}, n, options.Replace().SetUpsert(true)); err != nil {
		return nil, store.Wrap("write node", err)
	}
	dead, err := store.Find[Node](ctx, m.live, bson.D{{Key: "until", Value: bson.D{{Key: "$lt", Value: n.At}}}})
	for _, d := range dead {
		silent = append(silent, d.ID)
	}
	return silent, err
}

// bury deletes what a node left.
func (m *mongoStore) bury(ctx context.Context, node string) error {
	if _, err := m.watchers.DeleteMany(ctx, bson.D{store.Eq("node", node)}); err != nil {
		return store.Wrap("delete watchers", err)
	}
	_, err := m.live.DeleteOne(ctx, bson.D{store.Eq("_id", node)})
	return store.Wrap("delete node", err)
}

func (m *mongoStore) forget(ctx context.Context) error {
	for _, c := range []*mongo.Collection{m.live, m.watchers} {
		if _, err := c.DeleteMany(ctx, bson.D{}); err != nil {
			return store.Wrap("forget nodes", err)
		}
	}
	return nil
}

func (m *mongoStore) nodes(ctx context.Context, now time.Time) ([]Node, error) {
	return store.Find[Node](ctx, m.live, bson.D{{Key: "until", Value: bson.D{{Key: "$gte", Value: now}}}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
}

// watch writes who watches an object through a node; nobody leaves nothing.
func (m *mongoStore) watch(ctx context.Context, node, object string, list []Watcher) error {
	id := node + "|" + object
	if len(list) == 0 {
		_, err := m.watchers.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
		return store.Wrap("delete watchers", err)
	}
	_, err := m.watchers.ReplaceOne(ctx, bson.D{store.Eq("_id", id)}, watchersDoc{id, node, object, list}, options.Replace().SetUpsert(true))
	return store.Wrap("write watchers", err)
}

// watchersOf reads who watches an object, by node.
func (m *mongoStore) watchersOf(ctx context.Context, object string) (map[string][]Watcher, error) {
	found, err := store.Find[watchersDoc](ctx, m.watchers, bson.D{store.Eq("object", object)})
	byNode := make(map[string][]Watcher, len(found))
	for _, d := range found {
		byNode[d.Node] = d.Watchers
	}
	return byNode, err
}

// Followers hand on who comes and goes.
func Followers(publish func(topic string, change any)) []event.Follower {
	return []event.Follower{
		{Name: "nodes", Collection: nodesCollection, OnChange: func(_ context.Context, c event.Change) {
			if c.Op == "delete" {
				id, _ := c.Key.StringValueOK()
				publish(topicNodes, Node{ID: id})
			} else if n, err := store.Decode[Node](c.Doc); err == nil {
				publish(topicNodes, n)
			}
		}},
		{Name: "watchers", Collection: watchersCollection, OnChange: func(_ context.Context, c event.Change) {
			id, _ := c.Key.StringValueOK()
			node, object, ok := strings.Cut(id, "|")
			if !ok {
				return
			}
			change := watched{node: node}
			if c.Op != "delete" {
				d, err := store.Decode[watchersDoc](c.Doc)
				if err != nil {
					return
				}
				change.watchers = d.Watchers
			}
			publish(topicOf(object), change)
		}},
	}
}
