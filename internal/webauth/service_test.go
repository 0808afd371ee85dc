package webauth

import (
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store"
)

// neighbour stands for rbac and plan: what it is asked for it writes in the transaction of ctx, or fails.

// jar keeps what a TokenSink was given.

func TestRegister(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	in := e.register(t)
	if in.User.Email != "ada@example.org" || in.Session.User != in.User.ID || !strings.HasPrefix(in.Token, "bbs_") {
		t.Errorf("Register() = %+v", in)
	}
	if s, err := e.Sessions.Resolve(t.Context(), in.Token); err != nil || s.ID != in.Session.ID {
		t.Errorf("the token leads to %v, %v", s, err)
	}
	want := map[string]int{"users": 1, "sessions": 1, "events": 2, "enrolled": 1, "granted": 1}
	if got := e.counts(t); !maps.Equal(got, want) || e.synced.Load() != 1 {
		t.Errorf("there are %v, synced %d times; want %v, once", got, e.synced.Load(), want)
	}
	log, err := store.Find[event.Event](t.Context(), e.db.Collection("events"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range log {
		if ev.Actor.User != in.User.ID || ev.Actor.System {
			t.Errorf("%s was done by %+v", ev.Kind, ev.Actor)
		}
	}
}

// A user never exists half.

func TestRegisterIsAllOrNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, breakIt := range map[string]func(*neighbour){
		"plan": func(n *neighbour) { n.enrollErr = broken },
		"role": func(n *neighbour) { n.grantErr = broken },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t)
			breakIt(e.neighbour)
			var cookies jar
			c := registration()
			c.Transport = Cookie
			in, err := e.Register(cookies.in(t.Context()), c)
			if !errors.Is(err, broken) || in != (SignedIn{}) || len(cookies) != 0 || e.synced.Load() != 0 {
				t.Errorf("Register() = %+v, %v; cookies %v", in, err, cookies)
			}
			if got := e.counts(t); !maps.Equal(got, map[string]int{"users": 0, "sessions": 0, "events": 0, "enrolled": 0, "granted": 0}) {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*RegisterCmd)
		err    error
		field  string
	}{
		{"no address", func(c *RegisterCmd) { c.Email = "ada" }, account.ErrEmailInvalid, "input.email"},
		{"weak password", func(c *RegisterCmd) { c.Password = "password1" }, account.ErrPasswordWeak, "input.password"},
		{"no name", func(c *RegisterCmd) { c.Name = "" }, fault.ErrInput, "input.name"},
		{"taken", func(c *RegisterCmd) { c.Email = "BOB@example.org" }, account.ErrEmailTaken, "input.email"},
		{"cookie without a way to set it", func(c *RegisterCmd) { c.Transport = Cookie }, fault.ErrInput, "input.transport"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t)
			bob := registration()
			bob.Email = "bob@example.org"
			if _, err := e.Register(t.Context(), bob); err != nil {
				t.Fatal(err)
			}
			before := e.counts(t)
			c := registration()
			tc.change(&c)
			in, err := e.Register(t.Context(), c)
			if !errors.Is(err, tc.err) || fault.From(err).Field != tc.field || in != (SignedIn{}) {
				t.Errorf("Register() = %+v, %v; want %v on %s", in, err, tc.err, tc.field)
			}
			if after := e.counts(t); !maps.Equal(after, before) {
				t.Errorf("left behind: %v, before %v", after, before)
			}
		})
	}
}

// Requirement 4, through the whole flow.

func TestFiftyRegistrationsOfOneAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch _, err := e.Register(t.Context(), registration()); {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, account.ErrEmailTaken):
				t.Errorf("Register() = %v", err)
			}
		})
	}
	wg.Wait()
	want := map[string]int{"users": 1, "sessions": 1, "events": 2, "enrolled": 1, "granted": 1}
	if got := e.counts(t); made.Load() != 1 || !maps.Equal(got, want) {
		t.Errorf("%d made; there are %v", made.Load(), got)
	}
}

// The account is made, though this node could not catch up with its rights.

func TestRegisterWithoutSync(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	e.syncErr = fault.ErrUnavailable
	if in, err := e.Register(t.Context(), registration()); err != nil || in.Token == "" {
		t.Errorf("Register() = %+v, %v", in, err)
	}
}

// Requirement 59: signing in makes a new secret, and the one the request came with is dead, whoever it belonged to.

func TestCreate(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	c := account.CreateCmd{Email: "ada@example.org", Name: "Ada", Password: goodPassword}
	if _, err := e.Create(t.Context(), c); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Create() by nobody = %v", err)
	}
	system := actor.With(t.Context(), actor.System())
	u, err := e.Create(system, c)
	want := map[string]int{"users": 1, "sessions": 0, "events": 1, "enrolled": 1, "granted": 1}
	if got := e.counts(t); err != nil || u.Name != "Ada" || !maps.Equal(got, want) || e.synced.Load() != 1 {
		t.Errorf("Create() = %v, %v; there are %v", u, err, got)
	}
	if _, err := e.Create(system, c); !errors.Is(err, account.ErrEmailTaken) {
		t.Errorf("Create() again = %v", err)
	}
	e.grantErr = errors.New("broken")
	c.Email = "bob@example.org"
	if _, err := e.Create(system, c); !errors.Is(err, e.grantErr) || !maps.Equal(e.counts(t), want) {
		t.Errorf("Create() = %v; there are %v", err, e.counts(t))
	}
}

func TestSetPassword(t *testing.T) {
	t.Parallel()
	const fresh = "eleven kettles sing at noon"
	e := setUp(t)
	in := e.register(t)
	gone, stop := e.Sessions.Watch(in.Session.ID)
	defer stop()
	if err := e.SetPassword(as(t.Context(), in), in.User.ID, fresh); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("SetPassword() by the user = %v", err)
	}
	system := actor.With(t.Context(), actor.System())
	if err := e.SetPassword(system, in.User.ID, "password1"); !errors.Is(err, account.ErrPasswordWeak) {
		t.Errorf("SetPassword() = %v", err)
	}
	if _, err := e.Sessions.Resolve(t.Context(), in.Token); err != nil {
		t.Fatalf("a refused change ended the session: %v", err)
	}
	if err := e.SetPassword(system, in.User.ID, fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Sessions.Resolve(t.Context(), in.Token); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the session goes on: %v", err)
	}
	select {
	case <-gone:
	default:
		t.Error("who watches the session was not told")
	}
	if _, err := e.SignIn(t.Context(), SignInCmd{"ada@example.org", goodPassword, Bearer}); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := e.SignIn(t.Context(), SignInCmd{"ada@example.org", fresh, Bearer}); err != nil {
		t.Errorf("the new password: %v", err)
	}
}
