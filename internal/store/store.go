package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/trace"
)

// Why a server is refused at start. Each message says what to fix.
var (
	ErrUnreachable = errors.New("no MongoDB server answers at MONGODB_URI: check host, port and firewall, and that mongod runs")
	ErrCredentials = errors.New("MongoDB refused the user or password of MONGODB_URI: check them, and authSource (often authSource=admin)")
	ErrStandalone  = errors.New("MONGODB_URI names a standalone server, which has neither transactions nor change streams: " +
		"start mongod with --replSet and run rs.initiate() once, or leave MONGODB_URI empty for the managed server")
	ErrTooOld = errors.New("the MongoDB server is older than 6.0: upgrade it")
)

// Config says which server and how. Zero values mean the defaults written beside them.
type Config struct {
	URI         string        // mongodb:// or mongodb+srv://; required
	Database    string        // default "backendbook"
	AppName     string        // shown in the server's log and currentOp; default the appName of the URI, else "backendbook"
	MaxPoolSize uint64        // connections per server, default 100
	Timeout     time.Duration // of a call whose context has no deadline, default 10 s
	StartWait   time.Duration // how long Open waits for a primary, default 10 s

	// Observe, if set, is called after each command with its name, duration and whether it failed. It must be quick.
	Observe func(command string, took time.Duration, failed bool)
	Tracer  *trace.Tracer // makes spans of the commands of contexts that are in one; nil for none
}

// DB is one database on a replica set or sharded cluster. It is safe for concurrent use.
type DB struct {
	client *mongo.Client
	db     *mongo.Database
	log    *slog.Logger
	pulse  *pulse
}

const minWireVersion = 17 // MongoDB 6.0

// Open connects, waits for a primary and refuses a server that cannot do what this one needs.
//
// Errors: ErrUnreachable, ErrCredentials, ErrStandalone, ErrTooOld, each with its cause.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*DB, error) {
	beat := &pulse{}
	opts := options.Client().SetAppName("backendbook").ApplyURI(cfg.URI).
		SetMaxPoolSize(or(cfg.MaxPoolSize, 100)).
		SetTimeout(or(cfg.Timeout, 10*time.Second)).
		SetServerSelectionTimeout(or(cfg.StartWait, 10*time.Second)).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: new(true)}).
		SetMonitor(newMonitor(cfg)).SetServerMonitor(beat.monitor())
	if cfg.AppName != "" {
		opts.SetAppName(cfg.AppName)
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("MONGODB_URI: %w", redactURI(err))
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI: %w", redactURI(err))
	}
	d := &DB{client: client, db: client.Database(or(cfg.Database, "backendbook")), log: log, pulse: beat}
	if err := d.accept(ctx, or(cfg.StartWait, 10*time.Second)); err != nil {
		d.Close(ctx)
		return nil, err
	}
	return d, nil
}

// accept says hello and decides whether this server will do.
func (d *DB) accept(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	raw, err := d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		if code(err) == codeAuthFailed || isAuth(err) {
			return fmt.Errorf("%w (%w)", ErrCredentials, redactURI(err))
		}
		return fmt.Errorf("%w (%w)", ErrUnreachable, redactURI(err))
	}
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
		MaxWire int    `bson:"maxWireVersion"`
	}
	if err := bson.Unmarshal(raw, &hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	switch {
	case hello.SetName == "" && hello.Msg != "isdbgrid":
		return ErrStandalone
	case hello.MaxWire < minWireVersion:
		return ErrTooOld
	}
	// hello needs no rights; a first read proves that the user may enter.
	if err := d.db.RunCommand(ctx, bson.D{{Key: "listCollections", Value: 1}, {Key: "nameOnly", Value: true}}).Err(); err != nil {
		if c := code(err); c == codeAuthFailed || c == codeUnauthorized || isAuth(err) {
			return fmt.Errorf("%w (%w)", ErrCredentials, redactURI(err))
		}
		return fmt.Errorf("%w (%w)", ErrUnreachable, redactURI(err))
	}
	return nil
}

// Collection is a collection by name. Only a domain's store.go calls this.
func (d *DB) Collection(name string) *mongo.Collection { return d.db.Collection(name) }

// Database is the driver's own handle, for the change stream and for commands.
func (d *DB) Database() *mongo.Database { return d.db }

// Ping asks the primary for a sign of life.
func (d *DB) Ping(ctx context.Context) error {
	return Translate(d.client.Ping(ctx, readpref.Primary()))
}

// Probe proves that the primary takes a write and that a majority follows it: it deletes what does not exist, which waits for all that
// the server has written before, and leaves nothing behind.
func (d *DB) Probe(ctx context.Context) error {
	_, err := d.Collection(migrationsCollection).DeleteOne(ctx, bson.D{{Key: "_id", Value: "probe"}})
	return Wrap("probe", err)
}

// Now is the time by the server's clock.
func (d *DB) Now(ctx context.Context) (time.Time, error) {
	raw, err := d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		return time.Time{}, Wrap("server time", err)
	}
	t, _ := raw.Lookup("localTime").TimeOK()
	return t, nil
}

// Version is the server's version, such as "6.0.5".
func (d *DB) Version(ctx context.Context) (string, error) {
	raw, err := d.client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Raw()
	if err != nil {
		return "", Translate(err)
	}
	v, _ := raw.Lookup("version").StringValueOK()
	return v, nil
}

// clusterTimeWait is between two questions for the cluster time: a server that has just started may not tell it yet.
const clusterTimeWait = 50 * time.Millisecond

// ClusterTime is a time of the cluster that is not before any write acknowledged so far. Every write has its own, the same
// on every node.
func (d *DB) ClusterTime(ctx context.Context) (bson.Timestamp, error) {
	for {
		raw, err := d.db.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Raw()
		if err != nil {
			return bson.Timestamp{}, Wrap("cluster time", err)
		}
		if sec, inc, ok := raw.Lookup("operationTime").TimestampOK(); ok && sec > 0 {
			return bson.Timestamp{T: sec, I: inc}, nil
		}
		if !clock.Sleep(ctx, clusterTimeWait) {
			return bson.Timestamp{}, Wrap("cluster time", ctx.Err())
		}
	}
}

// Drop removes the whole database. Tests and `backendbook seed --reset` only.
func (d *DB) Drop(ctx context.Context) error { return Translate(d.db.Drop(ctx)) }

// Close disconnects. It waits at most a second: the driver would otherwise wait for a dead server to end its sessions.
func (d *DB) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := d.client.Disconnect(ctx); err != nil {
		d.log.DebugContext(ctx, "store_disconnect_failed", "error", err.Error())
	}
}

// or is v, or def when v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
