package social

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

var adas = Claims{Provider: "acme", Issuer: "https://id.example", Subject: "a-1", Email: "ada@example.org", EmailVerified: true, Name: "Ada"}

func (n node) link(t testing.TB, user string, c Claims) Identity {
	t.Helper()
	i, err := n.Link(t.Context(), user, c)
	if err != nil {
		t.Fatalf("Link() = %v", err)
	}
	return i
}

func TestLink(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	ctx := actor.With(t.Context(), actor.Actor{User: "u1", Session: "s1"})
	got, err := n.Link(ctx, "u1", adas)
	want := Identity{
		ID: got.ID, User: "u1", Provider: "acme", Issuer: "https://id.example", Subject: "a-1", Email: "ada@example.org", CreatedAt: n.now(),
	}
	if err != nil || got != want || got.ID == "" {
		t.Fatalf("Link() = %+v, %v\nwant %+v", got, err, want)
	}
	e := n.log1(t, "social.identity.linked")
	data, err := store.Decode[about](e.Data)
	if err != nil || e.On != got.Ref() || e.Actor.User != "u1" || data != (about{"u1", "acme", "https://id.example", "a-1"}) {
		t.Errorf("event = %+v, data %+v, %v", e, data, err)
	}
	found, ok, err := n.Find(t.Context(), adas)
	if !ok || err != nil || found != want {
		t.Errorf("Find() = %+v, %t, %v", found, ok, err)
	}
	// Again for the same user is nothing new; for another it is refused, and neither leaves an event.
	if again, err := n.Link(ctx, "u1", adas); err != nil || again != want {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := n.Link(ctx, "u2", adas); !errors.Is(err, ErrTaken) {
		t.Errorf("for another user: %v", err)
	}
	n.log1(t, "social.identity.linked")
}

func TestLinkNeedsSomebody(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	for _, c := range []Claims{{}, {Issuer: "https://id.example"}, {Subject: "a-1"}, {Issuer: "https://id.example", Subject: "a\n1"}} {
		if _, err := n.Link(t.Context(), "u1", c); !errors.Is(err, ErrAnswer) {
			t.Errorf("Link(%+v) = %v", c, err)
		}
	}
	if got := storetest.Count(t, n.db, collection) + storetest.Count(t, n.db, "events"); got != 0 {
		t.Errorf("%d documents were written", got)
	}
}

func TestLinkJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	boom := errors.New("boom")
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := n.Link(ctx, "u1", adas); err != nil {
			return err
		}
		return boom
	})
	if got := storetest.Count(t, n.db, collection) + storetest.Count(t, n.db, "events"); !errors.Is(err, boom) || got != 0 {
		t.Errorf("%v, %d documents are left", err, got)
	}
}

func TestLinkOneOfTwentyUsers(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	var wg sync.WaitGroup
	var won atomic.Int32
	for u := range 20 {
		wg.Go(func() {
			switch _, err := n.Link(t.Context(), fmt.Sprint("u", u), adas); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrTaken):
				t.Errorf("Link() = %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || storetest.Count(t, n.db, collection) != 1 {
		t.Errorf("%d users have it", won.Load())
	}
	n.log1(t, "social.identity.linked")
}

func TestReq48IdentityStays(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	mine := n.link(t, "u1", n.mustSignIn(t, i, ada("a-1")))

	renamed := user{sub: "a-1", claims: map[string]any{"email": "countess@example.org", "email_verified": true, "name": "Countess", "preferred_username": "c"}}
	if got, ok, err := n.Find(t.Context(), n.mustSignIn(t, i, renamed)); !ok || err != nil || got.ID != mine.ID {
		t.Errorf("renamed: %+v, %t, %v", got, ok, err)
	}
	reissued := ada("b-2") // somebody else has the address and the name now
	if got, ok, err := n.Find(t.Context(), n.mustSignIn(t, i, reissued)); ok || err != nil {
		t.Errorf("re-issued address: %+v, %t, %v", got, ok, err)
	}
	for name, c := range map[string]Claims{
		"another issuer":   {Issuer: i.Issuer() + "/", Subject: "a-1", Email: mine.Email, EmailVerified: true},
		"another case":     {Issuer: i.Issuer(), Subject: "A-1", Email: mine.Email, EmailVerified: true},
		"the address only": {Issuer: i.Issuer(), Email: mine.Email, EmailVerified: true},
		"nothing":          {},
	} {
		if got, ok, err := n.Find(t.Context(), c); ok || err != nil {
			t.Errorf("%s: %+v, %t, %v", name, got, ok, err)
		}
	}
}

func TestUnlink(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	mine := n.link(t, "u1", adas)
	for _, tc := range [][2]string{{"u2", mine.ID}, {"u1", "none"}, {"", mine.ID}} {
		if _, err := n.Unlink(t.Context(), tc[0], tc[1]); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("Unlink(%q, %q) = %v", tc[0], tc[1], err)
		}
	}
	if storetest.Count(t, n.db, "events") != 1 {
		t.Error("a refusal left an event")
	}
	was, err := n.Unlink(t.Context(), "u1", mine.ID)
	if err != nil || was != mine {
		t.Errorf("Unlink() = %+v, %v", was, err)
	}
	e := n.log1(t, "social.identity.unlinked")
	if data, err := store.Decode[about](e.Data); err != nil || e.On != mine.Ref() || data != mine.about() {
		t.Errorf("event = %+v, %v", e, err)
	}
	if _, ok, err := n.Find(t.Context(), adas); ok || err != nil {
		t.Errorf("Find() = %t, %v", ok, err)
	}
	n.link(t, "u2", adas) // free for somebody else
}

func TestOf(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	other := adas
	other.Issuer = "https://other.example"
	first, second := n.link(t, "u1", adas), n.link(t, "u1", other)
	third := adas
	third.Subject = "b-2"
	n.link(t, "u2", third)
	if got, err := n.Of(t.Context(), "u1"); err != nil || !slices.Equal(got, []Identity{first, second}) {
		t.Errorf("Of() = %+v, %v", got, err)
	}
	if got, err := n.Of(t.Context(), "nobody"); err != nil || len(got) != 0 {
		t.Errorf("Of(nobody) = %+v, %v", got, err)
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	i := n.link(t, "u1", adas)
	n.clock.Advance(time.Hour)
	i.Email = "countess@example.org"
	if err := n.Used(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	got, ok, err := n.Find(t.Context(), adas)
	if !ok || err != nil || got.LastUsedAt == nil || !got.LastUsedAt.Equal(n.now()) || got.Email != i.Email || !got.CreatedAt.Equal(i.CreatedAt) {
		t.Errorf("Find() = %+v, %t, %v", got, ok, err)
	}
	if _, err := n.Unlink(t.Context(), "u1", i.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.Used(t.Context(), i); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("after it was unlinked: %v", err)
	}
}

func TestForgetUser(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	second := adas
	second.Subject = "a-2"
	other := adas
	other.Subject = "b-2"
	n.link(t, "u1", adas)
	n.link(t, "u1", second)
	kept := n.link(t, "u2", other)
	n.begin(t, BeginCmd{Provider: "acme", LinkUser: "u1"})
	n.begin(t, BeginCmd{Provider: "acme"})
	if err := n.db.InTx(t.Context(), func(ctx context.Context) error { return n.ForgetUser(ctx, "u1") }); err != nil {
		t.Fatal(err)
	}
	left, err := store.Find[Identity](t.Context(), n.db.Collection(collection), bson.D{})
	if err != nil || !slices.Equal(left, []Identity{kept}) || storetest.Count(t, n.db, "tickets") != 1 {
		t.Errorf("left: %+v, %v, %d tickets", left, err, storetest.Count(t, n.db, "tickets"))
	}
	if err := n.ForgetUser(t.Context(), "u1"); err != nil {
		t.Errorf("twice: %v", err)
	}
}
