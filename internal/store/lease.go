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

// ErrLeaseHeld: another process holds the lease, or took it over.
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
	free := bson.D{{Key: "_id", Value: name}, {Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{"$expiresAt", "$$NOW"}}}}}
	raw, err := d.Collection(leasesCollection).FindOneAndUpdate(ctx, free, l.stamp(true),
		options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Raw()
	switch {
	case IsDuplicate(err): // held: the filter did not match, and the upsert met the existing _id
		return nil, ErrLeaseHeld
	case err != nil:
		return nil, fmt.Errorf("take lease %s: %w", name, Translate(err))
	}
	l.fence, _ = raw.Lookup("fence").AsInt64OK()
	return l, nil
}

// Fence is the number of this holding.
func (l *Lease) Fence() int64 { return l.fence }

// Renew extends the lease by its ttl from now.
//
// Errors: LEASE_HELD when it ran out and another process took it.
func (l *Lease) Renew(ctx context.Context) error {
	res, err := l.db.Collection(leasesCollection).UpdateOne(ctx, l.mine(), l.stamp(false))
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

// stamp is the pipeline update that sets owner and end by the server's clock.
func (l *Lease) stamp(next bool) bson.A {
	set := bson.D{
		{Key: "owner", Value: l.owner},
		{Key: "expiresAt", Value: bson.D{{Key: "$add", Value: bson.A{"$$NOW", l.ttl.Milliseconds()}}}},
	}
	if next {
		set = append(set, bson.E{Key: "fence", Value: bson.D{{Key: "$add", Value: bson.A{
			bson.D{{Key: "$ifNull", Value: bson.A{"$fence", int64(0)}}}, int64(1),
		}}}})
	}
	return bson.A{bson.D{{Key: "$set", Value: set}}}
}
