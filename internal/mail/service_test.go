package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/keyring"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMailbox(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	for i := range 3 {
		n.queue(t, signIn(fmt.Sprintf("user%d@example.org", i)))
		n.clock.Advance(time.Second)
	}
	two := 2
	first, err := n.Mailbox(t.Context(), page.Args{First: &two})
	if err != nil || len(first.Items) != 2 || !first.HasNext || first.HasPrevious {
		t.Fatalf("Mailbox() = %+v, %v", first, err)
	}
	m := first.Items[0]
	if m.To != "user2@example.org" || m.Template != "sign_in" || m.Subject != "Sign in to Backend Book" || !m.At.Equal(t0.Add(2*time.Second)) || m.ID == "" ||
		!strings.Contains(m.Text, "https://book.example/sign-in/link#token=bbl_theSecret") || !strings.Contains(m.HTML, "482913") {
		t.Errorf("the newest is %+v", m)
	}
	rest, err := n.Mailbox(t.Context(), page.Args{First: &two, After: &first.Cursors[1]})
	if err != nil || len(rest.Items) != 1 || rest.Items[0].To != "user0@example.org" || rest.HasNext {
		t.Errorf("the rest is %+v, %v", rest, err)
	}
	bad := "nonsense"
	if _, err := n.Mailbox(t.Context(), page.Args{After: &bad}); !errors.Is(err, page.ErrCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
	if waits, _, given, err := n.Backlog(t.Context()); waits != 0 || given != 0 || err != nil {
		t.Errorf("the mailbox counts as backlog: %d, %d, %v", waits, given, err)
	}
}

func TestMailboxOnlyWithoutSMTP(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{PublicURL: "https://book.example", Host: "127.0.0.1", From: "a@book.example"})
	if _, err := n.Mailbox(t.Context(), page.Args{}); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("Mailbox() = %v", err)
	}
}

func TestMailboxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	cfg := devConfig()
	cfg.Keep = 3
	n := setUp(t, cfg)
	n.run(t)
	for i := range 10 {
		n.queue(t, signIn(fmt.Sprintf("user%d@example.org", i)))
	}
	n.await(t, stateKept, 3)
	all, err := n.Mailbox(t.Context(), page.Args{})
	if err != nil || len(all.Items) != 3 || all.Items[0].To != "user9@example.org" || all.Items[2].To != "user7@example.org" {
		t.Errorf("Mailbox() = %+v, %v", all.Items, err)
	}
}

func TestMailboxWithAnotherKey(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	n.queue(t, signIn("ada@example.org"))
	restarted := newNode(t, n.db, n.clock, keyring.Random(), n.cfg)
	restarted.queue(t, signIn("bob@example.org"))
	all, err := restarted.Mailbox(t.Context(), page.Args{})
	if err != nil || len(all.Items) != 2 || all.Items[0].Subject == unreadable || all.Items[1].Subject != unreadable || all.Items[1].To != "ada@example.org" {
		t.Errorf("Mailbox() = %+v, %v", all.Items, err)
	}
}

// Whoever has the database alone can't use a link or a code that is on its way.
func TestBodiesAreSealed(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"mailbox": devConfig(),
		"outbox":  {PublicURL: "https://book.example", Host: "127.0.0.1", From: "a@book.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, cfg)
			n.queue(t, signIn("ada@example.org"))
			raw, err := store.FindOne[bson.Raw](t.Context(), n.db.Collection(collection), bson.D{})
			if err != nil {
				t.Fatal(err)
			}
			for _, never := range []string{"482913", "theSecret", "Sign in to", "Ada"} {
				if strings.Contains(string(raw), never) {
					t.Errorf("the stored document holds %q", never)
				}
			}
			l := n.only(t)
			l.ID = "another"
			if _, err := n.open(l); !errors.Is(err, keyring.ErrUnseal) {
				t.Errorf("a body moved to another letter opens: %v", err)
			}
		})
	}
}

func TestQueueRefusesMistakes(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	for name, change := range map[string]func(*Message){
		"no recipient":     func(m *Message) { m.To = "" },
		"two recipients":   func(m *Message) { m.To = "secret@x.io, b@x.io" },
		"a display name":   func(m *Message) { m.To = "Secret <secret@x.io>" },
		"another header":   func(m *Message) { m.To = "secret@x.io\r\nBcc: b@x.io" },
		"a comment":        func(m *Message) { m.To = "secret@x.io (secret)" },
		"far too long":     func(m *Message) { m.To = strings.Repeat("secret", 60) + "@x.io" },
		"unknown template": func(m *Message) { m.Template = "newsletter" },
		"a path":           func(m *Message) { m.Template = "../en/sign_in" },
		"layout":           func(m *Message) { m.Template = "common" },
		"missing data":     func(m *Message) { m.Data = nil },
	} {
		m := signIn("ada@example.org")
		change(&m)
		err := n.Queue(t.Context(), m)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "482913") {
			t.Errorf("%s: Queue() = %v", name, err)
		}
	}
	if k := storetest.Count(t, n.db, collection); k != 0 {
		t.Errorf("%d mails were queued", k)
	}
}

func TestPrintedMessagesHideTheirData(t *testing.T) {
	t.Parallel()
	m := signIn("ada@example.org")
	var out strings.Builder
	for _, v := range []any{m, &m, []Message{m}, map[string]Message{"m": m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("queued", "message", m, "pointer", &m)
	for _, never := range []string{"482913", "theSecret", "example.org", "Ada", "343832393133"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("printing shows %q", never)
		}
	}
	if !strings.Contains(out.String(), "sign_in") {
		t.Error("printing shows nothing")
	}
}

func TestQueueJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	boom := errors.New("boom")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if err := n.Queue(ctx, signIn("ada@example.org")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || storetest.Count(t, n.db, collection) != 0 {
		t.Errorf("after a rollback (%v) the mail is there", err)
	}
	err = n.db.InTx(t.Context(), func(ctx context.Context) error { return n.Queue(ctx, signIn("ada@example.org")) })
	if err != nil || storetest.Count(t, n.db, collection) != 1 {
		t.Errorf("after a commit (%v) the mail is not there", err)
	}
}

// A request that leads to a mail waits for no mail server: what it takes does not tell whether there was a mail.
func TestReq25QueueWaitsForNoServer(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{PublicURL: "https://book.example", Host: "127.0.0.1", Port: scripted(t, ""), TLS: plainTCP, From: "a@book.example"})
	n.run(t)
	for range 2 * n.pace.workers { // also while all workers wait for the silent server
		n.queue(t, signIn("ada@example.org"))
	}
	if k := storetest.Count(t, n.db, collection); k != 2*n.pace.workers {
		t.Errorf("%d mails in the outbox", k)
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	n := setUp(t, devConfig())
	if _, err := n.db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false); err != nil {
		t.Fatal(err)
	}
	specs, err := n.db.Collection(collection).Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ttl := false
	for _, s := range specs {
		ttl = ttl || s.Name == "expiresAt" && s.ExpireAfterSeconds != nil && *s.ExpireAfterSeconds == 0
	}
	if len(specs) != 4 || !ttl {
		t.Errorf("indexes %+v", specs)
	}
	raw, err := n.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
		{Key: "find", Value: collection},
		{Key: "filter", Value: bson.D{{Key: "state", Value: stateWaiting}, {Key: "dueAt", Value: bson.D{{Key: "$lte", Value: t0}}}}},
		{Key: "sort", Value: bson.D{{Key: "dueAt", Value: 1}}},
	}}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if plan := raw.Lookup("queryPlanner", "winningPlan").String(); !strings.Contains(plan, `"due"`) || strings.Contains(plan, "COLLSCAN") || strings.Contains(plan, `"SORT"`) {
		t.Errorf("the claim is no index scan: %s", plan)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	good := Config{PublicURL: "https://book.example/", Host: "mail.book.example", From: "Book <no-reply@book.example>"}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   []string // in the error; none: no error
	}{
		"good":                   {func(*Config) {}, nil},
		"http":                   {func(c *Config) { c.PublicURL = "http://localhost:8080/book" }, nil},
		"nothing":                {func(c *Config) { *c = Config{} }, []string{"public URL"}},
		"no scheme":              {func(c *Config) { c.PublicURL = "book.example" }, []string{"public URL"}},
		"another scheme":         {func(c *Config) { c.PublicURL = "javascript://book.example" }, []string{"public URL"}},
		"a query":                {func(c *Config) { c.PublicURL += "?a=b" }, []string{"public URL"}},
		"no sender":              {func(c *Config) { c.From = "" }, []string{"sender"}},
		"no address":             {func(c *Config) { c.From = "Book" }, []string{"sender"}},
		"unknown TLS":            {func(c *Config) { c.TLS = "ssl" }, []string{`"ssl"`}},
		"port":                   {func(c *Config) { c.Port = 70000 }, []string{"70000"}},
		"password in the clear":  {func(c *Config) { c.TLS, c.User, c.Password = "none", "u", "s3cret" }, []string{"in the clear"}},
		"password on this host":  {func(c *Config) { c.TLS, c.User, c.Host = "none", "u", "localhost" }, nil},
		"all that is wrong":      {func(c *Config) { c.PublicURL, c.From, c.TLS = "", "", "x" }, []string{"public URL", "sender", `"x"`}},
		"no sender, no host":     {func(c *Config) { c.From, c.Host = "", "" }, nil},
		"folder that is missing": {func(c *Config) { c.Templates = "/nowhere/at/all" }, []string{"/nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.change(&cfg)
			_, err := New(storetest.DB(t), clock.System(), slog.New(slog.DiscardHandler), keyring.Random(), cfg)
			if (err == nil) != (len(tc.want) == 0) {
				t.Fatalf("New() = %v; want %q", err, tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("New() = %v; want %q", err, want)
				}
			}
		})
	}
	for mode, port := range map[string]int{"": 587, startTLS: 587, fullTLS: 465, plainTCP: 25} {
		cfg := good
		cfg.TLS = mode
		if got, from, err := cfg.withDefaults(); err != nil || got.Port != port || got.PublicURL != "https://book.example" || got.Keep != 200 || got.Product != "Backend Book" || from.Name != "Book" {
			t.Errorf("%q: %+v, %v", mode, got, err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	ts := mustLoad(b, goldenConfig(b))
	m := signIn("ada@example.org")
	for b.Loop() {
		if _, err := ts.render(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	cfg := goldenConfig(b)
	for b.Loop() {
		mustLoad(b, cfg)
	}
}
