package registry

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
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
			typ, change, err := changeOf(e)
			switch {
			case err != nil:
				s.cfg.Log.ErrorContext(ctx, "event_unreadable", "event", e.ID, "kind", e.Kind, "error", err.Error())
			case change != nil:
				publish(topic(typ), change)
			}
		},
		OnLost: func(context.Context) { s.types.forget("") },
	}
}

// changeOf reads what an event says of documents, and of which content type; nil when it says nothing.
func changeOf(e event.Event) (typ string, change any, err error) {
	switch e.Kind {
	case kindCreated, kindUpdated:
		fact, err := store.Decode[documentFact](e.Data)
		if err != nil {
			return "", nil, err
		}
		return fact.Document.Type, madeChange(fact.Document, e.Kind == kindCreated), nil
	case kindDeleted:
		fact, err := store.Decode[deletedFact](e.Data)
		if err != nil {
			return "", nil, err
		}
		return fact.Type, DocumentChange{Type: fact.Type, ID: e.On.ID, Rev: fact.Rev}, nil
	case kindImported:
		fact, err := store.Decode[importedFact](e.Data)
		if err != nil {
			return "", nil, err
		}
		all := make(DocumentChanges, len(fact.Documents))
		for i, d := range fact.Documents {
			all[i] = madeChange(d, true)
		}
		return e.On.ID, all, nil
	default:
		return "", nil, nil
	}
}

func madeChange(d Document, created bool) DocumentChange {
	d.Data = plainMap(d.Data)
	return DocumentChange{Type: d.Type, ID: d.ID, Rev: d.Rev, Document: &d, Created: created}
}
