package account

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestUpdateProfile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		cmd    ProfileCmd
		fields []string // changed, as the event tells
		want   func(*User)
		err    error
	}{
		{"name", ProfileCmd{Name: new(" Countess ")}, []string{"name"}, func(u *User) { u.Name, u.NameKey = "Countess", "countess" }, nil},
		{"username", ProfileCmd{Username: new("Ada.L")}, []string{"username"}, func(u *User) { u.Username, u.UsernameKey = "Ada.L", "ada.l" }, nil},
		{"username in another case", ProfileCmd{Username: new("ADA")}, []string{"username"}, func(u *User) { u.Username = "ADA" }, nil},
		{"no username", ProfileCmd{Username: new("")}, []string{"username"}, func(u *User) { u.Username, u.UsernameKey = "", "" }, nil},
		{"locale", ProfileCmd{Locale: new("de_ch")}, []string{"locale"}, func(u *User) { u.Locale = "de-CH" }, nil},
		{"no locale", ProfileCmd{Locale: new("")}, []string{"locale"}, func(u *User) { u.Locale = "" }, nil},
		{"all", ProfileCmd{Name: new("B"), Username: new("bbb"), Locale: new("fr")}, []string{"name", "username", "locale"}, func(u *User) {
			u.Name, u.NameKey, u.Username, u.UsernameKey, u.Locale = "B", "b", "bbb", "bbb", "fr"
		}, nil},
		{"nothing", ProfileCmd{}, nil, func(*User) {}, nil},
		{"the same", ProfileCmd{Name: new("Ada Lovelace"), Username: new("ada"), Locale: new("en")}, nil, func(*User) {}, nil},
		{"username taken", ProfileCmd{Username: new("BOB")}, nil, nil, ErrUsernameTaken},
		{"username reserved", ProfileCmd{Username: new("root")}, nil, nil, ErrUsername},
		{"bad username", ProfileCmd{Username: new("a@b")}, nil, nil, ErrUsername},
		{"bad name", ProfileCmd{Name: new("")}, nil, nil, fault.ErrInput},
		{"bad locale", ProfileCmd{Name: new("Fine"), Locale: new("german")}, nil, nil, fault.ErrInput},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada Lovelace", Username: "ada", Locale: "en", Password: goodPassword})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.register(t.Context(), CreateCmd{Email: "bob@example.org", Name: "Bob", Username: "bob"}); err != nil {
				t.Fatal(err)
			}
			tc.cmd.User = u.ID
			got, err := e.UpdateProfile(as(t, u.ID), tc.cmd)
			if !errors.Is(err, tc.err) {
				t.Fatalf("UpdateProfile() = %v, %v; want %v", got, err, tc.err)
			}
			want := u
			if tc.err == nil {
				tc.want(&want)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("UpdateProfile() = %#v\nwant %#v", got, want)
				}
			}
			if s := e.stored(t, u.ID); !reflect.DeepEqual(s, want) {
				t.Errorf("stored %#v\nwant %#v", s, want)
			}
			if tc.fields == nil {
				if n := len(e.events(t)); n != 2 {
					t.Errorf("nothing changed, and %d events", n)
				}
				return
			}
			if told := data[updated](t, e.expect(t, 3, "account.user.updated", u)); !slices.Equal(told.Fields, tc.fields) {
				t.Errorf("the event tells %v", told)
			}
			if err := e.CheckPassword(t.Context(), u.ID, goodPassword); err != nil {
				t.Errorf("the password was lost: %v", err)
			}
		})
	}
}

func TestUpdateProfileOfWhom(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "admin")
	u := e.create(t, "ada@example.org")
	robot := e.robot(t, "Robot")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		cmd  ProfileCmd
		err  error
	}{
		{"own", as(t, u.ID), ProfileCmd{User: u.ID, Name: new("A")}, nil},
		{"an operator", system(t), ProfileCmd{User: u.ID, Name: new("B")}, nil},
		{"an administrator", as(t, "admin"), ProfileCmd{User: u.ID, Name: new("C")}, fault.ErrForbidden},
		{"nobody", t.Context(), ProfileCmd{User: u.ID, Name: new("D")}, fault.ErrUnauthenticated},
		{"of no one, by nobody", t.Context(), ProfileCmd{Name: new("D")}, fault.ErrUnauthenticated},
		{"of an unknown user", system(t), ProfileCmd{User: "nobody", Name: new("E")}, fault.ErrNotFound},
		{"of a service", system(t), ProfileCmd{User: robot.ID, Name: new("Android")}, nil},
		{"a username for a service", system(t), ProfileCmd{User: robot.ID, Username: new("android")}, ErrKind},
	} {
		if _, err := e.UpdateProfile(tc.ctx, tc.cmd); !errors.Is(err, tc.err) {
			t.Errorf("%s: UpdateProfile() = %v, want %v", tc.name, err, tc.err)
		}
	}
}

// Fields of a newer version of this program are kept by an older one.
func TestChangesKeepWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	future := bson.D{{Key: "future", Value: 7}}
	if _, err := e.db.Collection(collection).UpdateOne(t.Context(), bson.D{store.Eq("_id", u.ID)}, bson.D{{Key: "$set", Value: future}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.UpdateProfile(as(t, u.ID), ProfileCmd{User: u.ID, Name: new("A")}); err != nil {
		t.Fatal(err)
	}
	if storetest.Count(t, e.db, collection, future) != 1 {
		t.Error("the field was lost")
	}
}

func TestAcceptTerms(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u := e.create(t, "ada@example.org")
	if _, err := e.AcceptTerms(t.Context(), u.ID, "1"); err != nil {
		t.Fatal(err)
	}
	told := data[accepted](t, e.expect(t, 2, "account.terms.accepted", u))
	if told.Version != "1" {
		t.Errorf("the event tells %+v", told)
	}
	e.clock.Advance(time.Hour)
	if got, err := e.AcceptTerms(t.Context(), u.ID, "1"); err != nil || *got.Terms != (Terms{"1", t0}) || len(e.events(t)) != 2 {
		t.Errorf("again: %+v, %v", got.Terms, err)
	}
	if got, err := e.AcceptTerms(t.Context(), u.ID, "2"); err != nil || *got.Terms != (Terms{"2", t0.Add(time.Hour)}) || *e.stored(t, u.ID).Terms != *got.Terms {
		t.Errorf("a newer version: %+v, %v", got.Terms, err)
	}
	e.expect(t, 3, "account.terms.accepted", u)
	if _, err := e.AcceptTerms(t.Context(), u.ID, ""); !errors.Is(err, fault.ErrInput) {
		t.Errorf("no version: %v", err)
	}
	if _, err := e.AcceptTerms(t.Context(), "nobody", "1"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.register(t.Context(), CreateCmd{Email: "Ada@example.org", Name: "Ada", Username: "ada", Locale: "de", Terms: "1", Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		second(e.AddAddress(t.Context(), u.ID, "b@example.org", false)),
		second(e.Deactivate(t.Context(), u.ID)),
		second(e.ScheduleDeletion(t.Context(), u.ID, t0.Add(time.Hour))),
		second(e.Disable(system(t), u.ID)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := e.Export(t.Context(), u.ID)
	want := map[string]any{
		"id": "user:" + u.ID, "name": "Ada", "username": "ada", "locale": "de", "hasPassword": true, "createdAt": t0,
		"emails": []map[string]any{
			{"email": "Ada@example.org", "primary": true, "verifiedAt": t0}, {"email": "b@example.org", "primary": false, "verifiedAt": t0},
		},
		"terms":         map[string]any{"version": "1", "acceptedAt": t0},
		"deactivatedAt": t0, "disabledAt": t0, "deleteAfter": t0.Add(time.Hour),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Export() = %v, %v\nwant %v", got, err, want)
	}
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "argon2") {
		t.Errorf("as JSON: %s, %v", text, err)
	}
	// Whatever is added to a user later has to be exported too, or be known here as no data of the person.
	known := []string{"ID", "Kind", "Emails", "Username", "UsernameKey", "Name", "NameKey", "Locale", "Terms", "DeactivatedAt", "DisabledAt", "DeleteAfter", "HasPassword", "CreatedAt"}
	for i := range reflect.TypeFor[User]().NumField() {
		if f := reflect.TypeFor[User]().Field(i).Name; !slices.Contains(known, f) {
			t.Errorf("the field %s is not in the export", f)
		}
	}
	guest := e.guest(t)
	got, err = e.Export(t.Context(), guest.ID)
	want = map[string]any{"id": "user:" + guest.ID, "name": "Guest", "kind": "anonymous", "emails": []map[string]any{}, "hasPassword": false, "createdAt": t0}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Export() = %v, %v\nwant %v", got, err, want)
	}
	if _, err := e.Export(t.Context(), "nobody"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("Export() of nobody = %v", err)
	}
}
