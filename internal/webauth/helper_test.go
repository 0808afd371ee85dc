package webauth

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/bag"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	publicURL    = "https://book.example.org"
	ada, bob     = "ada@example.org", "bob@example.org"
	goodPassword = "a tune for nine harpsichords"
	newPassword  = "eleven kettles sing at noon"
	homeIP       = "192.0.2.1"
)

// options are what a world is made with; the zero value is a server that anybody may register at.
type options struct {
	Config
	start   time.Time // of the clock; default one so far ahead that no index deletes what has expired by it
	hashing account.Config
	social  social.Config
}

// world is one node with everything the flows stand on, on a database of its own.
type world struct {
	*Service
	t     *testing.T
	db    *store.DB
	clock *clock.Manual
	roles *rbac.Service
	plans *plan.Service
	ring  *keyring.Ring
	opts  options
}

// lasting are sessions whose access tokens last as long as they do: most tests move the clock and have no eye on them.
var lasting = session.Config{Access: 30 * 24 * time.Hour}

func newWorld(t *testing.T, opts options) *world {
	t.Helper()
	if opts.start.IsZero() {
		opts.start = time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	w := &world{t: t, db: storetest.DB(t), clock: clock.NewManual(opts.start), ring: keyring.Random(), opts: opts}
	var cols []store.Collection
	for _, of := range []func() []store.Collection{
		event.Collections, ticket.Collections, throttle.Collections, mail.Collections, account.Collections, session.Collections,
		factor.Collections, social.Collections, rbac.Collections, plan.Collections, bag.Collections,
	} {
		cols = append(cols, of()...)
	}
	if _, err := w.db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	w.Service = w.node(opts.Config)
	w.roles, w.plans = w.Roles.(*rbac.Service), w.Plans.(*plan.Service)
	w.must(w.roles.Ensure(w.sys(), []rbac.RoleSpec{
		{Key: rbac.RoleAdmin, Name: "Administrator", Permissions: []rbac.Instance{rbac.Every}},
		{Key: rbac.RoleMember, Name: "Member"},
		{Key: "host", Name: "Host", Permissions: []rbac.Instance{account.PermInvite, rbac.PermGrantWrite, rbac.PermRoleRead}},
	}))
	_, err := w.plans.Apply(w.sys(), plan.ApplyCmd{Book: plan.Book{Plans: []plan.BookPlan{
		{Key: "free", Name: "Free", Default: true},
		{Key: "pro", Name: "Pro", Rank: 1, Prices: []plan.Price{{Currency: "EUR", AmountMinor: 900, Every: plan.Every{N: 1, Unit: plan.Month}}}},
	}}})
	w.must(err)
	return w
}

// node makes the flows on the data of this world once more, as another process or one after a restart does.
func (w *world) node(cfg Config) *Service {
	w.t.Helper()
	db, now, log := w.db, w.clock.Now, slog.New(slog.DiscardHandler)
	all := map[string]string{}
	for _, of := range []func() map[string]string{account.Permissions, rbac.Permissions, plan.Permissions} {
		maps.Copy(all, of())
	}
	events, tickets := event.NewLog(db, now), ticket.New(db, now)
	roles := rbac.New(db, events, now, all, func() time.Duration { return 0 }, log, rbac.Config{})
	w.must(roles.Load(w.t.Context()))
	hashing := w.opts.hashing
	if hashing.Cost == (account.Cost{}) {
		hashing.Cost, hashing.HashWait = account.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}, time.Minute
	}
	mails, err := mail.New(db, now, log, w.ring, mail.Config{PublicURL: publicURL, Keep: 10_000})
	w.must(err)
	factors, err := factor.New(db, events, now, tickets, w.ring, factor.Config{Product: "Book", Origin: publicURL})
	w.must(err)
	w.opts.social.PublicURL = publicURL
	others, err := social.New(db, events, now, tickets, log, w.opts.social)
	w.must(err)
	cfg.PublicURL = publicURL
	return New(db, Deps{
		Accounts: account.New(db, events, now, roles, hashing),
		Sessions: session.New(db, events, now, log, lasting),
		Factors:  factors, Social: others, Tickets: tickets, Throttle: throttle.New(db, events, now), Mail: mails, Events: events,
		Plans: plan.New(db, events, now, roles, roles, plan.Config{}), Roles: roles, Bag: bag.New(db, now), Now: now, Log: log,
		Permissions: slices.Sorted(maps.Keys(all)),
		Erase: func(ctx context.Context, user string) error {
			return events.Append(ctx, "test.user.erased", ref.New(ref.User, user), nil)
		},
	}, cfg)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// is fails unless an error is the one wanted, nil included. It reports whether the test can go on.
func (w *world) is(what string, err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("%s = %v, want %v", what, err, want)
	}
}

// refuses is is for an error that blames a field.
func (w *world) refuses(what string, err, want error, field string) {
	w.t.Helper()
	if w.is(what, err, want); fault.From(err).Field != field {
		w.t.Errorf("%s blames %q, want %q", what, fault.From(err).Field, field)
	}
}

// Who asks, and from where.

// ctx is a visitor at home.
func (w *world) ctx() context.Context { return from(w.t.Context(), homeIP) }

func from(ctx context.Context, ip string) context.Context {
	return actor.WithRequest(ctx, actor.Request{IP: ip, UserAgent: "Firefox on Linux"})
}

func (w *world) sys() context.Context { return actor.With(w.ctx(), actor.System()) }

// as is who holds that secret, of a session or a key, at home.
func (w *world) as(secret string) context.Context {
	w.t.Helper()
	a, _, err := w.Authenticate(w.ctx(), secret)
	w.must(err)
	return actor.With(w.ctx(), a)
}

// live reports whether a secret still lets somebody in, asked of a node that remembers nothing.
func (w *world) live(secret string) bool {
	w.t.Helper()
	forgetful := session.New(w.db, w.Events, w.clock.Now, w.Log, lasting)
	_, err := forgetful.Resolve(w.t.Context(), secret)
	_, here := w.Sessions.Resolve(w.t.Context(), secret)
	if (err == nil) != (here == nil) {
		w.t.Errorf("this node says %v, another one %v", here, err)
	}
	return err == nil
}

// jar is a browser: its cookies, and every one it was sent.
type jar struct {
	mu   sync.Mutex
	now  map[Cookie]string
	sent []Cookie
}

func newJar() *jar { return &jar{now: map[Cookie]string{}} }

func (j *jar) Get(c Cookie) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.now[c]
}

func (j *jar) SetBrief(c Cookie, value string) { j.Set(c, value) }

func (j *jar) Set(c Cookie, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now[c] = value
	j.sent = append(j.sent, c)
}

// asking is a request of the browser: it comes with its cookies.
func (w *world) asking(j *jar) context.Context {
	w.t.Helper()
	ctx := WithBrowser(w.ctx(), j)
	if secret := j.Get(SessionCookie); secret != "" {
		a, _, err := w.Authenticate(ctx, secret)
		w.must(err)
		ctx = actor.With(ctx, a)
	}
	return ctx
}

// Mails.

// letter is a mail with the secrets in it.
type letter struct{ To, Template, Text, Code, Link string }

var (
	codeIn = regexp.MustCompile(`(?m)^\s+(\d{6})\s*$`)
	linkIn = regexp.MustCompile(`#\w+=(\S+)`)
)

// letters are the mails so far, oldest first.
func (w *world) letters() []letter {
	w.t.Helper()
	var all []letter
	args := page.Args{First: new(page.MaxSize)}
	for {
		p, err := w.Mail.Mailbox(w.t.Context(), args)
		w.must(err)
		for _, m := range p.Items {
			l := letter{To: m.To, Template: m.Template, Text: m.Text}
			if found := codeIn.FindStringSubmatch(m.Text); found != nil {
				l.Code = found[1]
			}
			if found := linkIn.FindStringSubmatch(m.Text); found != nil {
				l.Link = found[1]
			}
			all = append(all, l)
		}
		if !p.HasNext {
			break
		}
		end := p.Cursors[len(p.Cursors)-1]
		args.After = &end
	}
	slices.Reverse(all)
	return all
}

// last is the newest mail of that template to an address.
func (w *world) last(to, template string) letter {
	w.t.Helper()
	for _, l := range slices.Backward(w.letters()) {
		if l.To == to && l.Template == template {
			return l
		}
	}
	w.t.Fatalf("no mail %s to %s", template, to)
	return letter{}
}

// What a flow leaves behind.

// leaves runs a flow and compares what it has left: the kinds of its facts, in their order, and its mails, as "template
// address". Words that follow one another are of one kind, with blanks between.
func (w *world) leaves(what string, fn func(), facts string, mails ...string) {
	w.t.Helper()
	events, letters := w.events(), w.letters()
	fn()
	var told, sent []string
	for _, e := range w.events()[len(events):] {
		told = append(told, e.Kind)
	}
	for _, l := range w.letters()[len(letters):] {
		sent = append(sent, l.Template+" "+l.To)
	}
	if !slices.Equal(told, strings.Fields(facts)) {
		w.t.Errorf("%s told %q, want %q", what, strings.Join(told, " "), facts)
	}
	if !slices.Equal(sent, mails) {
		w.t.Errorf("%s mailed %q, want %q", what, sent, mails)
	}
}

// events are all facts so far, oldest first.
func (w *world) events() []event.Event {
	w.t.Helper()
	all, err := store.Find[event.Event](w.t.Context(), w.db.Collection("events"), bson.D{})
	w.must(err)
	slices.SortFunc(all, func(a, b event.Event) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// told are the facts of a kind.
func (w *world) told(kind string) []event.Event {
	w.t.Helper()
	return slices.DeleteFunc(w.events(), func(e event.Event) bool { return e.Kind != kind })
}

// forget takes the facts of a kind out of the log, as nobody else can: for what [world.leaves] is not to see.
func (w *world) forget(kind string) {
	w.t.Helper()
	_, err := w.db.Collection("events").DeleteMany(w.t.Context(), bson.D{{Key: "kind", Value: kind}})
	w.must(err)
}

func (w *world) count(coll string) int {
	w.t.Helper()
	return storetest.Count(w.t, w.db, coll)
}

// race runs fn n times at once and counts those that went well; the others must fail with one of the errors wanted.
func (w *world) race(n int, fn func(i int) error, want ...error) (won int) {
	w.t.Helper()
	errs, start := make([]error, n), make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	all.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }):
			w.t.Errorf("a loser got %v, want one of %v", err, want)
		}
	}
	return won
}
