package throttle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestReq22OneEventForARefusalThatGoesOn(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	on := ref.New(ref.User, "u1")
	b := Bucket{Limit: byUser, Key: "ada@example.org", On: on}
	ctx := actor.WithRequest(t.Context(), actor.Request{ID: "r1", IP: "192.0.2.7"})
	n.mustTake(t, 5, b)
	if len(n.events(t)) != 0 {
		t.Error("an event before any refusal")
	}
	for range 10 {
		if err := n.Take(ctx, b); !errors.Is(err, ErrLimited) {
			t.Fatal(err)
		}
	}
	all := n.events(t)
	if len(all) != 1 {
		t.Fatalf("%d events for ten refusals", len(all))
	}
	e := all[0]
	if e.Kind != "throttle.limit.reached" || e.On != on || e.IP != "192.0.2.7" || e.RequestID != "r1" || !e.At.Equal(t0) ||
		e.Data.Lookup("limit").StringValue() != "test_user" {
		t.Errorf("event %+v", e)
	}
	if text := e.Data.String(); strings.Contains(text, "example.org") {
		t.Errorf("the event tells the key: %s", text)
	}
	n.clock.Advance(10 * time.Second)
	n.mustTake(t, 1, b)
	n.refused(t, b)
	n.refused(t, b)
	if got := len(n.events(t)); got != 2 {
		t.Errorf("%d events; somebody was let through in between, so want 2", got)
	}
	if err := n.fill(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	n.mustTake(t, 5, b)
	n.refused(t, b)
	if got := len(n.events(t)); got != 3 {
		t.Errorf("%d events; the bucket was filled in between, so want 3", got)
	}
}

func TestAnEventAboutNobodyIsAboutTheSystem(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	n.mustTake(t, 3, ip("192.0.2.7"))
	n.refused(t, ip("192.0.2.7"))
	if all := n.events(t); len(all) != 1 || all[0].On != ref.New(ref.System, ref.System) {
		t.Errorf("events: %+v", all)
	}
}

func TestARefusalElsewhereIsNotLettingThrough(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, net := user("ada"), ip("192.0.2.7")
	n.mustTake(t, 5, ada)
	n.refused(t, ada) // the event of this limit
	n.mustTake(t, 3, net)
	n.clock.Advance(10 * time.Second) // one of ada's again; none of the network's
	for range 5 {
		n.refused(t, ada, net) // takes ada's and gives it back
	}
	n.mustTake(t, 1, user("x"))
	if got := len(n.events(t)); got != 2 {
		t.Errorf("%d events, want one for each limit", got)
	}
	if r, _ := n.stored(t, ada); !r.Refused {
		t.Error("the mark was taken off though nobody passed")
	}
	n.mustTake(t, 1, ada)
	if r, _ := n.stored(t, ada); r.Refused {
		t.Error("the mark is still there though somebody passed")
	}
}

func TestTheEventIsMadeUpFor(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	n.mustTake(t, 5, ada)
	off := storetest.FailPoint(t, n.db, "alwaysOn", bson.D{{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "errorCode", Value: 2}})
	err := n.Take(t.Context(), ada)
	off()
	if !errors.Is(err, ErrLimited) || fault.From(err).Code != "RATE_LIMITED" || fault.From(err).Err == nil || len(n.events(t)) != 0 {
		t.Errorf("Take() = %v, %d events; want a refusal with a cause", err, len(n.events(t)))
	}
	n.refused(t, ada)
	n.refused(t, ada)
	if got := len(n.events(t)); got != 1 {
		t.Errorf("%d events, want 1", got)
	}
}
