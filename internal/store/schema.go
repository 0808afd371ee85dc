package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

// Collection declares what a domain keeps in MongoDB. The declarations of all domains together are the schema that
// [DB.Migrate] brings about.
type Collection struct {
	Name    string
	Indexes []Index
}

// Index declares one index. Keys are field names in order, a leading "-" for descending, so "-at" sorts newest first.
type Index struct {
	Name    string
	Keys    []string // also "words:text", for the words of a text as they are
	Unique  bool
	Partial bson.D // partialFilterExpression; nil for none
	Expires bool   // the server deletes a document some time after the date in the one key: against litter, never a decision
}

// Migration is one change of stored data that is not an index. Up must be idempotent: it runs again if the process dies
// before it is recorded.
type Migration struct {
	ID string // "0001_what_it_does"; the order is that of the ids
	Up func(ctx context.Context, db *DB) error
}

// Plan is what the code wants the database to be.
type Plan struct {
	Collections []Collection
	Migrations  []Migration
}

// Report tells what Migrate did, or would do.
type Report struct {
	Created  []string // collections and indexes made, as "collection" or "collection.index"
	Applied  []string // migrations run
	Warnings []string // indexes that differ from their declaration or that nobody declares; they are never dropped
}

const (
	migrationsCollection = "migrations"
	migrationLeaseTTL    = 30 * time.Second
	migrationPoll        = 100 * time.Millisecond
	indexWait            = 24 * time.Hour // for the indexes of a collection
	atOnce               = 8              // collections that are made at once: each waits for the disks of a majority
)

// Migrate brings the database to plan: collections, then indexes, then the migrations not yet recorded, in order. One
// process does it at a time; the others wait for it until their context ends. With dryRun it only reports.
func (d *DB) Migrate(ctx context.Context, plan Plan, dryRun bool) (Report, error) {
	if dryRun {
		return d.reconcile(ctx, plan, true)
	}
	lease, err := d.TryLease(ctx, "migrate", migrationLeaseTTL)
	for errors.Is(err, ErrLeaseHeld) && pause(ctx, migrationPoll) {
		lease, err = d.TryLease(ctx, "migrate", migrationLeaseTTL)
	}
	if err != nil {
		return Report{}, fmt.Errorf("lock for migration: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	kept := make(chan struct{})
	go func() { // keeps the lease while a long index build runs, and ends the work if it is lost
		defer close(kept)
		for pause(ctx, migrationLeaseTTL/3) {
			if err := lease.Renew(ctx); err != nil {
				stop(err)
			}
		}
	}()
	report, err := d.reconcile(ctx, plan, false)
	stop(nil)
	<-kept
	if rerr := lease.Release(context.WithoutCancel(ctx)); err == nil && rerr != nil {
		err = fmt.Errorf("unlock after migration: %w", rerr)
	}
	return report, err
}

func (d *DB) reconcile(ctx context.Context, plan Plan, dryRun bool) (Report, error) {
	var r Report
	names, err := d.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return r, fmt.Errorf("list collections: %w", Translate(err))
	}
	parts := make([]Report, len(plan.Collections))
	makers, making := errgroup.WithContext(ctx)
	makers.SetLimit(atOnce)
	for i, c := range plan.Collections {
		makers.Go(func() error {
			return d.reconcileCollection(making, c, slices.Contains(names, c.Name), dryRun, &parts[i])
		})
	}
	err = makers.Wait()
	for _, p := range parts {
		r.Created, r.Warnings = append(r.Created, p.Created...), append(r.Warnings, p.Warnings...)
	}
	if err != nil {
		return r, err
	}
	return r, d.runMigrations(ctx, plan.Migrations, dryRun, &r)
}

// reconcileCollection makes one collection with its indexes. The server makes a collection with its first index.
func (d *DB) reconcileCollection(ctx context.Context, c Collection, exists, dryRun bool, r *Report) error {
	if !exists {
		r.Created = append(r.Created, c.Name)
		if !dryRun && len(c.Indexes) == 0 {
			if err := d.db.CreateCollection(ctx, c.Name); err != nil && code(err) != codeNamespaceExists {
				return fmt.Errorf("create collection %s: %w", c.Name, Translate(err))
			}
		}
	}
	return d.reconcileIndexes(ctx, c, exists, dryRun, r)
}

const codeNamespaceExists = 48

func (d *DB) reconcileIndexes(ctx context.Context, c Collection, exists, dryRun bool, r *Report) error {
	have := map[string]mongo.IndexSpecification{}
	if exists {
		specs, err := d.Collection(c.Name).Indexes().ListSpecifications(ctx)
		if err != nil {
			return fmt.Errorf("list indexes of %s: %w", c.Name, Translate(err))
		}
		for _, s := range specs {
			have[s.Name] = s
		}
	}
	var make []mongo.IndexModel
	for _, ix := range c.Indexes {
		s, ok := have[ix.Name]
		delete(have, ix.Name)
		if ok {
			if want, _ := bson.Marshal(ix.keys()); !ix.text() && string(want) != string(s.KeysDocument) || ix.Unique != (s.Unique != nil && *s.Unique) {
				r.Warnings = append(r.Warnings, fmt.Sprintf("%s.%s differs from its declaration; drop it by hand, then migrate", c.Name, ix.Name))
			}
			continue
		}
		r.Created = append(r.Created, c.Name+"."+ix.Name)
		make = append(make, ix.model())
	}
	delete(have, "_id_")
	for name := range have {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s.%s is declared by nobody; drop it by hand if it is not yours", c.Name, name))
	}
	if dryRun || len(make) == 0 {
		return nil
	}
	if _, bounded := ctx.Deadline(); !bounded { // else the driver's own bound is that of a request
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, indexWait)
		defer cancel()
	}
	if _, err := d.Collection(c.Name).Indexes().CreateMany(ctx, make); err != nil {
		return fmt.Errorf("create indexes of %s: %w", c.Name, Translate(err))
	}
	return nil
}

func (ix Index) keys() bson.D {
	keys := make(bson.D, len(ix.Keys))
	for i, k := range ix.Keys {
		if field, ok := strings.CutSuffix(k, ":text"); ok {
			keys[i] = bson.E{Key: field, Value: "text"}
		} else if k[0] == '-' {
			keys[i] = bson.E{Key: k[1:], Value: int32(-1)}
		} else {
			keys[i] = bson.E{Key: k, Value: int32(1)}
		}
	}
	return keys
}

// text reports whether it is an index of words, which the server keeps with other keys than those it was given.
func (ix Index) text() bool {
	return slices.ContainsFunc(ix.Keys, func(k string) bool { return strings.HasSuffix(k, ":text") })
}

func (ix Index) model() mongo.IndexModel {
	opts := options.Index().SetName(ix.Name)
	if ix.Unique {
		opts.SetUnique(true)
	}
	if ix.text() {
		opts.SetDefaultLanguage("none").SetLanguageOverride("none")
	}
	if ix.Expires {
		opts.SetExpireAfterSeconds(0)
	}
	if ix.Partial != nil {
		opts.SetPartialFilterExpression(ix.Partial)
	}
	return mongo.IndexModel{Keys: ix.keys(), Options: opts}
}

// Applied gives the migrations that the database has had.
func (d *DB) Applied(ctx context.Context) (ids []string, err error) {
	done, err := Find[struct {
		ID string `bson:"_id"`
	}](ctx, d.Collection(migrationsCollection), bson.D{})
	for _, m := range done {
		ids = append(ids, m.ID)
	}
	return ids, err
}

func (d *DB) runMigrations(ctx context.Context, all []Migration, dryRun bool, r *Report) error {
	c := d.Collection(migrationsCollection)
	done, err := d.Applied(ctx)
	if err != nil {
		return err
	}
	all = slices.SortedFunc(slices.Values(all), func(a, b Migration) int { return strings.Compare(a.ID, b.ID) })
	for _, m := range all {
		if slices.Contains(done, m.ID) {
			continue
		}
		r.Applied = append(r.Applied, m.ID)
		if dryRun {
			continue
		}
		if err := m.Up(ctx, d); err != nil {
			return fmt.Errorf("migration %s: %w", m.ID, err)
		}
		// $$NOW, not our clock: the records of several nodes then sort truthfully.
		_, err := c.UpdateOne(ctx, bson.D{{Key: "_id", Value: m.ID}},
			bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: "$$NOW"}}}}}, options.UpdateOne().SetUpsert(true))
		if err != nil {
			return fmt.Errorf("record migration %s: %w", m.ID, Translate(err))
		}
	}
	return nil
}
