package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// The bounds of what is promised.
const (
	password      = "correct horse battery staple"
	revokedWithin = 5 * time.Second // a server that cannot follow the rights refuses from then on
	usesAllowed   = 150
)

// howLong is how long harm is done: CHAOS=10m is a long form.
func howLong(t *testing.T) time.Duration {
	t.Helper()
	asked := os.Getenv("CHAOS")
	if asked == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(asked)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestChaos: whatever is killed, stopped, cut and delayed, what was acknowledged is there, once; limits hold; streams have no holes; a right
// that was taken away is not used; every request ends by its deadline; and in the end nothing is left over.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers and three mongods")
	}
	w := newWorld(t, 3, 3)
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("CHAOS_SEED=%d", seed)
	stop, stopFollowing := make(chan struct{}), make(chan struct{})
	var working, following sync.WaitGroup
	for _, kind := range []string{"document", "document", "use", "event", "message"} {
		working.Go(func() { w.work(kind, stop) })
	}
	working.Go(func() { w.looks(stop) })
	working.Go(func() { w.gives(stop) })
	followers := []*follower{{w: w}, {w: w}, {w: w}}
	for _, f := range followers {
		following.Go(func() { f.follow(stopFollowing) })
	}
	w.harm(rand.New(rand.NewPCG(seed, 0)), howLong(t))
	close(stop)
	working.Wait()
	w.heal()
	w.finish()
	w.judge()
	w.judgeRights()
	w.judgeFollowers(followers)
	close(stopFollowing)
	following.Wait()
	w.judgeLeftovers()
	w.judgeOutage()
}

// newWorld is so many mongods and so many servers on them.
func newWorld(t *testing.T, members, servers int) *world {
	t.Helper()
	w := &world{t: t, set: newReplicaSet(t, members)}
	env := environ(t, w.set)
	for n := range servers {
		w.servers = append(w.servers, newServer(t, env, n))
	}
	for _, s := range w.servers {
		await(t, time.Minute, s.name+" is ready", s.ready)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: transport}
	w.root, w.rootID = w.person(env, "root@example.org")
	w.guest, w.guestID = w.person(env, "guest@example.org")
	w.prepare()
	for _, s := range w.servers {
		s.base = s.gauges()
	}
	return w
}

// prepare makes what the deeds are done to, and leaves the guest with the right that comes and goes alone.
func (w *world) prepare() {
	w.t.Helper()
	must := func(query string, in map[string]any) map[string]any { return w.must(w.root, query, in) }
	must(`mutation($in: DefineContentTypeInput!) { defineContentType(input: $in) { contentType { id } } }`, map[string]any{"key": "note", "name": "Note", "schema": map[string]any{
		"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}},
	}})
	must(`mutation($in: ApplyCatalogueInput!) { applyCatalogue(input: $in) { changes } }`, map[string]any{"yaml": fmt.Sprintf(`
features:
  - {key: api.calls, kind: METERED, name: Calls}
plans:
  - {key: free, name: Free, default: true, features: [{feature: registry.documents, limit: 100000}, {feature: api.calls, limit: %d}]}
`, usesAllowed)})
	must(`mutation($in: MigrateMembersInput!) { migrateMembers(input: $in) { members { subject } } }`, map[string]any{"plan": "free"})
	must(`mutation($in: DefineTopicInput!) { defineTopic(input: $in) { topic { key } } }`, map[string]any{"key": "chaos", "history": 1000})
	r, _, _ := w.root.do(w.servers[0], `query($m: ID!) { grants(member: $m) { id } }`, map[string]any{"m": w.guestID}, "")
	grants, _ := r.Data["grants"].([]any)
	for _, g := range grants {
		must(revokeQuery, map[string]any{"grant": text(g, "id")})
	}
	w.role = text(must(`mutation($in: CreateRoleInput!) { createRole(input: $in) { role { id } } }`,
		map[string]any{"key": "looker", "name": "Looker", "permissions": []any{"account.user.read"}}), "createRole", "role", "id")
	w.grant = text(must(grantQuery, map[string]any{"role": w.role, "member": w.guestID}), "grantRole", "grant", "id")
}

// harm does one harm after the other, with some time to recover after each.
func (w *world) harm(r *rand.Rand, d time.Duration) {
	end := time.Now().Add(d)
	for n := 0; time.Now().Before(end); n++ {
		h := harms[n%len(harms)]
		if n >= len(harms) {
			h = harms[r.IntN(len(harms))]
		}
		w.t.Log(h.name)
		h.do(w, r)
		time.Sleep(time.Duration(500+r.IntN(2000)) * time.Millisecond) // to recover in, not always enough
	}
}

// heal ends all harm, and waits until everybody is well.
func (w *world) heal() {
	w.t.Helper()
	for _, m := range w.set.members {
		m.cut.Store(false)
		m.delay.Store(0)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	await(w.t, time.Minute, "there is a primary", func() bool { return w.set.primary() != nil })
	_ = w.set.client.Database("admin").RunCommand(ctx, bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "off"}}).Err()
	for _, s := range w.servers {
		await(w.t, time.Minute, s.name+" is ready again", s.ready)
	}
}

// finish tries what nobody knows of until it is known.
func (w *world) finish() {
	w.t.Helper()
	for _, d := range w.history.deeds {
		await(w.t, time.Minute, d.key()+" is known, and not only "+d.last, func() bool {
			if !d.known {
				w.try(d)
			}
			return d.known
		})
	}
}

// judge compares the deeds with what is stored.
func (w *world) judge() {
	w.t.Helper()
	db := w.set.client.Database("chaos")
	for kind, stored := range map[string]map[string]int{
		"document": w.stored(db, "documents", bson.D{{Key: "data.text", Value: bson.D{{Key: "$regex", Value: "^document-"}}}}, "data", "text"),
		"use":      w.stored(db, "usage_events", bson.D{{Key: "_id.source", Value: "chaos"}}, "_id", "id"),
		"event":    w.stored(db, "analytics_events", bson.D{{Key: "name", Value: "chaos"}}, "_id"),
		"message":  w.stored(db, "topic_messages", bson.D{{Key: "topic", Value: "chaos"}}, "data"),
	} {
		acked := 0
		for _, d := range w.history.of(kind) {
			n := stored[d.key()]
			if d.acked {
				acked++
			}
			if d.acked && n != 1 || !d.acked && n != 0 {
				w.t.Errorf("%s: acknowledged %v, stored %d times; %s", d.key(), d.acked, n, d.last)
			}
		}
		w.t.Logf("%s: %d deeds, %d acknowledged, %d stored", kind, len(w.history.of(kind)), acked, len(stored))
		if acked == 0 || len(stored) != acked {
			w.t.Errorf("%s: %d acknowledged, %d stored", kind, acked, len(stored))
		}
		if kind == "use" && len(stored) > usesAllowed {
			w.t.Errorf("%d uses of %d", len(stored), usesAllowed)
		}
	}
	for _, late := range w.history.late {
		w.t.Errorf("%s was not answered in time by a server in good health", late)
	}
}

// stored counts documents by a text in them.
func (w *world) stored(db *mongo.Database, collection string, filter bson.D, path ...string) map[string]int {
	w.t.Helper()
	cur, err := db.Collection(collection).Find(w.t.Context(), filter)
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]int{}
	for cur.Next(w.t.Context()) {
		text := cur.Current.Lookup(path...).StringValue()
		if collection == "topic_messages" {
			text = strings.TrimSuffix(strings.TrimPrefix(text, `{"deed":"`), `"}`)
		}
		found[text]++
	}
	if err := cur.Err(); err != nil {
		w.t.Fatal(err)
	}
	return found
}

// judgeRights looks for a right that outlived its end.
func (w *world) judgeRights() {
	w.t.Helper()
	h := &w.history
	allowed, refused := 0, 0
	for _, l := range h.rights {
		if l.allowed {
			allowed++
		} else {
			refused++
		}
		for i, from := range h.revoked {
			until := time.Now()
			if i < len(h.restored) {
				until = h.restored[i]
			}
			if l.allowed && l.at.After(from.Add(revokedWithin)) && l.at.Before(until) {
				w.t.Errorf("a right was used %v after its end", l.at.Sub(from))
			}
		}
	}
	w.t.Logf("%d revocations, %d looks allowed, %d refused", len(h.revoked), allowed, refused)
	if allowed == 0 || refused == 0 || len(h.revoked) == 0 {
		w.t.Error("nobody ever looked with and without the right")
	}
}

// judgeFollowers looks for holes in streams, and waits until all have come.
func (w *world) judgeFollowers(followers []*follower) {
	w.t.Helper()
	last := len(w.stored(w.set.client.Database("chaos"), "topic_messages", bson.D{{Key: "topic", Value: "chaos"}}, "data"))
	for i, f := range followers {
		await(w.t, time.Minute, fmt.Sprintf("follower %d has heard all %d", i, last), func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.last == last || len(f.wrong) > 0
		})
		for _, wrong := range f.wrong {
			w.t.Errorf("follower %d: %s", i, wrong)
		}
		w.t.Logf("follower %d: %d messages, resumed %d times", i, f.last, f.resumed)
	}
}

// judgeLeftovers waits until each server is back to about what it was after a first round of traffic.
func (w *world) judgeLeftovers() {
	w.t.Helper()
	for _, s := range w.servers {
		var now map[string]float64
		limit := func(name string) float64 { return s.base[name]*1.25 + 60 }
		func() {
			defer func() { w.t.Logf("%s: %v, at first %v", s.name, now, s.base) }()
			await(w.t, 30*time.Second, s.name+" is back to where it was", func() bool {
				now = s.gauges()
				return now["go_goroutines"] > 0 && now["go_goroutines"] <= limit("go_goroutines") && now["process_open_fds"] <= limit("process_open_fds")
			})
		}()
	}
}

// judgeOutage takes the whole database away: soon nobody waits for it any more, and when it is back everybody is served again.
func (w *world) judgeOutage() {
	w.t.Helper()
	for _, m := range w.set.members {
		m.cut.Store(true)
		m.hangUp()
	}
	ask := func(s *server) string {
		r, _, err := w.root.do(s, lookQuery, nil, "")
		if err != nil {
			return err.Error()
		}
		return r.code()
	}
	for _, s := range w.servers {
		await(w.t, time.Minute, s.name+" says that the database is down", func() bool { return ask(s) == "DATABASE_DOWN" })
	}
	w.heal()
	for _, s := range w.servers {
		await(w.t, time.Minute, s.name+" serves again", func() bool { return ask(s) == "" })
	}
}

// person makes somebody with a password and signs them in.
func (w *world) person(env []string, email string) (c *caller, id string) {
	w.t.Helper()
	var out, complaints said
	cmd := program(append(env, "BACKENDBOOK_LOG_LEVEL=error"), &out, "user", "create-admin", email, "--name", "Somebody")
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("%v: %s", err, complaints.String())
	}
	_, token, _ := strings.Cut(strings.TrimSpace(out.String()), "#token=")
	c = &caller{http: w.client}
	w.must(c, `mutation($in: ResetPasswordInput!) { resetPassword(input: $in) { __typename } }`, map[string]any{"token": token, "password": password})
	in := w.must(c, `mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token user { id } } } } }`,
		map[string]any{"identifier": email, "password": password, "transport": "BEARER"})
	c.token = text(in, "signIn", "result", "token")
	return c, text(in, "signIn", "result", "user", "id")
}

// must does what cannot fail before there is any harm.
func (w *world) must(c *caller, query string, in map[string]any) map[string]any {
	w.t.Helper()
	r, _, err := c.do(w.servers[0], query, map[string]any{"in": in}, "")
	if err != nil || r.code() != "" {
		w.t.Fatalf("%s: %v %+v", query, err, r.Errors)
	}
	return r.Data
}

// text is a text in an answer; empty for none.
func text(data any, path ...string) string {
	for _, p := range path {
		m, _ := data.(map[string]any)
		data = m[p]
	}
	s, _ := data.(string)
	return s
}
