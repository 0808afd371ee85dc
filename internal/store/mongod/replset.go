package mongod

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/clock"
)

// replset brings a mongod that has just been started to the state in which our user can write.
//
// It acts as the internal user __system, whose password is the key: that one exists before any user does and in every
// state of the replica set, so the localhost exception can stay off, and a lost state.json is repaired.
type replset struct {
	st     state
	pid    int // of the child
	key    string
	client *mongo.Client // of __system; nil until connected and after a network error
}

const (
	poll = 10 * time.Millisecond
	// step bounds one command. The server is on this machine; only a foreign program on our port takes longer.
	step = 5 * time.Second
	// patience is how many polls old data may say "configuration still loading" before we help, see rehost.
	patience = 50
)

// The server's error codes this package decides on.
const (
	codeUserNotFound       = 11
	codeAuthFailed         = 18
	codeAlreadyInitialized = 23
	codeNotInSet           = 93 // the configuration names another address: our port moved
	codeNotInitialized     = 94 // there is no configuration, or it is still loading
	codeUserExists         = 51003
)

// up returns when the node is a writable primary and our user can sign in. ctx bounds it; a network error does not end
// it, since every change of state cuts the sockets.
func (r *replset) up(ctx context.Context) error {
	defer r.disconnect(ctx)
	if err := r.listening(ctx); err != nil {
		return err
	}
	loading := 0
	var last error
	for {
		ready, err := r.advance(ctx, &loading)
		if ready {
			if err = r.enter(ctx); err == nil {
				return nil
			}
		}
		if errors.Is(err, errRehosted) {
			return err
		}
		if err != nil {
			last = err
			r.disconnect(ctx)
		}
		if !clock.Sleep(ctx, poll) {
			return errors.Join(context.Cause(ctx), last)
		}
	}
}

// listening waits until something accepts. The driver's own retry would take at least half a second.
func (r *replset) listening(ctx context.Context) error {
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp4", r.st.host())
		if err == nil {
			return conn.Close()
		}
		if !clock.Sleep(ctx, poll) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// advance looks at the node's state and does what is due in it.
func (r *replset) advance(ctx context.Context, loading *int) (ready bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	if r.client == nil {
		if r.client, err = connect(r.st.host(), "local", "__system", r.key); err != nil {
			return false, err
		}
	}
	_, err = r.admin(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}})
	switch code(err) {
	case codeNotInitialized:
		*loading++
		return false, r.initiate(ctx, *loading)
	case codeNotInSet:
		return false, r.reconfigure(ctx)
	}
	if err != nil {
		return false, err
	}
	if ready, err = primary(ctx, r.client); ready {
		ready, err = r.own(ctx)
	}
	return ready, err
}

// own tells the child from an orphan that still answers on the same port with the same key, while the child is about to
// end because the orphan holds its files.
func (r *replset) own(ctx context.Context) (bool, error) {
	raw, err := r.admin(ctx, bson.D{
		{Key: "serverStatus", Value: 1}, {Key: "wiredTiger", Value: 0}, {Key: "metrics", Value: 0}, {Key: "tcmalloc", Value: 0},
	})
	if err != nil {
		return false, err
	}
	if pid, _ := raw.Lookup("pid").AsInt64OK(); int(pid) != r.pid {
		return false, fmt.Errorf("process %d answers on the port of process %d", pid, r.pid)
	}
	return true, nil
}

// initiate makes the set of one, once. On old data the same code means that the configuration is still being loaded; an
// initiate would then block until the socket is cut, so the stored configuration decides.
func (r *replset) initiate(ctx context.Context, polls int) error {
	var conf struct {
		Members []struct {
			Host string `bson:"host"`
		} `bson:"members"`
	}
	err := r.client.Database("local").Collection("system.replset").FindOne(ctx, bson.D{}).Decode(&conf)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		_, err = r.admin(ctx, bson.D{{Key: "replSetInitiate", Value: bson.D{
			{Key: "_id", Value: setName}, {Key: "members", Value: r.members()},
		}}})
		if code(err) == codeAlreadyInitialized {
			return nil
		}
		return err
	case err == nil && polls > patience && len(conf.Members) == 1 && conf.Members[0].Host != r.st.host():
		return r.rehost(ctx)
	default:
		return err
	}
}

// reconfigure tells a node whose port moved that the new address is its own.
func (r *replset) reconfigure(ctx context.Context) error {
	raw, err := r.admin(ctx, bson.D{{Key: "replSetGetConfig", Value: 1}})
	if err != nil {
		return err
	}
	var got struct {
		Config bson.D `bson:"config"`
	}
	if err := bson.Unmarshal(raw, &got); err != nil {
		return err
	}
	version, _ := raw.Lookup("config", "version").AsInt64OK()
	for i, e := range got.Config {
		switch e.Key {
		case "version":
			got.Config[i].Value = version + 10
		case "members":
			got.Config[i].Value = r.members()
		}
	}
	_, err = r.admin(ctx, bson.D{{Key: "replSetReconfig", Value: got.Config}, {Key: "force", Value: true}})
	return err
}

// rehost writes the new address into the stored configuration, after which the node must be killed and started again.
//
// It is needed when a program that accepts but never answers sits on the old port: the node asks it "are you me?" and
// waits 31 s (measured), during which it neither takes a reconfig nor stops. This way takes 2 s. The fsync matters:
// without it the write was acknowledged with j:true and still gone after the kill.
func (r *replset) rehost(ctx context.Context) error {
	_, err := r.client.Database("local").Collection("system.replset").UpdateOne(ctx, bson.D{{Key: "_id", Value: setName}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "members.0.host", Value: r.st.host()}}}})
	if err != nil {
		return err
	}
	if _, err := r.admin(ctx, bson.D{{Key: "fsync", Value: 1}}); err != nil {
		return err
	}
	return errRehosted
}

func (r *replset) members() bson.A {
	return bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: r.st.host()}}}
}

// enter proves that our user can sign in, and makes it so if not: on the first start, and when state.json was lost.
func (r *replset) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	err := answers(ctx, r.st)
	if code(err) != codeAuthFailed && code(err) != codeUserNotFound {
		return err
	}
	user := bson.D{{Key: "pwd", Value: r.st.Password}, {Key: "roles", Value: bson.A{"root"}}, {Key: "mechanisms", Value: bson.A{scram}}}
	_, err = r.admin(ctx, append(bson.D{{Key: "createUser", Value: r.st.User}}, user...))
	if code(err) == codeUserExists {
		_, err = r.admin(ctx, append(bson.D{{Key: "updateUser", Value: r.st.User}}, user...))
	}
	if err != nil {
		return fmt.Errorf("create the user: %w", err)
	}
	return answers(ctx, r.st)
}

func (r *replset) admin(ctx context.Context, cmd bson.D) (bson.Raw, error) {
	return r.client.Database("admin").RunCommand(ctx, cmd).Raw()
}

func (r *replset) disconnect(ctx context.Context) {
	if r.client != nil {
		disconnect(ctx, r.client)
		r.client = nil
	}
}

const scram = "SCRAM-SHA-256"

// connect prepares a direct connection, which also works while there is no primary.
func connect(host, source, user, password string) (*mongo.Client, error) {
	return mongo.Connect(options.Client().SetHosts([]string{host}).SetDirect(true).
		SetAppName("backendbook-mongod").SetMaxPoolSize(4).SetServerSelectionTimeout(step).
		SetRetryWrites(false). // rehost writes while there is no primary, where a retryable write is refused
		SetAuth(options.Credential{AuthMechanism: scram, AuthSource: source, Username: user, Password: password}))
}

// disconnect waits at most a second: the driver would otherwise wait for a dead server to end its sessions.
func disconnect(ctx context.Context, c *mongo.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.Disconnect(ctx) // nothing is lost with it
}

// answers proves that a primary answers there to the state's user.
func answers(ctx context.Context, st state) error {
	c, err := connect(st.host(), "admin", st.User, st.Password)
	if err != nil {
		return err
	}
	defer disconnect(ctx, c)
	ok, err := primary(ctx, c)
	if err == nil && !ok {
		return errors.New("the node is not a writable primary")
	}
	return err
}

func primary(ctx context.Context, c *mongo.Client) (bool, error) {
	raw, err := c.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Raw()
	if err != nil {
		return false, err
	}
	ok, _ := raw.Lookup("isWritablePrimary").BooleanOK()
	return ok, nil
}

// code is the server's error code, or 0.
func code(err error) int {
	var se mongo.ServerError
	if errors.As(err, &se) {
		if codes := se.ErrorCodes(); len(codes) > 0 {
			return codes[0]
		}
	}
	return 0
}
