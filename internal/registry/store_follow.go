package registry

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Follower keeps this node's content types fresh and publishes each committed change of a document to the topic
// "registry.documents:" + id of its content type, as a [DocumentChange], or [DocumentChanges] for a batch of an import.
// Changed types are read again at once, one short read, so that requests find them in memory.
func (s *Service) Follower(publish func(topic string, change any)) event.Follower {
	return event.Follower{
		Name: "registry",
		OnEvent: func(ctx context.Context, e event.Event, _ bson.Timestamp) {
			if strings.HasPrefix(e.Kind, kindType) {
				s.types.forget(e.On.ID)
				if _, err := s.types.ids(ctx, []string{e.On.ID}); err != nil {
					s.cfg.Log.WarnContext(ctx, "content_type_unreadable", "content_type", e.On.ID, "error", err.Error())
				}
				return
			}
			all, err := changesOf(e)
			if err != nil {
				s.cfg.Log.ErrorContext(ctx, "event_data_unreadable", "event", e.ID, "kind", e.Kind, "error", err.Error())
			}
			for _, n := range all {
				publish(n.topic, n.change)
			}
		},
		OnLost: func(context.Context) { s.types.forget("") },
	}
}

// news is what is published on a topic.
type news struct {
	topic  string
	change any
}

// changesOf reads what an event says of documents; nothing when it says nothing.
func changesOf(e event.Event) ([]news, error) {
	switch e.Kind {
	case kindCreated, kindUpdated, kindRestored, kindReverted:
		fact, err := store.Decode[documentFact](e.Data)
		if err != nil {
			return nil, err
		}
		return newsOf(e.On, madeChange(fact.Document, e.Kind == kindCreated || e.Kind == kindRestored), fact.Links), nil
	case kindDeleted:
		fact, err := store.Decode[deletedFact](e.Data)
		if err != nil {
			return nil, err
		}
		return newsOf(e.On, DocumentChange{Type: fact.Type, ID: e.On.ID, Rev: fact.Rev}, fact.Links), nil
	case kindImported:
		fact, err := store.Decode[importedFact](e.Data)
		if err != nil {
			return nil, err
		}
		changes := make(DocumentChanges, len(fact.Documents))
		for i, d := range fact.Documents {
			changes[i] = madeChange(d, true)
		}
		all := []news{{topic(e.On.ID), changes}}
		for _, to := range fact.Links {
			all = append(all, news{topicOfLinks(to), linkChange{}})
		}
		return all, nil
	default:
		return nil, nil
	}
}

func newsOf(on ref.Ref, c DocumentChange, links []ref.Ref) []news {
	all := []news{{topic(c.Type), c}, {topicOf(on), c}}
	for _, to := range links {
		all = append(all, news{topicOfLinks(to), linkChange{}})
	}
	return all
}

func madeChange(d Document, created bool) DocumentChange {
	d.Data = plainMap(d.Data)
	return DocumentChange{Type: d.Type, ID: d.ID, Rev: d.Rev, Document: &d, Created: created}
}
