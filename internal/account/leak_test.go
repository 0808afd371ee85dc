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

func TestNothingLeaksTheHash(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	d, err := e.Prepare(t.Context(), CreateCmd{"ada@example.org", "Ada", goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	u, err := e.Insert(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	hash := e.storedHash(t, u.ID)
	var out strings.Builder
	for _, v := range []any{u, &u, d, &d, []User{u}, map[string]User{"u": u}, struct{ hidden User }{u}, struct{ hidden Draft }{d}, *e.Service} {
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
	for _, secret := range []string{hash, hash[len(hash)-20:], fmt.Sprintf("%x", hash), goodPassword, "argon2id"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in what was printed", secret)
		}
	}
	if s := fmt.Sprintf("%v %+v %s", u, u, &u); strings.Contains(s, "ada@") {
		t.Errorf("printing a user tells the address: %s", s)
	}
}

func TestEventsHoldNoAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	e.create(t, "ada@example.org")
	if n := storetest.Count(t, e.db, "events", bson.D{{Key: "data.name", Value: "Ada Lovelace"}}); n != 1 {
		t.Errorf("%d events with the name", n)
	}
	for _, ev := range e.events(t) {
		if strings.Contains(string(ev.Data), "example.org") {
			t.Errorf("%s holds the address", ev.Kind)
		}
	}
}
