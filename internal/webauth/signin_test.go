package webauth

import (
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	first := e.register(t)
	for _, tc := range []struct {
		name, email, password string
		transport             Transport
		err                   error
	}{
		{"right", "Ada@example.org", goodPassword, Bearer, nil},
		{"wrong password", "ada@example.org", goodPassword + "?", Bearer, account.ErrCredentials},
		{"unknown address", "eve@example.org", goodPassword, Bearer, account.ErrCredentials},
		{"cookie without a way to set it", "ada@example.org", goodPassword, Cookie, fault.ErrInput},
	} {
		in, err := e.SignIn(t.Context(), SignInCmd{tc.email, tc.password, tc.transport})
		if !errors.Is(err, tc.err) {
			t.Errorf("%s: SignIn() = %+v, %v", tc.name, in, err)
		}
		if err != nil {
			if in != (SignedIn{}) {
				t.Errorf("%s: SignIn() = %+v", tc.name, in)
			}
			continue
		}
		if in.User != first.User || in.Session.ID == first.Session.ID || in.Token == first.Token {
			t.Errorf("%s: SignIn() = %+v", tc.name, in)
		}
		for _, token := range []string{in.Token, first.Token} { // a second device ends nothing
			if _, err := e.Sessions.Resolve(t.Context(), token); err != nil {
				t.Errorf("Resolve() = %v", err)
			}
		}
	}
	if n := storetest.Count(t, e.db, "sessions"); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	var cookies jar
	ctx := cookies.in(t.Context())
	c := registration()
	c.Transport = Cookie
	in, err := e.Register(ctx, c)
	if err != nil || in.Token != "" || len(cookies) != 1 {
		t.Fatalf("Register() = %+v, %v; cookies %v", in, err, cookies)
	}
	if s, err := e.Sessions.Resolve(ctx, cookies[0]); err != nil || s != in.Session {
		t.Errorf("the cookie leads to %+v, %v", s, err)
	}
	if _, err := e.SignIn(ctx, SignInCmd{"ada@example.org", "wrong password", Cookie}); err == nil || len(cookies) != 1 {
		t.Errorf("SignIn() = %v, and cookies %v", err, cookies)
	}
	if in, err := e.SignIn(ctx, SignInCmd{"ada@example.org", goodPassword, Bearer}); err != nil || in.Token == "" || len(cookies) != 1 {
		t.Errorf("SignIn() for a token = %v, and cookies %v", err, cookies)
	}
	// A socket has taken the request over: its headers are gone.
	if _, err := e.SignIn(WithTokenSink(ctx, nil), SignInCmd{"ada@example.org", goodPassword, Cookie}); !errors.Is(err, fault.ErrInput) {
		t.Errorf("SignIn() over a socket = %v", err)
	}
	if ended, err := e.SignOut(as(ctx, in)); err != nil || !ended || len(cookies) != 2 || cookies[1] != "" {
		t.Errorf("SignOut() = %v, %v; cookies %v", ended, err, cookies)
	}
}

func TestSignInEndsTheSessionOfTheRequest(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	ada := e.register(t)
	gone, stop := e.Sessions.Watch(ada.Session.ID)
	defer stop()
	if _, err := e.SignIn(as(t.Context(), ada), SignInCmd{"ada@example.org", "wrong password", Bearer}); err == nil {
		t.Fatal("a wrong password was taken")
	}
	if _, err := e.Sessions.Resolve(t.Context(), ada.Token); err != nil {
		t.Errorf("a failed sign-in ended the session: %v", err)
	}
	c := registration()
	c.Email = "bob@example.org"
	bob, err := e.Register(as(t.Context(), ada), c)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone:
	default:
		t.Error("who watches the old session was not told")
	}
	if _, err := e.Sessions.Resolve(t.Context(), ada.Token); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the old token: %v", err)
	}
	again, err := e.SignIn(as(t.Context(), bob), SignInCmd{"bob@example.org", goodPassword, Bearer})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Sessions.Resolve(t.Context(), bob.Token); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the old token: %v", err)
	}
	if _, err := e.Sessions.Resolve(t.Context(), again.Token); err != nil {
		t.Errorf("the new token: %v", err)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	e := setUp(t)
	in := e.register(t)
	var cookies jar
	ctx := as(cookies.in(t.Context()), in)
	for range 2 { // twice is no error
		if ended, err := e.SignOut(ctx); !ended || err != nil {
			t.Errorf("SignOut() = %v, %v", ended, err)
		}
		if _, err := e.Sessions.Resolve(t.Context(), in.Token); !errors.Is(err, session.ErrEnded) {
			t.Errorf("Resolve() = %v", err)
		}
	}
	if ended, err := e.SignOut(cookies.in(t.Context())); ended || err != nil { // nobody, with an old cookie perhaps
		t.Errorf("SignOut() of nobody = %v, %v", ended, err)
	}
	if len(cookies) != 3 || strings.Join(cookies, "") != "" {
		t.Errorf("cookies: %q", cookies)
	}
	if ended, err := e.SignOut(t.Context()); ended || err != nil {
		t.Errorf("SignOut() without a sink = %v, %v", ended, err)
	}
	if n := storetest.Count(t, e.db, "events", bson.D{{Key: "kind", Value: "session.session.ended"}}); n != 1 {
		t.Errorf("%d facts of one end", n)
	}
}
