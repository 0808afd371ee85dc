package topic

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

const (
	topicsCollection   = "topics"
	messagesCollection = "topic_messages"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{{Name: topicsCollection}, {Name: messagesCollection, Indexes: []store.Index{
		{Name: "number", Keys: []string{"topic", "-number"}, Unique: true},
		{Name: "until", Keys: []string{"until"}, Expires: true},
	}}}
}

// topicDoc is a topic as it is stored.
type topicDoc struct {
	Key        string    `bson:"_id"`
	History    int       `bson:"history"`
	LifetimeMs int64     `bson:"lifetimeMs"`
	Last       int64     `bson:"last"`
	CreatedAt  time.Time `bson:"createdAt"`
}

func (d topicDoc) topic() Topic {
	return Topic{Key: d.Key, History: d.History, Lifetime: time.Duration(d.LifetimeMs) * time.Millisecond, Last: d.Last, CreatedAt: d.CreatedAt}
}

type mongoStore struct{ topics, messages *mongo.Collection }

func newStore(db *store.DB) *mongoStore {
	return &mongoStore{db.Collection(topicsCollection), db.Collection(messagesCollection)}
}

func (m *mongoStore) define(ctx context.Context, t Topic) (Topic, error) {
	if n, err := m.topics.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: t.Key}}}}); err != nil {
		return t, store.Wrap("count topics", err)
	} else if n >= MaxTopics {
		return t, ErrTopic.Saying("there are %d topics already", MaxTopics)
	}
	change := bson.D{
		{Key: "$set", Value: bson.D{{Key: "history", Value: t.History}, {Key: "lifetimeMs", Value: t.Lifetime.Milliseconds()}}},
		{Key: "$setOnInsert", Value: bson.D{{Key: "last", Value: int64(0)}, {Key: "createdAt", Value: t.CreatedAt}}},
	}
	var d topicDoc
	err := m.topics.FindOneAndUpdate(ctx, bson.D{store.Eq("_id", t.Key)}, change,
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&d)
	return d.topic(), store.Wrap("define topic", err)
}

// remove deletes a topic with its messages, in the transaction of ctx.
func (m *mongoStore) remove(ctx context.Context, key string) error {
	done, err := m.topics.DeleteOne(ctx, bson.D{store.Eq("_id", key)})
	if err != nil {
		return store.Wrap("delete topic", err)
	}
	if done.DeletedCount == 0 {
		return ErrUnknown
	}
	_, err = m.messages.DeleteMany(ctx, bson.D{store.Eq("topic", key)})
	return store.Wrap("delete messages", err)
}

func (m *mongoStore) all(ctx context.Context) ([]Topic, error) {
	found, err := store.Find[topicDoc](ctx, m.topics, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	all := make([]Topic, len(found))
	for i, d := range found {
		all[i] = d.topic()
	}
	return all, err
}

// publish numbers a message and stores it, in the transaction of ctx: who publishes to the same topic at once comes after.
// What is more than the topic keeps is deleted.
func (m *mongoStore) publish(ctx context.Context, msg *Message) error {
	var d topicDoc
	err := m.topics.FindOneAndUpdate(ctx, bson.D{store.Eq("_id", msg.Topic)}, bson.D{{Key: "$inc", Value: bson.D{{Key: "last", Value: 1}}}},
		options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return ErrUnknown
	} else if err != nil {
		return store.Wrap("number message", err)
	}
	t := d.topic()
	msg.Number, msg.Until = t.Last, msg.At.Add(t.Lifetime)
	msg.ID = t.Key + ":" + strconv.FormatInt(t.Last, 10)
	if _, err := m.messages.InsertOne(ctx, msg); err != nil {
		return store.Wrap("insert message", err)
	}
	_, err = m.messages.DeleteMany(ctx, bson.D{
		store.Eq("topic", t.Key), {Key: "number", Value: bson.D{{Key: "$lte", Value: t.Last - int64(max(t.History, 1))}}},
	})
	return store.Wrap("forget messages", err)
}

// latest reads a topic and its last messages that are still kept, the oldest first.
func (m *mongoStore) latest(ctx context.Context, key string, most int, now time.Time) (Topic, []Message, error) {
	d, err := store.FindByID[topicDoc](ctx, m.topics, key)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Topic{}, nil, ErrUnknown
	} else if err != nil {
		return Topic{}, nil, err
	}
	if most = min(most, d.History); most == 0 {
		return d.topic(), nil, nil
	}
	found, err := store.Find[Message](ctx, m.messages, bson.D{
		store.Eq("topic", key), {Key: "number", Value: bson.D{{Key: "$lte", Value: d.Last}}}, {Key: "until", Value: bson.D{{Key: "$gt", Value: now}}},
	}, options.Find().SetSort(bson.D{{Key: "number", Value: -1}}).SetLimit(int64(most)))
	slices.Reverse(found)
	return d.topic(), found, err
}

// Followers hand each committed message to publish, and the end of a topic.
func (s *Service) Followers(publish func(topic string, change any)) []event.Follower {
	return []event.Follower{
		{Name: "topic_messages", Collection: messagesCollection, OnChange: func(_ context.Context, c event.Change) {
			if c.Op != "insert" {
				return
			}
			if m, err := store.Decode[Message](c.Doc); err == nil {
				publish(topicOf(m.Topic), m)
			}
		}},
		{Name: "topics", Collection: topicsCollection, OnChange: func(_ context.Context, c event.Change) {
			if key, ok := c.Key.StringValueOK(); ok && c.Op == "delete" {
				publish(topicOf(key), gone{})
			}
		}},
	}
}
