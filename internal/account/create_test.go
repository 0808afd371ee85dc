package account

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// ada is a command with everything in it.
func ada(change func(*CreateCmd)) CreateCmd {
	c := CreateCmd{
		Email: " Ada@Example.org ", Name: " Ada ", Password: goodPassword, Username: "Ada.L", Locale: "de_ch", Terms: "2026-01",
	}
	change(&c)
	return c
}

func TestCreate(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.register(t.Context(), ada(func(*CreateCmd) {}))
	want := User{
		ID: u.ID, Emails: []Address{{"Ada@Example.org", "ada@example.org", t0}}, Username: "Ada.L", UsernameKey: "ada.l",
		Name: "Ada", NameKey: "ada", Locale: "de-CH", Terms: &Terms{"2026-01", t0}, HasPassword: true, CreatedAt: t0,
	}
	if err != nil || !reflect.DeepEqual(u, want) || u.ID == "" {
		t.Errorf("register() = %#v, %v\nwant %#v", u, err, want)
	}
	if told := data[created](t, e.expect(t, 1, "account.user.created", u)); told != (created{ID: u.ID, Name: "Ada"}) {
		t.Errorf("the event tells %+v", told)
	}
	if got, _ := e.ByIDs(t.Context(), []string{u.ID, "nobody"}); len(got) != 1 || !reflect.DeepEqual(got[u.ID], want) {
		t.Errorf("ByIDs() = %#v", got)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	if _, err := e.register(t.Context(), CreateCmd{Email: "bob@example.org", Name: "Bob", Username: "bob"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		change func(*CreateCmd)
		err    error
		field  string
	}{
		{"taken", func(c *CreateCmd) { c.Email = "bob@example.org" }, ErrEmailTaken, "input.email"},
		{"taken in another case", func(c *CreateCmd) { c.Email = "BOB@example.ORG" }, ErrEmailTaken, "input.email"},
		{"taken by a look-alike", func(c *CreateCmd) { c.Email = "ｂｏｂ@example.org" }, ErrEmailTaken, "input.email"},
		{"username taken", func(c *CreateCmd) { c.Username = "ＢOB" }, ErrUsernameTaken, "input.username"},
		{"username reserved", func(c *CreateCmd) { c.Username = "Admin" }, ErrUsername, "input.username"},
		{"no username", func(c *CreateCmd) { c.Username = "a b" }, ErrUsername, "input.username"},
		{"no address", func(c *CreateCmd) { c.Email = "bob" }, ErrEmailInvalid, "input.email"},
		{"without an address", func(c *CreateCmd) { c.Email = "" }, ErrEmailInvalid, "input.email"},
		{"weak password", func(c *CreateCmd) { c.Password = "password1" }, ErrPasswordWeak, "input.password"},
		{"the username for a password", func(c *CreateCmd) { c.Password = "Ada.L.12345" }, ErrPasswordWeak, "input.password"},
		{"no name", func(c *CreateCmd) { c.Name = " " }, fault.ErrInput, "input.name"},
		{"no locale", func(c *CreateCmd) { c.Locale = "german" }, fault.ErrInput, "input.locale"},
		{"no terms", func(c *CreateCmd) { c.Terms = "\n" }, fault.ErrInput, "input.terms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u, err := e.register(t.Context(), ada(tc.change))
			if !errors.Is(err, tc.err) {
				t.Fatalf("register() = %v, %v; want %v", u, err, tc.err)
			}
			if f := fault.From(err); f.Field != tc.field || f.Err != nil {
				t.Errorf("blames %q because of %v, want %q", f.Field, f.Err, tc.field)
			}
			if users, events := storetest.Count(t, e.db, collection), len(e.events(t)); users != 1 || events != 1 {
				t.Errorf("refused, and there are %d users and %d events", users, events)
			}
		})
	}
}

func TestCreateKinds(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	for _, c := range []CreateCmd{
		{Kind: KindAnonymous, Email: "ada@example.org"},
		{Kind: KindAnonymous, Username: "ada"},
		{Kind: KindService, Name: "Robot", Password: goodPassword},
		{Kind: "robot", Name: "Robot"},
	} {
		if _, err := e.register(t.Context(), c); !errors.Is(err, ErrKind) {
			t.Errorf("register(%+v) = %v", c, err)
		}
	}
	guest := e.guest(t)
	if guest.Kind != KindAnonymous || guest.Email() != "" || guest.EmailKey() != "" || guest.HasPassword || guest.Name == "" {
		t.Errorf("a guest: %#v", guest)
	}
	if told := data[created](t, e.expect(t, 1, "account.user.created", guest)); told.Kind != KindAnonymous {
		t.Errorf("the event tells %+v", told)
	}
	e.guest(t) // a second one: the unique indexes take no "missing" for a value
	for _, tc := range []struct {
		name string
		ctx  context.Context // nobody is asked for a permission: the flow has done that
		err  error
	}{
		{"Importer", as(t, "admin"), nil},
		{"Exporter", system(t), nil},
		{"", as(t, "admin"), fault.ErrInput},
		{"Importer", t.Context(), nil},
	} {
		u, err := e.register(tc.ctx, CreateCmd{Kind: KindService, Name: tc.name})
		if !errors.Is(err, tc.err) || (err == nil && (u.Kind != KindService || u.Name != tc.name || u.HasPassword)) {
			t.Errorf("register(%q) = %#v, %v; want %v", tc.name, u, err, tc.err)
		}
		if err != nil {
			continue
		}
		if told := data[created](t, e.events(t)[len(e.events(t))-1].Data); told != (created{ID: u.ID, Name: tc.name, Kind: KindService}) {
			t.Errorf("the event tells %+v", told)
		}
	}
}

// One account for one address, however it is written.
func TestReq3OneAccountOneAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "a@x.io")
	for _, email := range []string{"A@x.io", "ａ@x.io", "A@X.IO", "Ａ@ｘ.io"} {
		if _, err := e.register(t.Context(), CreateCmd{Email: email, Name: "Eve"}); !errors.Is(err, ErrEmailTaken) {
			t.Errorf("register(%s) = %v", email, err)
		}
		if got, found, err := e.Occupied(t.Context(), email); !found || err != nil || got.ID != u.ID {
			t.Errorf("Occupied(%s) = %v, %v, %v", email, got, found, err)
		}
	}
	for _, email := range []string{"b@x.io", ".@x.io", `{"$gt":""}`, "^a", ""} {
		if got, found, err := e.Occupied(t.Context(), email); found || err != nil || got.ID != "" {
			t.Errorf("Occupied(%s) = %v, %v, %v", email, got, found, err)
		}
	}
}

// Uniqueness by index, not by looking first.
func TestReq4FiftyRegistrationsOfOneAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	spellings := []string{"ada@example.org", "ADA@example.org", "ａｄａ@example.org", "Ada@Example.Org"}
	var made, taken atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := e.register(t.Context(), CreateCmd{Email: spellings[i%len(spellings)], Name: "Ada", Password: goodPassword})
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, ErrEmailTaken):
				taken.Add(1)
			default:
				t.Errorf("register() = %v", err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || taken.Load() != 49 {
		t.Errorf("%d made, %d refused", made.Load(), taken.Load())
	}
	if u, ev := storetest.Count(t, e.db, collection), len(e.events(t)); u != 1 || ev != 1 {
		t.Errorf("%d users, %d events", u, ev)
	}
}

func TestReq4TwentyRegistrationsOfOneUsername(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	won := race(t, ErrUsernameTaken, func(i int) error {
		_, err := e.register(t.Context(), CreateCmd{Email: string(rune('a'+i)) + "@example.org", Name: "Ada", Username: []string{"ada", "ADA"}[i%2]})
		return err
	})
	if n := storetest.Count(t, e.db, collection); won != 1 || n != 1 {
		t.Errorf("%d made, %d stored", won, n)
	}
}

// Nothing a client may send names an id, a time or a status: the types have no field for it.
func TestReq5And6ServerValuesAreTheServers(t *testing.T) {
	t.Parallel()
	for _, v := range []any{CreateCmd{}, ProfileCmd{}, ImportCmd{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Type == reflect.TypeFor[time.Time]() || f.Type == reflect.TypeFor[bool]() || strings.HasSuffix(f.Name, "ID") || strings.HasSuffix(f.Name, "Key") {
				t.Errorf("%s.%s can be chosen by a caller", typ.Name(), f.Name)
			}
		}
	}
	e := setUp(t, Config{})
	a, b := e.create(t, "ada@example.org"), e.create(t, "bob@example.org")
	if r, err := ref.Parse(a.String()); err != nil || r != a.Ref() || a.ID == b.ID || len(a.ID) != len(ref.NewID()) {
		t.Errorf("ids: %q %q, %v", a.ID, b.ID, err)
	}
}

func TestInsertIsAllOrNothing(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	d, err := e.Prepare(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	if n := storetest.Count(t, e.db, collection); n != 0 {
		t.Errorf("Prepare stored %d users", n)
	}
	after := errors.New("the flow goes wrong later")
	err = e.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := e.Insert(ctx, d); err != nil {
			return err
		}
		return after
	})
	if !errors.Is(err, after) || storetest.Count(t, e.db, collection) != 0 || len(e.events(t)) != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
	if _, err := e.Insert(t.Context(), d); err != nil {
		t.Errorf("a draft cannot be used again: %v", err)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, password string
		of             func(t *testing.T, e env, guest User) string // who is upgraded
		err            error
	}{
		{"with a password", goodPassword, nil, nil},
		{"without a password", "", nil, nil},
		{"a person", goodPassword, func(t *testing.T, e env, _ User) string { return e.create(t, "bob@example.org").ID }, ErrKind},
		{"nobody", goodPassword, func(*testing.T, env, User) string { return "nobody" }, fault.ErrNotFound},
		{"address taken", goodPassword, func(t *testing.T, e env, guest User) string { e.create(t, "Ada@example.org"); return guest.ID }, ErrEmailTaken},
		{"username taken", goodPassword, func(t *testing.T, e env, guest User) string {
			if _, err := e.register(t.Context(), CreateCmd{Email: "bob@example.org", Name: "Bob", Username: "ADA"}); err != nil {
				t.Fatal(err)
			}
			return guest.ID
		}, ErrUsernameTaken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			guest := e.guest(t)
			d, err := e.Prepare(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: tc.password, Username: "ada", Terms: "1"})
			if err != nil {
				t.Fatal(err)
			}
			id := guest.ID
			if tc.of != nil {
				id = tc.of(t, e, guest)
			}
			before := len(e.events(t))
			e.clock.Advance(time.Hour)
			u, err := e.Upgrade(t.Context(), id, d.Pending())
			if !errors.Is(err, tc.err) {
				t.Fatalf("Upgrade() = %v, %v; want %v", u, err, tc.err)
			}
			if err != nil {
				if n := len(e.events(t)); n != before || !reflect.DeepEqual(e.stored(t, guest.ID), guest) {
					t.Errorf("refused, and %d events, guest %#v", n, e.stored(t, guest.ID))
				}
				return
			}
			e.expect(t, before+1, "account.user.upgraded", guest)
			want := User{
				ID: guest.ID, Emails: []Address{{"ada@example.org", "ada@example.org", t0.Add(time.Hour)}}, Username: "ada", UsernameKey: "ada",
				Name: "Ada", NameKey: "ada", Terms: &Terms{"1", t0.Add(time.Hour)}, HasPassword: tc.password != "", CreatedAt: t0,
			}
			if !reflect.DeepEqual(u, want) || !reflect.DeepEqual(e.stored(t, guest.ID), want) {
				t.Errorf("Upgrade() = %#v\nstored %#v\nwant %#v", u, e.stored(t, guest.ID), want)
			}
			if _, err := e.verify(t.Context(), "ada", goodPassword); (err == nil) != (tc.password != "") {
				t.Errorf("verify() = %v", err)
			}
		})
	}
}

func TestUpgradeOnce(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	guest := e.guest(t)
	won := race(t, ErrKind, func(i int) error {
		d, err := e.Prepare(t.Context(), CreateCmd{Email: string(rune('a'+i)) + "@example.org", Name: "Ada"})
		if err == nil {
			_, err = e.Upgrade(t.Context(), guest.ID, d.Pending())
		}
		return err
	})
	if n := len(e.events(t)); won != 1 || n != 2 {
		t.Errorf("%d upgrades, %d events", won, n)
	}
}

func TestCreateAsTheActor(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	if _, err := e.register(actor.With(t.Context(), actor.Actor{User: "admin"}), CreateCmd{Email: "ada@example.org", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if who := e.events(t)[0].Actor.User; who != "admin" {
		t.Errorf("the log says %q did it", who)
	}
}
