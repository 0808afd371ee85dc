package chaos

import (
	"math/rand/v2"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// harm is one thing that happens to a part of the world; it is over when the function returns.
type harm struct {
	name string
	do   func(w *world, r *rand.Rand)
}

// harms are done in this order first, then in any.
var harms = []harm{
	{"the primary is killed", func(w *world, r *rand.Rand) { w.member(r, true, kill) }},
	{"a server is killed", func(w *world, r *rand.Rand) { w.server(r, true) }},
	{"the primary steps down", func(w *world, _ *rand.Rand) { w.set.stepDown() }},
	{"the primary is cut off", func(w *world, r *rand.Rand) { w.member(r, true, cutOff) }},
	{"a server is stopped for a while", func(w *world, r *rand.Rand) { w.server(r, false) }},
	{"the primary is stopped for a while", func(w *world, r *rand.Rand) { w.member(r, true, stop) }},
	{"commits are made and not answered", func(w *world, _ *rand.Rand) {
		w.set.fail(20, bson.D{{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "closeConnection", Value: true}})
	}},
	{"a secondary is killed", func(w *world, r *rand.Rand) { w.member(r, false, kill) }},
	{"commands fail as in an election", func(w *world, _ *rand.Rand) {
		w.set.fail(50, bson.D{{Key: "failCommands", Value: bson.A{"insert", "update", "find", "aggregate"}}, {Key: "errorCode", Value: 11600}})
	}},
	{"a member is slow", func(w *world, r *rand.Rand) { w.member(r, false, slow) }},
	{"a secondary is stopped for a while", func(w *world, r *rand.Rand) { w.member(r, false, stop) }},
	{"change streams are cut", func(w *world, _ *rand.Rand) {
		w.set.fail(10, bson.D{{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "closeConnection", Value: true}})
	}},
}

// lasting is how long a harm that lasts does: 1 to 4 seconds.
func lasting(r *rand.Rand) time.Duration {
	return time.Second + time.Duration(r.IntN(3000))*time.Millisecond
}

func kill(m *member, d time.Duration) {
	m.kill()
	m.hangUp()
	time.Sleep(d) // the harm itself: nothing is waited for
	m.run()
}

func stop(m *member, d time.Duration) {
	m.signal(syscall.SIGSTOP)
	time.Sleep(d) // the harm itself
	m.signal(syscall.SIGCONT)
}

func cutOff(m *member, d time.Duration) {
	m.cut.Store(true)
	m.hangUp()
	time.Sleep(d) // the harm itself
	m.cut.Store(false)
}

func slow(m *member, d time.Duration) {
	m.delay.Store(int64(100 * time.Millisecond))
	time.Sleep(d) // the harm itself
	m.delay.Store(0)
}

// member harms the primary, or another member.
func (w *world) member(r *rand.Rand, primary bool, do func(*member, time.Duration)) {
	p := w.set.primary()
	m := p
	for !primary && m == p || m == nil {
		m = w.set.members[r.IntN(len(w.set.members))]
	}
	do(m, lasting(r))
}

// server kills a server and starts it again, or stops it for a while.
func (w *world) server(r *rand.Rand, killed bool) {
	s := w.servers[r.IntN(len(w.servers))]
	d := lasting(r)
	s.harmed.Add(1)
	defer s.harmed.Add(1)
	if !killed {
		s.signal(syscall.SIGSTOP)
		time.Sleep(d) // the harm itself
		s.signal(syscall.SIGCONT)
		return
	}
	s.kill()
	time.Sleep(d) // the harm itself
	s.run()
}
