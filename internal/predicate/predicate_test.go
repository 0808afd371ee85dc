package predicate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var env = Env{User: "ann", Args: map[string]string{"region": "EU"}, Now: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)}

func TestCompile(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"object.owner == user.id":                             `(owner EQ "ann")`,
		"user.id == object.owner":                             `(owner EQ "ann")`,
		"object.owner != user.id":                             `NOT((owner EQ "ann"))`,
		`object.data["a-b"].c_1 == nil`:                       `(data.a-b.c_1 EQ <nil>)`,
		"object.n < 3 && object.n >= -2.5":                    `AND((n LT 3) (n GE -2.5))`,
		"3 > object.n or 1 <= object.n":                       `OR((n LT 3) (n GE 1))`,
		"object.public":                                       `(public EQ true)`,
		"not object.public and true":                          `NOT((public EQ true))`,
		"!(object.a == 1 || object.b == 2)":                   `NOT(OR((a EQ 1) (b EQ 2)))`,
		"object.type in ['a', 'b']":                           `(type IN []interface {}{"a", "b"})`,
		"object.type not in ['a']":                            `NOT((type IN []interface {}{"a"}))`,
		"object.type in []":                                   "NONE",
		"user.id in object.team":                              `(team HAS "ann")`,
		"user.id in ['bob']":                                  "NONE",
		"user.id in ['bob', 'ann'] && object.x":               `(x EQ true)`,
		"args.region == 'EU'":                                 "ALL",
		"args.region == 'US'":                                 "NONE",
		"args.nope == nil && args.nope != 'x'":                "ALL",
		"now < '2027' && object.until > now":                  `(until GT "2026-01-02T03:04:05.006Z")`,
		"now > '2027' || 1 < 2":                               "ALL",
		"1 < 'a'":                                             "NONE",
		"true == false":                                       "NONE",
		"object.a == 1 and (object.b == 2 and object.c == 3)": `AND((a EQ 1) (b EQ 2) (c EQ 3))`,
	} {
		e, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := e.Filter(env).String(); got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
		if e.Source() != source {
			t.Errorf("source %q", e.Source())
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for source, at := range map[string]string{
		"":                               "1:",
		"object.a ==":                    "1:",
		"true &&\n  len(object.a) > 1":   "2:3",
		"foo.bar == 1":                   "1:",
		"object == nil":                  "1:",
		"object.a":                       "",
		"object.a == object.b":           "1:",
		"object.a + 1 == 2":              "1:",
		"object.a matches 'x*'":          "1:",
		"object.a ? true : false":        "1:",
		"user.name == 'x'":               "1:",
		"args.a.b == 'x'":                "1:",
		"object.$where == 1":             "1:",
		`object["$x"] == 1`:              "1:",
		`object["a.b"] == 1`:             "1:",
		"object.a[0] == 1":               "1:",
		"object?.a == 1":                 "1:",
		"object.f() == 1":                "1:",
		"any(object.a, # == 1)":          "1:",
		"object.a in object.b":           "1:",
		"object.a in 'abc'":              "1:",
		"object.a in [object.b]":         "1:",
		"'x'":                            "1:1",
		"1":                              "1:1",
		"user.id":                        "1:",
		"let x = 1; x == 1":              "1:",
		strings.Repeat("a", MaxSource+1): "1:1",
		"object.a" + strings.Repeat(".a", 10) + " == 1":   "1:",
		"1 == 1" + strings.Repeat("&&1==1", MaxNodes/4+1): "",
	} {
		_, err := Compile(source)
		var bad *SyntaxError
		switch {
		case source == "object.a":
			if err != nil {
				t.Errorf("%s: %v", source, err)
			}
		case !errors.As(err, &bad):
			t.Errorf("%.40q: %v", source, err)
		case !strings.HasPrefix(fmt.Sprintf("%d:%d", bad.Line, bad.Column), at) || bad.Msg == "" || !strings.HasSuffix(bad.Error(), bad.Msg):
			t.Errorf("%.40q: at %d:%d, want %s: %s", source, bad.Line, bad.Column, at, bad.Msg)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	object := map[string]any{
		"s": "b", "i": 3, "i32": int32(3), "i64": int64(3), "f": 2.5, "f32": float32(2.5), "t": true, "n": nil, "list": []any{"x", 1, nil},
		"at": time.Date(2026, 1, 2, 4, 4, 5, 6e6, time.FixedZone("", 3600)), "o": map[string]any{"p": "q"}, "many": []any{map[string]any{"p": "q"}},
	}
	for source, want := range map[string]bool{
		"object.s == 'b'": true, "object.s == 3": false, "object.i == 3": true, "object.i32 == 3 && object.i64 == 3": true, "object.f == 2.5 && object.f32 == 2.5": true,
		"object.i == '3'": false, "object.t": true, "object.s": false, "object.n == nil && object.missing == nil": true, "object.o.p == 'q'": true,
		"object.o == nil": false, "object.list == nil": false, "object.list == 'x'": false, "'x' in object.list": true, "1 in object.list": true, "nil in object.list": true,
		"'y' in object.list": false, "'b' in object.s": false, "'x' in object.missing": false, "object.many.p == 'q'": false, "object.many.p == nil": true,
		"object.s < 'c'": true, "object.s < 'b'": false, "object.s <= 'b'": true, "object.i > 2": true, "object.i >= 4": false, "object.i < 'z'": false, "object.missing < 1": false,
		"object.missing != 1": true, "object.at == '2026-01-02T03:04:05.006Z'": true, "object.at < '2027'": true, "object.t < 1": false, "object.s in ['a','b']": true,
		"object.missing in [nil]": true, "object.o in ['q']": false,
	} {
		e, err := Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := e.Filter(env).Match(object); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
	if e, _ := Compile("object.x == nil"); !e.Filter(env).Match(nil) || (Filter{}).Match(object) || !(Filter{}).IsNone() || !None().IsNone() || !All().IsAll() {
		t.Error("nothing")
	}
	for o, want := range map[Outcome]string{Abstain: "ABSTAIN", Allow: "ALLOW", Deny: "DENY"} {
		if o.String() != want {
			t.Errorf("%d is %s", o, o)
		}
	}
}

// draw makes a filter, and the same without any simplification.
func draw(t *rapid.T, depth int) (simple, raw Filter) {
	path := rapid.SampledFrom([]string{"a", "b", "o.p"}).Draw(t, "path")
	value := rapid.SampledFrom([]any{"x", "y", 1, 2.5, true, nil}).Draw(t, "value")
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		return All(), All()
	case 1:
		return None(), None()
	case 2:
		return Eq(path, value), Eq(path, value)
	case 3:
		return In(path, value, "z"), In(path, value, "z")
	case 4:
		op := rapid.SampledFrom([]Op{OpLt, OpLe, OpGt, OpGe, OpHas, OpHasAny, OpStarts, OpContains}).Draw(t, "op")
		f := Filter{Op: op, Path: strings.Split(path, "."), Value: normal(value), Values: []any{normal(value), "y"}}
		return f, f
	case 5:
		s, r := draw(t, depth-1)
		return Not(s), Filter{Op: OpNot, Sub: []Filter{r}}
	default:
		var simples, raws []Filter
		for range rapid.IntRange(0, 3).Draw(t, "parts") {
			s, r := draw(t, depth-1)
			simples, raws = append(simples, s), append(raws, r)
		}
		if kind < 8 {
			return And(simples...), Filter{Op: OpAnd, Sub: raws}
		}
		return Or(simples...), Filter{Op: OpOr, Sub: raws}
	}
}

// What is left out of a filter changes nothing of what it selects.
func TestSimplified(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		simple, raw := draw(t, 3)
		value := rapid.SampledFrom([]any{"x", "y", 1, int64(2), 2.5, true, nil, []any{"x", 1}, map[string]any{}})
		object := map[string]any{"a": value.Draw(t, "a"), "o": map[string]any{"p": value.Draw(t, "p")}}
		if simple.Match(object) != raw.Match(object) {
			t.Fatalf("%s is not %s for %v", simple, raw, object)
		}
		if simple.Op == OpAnd || simple.Op == OpOr {
			for _, s := range simple.Sub {
				if s.IsAll() || s.IsNone() || s.Op == simple.Op {
					t.Fatalf("%s is not simple", simple)
				}
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"object.owner == user.id", "'a' in object.b", "not (object.a in [1, nil]) || now < object.t", "((((", "object.\x00 == 1", "\xff"} {
		f.Add(s)
	}
	object := map[string]any{"owner": "ann", "a": 1, "b": []any{"a"}}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := Compile(source)
		if err != nil {
			return
		}
		filter := e.Filter(env)
		if filter.Match(object) == Not(filter).Match(object) {
			t.Errorf("%q is neither", source)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	e, err := Compile("object.owner == user.id && object.region in ['EU', 'US']")
	if err != nil {
		b.Fatal(err)
	}
	object := map[string]any{"owner": "ann", "region": "US"}
	filter := e.Filter(env)
	b.ReportAllocs()
	for b.Loop() {
		if !filter.Match(object) {
			b.Fatal("no match")
		}
	}
}
