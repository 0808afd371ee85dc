package store

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// ErrLeaseHeld says that another process holds the lease, or took it over.
var ErrLeaseHeld = fault.Define(fault.Conflict, "LEASE_HELD", "another process is doing this already")

const leasesCollection = "leases"

// Lease is the right of one process to do something alone, for a time. Its fence is higher than that of every earlier
// holder: whoever writes under a lease stores the fence and refuses a lower one, so a holder that was asleep past its
// time cannot do harm. Times are the server's, so clocks of processes may differ.
type Lease struct {
	db    *DB
	name  string
	owner string
	ttl   time.Duration
	fence int64
}

// TryLease takes the lease of that name for ttl if nobody holds it.
//
// Errors: LEASE_HELD.
func (d *DB) TryLease(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	l := &Lease{db: d, name: name, owner: ref.NewID(), ttl: ttl}
	raw, err := d.Collection(leasesCollection).FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: name}}, l.claim(),
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	switch {
	case IsDuplicate(err): // two made it at the same instant; the other one has it
		return nil, ErrLeaseHeld
	case err != nil:
		return nil, fmt.Errorf("take lease %s: %w", name, Translate(err))
	}
	if owner, _ := raw.Lookup("owner").StringValueOK(); owner != l.owner {
		return nil, ErrLeaseHeld
	}
	l.fence, _ = raw.Lookup("fence").AsInt64OK()
	return l, nil
}

// EndLeases ends all leases, in a database that was copied: who holds them works on another one. Their fences stay, so that what was
// written under them stays past.
func (d *DB) EndLeases(ctx context.Context) error {
	_, err := d.Collection(leasesCollection).UpdateMany(ctx, bson.D{}, bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: "$$NOW"}}}}})
	return Wrap("end leases", err)
}

// Fence is the number of this holding.
func (l *Lease) Fence() int64 { return l.fence }

// Renew extends the lease by its ttl from now.
//
// Errors: LEASE_HELD when it ran out and another process took it.
func (l *Lease) Renew(ctx context.Context) error {
	res, err := l.db.Collection(leasesCollection).UpdateOne(ctx, l.mine(),
		bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: l.end()}}}}})
	switch {
	case err != nil:
		return fmt.Errorf("renew lease %s: %w", l.name, Translate(err))
	case res.MatchedCount == 0:
		return ErrLeaseHeld
	}
	return nil
}

// Release gives the lease back early. Losing it meanwhile is no error.
func (l *Lease) Release(ctx context.Context) error {
	_, err := l.db.Collection(leasesCollection).UpdateOne(ctx, l.mine(),
		bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "expiresAt", Value: "$$NOW"}}}}})
	return Translate(err)
}

func (l *Lease) mine() bson.D {
	return bson.D{{Key: "_id", Value: l.name}, {Key: "owner", Value: l.owner}}
}

// end is when the lease runs out if it is stamped now, by the server's clock.
func (l *Lease) end() bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", l.ttl.Milliseconds()}}}
}

// claim is a pipeline update that takes the lease if it is free and changes nothing if it is not.
func (l *Lease) claim() bson.A {
	free := bson.D{{Key: "$lte", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$expiresAt", "$$NOW"}}}, "$$NOW"}}}
	when := func(taken any, old string) bson.D {
		return bson.D{{Key: "$cond", Value: bson.A{free, taken, old}}}
	}
	next := bson.D{{Key: "$add", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$fence", int64(0)}}}, int64(1)}}}
	return bson.A{bson.D{{Key: "$set", Value: bson.D{
		{Key: "owner", Value: when(l.owner, "$owner")},
		{Key: "expiresAt", Value: when(l.end(), "$expiresAt")},
		{Key: "fence", Value: when(next, "$fence")},
	}}}}
}
