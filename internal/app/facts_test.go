package app_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
)

// productEvents are the product's own events, by id.
func productEvents(t *testing.T, db *store.DB) map[string]analytics.Event {
	t.Helper()
	all, err := store.Find[analytics.Event](context.Background(), db.Collection("analytics_events"), bson.D{
		{Key: "name", Value: bson.D{{Key: "$regex", Value: `^product\.`}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]analytics.Event{}
	for _, e := range all {
		byID[e.ID] = e
	}
	return byID
}

// countable are the facts of the log that become events.
func countable(t *testing.T, db *store.DB) []event.Event {
	t.Helper()
	all, err := store.Find[event.Event](t.Context(), db.Collection("events"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e event.Event) bool { return strings.HasPrefix(e.Kind, "analytics.") })
}

// waitForFacts waits until every fact is an event.
func waitForFacts(t *testing.T, db *store.DB) map[string]analytics.Event {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		missing := ""
		got := productEvents(t, db)
		for _, f := range countable(t, db) {
			if _, there := got["fact-"+f.ID]; !there {
				missing = f.Kind
			}
		}
		if missing == "" {
			return got
		}
		if time.Now().After(end) {
			t.Fatalf("%s is no event", missing)
		}
	}
}

// What happens in the product is counted once, by however many nodes see it, and whether or not one ran that records.
func TestFactsOfTheProductAreEvents(t *testing.T) {
	t.Parallel()
	quiet := apptest.Start(t, apptest.Setup{})
	first, id := user(t, quiet, "first") // nobody records yet
	one := apptest.Start(t, apptest.Setup{Database: quiet.Database, Args: []string{"--analytics-product=true"}})
	two := apptest.Start(t, apptest.Setup{Database: quiet.Database, Args: []string{"--analytics-product=true"}})
	waitForFacts(t, quiet.DB())
	user(t, one, "second")
	user(t, two, "third")
	got := waitForFacts(t, quiet.DB())
	names := map[string]int{}
	for _, e := range got {
		if strings.HasPrefix(e.ID, "fact-") {
			names[e.Name]++
		}
		if e.Name == "product.sign_in" && (len(e.Actor) != 36 || len(e.Session) != 36 || e.Dims["how"] == "") {
			t.Errorf("a sign-in without somebody: %+v", e)
		}
	}
	facts := countable(t, quiet.DB())
	if n := names["product.sign_in"]; n < 6 || n+names["product.usage"]+names["product.denied"] != len(facts) {
		t.Errorf("%v of %d facts", names, len(facts))
	}
	if n := len(slices.DeleteFunc(facts, func(e event.Event) bool { return e.Kind != "session.session.started" })); n != names["product.sign_in"] {
		t.Errorf("%d sign-ins in the log, %d counted", n, names["product.sign_in"])
	}

	first = first.At(one)
	first.Must(`{ me { user { id } } }`, nil)
	if r := first.Do(`{ eventSources { id } }`, nil); r.Code() != "FORBIDDEN" {
		t.Fatalf("%+v", r)
	}
	one.Cleanup() // what it has added up is stored at its end
	requests, denied := 0.0, 0.0
	for _, e := range productEvents(t, quiet.DB()) {
		switch {
		case e.Name == "product.request" && e.Dims["operation"] == "eventSources":
			requests += e.Values["count"]
			if e.Dims["code"] != "FORBIDDEN" || e.Values["ms"] <= 0 || e.Values["max_ms"] < e.Values["ms"] {
				t.Errorf("%+v", e)
			}
		case e.Name == "product.denied" && e.Dims["operation"] == "eventSources":
			denied += e.Values["count"]
		}
	}
	if requests != 1 || denied != 1 {
		t.Errorf("%g requests, %g refusals of user %s; want 1 of each", requests, denied, id)
	}
	metrics := admin(t, quiet).Must(`{ metrics { key } }`, nil)
	if n := len(at(t, metrics, "metrics").([]any)); n != 5 {
		t.Errorf("%d metrics, want those of the product", n)
	}
}
