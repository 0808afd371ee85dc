package chaos

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store/mongod"
)

// victim is a process that is killed, stopped and started again. One that ends by itself is started again as well, as whatever
// runs a server in earnest does.
type victim struct {
	t     *testing.T
	name  string
	start func() *exec.Cmd

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
	meant bool // to be dead
	falls int  // how often it ended by itself
}

func (v *victim) run() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cmd, v.ended, v.meant = v.start(), make(chan struct{}), false
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := v.cmd.Start(); err != nil {
		v.t.Errorf("%s: %v", v.name, err)
		close(v.ended)
		return
	}
	go v.watch(v.cmd, v.ended)
}

func (v *victim) watch(cmd *exec.Cmd, ended chan struct{}) {
	_ = cmd.Wait()
	close(ended)
	v.mu.Lock()
	again := !v.meant
	if again {
		v.falls++
	}
	v.mu.Unlock()
	if again {
		time.Sleep(200 * time.Millisecond) // as systemd does
		v.run()
	}
}

func (v *victim) signal(s os.Signal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.cmd.Process.Signal(s)
}

// kill ends the process at once, and waits until it has.
func (v *victim) kill() {
	v.mu.Lock()
	v.meant = true
	ended := v.ended
	_ = v.cmd.Process.Kill()
	v.mu.Unlock()
	<-ended
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// member is a mongod behind a proxy.
type member struct {
	victim
	*proxy
}

// replicaSet is some of them.
type replicaSet struct {
	t       *testing.T
	members []*member
	uri     string
	client  *mongo.Client
}

const setName = "chaos"

func newReplicaSet(t *testing.T, members int) *replicaSet {
	t.Helper()
	path, err := mongod.Find(t.Context(), mongod.Config{AllowDownload: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &replicaSet{t: t}
	var hosts []string
	for range members {
		m := newMember(t, path)
		r.members = append(r.members, m)
		hosts = append(hosts, m.address())
	}
	r.initiate(hosts)
	r.uri = "mongodb://" + strings.Join(hosts, ",") + "/?replicaSet=" + setName
	if r.client, err = mongo.Connect(options.Client().ApplyURI(r.uri)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.client.Disconnect(context.WithoutCancel(t.Context())) })
	await(t, time.Minute, "there is a primary", func() bool { return r.primary() != nil })
	return r
}

func newMember(t *testing.T, path string) *member {
	t.Helper()
	dir, err := os.MkdirTemp(shortLived(), "backendbook-chaos-") //nolint:usetesting // in memory, if there is room
	if err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	_, port, _ := net.SplitHostPort(address)
	m := &member{proxy: newProxy(t, address)}
	m.victim = victim{t: t, name: "mongod " + port, start: func() *exec.Cmd {
		return exec.Command(path, "--dbpath", dir, "--port", port, "--bind_ip", "127.0.0.1", "--replSet", setName, "--noscripting", "--nounixsocket", "--quiet",
			"--logpath", filepath.Join(dir, "log"), "--logappend", "--networkMessageCompressors", "disabled", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256",
			"--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "transactionLifetimeLimitSeconds=10")
	}}
	t.Cleanup(func() {
		m.kill()
		_ = os.RemoveAll(dir)
	})
	m.run()
	return m
}

// shortLived is where files of tests are: in memory, if there is room.
func shortLived() string {
	var fs syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &fs) == nil && fs.Bavail*uint64(fs.Bsize) > 3<<30 {
		return "/dev/shm"
	}
	return os.TempDir()
}

func (r *replicaSet) initiate(hosts []string) {
	r.t.Helper()
	direct, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + hosts[0] + "/?directConnection=true"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = direct.Disconnect(r.t.Context()) }()
	var members bson.A
	for i, h := range hosts {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: h}})
	}
	set := bson.D{{Key: "_id", Value: setName}, {Key: "members", Value: members}, {Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: 2000}, {Key: "heartbeatIntervalMillis", Value: 500}}}}
	await(r.t, time.Minute, "the replica set is made", func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
		defer cancel()
		err = direct.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: set}}).Err()
		var ce mongo.CommandError
		return err == nil || errors.As(err, &ce) && ce.Code == 23 // it is there
	})
}

// primary is the member that takes writes; nil while there is none.
func (r *replicaSet) primary() *member {
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
	defer cancel()
	var hello struct{ Primary string }
	if r.client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello) != nil {
		return nil
	}
	for _, m := range r.members {
		if m.address() == hello.Primary {
			return m
		}
	}
	return nil
}

// stepDown has the primary give way to another.
func (r *replicaSet) stepDown() {
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	_ = r.client.Database("admin").RunCommand(ctx, bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "force", Value: true}}).Err()
}

// fail has the primary fail some commands.
func (r *replicaSet) fail(times int, data bson.D) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	_ = r.client.Database("admin").RunCommand(ctx, bson.D{
		{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: bson.D{{Key: "times", Value: times}}}, {Key: "data", Value: data},
	}).Err()
}

// await waits for a condition.
func await(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
