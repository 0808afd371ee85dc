package analytics

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestEventIsChecked(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *time.Time { v := t0.Add(d); return &v }
	many := func(n int, v any) map[string]any {
		m := map[string]any{}
		for i := range n {
			m[fmt.Sprintf("k%d", i)] = v
		}
		return m
	}
	past, ancient := time.Unix(0, 0), time.Unix(-1, 0)
	for _, tc := range []struct {
		name  string
		cmd   EventCmd
		field string // refused; empty for accepted
	}{
		{"the least", EventCmd{ID: "12345678", Name: "x"}, ""},
		{"all of it", EventCmd{ID: strings.Repeat("a", 64), Name: "a.b-c_D9", At: at(0), Dims: many(16, strings.Repeat("d", 256)), Values: many(8, 1.5)}, ""},
		{"short id", EventCmd{ID: "1234567", Name: "x"}, "id"},
		{"long id", EventCmd{ID: strings.Repeat("a", 65), Name: "x"}, "id"},
		{"odd id", EventCmd{ID: "12345678$", Name: "x"}, "id"},
		{"id with a null", EventCmd{ID: "1234567\x00", Name: "x"}, "id"},
		{"no name", EventCmd{ID: "12345678"}, "name"},
		{"odd name", EventCmd{ID: "12345678", Name: "a b"}, "name"},
		{"whom it is about", EventCmd{ID: "12345678", Name: "x", Actor: "0190a1b2-c3d4", Session: "s.123456", Consent: Granted}, ""},
		{"short actor", EventCmd{ID: "12345678", Name: "x", Actor: "1234567"}, "actor"},
		{"mail address as actor", EventCmd{ID: "12345678", Name: "x", Actor: "ann@example.org"}, "actor"},
		{"long session", EventCmd{ID: "12345678", Name: "x", Session: strings.Repeat("a", 65)}, "session"},
		{"odd consent", EventCmd{ID: "12345678", Name: "x", Consent: "granted"}, "consent"},
		{"just ahead", EventCmd{ID: "12345678", Name: "x", At: at(5 * time.Minute)}, ""},
		{"too far ahead", EventCmd{ID: "12345678", Name: "x", At: at(5*time.Minute + time.Millisecond)}, "at"},
		{"the first second of 1970", EventCmd{ID: "12345678", Name: "x", At: &past}, ""},
		{"before 1970", EventCmd{ID: "12345678", Name: "x", At: &ancient}, "at"},
		{"17 dimensions", EventCmd{ID: "12345678", Name: "x", Dims: many(17, "v")}, "dims"},
		{"dimension with a dot", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a.b": "v"}}, "dims"},
		{"dimension that is an operator", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"$a": "v"}}, "dims"},
		{"empty dimension is a value", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a": ""}}, ""},
		{"long dimension", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a": strings.Repeat("d", 257)}}, "dims.a"},
		{"dimension of broken text", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a": "\xff"}}, "dims.a"},
		{"dimension that is a number", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a": 1}}, "dims.a"},
		{"dimension that is an object", EventCmd{ID: "12345678", Name: "x", Dims: map[string]any{"a": map[string]any{"$ne": ""}}}, "dims.a"},
		{"9 values", EventCmd{ID: "12345678", Name: "x", Values: many(9, 1)}, "values"},
		{"numbers of all forms", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": 1, "b": int64(2), "c": 3.5, "d": json.Number("4e2")}}, ""},
		{"odd name of a value", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"": 1}}, "values"},
		{"value that is a text", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": "1"}}, "values.a"},
		{"value that is null", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": nil}}, "values.a"},
		{"NaN", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": math.NaN()}}, "values.a"},
		{"infinity", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": math.Inf(-1)}}, "values.a"},
		{"too large", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": json.Number("1e101")}}, "values.a"},
		{"too large for a double", EventCmd{ID: "12345678", Name: "x", Values: map[string]any{"a": json.Number("1e999")}}, "values.a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, bad := tc.cmd.event(t0, "u1")
			switch {
			case tc.field == "" && bad != nil:
				t.Fatalf("refused: %v", bad)
			case tc.field != "" && bad == nil:
				t.Fatalf("accepted, want a refusal of %s", tc.field)
			case bad != nil && (bad.Field != tc.field || !errors.Is(bad, ErrEvent)):
				t.Fatalf("refused %q with %s, want %q", bad.Field, bad.Code, tc.field)
			}
		})
	}
}

func TestEventIsMadeOfTheCommand(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 4, 4, 4, 123_456_789, time.FixedZone("", 3600))
	e, bad := EventCmd{
		ID: "12345678", Name: "x", At: &at, Dims: map[string]any{"d": "v"}, Values: map[string]any{"n": json.Number("2.5")},
	}.event(t0, "u1")
	if bad != nil {
		t.Fatal(bad)
	}
	want := time.Date(2026, 1, 2, 3, 4, 4, 123_000_000, time.UTC)
	if !e.At.Equal(want) || e.At.Location() != time.UTC || !e.ReceivedAt.Equal(t0) || e.User != "u1" || e.Dims["d"] != "v" || e.Values["n"] != 2.5 {
		t.Errorf("event = %+v", e)
	}
	if e, _ := (EventCmd{ID: "12345678", Name: "x"}).event(t0, ""); !e.At.Equal(t0) || e.Dims != nil || e.Values != nil {
		t.Errorf("event without a time = %+v, want it to be now and to have nothing empty", e)
	}
}

func TestBatchIsBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, MaxBatch + 1} {
		if _, err := (sender{}).batch(flights("a", n), t0); !errors.Is(err, ErrEvent) {
			t.Errorf("a batch of %d: %v, want EVENT_INVALID", n, err)
		}
	}
	if got, err := (sender{}).batch(flights("a", MaxBatch), t0); err != nil || len(got) != MaxBatch {
		t.Errorf("a batch of %d: %d events, %v", MaxBatch, len(got), err)
	}
}

func FuzzNameCannotBeAnOperator(f *testing.F) {
	f.Add("a.b", ".-")
	f.Add("$where", "")
	f.Fuzz(func(t *testing.T, s, more string) {
		if isName(s, "") && (strings.ContainsAny(s, "$.\x00") || s == "" || len(s) > 64) {
			t.Errorf("%q is taken for a name", s)
		}
	})
}
