package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/token"
)

func TestReq54ANewKey(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	ctx := actor.WithRequest(as(t, "ada"), actor.Request{IP: "192.0.2.7"})
	k, secret, err := n.MintKey(ctx, MintCmd{User: "ada", Name: " deploy ", Scopes: []string{"plan.write", "plan.read", "plan.write"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Key{
		ID: k.ID, User: "ada", Name: "deploy", Hint: secret[:8], Scopes: []string{"plan.read", "plan.write"},
		CreatedAt: t0, ExpiresAt: t0.Add(90 * day),
	}
	if fmt.Sprint(k) != fmt.Sprint(want) || k.ID == "" || k.Ref() != ref.New(ref.Key, k.ID) {
		t.Errorf("MintKey() = %+v\nwant %+v", k, want)
	}
	if d, ok := token.Parse("bbk_", secret); !ok || !slices.Equal(n.stored(t, k.ID).Tokens.Hash, d[:]) {
		t.Errorf("the secret %.8s… is none, or what is stored is not its digest", secret)
	}
	facts := n.facts(t, "session.key.created")
	if len(facts) != 1 || facts[0].On != k.Ref() || facts[0].IP != "192.0.2.7" {
		t.Fatalf("events: %+v", facts)
	}
	if got := data[minted](t, facts[0]); got.User != "ada" || got.Name != "deploy" || !slices.Equal(got.Scopes, want.Scopes) || !got.ExpiresAt.Equal(want.ExpiresAt) {
		t.Errorf("the event says %+v", got)
	}
	s := n.mustResolve(t, secret)
	if s.ID != k.ID || s.User != "ada" || s.Kind != KindKey || s.Ref() != k.Ref() || !slices.Equal(s.Scope.List(), want.Scopes) || !s.AuthAt.IsZero() {
		t.Errorf("Resolve() = %+v", s)
	}
}

func TestReq53WhoMayMint(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	key, _ := n.mint(t, "ada", "session.key.write")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
	}{
		{"a user", as(t, "ada"), nil},
		{"the system", system(t), nil},
		{"nobody who names a user", t.Context(), fault.ErrUnauthenticated},
		{"a key", with(t, key), ErrKeyForbidden},
	} {
		before := storetest.Count(t, n.db, collection)
		_, secret, err := n.MintKey(tc.ctx, MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}})
		if !errors.Is(err, tc.err) || (secret != "") != (tc.err == nil) || (storetest.Count(t, n.db, collection) > before) != (tc.err == nil) {
			t.Errorf("%s: MintKey() = %v, want %v", tc.name, err, tc.err)
		}
	}
}

func TestMintChecks(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	good := MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}}
	many := make([]string, MaxScopes+1)
	for i := range many {
		many[i] = fmt.Sprintf("plan.read%d", i)
	}
	for _, tc := range []struct {
		name  string
		cmd   func(*MintCmd)
		field string
	}{
		{"good", func(*MintCmd) {}, ""},
		{"a long name", func(c *MintCmd) { c.Name = strings.Repeat("é", MaxKeyName) }, ""},
		{"many scopes", func(c *MintCmd) { c.Scopes = many[:MaxScopes] }, ""},
		{"no name", func(c *MintCmd) { c.Name = "  " }, "input.name"},
		{"too long a name", func(c *MintCmd) { c.Name = strings.Repeat("é", MaxKeyName+1) }, "input.name"},
		{"a line end", func(c *MintCmd) { c.Name = "a\nb" }, "input.name"},
		{"text turned round", func(c *MintCmd) { c.Name = "a\u202eb" }, "input.name"},
		{"no text at all", func(c *MintCmd) { c.Name = "a\xff" }, "input.name"},
		{"no scope", func(c *MintCmd) { c.Scopes = nil }, "input.scopes"},
		{"too many scopes", func(c *MintCmd) { c.Scopes = many }, "input.scopes"},
		{"an empty scope", func(c *MintCmd) { c.Scopes = []string{"plan.read", ""} }, "input.scopes"},
		{"everything", func(c *MintCmd) { c.Scopes = []string{"*"} }, "input.scopes"},
		{"an operator", func(c *MintCmd) { c.Scopes = []string{"$where"} }, "input.scopes"},
		{"before now", func(c *MintCmd) { c.TTL = -time.Hour }, "input.ttl"},
		{"no time", func(c *MintCmd) { c.TTL = time.Nanosecond }, "input.ttl"},
		{"for ever", func(c *MintCmd) { c.TTL = MaxKeyTTL + 1 }, "input.ttl"},
	} {
		c := good
		tc.cmd(&c)
		_, _, err := n.MintKey(as(t, "ada"), c)
		if field := fault.From(err); (err == nil) != (tc.field == "") || err != nil && (!errors.Is(err, fault.ErrInput) || field.Field != tc.field) {
			t.Errorf("%s: MintKey() = %v, want blame on %q", tc.name, err, tc.field)
		}
	}
	if storetest.Count(t, n.db, collection) != 3 || len(n.facts(t, "session.key.created")) != 3 {
		t.Error("a refused key is there")
	}
}

func TestMintJoinsTheTransaction(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	wrong := errors.New("the flow goes wrong later")
	var secret string
	err := n.db.InTx(as(t, "ada"), func(ctx context.Context) (err error) {
		if _, secret, err = n.MintKey(ctx, MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}}); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) || storetest.Count(t, n.db, collection) != 0 || storetest.Count(t, n.db, "events") != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
	if _, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) {
		t.Errorf("Resolve() = %v", err)
	}
}

// Revoked and expired keys make room; twenty who ask for the last place at once get one key.
func TestKeyLimit(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	revoked, _ := n.mint(t, "ada", "plan.read")
	if _, err := n.RevokeKey(as(t, "ada"), "ada", revoked.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := n.MintKey(as(t, "ada"), MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}, TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	n.clock.Advance(time.Hour)
	n.start(t, "ada") // a session takes no place
	for range MaxKeys - 1 {
		n.mint(t, "ada", "plan.read")
	}
	var won, refused atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, _, err := n.MintKey(as(t, "ada"), MintCmd{User: "ada", Name: "x", Scopes: []string{"plan.read"}})
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, ErrKeyLimit):
				refused.Add(1)
			default:
				t.Errorf("MintKey() = %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || refused.Load() != 19 {
		t.Errorf("%d got the last place, %d were refused", won.Load(), refused.Load())
	}
	n.mint(t, "eve", "plan.read")
}
