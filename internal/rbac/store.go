package rbac

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Collections declares what this package keeps.
func Collections() []store.Collection {
	return []store.Collection{
		{Name: "roles", Indexes: []store.Index{{Name: "key", Keys: []string{"key"}, Unique: true}}},
		{Name: "grants", Indexes: []store.Index{
			{Name: "member_role_source", Keys: []string{"member.type", "member.id", "role", "source"}, Unique: true},
			{Name: "role", Keys: []string{"role"}},
			{Name: "source", Keys: []string{"source"}},
		}},
		{Name: "authz_rev"},
	}
}

// revID is the _id of the one document of authz_rev.
const revID = "rev"

type mongoStore struct {
	db                 *store.DB
	roles, grants, rev *mongo.Collection
}

func newStore(db *store.DB) mongoStore {
	return mongoStore{db: db, roles: db.Collection("roles"), grants: db.Collection("grants"), rev: db.Collection("authz_rev")}
}

type revDoc struct {
	Rev int64 `bson:"rev"`
}

// revision reads the revision; 0 when nothing was ever written.
func (m mongoStore) revision(ctx context.Context) (int64, error) {
	d, err := store.FindByID[revDoc](ctx, m.rev, revID)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	return d.Rev, err
}

// raise takes the next revision. It conflicts with every other policy write that commits meanwhile.
func (m mongoStore) raise(ctx context.Context) (int64, error) {
	raw, err := m.rev.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: revID}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "rev", Value: int64(1)}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	if err != nil {
		return 0, fmt.Errorf("raise the policy revision: %w", store.Translate(err))
	}
	d, err := store.Decode[revDoc](raw)
	return d.Rev, err
}

// load reads the whole policy as of one moment.
func (m mongoStore) load(ctx context.Context) (rev int64, roles []Role, grants []Grant, err error) {
	err = m.db.InTx(ctx, func(ctx context.Context) (err error) {
		if rev, err = m.revision(ctx); err != nil {
			return err
		}
		if roles, err = store.Find[Role](ctx, m.roles, bson.D{}); err != nil {
			return err
		}
		lean := options.Find().SetProjection(bson.D{{Key: "grantedBy", Value: 0}, {Key: "createdAt", Value: 0}, {Key: "source", Value: 0}})
		grants, err = store.Find[Grant](ctx, m.grants, bson.D{}, lean)
		return err
	})
	return rev, roles, grants, err
}

// outline reads the roles, the edges between them, and what one user holds.
func (m mongoStore) outline(ctx context.Context, user string) ([]Role, []Grant, error) {
	roles, err := store.Find[Role](ctx, m.roles, bson.D{})
	if err != nil {
		return nil, nil, err
	}
	edges, err := store.Find[Grant](ctx, m.grants, bson.D{{Key: "member.type", Value: ref.Role}})
	if err != nil {
		return nil, nil, err
	}
	held, err := m.grantsOf(ctx, ref.New(ref.User, user))
	return roles, append(edges, held...), err
}

func (m mongoStore) role(ctx context.Context, id string) (Role, error) {
	return found(store.FindByID[Role](ctx, m.roles, id))
}

func (m mongoStore) roleByKey(ctx context.Context, key string) (Role, error) {
	return found(store.FindOne[Role](ctx, m.roles, bson.D{store.Eq("key", key)}))
}

func (m mongoStore) rolePage(ctx context.Context, w page.Window) ([]Role, error) {
	return store.FindPage[Role](ctx, m.roles, bson.D{}, w, store.Key{Field: "key"})
}

func (m mongoStore) rolesByID(ctx context.Context, ids []string) (map[string]Role, error) {
	return store.FindByIDs(ctx, m.roles, ids, func(r Role) string { return r.ID })
}

func (m mongoStore) insertRole(ctx context.Context, r Role) error {
	_, err := m.roles.InsertOne(ctx, r)
	if store.IsDuplicate(err) { // unreachable while every writer reads first and raises the revision; the index has the last word
		return ErrKeyTaken.Because(err)
	}
	return store.Wrap("insert role", err)
}

func (m mongoStore) setPermissions(ctx context.Context, r Role) error {
	_, err := m.roles.UpdateOne(ctx, bson.D{store.Eq("_id", r.ID)}, set1("permissions", r.Permissions))
	return store.Wrap("update role", err)
}

func (m mongoStore) grant(ctx context.Context, id string) (Grant, error) {
	return found(store.FindByID[Grant](ctx, m.grants, id))
}

func (m mongoStore) grantsByID(ctx context.Context, ids []string) (map[string]Grant, error) {
	return store.FindByIDs(ctx, m.grants, ids, func(g Grant) string { return g.ID })
}

// grantOf finds the grant of a role to a member from one source.
func (m mongoStore) grantOf(ctx context.Context, member ref.Ref, role, source string) (g Grant, ok bool, err error) {
	g, err = store.FindOne[Grant](ctx, m.grants, append(store.Points("member", member), store.Eq("role", role), store.Eq("source", source)))
	if errors.Is(err, mongo.ErrNoDocuments) {
		return g, false, nil
	}
	return g, err == nil, err
}

// grantsOf reads what a member holds directly: a handful.
func (m mongoStore) grantsOf(ctx context.Context, member ref.Ref) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, store.Points("member", member))
}

func (m mongoStore) grantsOfSource(ctx context.Context, source string) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{store.Eq("source", source)}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
}

// heldForEver reports whether a user holds the role by a grant without an end, other than that one.
func (m mongoStore) heldForEver(ctx context.Context, role, except string) (bool, error) {
	_, err := store.FindOne[Grant](ctx, m.grants, bson.D{
		{Key: "role", Value: bson.D{{Key: "$eq", Value: role}}},
		{Key: "member.type", Value: ref.User},
		{Key: "_id", Value: bson.D{{Key: "$ne", Value: except}}},
		{Key: "expiresAt", Value: nil},
	})
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

func (m mongoStore) insertGrant(ctx context.Context, g Grant) error {
	_, err := m.grants.InsertOne(ctx, g)
	return store.Wrap("insert grant", err)
}

func (m mongoStore) extend(ctx context.Context, g Grant) error {
	change := bson.D{{Key: "$unset", Value: bson.D{{Key: "expiresAt", Value: ""}}}}
	if g.ExpiresAt != nil {
		change = set1("expiresAt", *g.ExpiresAt)
	}
	_, err := m.grants.UpdateOne(ctx, bson.D{store.Eq("_id", g.ID)}, change)
	return store.Wrap("extend grant", err)
}

func (m mongoStore) deleteGrant(ctx context.Context, id string) error {
	_, err := m.grants.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	return store.Wrap("delete grant", err)
}

// found turns "no document" into NOT_FOUND.
func found[T any](v T, err error) (T, error) {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, fault.ErrNotFound
	}
	return v, err
}

func set1(field string, value any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
}
