package rbac

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// maxListed is how many grants on one object are listed.
const maxListed = 1000

func (m mongoStore) objectGrant(ctx context.Context, id string) (ObjectGrant, error) {
	return found(store.FindByID[ObjectGrant](ctx, m.objects, id))
}

func (m mongoStore) objectGrantOf(ctx context.Context, subject ref.Ref, permission string, on ref.Ref) (ObjectGrant, bool, error) {
	match := append(store.Points("subject", subject), store.Eq("permission", permission))
	return one[ObjectGrant](ctx, m.objects, append(match, store.Points("on", on)...))
}

// objectGrantsOf reads all of a user or role.
func (m mongoStore) objectGrantsOf(ctx context.Context, subject ref.Ref) ([]ObjectGrant, error) {
	return store.Find[ObjectGrant](ctx, m.objects, store.Points("subject", subject), byID())
}

// objectGrantsOn reads those on these objects, the oldest first; at most limit, 0 for all.
func (m mongoStore) objectGrantsOn(ctx context.Context, objects []ref.Ref, limit int64) ([]ObjectGrant, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	each := make(bson.A, len(objects))
	for i, on := range objects {
		each[i] = store.Points("on", on)
	}
	return store.Find[ObjectGrant](ctx, m.objects, bson.D{{Key: "$or", Value: each}}, byID().SetLimit(limit))
}

func (m mongoStore) countObjectGrants(ctx context.Context, subject ref.Ref) (int64, error) {
	n, err := m.objects.CountDocuments(ctx, store.Points("subject", subject))
	return n, store.Wrap("count object grants", err)
}

func (m mongoStore) countRequests(ctx context.Context, subject ref.Ref) (int64, error) {
	n, err := m.objects.CountDocuments(ctx, append(store.Points("subject", subject), bson.E{Key: "status", Value: Requested}))
	return n, store.Wrap("count requests", err)
}

func (m mongoStore) replaceObjectGrant(ctx context.Context, o ObjectGrant) error {
	return replace(ctx, m.objects, o.ID, o, "store object grant")
}

func (m mongoStore) deleteObjectGrant(ctx context.Context, id string) error {
	return remove(ctx, m.objects, id, "delete object grant")
}

func (m mongoStore) predicate(ctx context.Context, id string) (Predicate, error) {
	return found(store.FindByID[Predicate](ctx, m.predicates, id))
}

func (m mongoStore) replacePredicate(ctx context.Context, p Predicate) error {
	return replace(ctx, m.predicates, p.ID, p, "store predicate")
}

func (m mongoStore) deletePredicate(ctx context.Context, id string) error {
	return remove(ctx, m.predicates, id, "delete predicate")
}

func (m mongoStore) replaceField(ctx context.Context, f FieldRule) error {
	return replace(ctx, m.fields, f.ID, f, "store field rule")
}

func (m mongoStore) deleteField(ctx context.Context, id string) error {
	return remove(ctx, m.fields, id, "delete field rule")
}
