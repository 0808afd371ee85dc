package throttle

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

func TestNoAnswerIsNoRefusal(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"Take": n.Take(ctx, user("ada")), "Refund": n.Refund(ctx, user("ada")),
	} {
		if !errors.Is(err, fault.ErrCanceled) || errors.Is(err, ErrLimited) {
			t.Errorf("%s() = %v", name, err)
		}
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada, net := user("ada"), ip("192.0.2.7")
	cost := func(want int, f func(ctx context.Context) error) {
		t.Helper()
		ctx, count := store.WithCounter(t.Context())
		if err := f(ctx); err != nil && !errors.Is(err, ErrLimited) {
			t.Fatal(err)
		}
		if count.Total() != want {
			t.Errorf("%d commands, want %d", count.Total(), want)
		}
	}
	take := func(ctx context.Context) error { return n.Take(ctx, ada, net) }
	cost(2, take)
	cost(1, func(ctx context.Context) error { return n.Refund(ctx, ada, net) })
	n.mustTake(t, 3, net)
	cost(6, take) // two, one to give back; update, insert and commit for the event
	cost(3, take)
	n.clock.Advance(time.Minute)
	cost(3, take) // two, one to take the mark off
	n.clock.Advance(time.Minute)
	cost(2, take)
}

func TestARefusalWritesNothing(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	n.mustTake(t, 5, ada)
	n.refused(t, ada)
	before, _ := n.stored(t, ada)
	at, err := n.db.ClusterTime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		n.refused(t, ada)
	}
	if after, _ := n.stored(t, ada); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	stream, err := n.db.Database().RunCommand(t.Context(), bson.D{
		{Key: "aggregate", Value: 1},
		{Key: "cursor", Value: bson.D{}},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{{Key: "startAtOperationTime", Value: bson.Timestamp{T: at.T, I: at.I + 1}}}}}}},
	}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if changes, _ := stream.Lookup("cursor", "firstBatch").Array().Values(); len(changes) != 0 {
		t.Errorf("ten refusals wrote %v", changes)
	}
}

func TestExpiresAt(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ada := user("ada")
	check := func() {
		t.Helper()
		raw, err := store.FindByID[struct {
			Tat       time.Time `bson:"tat"`
			ExpiresAt time.Time `bson:"expiresAt"`
		}](t.Context(), n.db.Collection(collection), ada.id())
		if err != nil || raw.ExpiresAt.Sub(raw.Tat) != time.Hour {
			t.Errorf("full at %v, deleted at %v, %v", raw.Tat, raw.ExpiresAt, err)
		}
	}
	n.mustTake(t, 5, ada)
	check()
	n.refused(t, ada)
	check()
	if err := n.Refund(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	check()
	if _, err := n.db.Collection(collection).DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	n.mustTake(t, 5, ada)
	n.refused(t, ada)
}

func TestKeysAreNotStored(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	b := Bucket{Limit: byUser, Key: "ada@example.org"}
	n.takes(t, 9, b, ip("192.0.2.77"))
	for _, coll := range []string{collection, "events"} {
		docs, err := store.Find[bson.Raw](t.Context(), n.db.Collection(coll), bson.D{})
		if err != nil || len(docs) == 0 {
			t.Fatal(err)
		}
		for _, d := range docs {
			if strings.Contains(string(d), "example.org") || strings.Contains(string(d), "192.0.2.77") {
				t.Errorf("%s holds a key: %s", coll, d)
			}
		}
	}
}

func TestTheStoreAgreesWithTheRule(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 7))
		l := Limit{Name: "r" + strconv.FormatUint(seed, 10), Burst: 1 + r.IntN(6), Every: time.Duration(1+r.Int64N(60_000)) * time.Millisecond}
		b := Bucket{Limit: l, Key: "k"}
		var tat time.Time
		for i := range 40 {
			n.clock.Advance(time.Duration(r.Int64N(int64(l.Every) * 3 / 2)).Truncate(time.Millisecond))
			now := n.now()
			switch {
			case r.IntN(6) == 0:
				if err := n.Refund(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				if tat.After(now) {
					tat = later(tat.Add(-l.Every), now)
				}
			default:
				wait := l.wait(tat, now)
				if wait == 0 {
					tat = later(tat, now).Add(l.Every)
				}
				if err := n.Take(t.Context(), b); (err == nil) != (wait == 0) {
					t.Fatalf("seed %d, step %d: Take() = %v, the rule says %v", seed, i, err, wait)
				}
			}
			if got, found := n.stored(t, b); found && !got.Tat.Equal(tat) {
				t.Fatalf("seed %d, step %d: full at %v, the rule says %v", seed, i, got.Tat, tat)
			}
		}
	}
}

func TestCollectionsAreDeclaredOnce(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	r, err := n.db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false)
	if err != nil || len(r.Created) != 0 || len(r.Warnings) != 0 {
		t.Errorf("a second Migrate() = %+v, %v", r, err)
	}
}
