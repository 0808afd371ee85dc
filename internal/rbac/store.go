package rbac

import (
	"context"
	"errors"
	"fmt"
	"time"

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
			{Name: "member_role_bind_source_by", Keys: []string{
				"member.type", "member.id", "role", "bind", "source", "grantedBy.type", "grantedBy.id",
			}, Unique: true},
			{Name: "role", Keys: []string{"role", "_id"}},
			{Name: "source", Keys: []string{"source"}},
			{Name: "via", Keys: []string{"via"}},
			{Name: "ended", Keys: []string{"ended", "expiresAt"}},
		}},
		{Name: "object_grants", Indexes: []store.Index{
			{Name: "subject_permission_on", Keys: []string{"subject.type", "subject.id", "permission", "on.type", "on.id"}, Unique: true},
			{Name: "on", Keys: []string{"on.type", "on.id", "_id"}},
			{Name: "subject_status", Keys: []string{"subject.type", "subject.id", "status"}},
		}},
		{Name: "predicates", Indexes: []store.Index{{Name: "permission_name", Keys: []string{"permission", "name"}, Unique: true}}},
		{Name: "field_rules", Indexes: []store.Index{{Name: "on_path", Keys: []string{"on.type", "on.id", "path"}, Unique: true}}},
		{Name: "authz_rev"},
	}
}

// Migrations are the changes of what this package has stored that are no new index.
func Migrations() []store.Migration {
	return []store.Migration{{
		// One grant of a role to a member from one source was all there could be; now there is one for each grantor and binding.
		ID: "0006_grants_by_bindings_and_grantor",
		Up: func(ctx context.Context, db *store.DB) error {
			err := db.Collection("grants").Indexes().DropOne(ctx, "member_role_source")
			if se := mongo.ServerError(nil); errors.As(err, &se) && se.HasErrorCode(codeIndexNotFound) {
				return nil
			}
			return store.Wrap("drop index", err)
		},
	}}
}

const codeIndexNotFound = 27

// revID is the _id of the one document of authz_rev.
const revID = "rev"

type mongoStore struct {
	db                 *store.DB
	roles, grants, rev *mongo.Collection

	objects, predicates, fields *mongo.Collection
}

func newStore(db *store.DB) mongoStore {
	return mongoStore{
		db: db, roles: db.Collection("roles"), grants: db.Collection("grants"), rev: db.Collection("authz_rev"),
		objects: db.Collection("object_grants"), predicates: db.Collection("predicates"), fields: db.Collection("field_rules"),
	}
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
func (m mongoStore) load(ctx context.Context) (all stored, err error) {
	err = m.db.InTx(ctx, func(ctx context.Context) (err error) {
		rev, err := m.revision(ctx)
		if err != nil {
			return err
		}
		lean := options.Find().SetProjection(bson.D{
			{Key: "grantedBy", Value: 0}, {Key: "createdAt", Value: 0}, {Key: "source", Value: 0}, {Key: "reason", Value: 0},
		})
		if all, err = m.read(ctx, bson.D{}, bson.D{{Key: "status", Value: Approved}}, lean); err != nil {
			return err
		}
		all.rev = rev
		return nil
	})
	return all, err
}

// outline reads all but what users hold, and that of one user.
func (m mongoStore) outline(ctx context.Context, user string) (stored, error) {
	return m.read(ctx,
		bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "member.type", Value: ref.Role}}, store.Points("member", ref.New(ref.User, user))}}},
		bson.D{{Key: "status", Value: Approved}, {Key: "$or", Value: bson.A{
			bson.D{{Key: "subject.type", Value: ref.Role}}, store.Points("subject", ref.New(ref.User, user)),
		}}}, options.Find())
}

func (m mongoStore) read(ctx context.Context, grants, objects bson.D, lean *options.FindOptionsBuilder) (all stored, err error) {
	if all.roles, err = store.Find[Role](ctx, m.roles, bson.D{}); err != nil {
		return all, err
	}
	if all.grants, err = store.Find[Grant](ctx, m.grants, grants, lean); err != nil {
		return all, err
	}
	if all.objects, err = store.Find[ObjectGrant](ctx, m.objects, objects, lean); err != nil {
		return all, err
	}
	if all.predicates, err = store.Find[Predicate](ctx, m.predicates, bson.D{}); err != nil {
		return all, err
	}
	all.fields, err = store.Find[FieldRule](ctx, m.fields, bson.D{})
	return all, err
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

func (m mongoStore) replaceRole(ctx context.Context, r Role) error {
	return replace(ctx, m.roles, r.ID, r, "update role")
}

func (m mongoStore) deleteRole(ctx context.Context, id string) error {
	return remove(ctx, m.roles, id, "delete role")
}

func (m mongoStore) grant(ctx context.Context, id string) (Grant, error) {
	return found(store.FindByID[Grant](ctx, m.grants, id))
}

func (m mongoStore) grantsByID(ctx context.Context, ids []string) (map[string]Grant, error) {
	return store.FindByIDs(ctx, m.grants, ids, func(g Grant) string { return g.ID })
}

// grantLike finds the grant of the same role to the same member in the same way; of a manual one by the same grantor too.
func (m mongoStore) grantLike(ctx context.Context, g Grant) (like Grant, ok bool, err error) {
	match := append(store.Points("member", g.Member), store.Eq("role", g.Role), bindIs(g.Bind), store.Eq("source", g.Source))
	if g.Source == SourceManual {
		match = append(match, store.Points("grantedBy", g.GrantedBy)...)
	}
	return one[Grant](ctx, m.grants, match)
}

// bindIs matches the bindings; grants of the first release had none.
func bindIs(b Bindings) bson.E {
	if b == "" {
		return bson.E{Key: "bind", Value: bson.D{{Key: "$in", Value: bson.A{"", nil}}}}
	}
	return store.Eq("bind", string(b))
}

// grantsVia reads what depends on these grants, the oldest first.
func (m mongoStore) grantsVia(ctx context.Context, grants []Grant) ([]Grant, error) {
	ids := make(bson.A, len(grants))
	for i, g := range grants {
		ids[i] = g.ID
	}
	return store.Find[Grant](ctx, m.grants, bson.D{{Key: "via", Value: bson.D{{Key: "$in", Value: ids}}}}, byID())
}

// edges reads the grants to roles, the oldest first.
func (m mongoStore) edges(ctx context.Context, limit int64) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{{Key: "member.type", Value: ref.Role}}, byID().SetLimit(limit))
}

// grantsOfRole reads who holds a role directly, the oldest first.
func (m mongoStore) grantsOfRole(ctx context.Context, role string) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{store.Eq("role", role)}, byID())
}

// grantsOf reads what a member holds directly: a handful.
func (m mongoStore) grantsOf(ctx context.Context, member ref.Ref) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, store.Points("member", member))
}

func (m mongoStore) grantsOfSource(ctx context.Context, source string) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{store.Eq("source", source)}, byID())
}

// maxAdmins is how many administrators are looked at to find one who stays.
const maxAdmins = 1000

// heldForEver reads the unconditional grants of a role to users, the oldest first.
func (m mongoStore) heldForEver(ctx context.Context, role string, now time.Time) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{
		store.Eq("role", role),
		{Key: "member.type", Value: ref.User},
		{Key: "expiresAt", Value: nil},
		{Key: "noInherit", Value: bson.D{{Key: "$ne", Value: true}}},
		{Key: "notBefore", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: now}}}}},
	}, byID().SetLimit(maxAdmins))
}

// grantsOver reads grants that are over and have not been told of, those that ended first before the others.
func (m mongoStore) grantsOver(ctx context.Context, now time.Time) ([]Grant, error) {
	return store.Find[Grant](ctx, m.grants, bson.D{
		{Key: "ended", Value: nil}, {Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: now}}},
	}, options.Find().SetSort(bson.D{{Key: "expiresAt", Value: 1}}).SetLimit(1000))
}

// claimEnd notes that the end of a grant is told; false when another node has, or it has been extended.
func (m mongoStore) claimEnd(ctx context.Context, g Grant, now time.Time) (bool, error) {
	res, err := m.grants.UpdateOne(ctx, bson.D{
		store.Eq("_id", g.ID), {Key: "ended", Value: nil}, {Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: now}}},
	}, bson.D{{Key: "$set", Value: bson.D{{Key: "ended", Value: true}}}})
	if err != nil {
		return false, store.Wrap("end grant", err)
	}
	return res.MatchedCount == 1, nil
}

func (m mongoStore) insertGrant(ctx context.Context, g Grant) error {
	_, err := m.grants.InsertOne(ctx, g)
	return store.Wrap("insert grant", err)
}

func (m mongoStore) replaceGrant(ctx context.Context, g Grant) error {
	return replace(ctx, m.grants, g.ID, g, "change grant")
}

func (m mongoStore) deleteGrant(ctx context.Context, id string) error {
	return remove(ctx, m.grants, id, "delete grant")
}

func replace(ctx context.Context, in *mongo.Collection, id string, doc any, what string) error {
	_, err := in.ReplaceOne(ctx, bson.D{store.Eq("_id", id)}, doc, options.Replace().SetUpsert(true))
	return store.Wrap(what, err)
}

func remove(ctx context.Context, in *mongo.Collection, id, what string) error {
	_, err := in.DeleteOne(ctx, bson.D{store.Eq("_id", id)})
	return store.Wrap(what, err)
}

func byID() *options.FindOptionsBuilder {
	return options.Find().SetSort(bson.D{{Key: "_id", Value: 1}})
}

// one finds a document that may not be there.
func one[T any](ctx context.Context, in *mongo.Collection, match bson.D) (v T, ok bool, err error) {
	v, err = store.FindOne[T](ctx, in, match)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, false, nil
	}
	return v, err == nil, err
}

// found turns "no document" into NOT_FOUND.
func found[T any](v T, err error) (T, error) {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return v, fault.ErrNotFound
	}
	return v, err
}
