package topic

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Permissions of topics.
const (
	PermDefine  = "live.topic.define"
	PermPublish = "live.topic.publish"
	PermFollow  = "live.topic.follow"
)

// Permissions are the rights this package asks for.
func Permissions() map[string]string {
	return map[string]string{
		PermDefine:              "See, define and delete topics.",
		PermPublish + "(topic)": "Publish messages to topics.",
		PermFollow + "(topic)":  "Follow topics.",
	}
}

// Errors of topics.
var (
	ErrUnknown = fault.Define(fault.NotFound, "TOPIC_UNKNOWN", "there is no such topic")
	ErrTopic   = fault.Define(fault.Invalid, "TOPIC_INVALID", "the topic is not valid")
	ErrMessage = fault.Define(fault.Invalid, "MESSAGE_INVALID", "the message is not valid")
)

// Bounds of a topic.
const (
	MaxHistory  = 1000
	MaxLifetime = 30 * 24 * time.Hour
	MaxData     = 16 << 10 // bytes of a message as JSON
	MaxTopics   = 1000
)

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Topic is where messages are published.
type Topic struct {
	Key       string
	History   int           // how many messages are kept at most
	Lifetime  time.Duration // how long each is kept
	Last      int64         // number of the last message; 0 before the first
	CreatedAt time.Time
}

// LifetimeSeconds is how long each message is kept.
func (t Topic) LifetimeSeconds() int { return int(t.Lifetime / time.Second) }

// Message is one message of a topic.
type Message struct {
	ID     string    `bson:"_id"`
	Topic  string    `bson:"topic"`
	Number int64     `bson:"number"` // 1, 2, 3 … in its topic
	At     time.Time `bson:"at"`
	By     string    `bson:"by,omitempty"` // id of the user; empty for the server
	Text   string    `bson:"data"`         // the data, a JSON object
	Until  time.Time `bson:"until"`        // not told any more from then on
}

// Data is what was published.
func (m Message) Data() (map[string]any, error) {
	var v map[string]any
	err := json.Unmarshal([]byte(m.Text), &v)
	return v, err
}

// Author is the global id of who published it; nil for the server.
func (m Message) Author() *ref.Ref {
	if m.By == "" {
		return nil
	}
	return new(ref.New(ref.User, m.By))
}

// Authorizer says what the actor of a context may do.
type Authorizer interface {
	Require(ctx context.Context, permission string, on ref.Ref) error
}

// Service keeps topics. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	now   clock.Clock
	authz Authorizer
	store *mongoStore
}

// New makes the service.
func New(db *store.DB, now clock.Clock, authz Authorizer) *Service {
	return &Service{db: db, now: now, authz: authz, store: newStore(db)}
}

// DefineCmd says how a topic is to be.
type DefineCmd struct {
	Key      string
	History  int
	Lifetime time.Duration
}

// Define makes a topic, or changes how much one keeps: from the next message on. Cost: 2 writes.
//
// Errors: FORBIDDEN, TOPIC_INVALID.
func (s *Service) Define(ctx context.Context, cmd DefineCmd) (Topic, error) {
	if err := s.authz.Require(ctx, PermDefine, ref.Ref{}); err != nil {
		return Topic{}, err
	}
	switch {
	case !keyForm.MatchString(cmd.Key):
		return Topic{}, ErrTopic.On("key").Saying("a key is 1 to 64 small letters, digits, dots, dashes and underscores")
	case cmd.History < 0 || cmd.History > MaxHistory:
		return Topic{}, ErrTopic.On("history").Saying("0 to %d messages are kept", MaxHistory)
	case cmd.Lifetime < time.Second || cmd.Lifetime > MaxLifetime:
		return Topic{}, ErrTopic.On("lifetimeSeconds").Saying("messages are kept for 1 s to 30 days")
	}
	return s.store.define(ctx, Topic{Key: cmd.Key, History: cmd.History, Lifetime: cmd.Lifetime, CreatedAt: s.now()})
}

// Delete deletes a topic with its messages; who follows it is told. Cost: 2 deletes.
//
// Errors: FORBIDDEN, TOPIC_UNKNOWN.
func (s *Service) Delete(ctx context.Context, key string) error {
	if err := s.authz.Require(ctx, PermDefine, ref.Ref{}); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error { return s.store.remove(ctx, key) })
}

// Topics are all topics by their keys. Cost: one find.
//
// Errors: FORBIDDEN.
func (s *Service) Topics(ctx context.Context) ([]Topic, error) {
	if err := s.authz.Require(ctx, PermDefine, ref.Ref{}); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Publish sends a message to all who follow a topic. It is theirs when Publish returns: it has committed. Cost: 3 writes.
//
// Errors: FORBIDDEN, TOPIC_UNKNOWN, MESSAGE_INVALID.
func (s *Service) Publish(ctx context.Context, key string, data map[string]any) (Message, error) {
	if err := s.authz.Require(ctx, PermPublish, ref.New(ref.Topic, key)); err != nil {
		return Message{}, err
	}
	text, err := json.Marshal(data)
	if err != nil || len(text) > MaxData {
		return Message{}, ErrMessage.On("data").Saying("a message is a JSON object of at most %d bytes", MaxData).Because(err)
	}
	m := Message{Topic: key, At: s.now(), By: actor.From(ctx).User, Text: string(text)}
	err = s.db.InTx(ctx, func(ctx context.Context) error { return s.store.publish(ctx, &m) })
	return m, err
}
