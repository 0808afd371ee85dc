package plan

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// migrate runs the migrations of this package, twice: the second time as if the process had died before that was recorded.
func (w *world) migrate() {
	w.t.Helper()
	schema := store.Plan{Collections: append(Collections(), append(event.Collections(), payment.Collections()...)...), Migrations: Migrations()}
	for range 2 {
		if r, err := w.db.Migrate(w.t.Context(), schema, false); err != nil || len(r.Applied) != len(Migrations()) {
			w.t.Fatalf("Migrate() = %+v, %v", r, err)
		}
		if _, err := w.db.Collection("migrations").DeleteMany(w.t.Context(), bson.D{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// later is the service of a release that knows of files.
func (w *world) later() *Service {
	return w.node(Config{Features: []Feature{{Key: fileBytes, Kind: Counted, Name: "Attachments"}}})
}

// A default plan of before there were attachments allows them now, to its members and to those of plans that say nothing; one that
// says something is left alone.
func TestMigrationAllowsFiles(t *testing.T) {
	t.Parallel()
	subject := ref.New(ref.User, "ada")
	for name, tc := range map[string]struct {
		says  []Rule // of the default plan besides
		basic []Rule // of the plan of the member besides
		limit int64
	}{
		"nothing is said":             {nil, nil, fileBytesLimit},
		"the default plan has fewer":  {[]Rule{{Feature: fileBytes, Limit: num(7)}}, nil, 7},
		"the default plan has none":   {[]Rule{{Feature: fileBytes, Limit: num(0)}}, nil, 0},
		"the member's plan has fewer": {nil, []Rule{{Feature: fileBytes, Limit: num(9)}}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Service = w.later()
			w.edit("free", func(p *BookPlan) { p.Features = append(p.Features, tc.says...) })
			w.edit("basic", func(p *BookPlan) { p.Features = append(p.Features, tc.basic...) })
			if tc.basic != nil {
				storetest.Insert(t, w.db, "memberships", Membership{ID: ref.NewID(), Subject: subject, Version: 1, Contract: Contract{Plan: w.plan["basic"].ID, Since: t0, Anchor: t0, From: t0}})
			}
			if tc.limit == fileBytesLimit {
				if err := w.Consume(t.Context(), subject, fileBytes, 1); !errors.Is(err, ErrQuota) {
					t.Fatalf("before: %v", err)
				}
			}
			w.migrate()
			w.Service = w.later()
			e, err := w.Entitlement(w.sys(), subject, fileBytes)
			if err != nil || e.Limit == nil || *e.Limit != tc.limit {
				t.Errorf("%+v, %v", e, err)
			}
			if tc.limit > 0 {
				w.must(w.Consume(t.Context(), subject, fileBytes, tc.limit))
			}
			if err := w.Consume(t.Context(), subject, fileBytes, 1); !errors.Is(err, ErrQuota) {
				t.Errorf("one more: %v", err)
			}
		})
	}
}

// A catalogue of the first release, with one price and limits, becomes one of versions; its default plan allows files too.
func TestMigrationOfFirstRelease(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: append(Collections(), event.Collections()...)}, false); err != nil {
		t.Fatal(err)
	}
	old := func(id, key string, rank int, amount int64, isDefault bool) bson.D {
		return bson.D{
			{Key: "_id", Value: id},
			{Key: "key", Value: key},
			{Key: "name", Value: key},
			{Key: "rank", Value: rank},
			{Key: "default", Value: isDefault},
			{Key: "price", Value: bson.D{{Key: "currency", Value: "EUR"}, {Key: "amountMinor", Value: amount}}},
			{Key: "limits", Value: bson.A{bson.D{{Key: "feature", Value: "docs"}, {Key: "limit", Value: int64(3)}}}},
		}
	}
	storetest.Insert(t, db, "plans", old("p1", "free", 0, 0, true), old("p2", "pro", 10, 900, false))
	subject := ref.New(ref.User, "ada")
	storetest.Insert(t, db, "memberships", bson.D{{Key: "_id", Value: ref.NewID()}, {Key: "subject", Value: subject}, {Key: "plan", Value: "p2"}, {Key: "since", Value: t0}, {Key: "v", Value: int64(1)}})
	w := &world{t: t, db: db, roles: &roles{db: db}, plan: map[string]Plan{}}
	w.clock = clock.NewManual(t0.Add(time.Hour))
	w.log = event.NewLog(db, w.clock.Now)
	w.migrate()
	w.Service = w.later()
	all, err := w.All(w.sys())
	w.must(err)
	if len(all) != 2 || all[0].Version != 1 || !all[0].Current || len(all[0].Prices) != 0 || len(all[1].Prices) != 1 || all[1].Prices[0].Key() != "eur-1-month" || all[1].Prices[0].AmountMinor != 900 {
		t.Errorf("%+v", all)
	}
	for feature, limit := range map[string]int64{"docs": 3, fileBytes: fileBytesLimit} {
		if e, err := w.Entitlement(w.sys(), subject, feature); err != nil || e.Limit == nil || *e.Limit != limit {
			t.Errorf("%s: %+v, %v", feature, e, err)
		}
	}
}
