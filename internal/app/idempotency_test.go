package app_test

import (
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// created is the id of a document that was made with a key, and whether it was made before.
func created(t *testing.T, r apptest.Response) (id string, replayed bool) {
	t.Helper()
	if r.Code() != "" {
		t.Fatalf("%+v", r.Errors)
	}
	return text(t, r.Data, "createDocument", "document", "id"), fmt.Sprint(r.Extensions["idempotency"]) == "map[replayed:true]"
}

// TestIdempotencyKeys: a retry with the key of the first try changes nothing, on whatever node and over whatever transport.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	defineNote(root)
	there := with(b, root.Token)
	id, replayed := created(t, root.Do(createDoc, note("once"), "Idempotency-Key", "k-1"))
	again, replayedThere := created(t, there.Do(createDoc, note("once"), "Idempotency-Key", "k-1"))
	if again != id || replayed || !replayedThere {
		t.Errorf("made %s (%v), then %s (%v)", id, replayed, again, replayedThere)
	}
	if r := there.Do(createDoc, note("twice"), "Idempotency-Key", "k-1"); r.Code() != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another request: %+v", r.Errors)
	}
	if r := a.Browser().Do(`mutation { signOut { ok: __typename } }`, nil, "Idempotency-Key", "k-1"); r.Code() != "IDEMPOTENCY_KEY_INVALID" {
		t.Errorf("nobody's key: %+v", r.Errors)
	}
	if r := root.Do(createDoc, note(""), "Idempotency-Key", "k-2"); r.Code() == "" || r.Code() == "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("no note: %+v", r.Errors)
	}
	if _, replayed := created(t, root.Do(createDoc, note("better"), "Idempotency-Key", "k-2")); replayed {
		t.Error("what has failed and changed nothing uses a key up")
	}

	ws := dialed(t, b, root.Token)
	if err := ws.WriteJSON(map[string]any{"id": "p", "type": "subscribe", "payload": map[string]any{
		"query": createDoc, "variables": note("once"), "extensions": map[string]any{"idempotencyKey": "k-1"},
	}}); err != nil {
		t.Fatal(err)
	}
	heard(t, ws, id)
	if n := len(at(t, root.Must(`{ documents(type: "note", first: 50) { nodes { id } } }`, nil), "documents", "nodes").([]any)); n != 2 {
		t.Errorf("%d documents", n)
	}
}

// TestIdempotentUses: uses with one key count once, however many come at once, and those with keys of their own all count.
func TestIdempotentUses(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	plans := openShop(t, root)
	c, id := user(t, a, "Una")
	buy(t, c, plans["pro"])
	const use = `mutation($in: ConsumeFeatureInput!) { consumeFeature(input: $in) { __typename } }`
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			node, key := with([]*apptest.Server{a, b}[i%2], root.Token), fmt.Sprint("same", i%3)
			for {
				r := node.Do(use, in(map[string]any{"user": id, "feature": "api.calls", "amount": 2, "source": "test", "id": key}), "Idempotency-Key", key)
				if r.Code() == "IDEMPOTENCY_IN_PROGRESS" {
					continue
				}
				if r.Code() != "" {
					t.Errorf("%+v", r.Errors)
				}
				return
			}
		})
	}
	all.Wait()
	if got := fmt.Sprint(c.Must(`{ entitlement(feature: "api.calls") { used } }`, nil)); got != "map[entitlement:map[used:6]]" {
		t.Errorf("%s", got)
	}
}

// TestOutcomeUnknown: when no answer to a commit comes, the code says so. The retry with the key finds out what became of it: it is told
// that the change was made, or makes it.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault bson.E
		retry string
	}{
		"it was made":     {bson.E{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 91}, {Key: "errmsg", Value: "going down"}}}, "ALREADY_APPLIED"},
		"it was not made": {bson.E{Key: "closeConnection", Value: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t, apptest.Setup{})
			root := admin(t, s)
			defineNote(root)
			off := storetest.FailPoint(t, s.DB(), "alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{"commitTransaction"}}, tc.fault})
			r := root.Do(createDoc, note("in doubt"), "Idempotency-Key", "k", "X-Request-Timeout", "700ms")
			off()
			if r.Code() != "OUTCOME_UNKNOWN" {
				t.Errorf("%+v", r.Errors)
			}
			eventually(t, "the outcome is known", func() bool {
				r = root.Do(createDoc, note("in doubt"), "Idempotency-Key", "k")
				return r.Code() != "IDEMPOTENCY_IN_PROGRESS" && r.Code() != "DEADLINE_EXCEEDED" // the server ends an open transaction after 10 s
			})
			n := len(at(t, root.Must(`{ documents(type: "note", first: 50) { nodes { id } } }`, nil), "documents", "nodes").([]any))
			if r.Code() != tc.retry || n != 1 {
				t.Errorf("the retry: %+v, and %d documents", r.Errors, n)
			}
		})
	}
}
