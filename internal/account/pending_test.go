package account

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestPendingWaitsAndBecomesAUser(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cmd  CreateCmd
	}{
		{"full", CreateCmd{Email: "Ada@Example.org", Name: "Ada", Password: goodPassword, Username: "Ada", Locale: "de", Terms: "2"}},
		{"sparse", CreateCmd{Email: "ada@example.org", Name: "Ada"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			d, err := e.Prepare(t.Context(), tc.cmd)
			if err != nil {
				t.Fatal(err)
			}
			type ticket struct { // a flow keeps more than the registration
				Registration Pending `bson:"registration"`
				Invitation   string  `bson:"invitation"`
			}
			raw, err := bson.Marshal(ticket{d.Pending(), "i1"})
			if err != nil {
				t.Fatal(err)
			}
			var back ticket
			if err := bson.Unmarshal(raw, &back); err != nil {
				t.Fatal(err)
			}
			p := back.Registration
			if p.Email != d.user.Email() || p.EmailKey != "ada@example.org" || p.Hashed().IsZero() != (tc.cmd.Password == "") || p.Hashed().reveal() != d.hash.reveal() {
				t.Errorf("read back: %+v", p)
			}
			e.clock.Advance(time.Hour)
			again, err := e.FromPending(p)
			if err != nil || again.Ref() != d.Ref() {
				t.Fatalf("FromPending() = %v, %v; want %v", again.Ref(), err, d.Ref())
			}
			u, err := e.Insert(t.Context(), again)
			if err != nil || u.Emails[0].VerifiedAt != t0.Add(time.Hour) || u.CreatedAt != t0.Add(time.Hour) {
				t.Errorf("Insert() = %#v, %v", u, err)
			}
			if !reflect.DeepEqual(e.stored(t, u.ID), u) {
				t.Errorf("stored %#v, want %#v", e.stored(t, u.ID), u)
			}
			if _, err := e.verify(t.Context(), "ada@example.org", goodPassword); (err == nil) != (tc.cmd.Password != "") {
				t.Errorf("verify() = %v", err)
			}
		})
	}
}

func TestFromPendingChecksAgain(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	good := Pending{Email: "ada@example.org", EmailKey: "ada@example.org", Name: "Ada"}
	for name, tc := range map[string]struct {
		change func(*Pending)
		err    error
	}{
		"address":  {func(p *Pending) { p.Email = "ada" }, ErrEmailInvalid},
		"name":     {func(p *Pending) { p.Name = "" }, fault.ErrInput},
		"username": {func(p *Pending) { p.Username = "root" }, ErrUsername},
		"hash":     {func(p *Pending) { p.hash = hashed("hunter2hunter2") }, errPHC},
	} {
		p := good
		tc.change(&p)
		if _, err := e.FromPending(p); !errors.Is(err, tc.err) {
			t.Errorf("%s: FromPending() = %v, want %v", name, err, tc.err)
		}
	}
	d, err := e.FromPending(Pending{Email: good.Email, EmailKey: "eve@example.org", Name: "Ada"})
	if err != nil || d.user.EmailKey() != good.EmailKey || d.user.ID == "" {
		t.Errorf("the key comes from the address: %#v, %v", d.user, err)
	}
}

func FuzzPending(f *testing.F) {
	seed, _ := Pending{ID: "1", Email: "a@x.io", Name: "A", hash: hashed("h")}.MarshalBSON()
	f.Add(seed)
	f.Add([]byte{5, 0, 0, 0, 0})
	f.Add([]byte("\x0c\x00\x00\x00\x10hash\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Pending
		if p.UnmarshalBSON(b) != nil {
			return
		}
		again, err := p.MarshalBSON()
		var q Pending
		if err != nil || q.UnmarshalBSON(again) != nil || q.Email != p.Email || q.hash.reveal() != p.hash.reveal() {
			t.Errorf("%x reads as %+v, and back as %+v, %v", b, p, q, err)
		}
	})
}
