package account

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

// Whatever is printed, encoded or logged, there is no hash in it, and no password.
func TestReq40NothingLeaksTheHash(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	d, err := e.Prepare(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	u, err := e.Insert(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	hash := e.storedHash(t, u.ID)
	var out strings.Builder
	p := d.Pending()
	change, err := e.PrepareChange(t.Context(), u.ID, goodPassword, "eleven kettles sing at noon")
	if err != nil {
		t.Fatal(err)
	}
	exported, err := e.Export(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{u, &u, d, &d, p, &p, p.Hashed(), change, exported, []Pending{p}, struct{ hidden Pending }{p}, struct{ hidden Hashed }{p.Hashed()}, []User{u}, map[string]User{"u": u}, struct{ hidden User }{u}, struct{ hidden Draft }{d}, *e.Service} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
			fmt.Fprintf(&out, verb, v)
		}
		log := slog.New(slog.NewJSONHandler(&out, nil))
		log.Info("test", "value", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("test", "value", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	fmt.Fprintf(&out, "%v", fmt.Errorf("user %v: %w", u, ErrCredentials.With("user", u).Because(fmt.Errorf("%+v", d))))
	if b, err := bson.MarshalExtJSON(u, false, false); err == nil {
		out.Write(b)
	}
	for _, ev := range e.events(t) {
		fmt.Fprintf(&out, "%+v %s", ev, ev.Data)
	}
	for _, text := range []string{hash, hash[len(hash)-20:], fmt.Sprintf("%x", hash), goodPassword, "argon2id"} {
		if strings.Contains(out.String(), text) {
			t.Errorf("%q is in what was printed", text)
		}
	}
	if s := fmt.Sprintf("%v %+v %s %v %+v %#v %s", u, u, &u, p, p, p, &p); strings.Contains(s, "ada@") {
		t.Errorf("printing a user or a registration tells the address: %s", s)
	}
}

func TestEventsHoldNoAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	if n := storetest.Count(t, e.db, "events", bson.D{{Key: "data.name", Value: "Ada Lovelace"}}); n != 1 {
		t.Errorf("%d events with the name", n)
	}
	for _, err := range []error{
		second(e.AddAddress(t.Context(), u.ID, "new@example.org", true)),
		second(e.SetPrimary(t.Context(), u.ID, "ada@example.org")),
		second(e.RemoveAddress(t.Context(), u.ID, "new@example.org")),
		second(e.UpdateProfile(system(t), ProfileCmd{User: u.ID, Username: new("ada.example.org")})),
		second(e.ScheduleDeletion(t.Context(), u.ID, t0)),
		e.Purge(t.Context(), u.ID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all := e.events(t)
	if len(all) != 7 {
		t.Errorf("%d events", len(all))
	}
	for _, ev := range all {
		if strings.Contains(string(ev.Data), "example.org") {
			t.Errorf("%s holds the address", ev.Kind)
		}
	}
}

func second(_ User, err error) error { return err }
