package bare

import (
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vikstrous/dataloadgen"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Resolver is the root.
type Resolver struct{ DB *mongo.Database }

// Handler serves GraphQL over the collections of db.
func Handler(db *mongo.Database) http.Handler {
	r := &Resolver{DB: db}
	srv := handler.New(NewExecutableSchema(Config{Resolvers: r}))
	srv.AddTransport(transport.Options{})
	srv.AddTransport(transport.GET{})
	srv.AddTransport(transport.POST{})
	srv.SetQueryCache(lru.New[*ast.QueryDocument](1000))
	srv.Use(extension.AutomaticPersistedQuery{Cache: lru.New[string](100)})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		load := loaders{
			users:    dataloadgen.NewLoader(r.users, dataloadgen.WithWait(time.Millisecond)),
			comments: dataloadgen.NewLoader(r.comments, dataloadgen.WithWait(time.Millisecond)),
		}
		srv.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), loaderKey{}, load)))
	})
}

type loaders struct {
	users    *dataloadgen.Loader[string, *User]
	comments *dataloadgen.Loader[string, []*Document]
}

type loaderKey struct{}

// row is a stored document.
type row struct {
	ID        string    `bson:"_id"`
	Rev       int       `bson:"rev"`
	Label     string    `bson:"label"`
	Type      string    `bson:"type"`
	Data      bson.M    `bson:"data"`
	CreatedAt time.Time `bson:"createdAt"`
	Owner     struct {
		ID string `bson:"id"`
	} `bson:"owner"`
}

func (d row) model() *Document {
	return &Document{ID: d.ID, Rev: d.Rev, Label: d.Label, Data: d.Data, CreatedAt: d.CreatedAt.Format(time.RFC3339Nano), OwnerID: d.Owner.ID}
}

func (r *Resolver) users(ctx context.Context, ids []string) ([]*User, []error) {
	cur, err := r.DB.Collection("users").Find(ctx, bson.M{"_id": bson.M{"$in": ids}})
	if err != nil {
		return nil, []error{err}
	}
	var rows []struct {
		ID   string `bson:"_id"`
		Name string `bson:"name"`
	}
	if err := cur.All(ctx, &rows); err != nil {
		return nil, []error{err}
	}
	found := map[string]*User{}
	for _, u := range rows {
		found[u.ID] = &User{ID: u.ID, Name: u.Name}
	}
	out := make([]*User, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

// comments are the comments on some documents, all of them: which are shown is for whoever asks.
func (r *Resolver) comments(ctx context.Context, ids []string) ([][]*Document, []error) {
	on := make([]string, len(ids))
	place := map[string]int{}
	for i, id := range ids {
		on[i] = "document:" + id
		place[on[i]] = i
	}
	cur, err := r.DB.Collection("documents").Find(ctx, bson.M{"data.on": bson.M{"$in": on}}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}))
	if err != nil {
		return nil, []error{err}
	}
	var rows []row
	if err := cur.All(ctx, &rows); err != nil {
		return nil, []error{err}
	}
	out := make([][]*Document, len(ids))
	for _, d := range rows {
		at, _ := d.Data["on"].(string)
		out[place[at]] = append(out[place[at]], d.model())
	}
	return out, nil
}

type (
	mutationResolver struct{ *Resolver }
	documentResolver struct{ *Resolver }
	queryResolver    struct{ *Resolver }
)

// Document resolves the fields of a document that are not stored in it.
func (r *Resolver) Document() DocumentResolver { return &documentResolver{r} }

// Query resolves the root.
func (r *Resolver) Query() QueryResolver { return &queryResolver{r} }

// Owner loads the owner with those of the other documents that ask within a millisecond.
func (r *documentResolver) Owner(ctx context.Context, obj *Document) (*User, error) {
	load, _ := ctx.Value(loaderKey{}).(loaders)
	return load.users.Load(ctx, obj.OwnerID)
}

// Comments loads the comments with those on the other documents that ask within a millisecond.
func (r *documentResolver) Comments(ctx context.Context, obj *Document, first int) ([]*Document, error) {
	load, _ := ctx.Value(loaderKey{}).(loaders)
	all, err := load.comments.Load(ctx, obj.ID)
	return all[:min(len(all), first)], err
}

// Mutation is the root of what changes.
func (r *Resolver) Mutation() MutationResolver { return &mutationResolver{r} }

// CreateDocument stores a document.
func (r *mutationResolver) CreateDocument(ctx context.Context, typeArg, owner string, data map[string]any) (*Document, error) {
	label, _ := data["title"].(string)
	d := row{ID: uuid.NewString(), Rev: 1, Label: label, Type: typeArg, Data: data, CreatedAt: time.Now()} //nolint:forbidigo // a bare server
	d.Owner.ID = owner
	_, err := r.DB.Collection("bare_documents").InsertOne(ctx, d) // documents has the validator of this product
	return d.model(), err
}

// Document reads one document.
func (r *queryResolver) Document(ctx context.Context, id string) (*Document, error) {
	var d row
	err := r.DB.Collection("documents").FindOne(ctx, bson.M{"_id": id}).Decode(&d)
	return d.model(), err
}

// Documents reads the newest documents of a type, by the type's id.
func (r *queryResolver) Documents(ctx context.Context, typeArg string, first int, status *string) ([]*Document, error) {
	filter := bson.M{"type": typeArg}
	if status != nil {
		filter["data.status"] = *status
	}
	cur, err := r.DB.Collection("documents").Find(ctx, filter,
		options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(first)))
	if err != nil {
		return nil, err
	}
	var rows []row
	if err := cur.All(ctx, &rows); err != nil {
		return nil, err
	}
	out := make([]*Document, len(rows))
	for i, d := range rows {
		out[i] = d.model()
	}
	return out, nil
}
