package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

func TestMoveTo(t *testing.T) {
	t.Parallel()
	m := Membership{ID: "m", Subject: ref.New(ref.User, "u"), Plan: "p1", Since: t0, Version: 4}
	later := t0.AddDate(0, 1, 0)
	got, err := m.moveTo(Plan{ID: "p2"}, later)
	if want := (Membership{"m", m.Subject, "p2", later, 5}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := m.moveTo(Plan{ID: "p1"}, later); !errors.Is(err, ErrSame) || got != m {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCheckPlan(t *testing.T) {
	t.Parallel()
	good := testPlans()[0]
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Plan){
		"no key":            func(p *Plan) { p.Key = "" },
		"upper case":        func(p *Plan) { p.Key = "Pro" },
		"long key":          func(p *Plan) { p.Key = strings.Repeat("a", 65) },
		"no name":           func(p *Plan) { p.Name = " " },
		"long name":         func(p *Plan) { p.Name = strings.Repeat("x", 101) },
		"negative price":    func(p *Plan) { p.Price.AmountMinor = -1 },
		"no currency":       func(p *Plan) { p.Price.Currency = "" },
		"currency in small": func(p *Plan) { p.Price.Currency = "eur" },
		"bad feature":       func(p *Plan) { p.Limits = []Limit{{Feature: "$inc"}} },
		"feature twice":     func(p *Plan) { p.Limits = []Limit{{Feature: "docs"}, {Feature: "docs"}} },
		"negative limit":    func(p *Plan) { p.Limits = []Limit{{Feature: "docs", Limit: new(int64(-1))}} },
	} {
		p := good
		spoil(&p)
		if err := p.check(); !errors.Is(err, fault.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a := testPlans()[0]
	for name, change := range map[string]func(*Plan){
		"name":         func(p *Plan) { p.Name = "x" },
		"rank":         func(p *Plan) { p.Rank++ },
		"default":      func(p *Plan) { p.Default = !p.Default },
		"price":        func(p *Plan) { p.Price.AmountMinor++ },
		"role":         func(p *Plan) { p.Role = "" },
		"limit":        func(p *Plan) { p.Limits = []Limit{{Feature: "docs", Limit: new(int64(11))}, p.Limits[1]} },
		"no limit":     func(p *Plan) { p.Limits = []Limit{{Feature: "docs"}, p.Limits[1]} },
		"fewer limits": func(p *Plan) { p.Limits = p.Limits[:1] },
	} {
		b := a
		change(&b)
		if a.equal(b) || b.equal(a) {
			t.Errorf("%s does not count", name)
		}
	}
	b := testPlans()[0]
	b.ID = "another"
	if !a.equal(b) {
		t.Error("equal content is not equal")
	}
}

func TestEntitlementsOfAPlan(t *testing.T) {
	t.Parallel()
	p := testPlans()[0]
	got := entitlements(p, map[string]int64{"docs": 12, "zebra": 2, "calls": 7, "apple": 1, "gone": 0})
	type row struct {
		feature         string
		used, remaining int64 // -1 for any number
	}
	want := []row{{"docs", 12, 0}, {"calls", 7, -1}, {"apple", 1, 0}, {"zebra", 2, 0}}
	rows := make([]row, len(got))
	for i, e := range got {
		rows[i] = row{e.Feature, e.Used, -1}
		if left := e.Remaining(); left != nil {
			rows[i].remaining = *left
		}
		if e.Source != "pro" {
			t.Errorf("source %q", e.Source)
		}
	}
	if !slices.Equal(rows, want) {
		t.Errorf("%v, want %v", rows, want)
	}
	if left := (Entitlement{Limit: new(int64(5)), Used: 2}).Remaining(); *left != 3 {
		t.Errorf("%d left", *left)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	p := testPlans()[0]
	if n := p.limit("docs"); n == nil || *n != 10 {
		t.Errorf("docs: %v", n)
	}
	if p.limit("calls") != nil {
		t.Error("calls have a limit")
	}
	if n := p.limit("other"); n == nil || *n != 0 {
		t.Errorf("what a plan does not name is not allowed: %v", n)
	}
}
