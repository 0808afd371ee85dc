package graph

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// slow is a filter that keeps the server busy for about half a second with each of the plans of slowPlans.
func slow() bson.D {
	count := bson.D{{Key: "$reduce", Value: bson.D{
		{Key: "input", Value: bson.D{{Key: "$range", Value: bson.A{0, 500_000}}}},
		{Key: "initialValue", Value: 0},
		{Key: "in", Value: bson.D{{Key: "$add", Value: bson.A{"$$value", "$n"}}}},
	}}}
	return bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{count, -1}}}}}
}

// slowPlans is a database on which slow takes a minute.
func slowPlans(t *testing.T) *store.DB {
	db := storetest.DB(t)
	docs := make([]any, 120)
	for i := range docs {
		docs[i] = bson.D{{Key: "n", Value: 1}}
	}
	storetest.Insert(t, db, "plans", docs...)
	return db
}

// running is how many reads of plans the server is busy with.
func running(t *testing.T, db *store.DB) int {
	raw, err := db.Database().Client().Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "currentOp", Value: 1}, {Key: "ns", Value: db.Database().Name() + ".plans"},
	}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	ops, err := raw.Lookup("inprog").Array().Values()
	if err != nil {
		t.Fatal(err)
	}
	return len(ops)
}

// readers read plans in the two ways there are.
func readers(db *store.DB) map[string]func(context.Context) ([]plan.Plan, error) {
	return map[string]func(context.Context) ([]plan.Plan, error){
		"one": func(ctx context.Context) ([]plan.Plan, error) {
			_, err := store.FindOne[plan.Plan](ctx, db.Collection("plans"), slow())
			return nil, store.Translate(err)
		},
		"many": func(ctx context.Context) ([]plan.Plan, error) {
			return store.Find[plan.Plan](ctx, db.Collection("plans"), slow())
		},
	}
}

// The server is told how long it has. Where the driver tells it nothing (it sends no maxTimeMS with what may become a
// cursor, DRIVERS-2722) it cuts the connection, which ends the read within half a second: see the tests below.
func TestDeadlineIsSentToMongoDB(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	r := newRig(t, &stubs{plans: func(ctx context.Context) ([]plan.Plan, error) {
		p, err := store.FindByID[plan.Plan](ctx, db.Collection("plans"), "free")
		return []plan.Plan{p}, err
	}}, Config{})
	storetest.Insert(t, db, "plans", plan.Plan{ID: "free", Key: "free"})
	if err := db.Database().RunCommand(t.Context(), bson.D{{Key: "profile", Value: 2}}).Err(); err != nil {
		t.Fatal(err)
	}
	if g := r.query(plansQuery, nil, DeadlineHeader, "3s"); string(g.Data) != `{"plans":[{"key":"free"}]}` {
		t.Fatalf("%s", g.body)
	}
	type entry struct {
		Command struct {
			MaxTimeMS int64 `bson:"maxTimeMS"`
		} `bson:"command"`
	}
	seen, err := store.FindOne[entry](t.Context(), db.Collection("system.profile"), bson.D{{Key: "command.find", Value: "plans"}})
	if err != nil {
		t.Fatal(err)
	}
	if ms := seen.Command.MaxTimeMS; ms <= 0 || ms > 3000 {
		t.Errorf("maxTimeMS = %d", ms)
	}
}

// When the deadline of a request passes, the answer says so at once, and the server stops what it does for it.
func TestDeadlinePassesInMongoDB(t *testing.T) {
	t.Parallel()
	db := slowPlans(t)
	for name, read := range readers(db) {
		r := newRig(t, &stubs{plans: read}, Config{})
		start := time.Now()
		g := r.query(plansQuery, nil, DeadlineHeader, "500ms")
		if g.code() != "DEADLINE_EXCEEDED" || time.Since(start) > 5*time.Second {
			t.Errorf("%s: after %v: %s", name, time.Since(start), g.body)
		}
		storetest.Eventually(t, 10*time.Second, func() bool { return running(t, db) == 0 }, name+": the server has stopped")
	}
}

// When the client leaves, its read ends at once, long before the deadline, and the server stops too.
func TestClientLeavesMongoDB(t *testing.T) {
	t.Parallel()
	db := slowPlans(t)
	for name, read := range readers(db) {
		r := newRig(t, &stubs{plans: read}, Config{})
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, strings.NewReader(`{"query":"{ plans { key } }"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", typeJSON)
		left := make(chan struct{})
		go func() {
			defer close(left)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Errorf("%s: an answer to a client that left", name)
			}
		}()
		storetest.Eventually(t, 10*time.Second, func() bool { return running(t, db) == 1 }, name+": the server reads")
		leave()
		<-left
		storetest.Eventually(t, 3*time.Second, func() bool { return len(r.ops.all()) == 1 }, name+": the operation ends")
		if op := r.ops.all()[0]; op != [3]string{"plans", "query", "CANCELED"} {
			t.Errorf("%s: %v", name, op)
		}
		storetest.Eventually(t, 10*time.Second, func() bool { return running(t, db) == 0 }, name+": the server has stopped")
	}
}
