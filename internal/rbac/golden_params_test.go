package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

const reportView = "report.view"

// regional is the role report-viewer(region) that gives report.view(region=$region).
func (w *world) regional() Role {
	w.t.Helper()
	r, err := w.CreateRole(w.sys(), CreateRoleCmd{
		Key: "report-viewer", Name: "Report viewer", Permissions: []Instance{"report.view(region=$region)"},
		Params: []Param{{Name: "region", Type: ParamEnum, Values: []string{"EU", "US", "FR"}}},
	})
	w.must(err)
	return r
}

// hold lets a member hold a role as the command says.
func (w *world) hold(c GrantCmd) Grant {
	w.t.Helper()
	g, err := w.Grant(w.sys(), c)
	w.must(err)
	return g
}

// may checks a decision about report.view; no region is none given.
func (w *world) may(user, region string, want Reason) {
	w.t.Helper()
	c := Check{Permission: reportView}
	if region != "" {
		c.Args = map[string]string{"region": region}
	}
	if d := w.Can(w.as(user), []Check{c})[0]; d.Reason != want || d.Allowed != (want == Allowed) {
		w.t.Errorf("%s, region %q: %+v, want %s", user, region, d, want)
	}
}

func user(id string) ref.Ref { return ref.New(ref.User, id) }

func TestGolden9And10Bindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.regional()
	w.hold(GrantCmd{Role: viewer.ID, Member: user("u"), Bind: "region=EU"})
	w.may("u", "EU", Allowed) // 9
	w.may("u", "US", BindingMismatch)
	w.may("u", "", ArgRequired)
	if err := w.RequireSome(w.as("u"), reportView); err != nil {
		t.Errorf("the gate: %v", err)
	}
	w.hold(GrantCmd{Role: viewer.ID, Member: user("v"), Bind: "region=*"})
	for _, region := range []string{"EU", "US", ""} { // 10
		w.may("v", region, Allowed)
	}
	e, err := w.Explain(w.sys(), "v", Check{Permission: reportView})
	w.must(err)
	if !strings.Contains(e.Text(), "region=*") {
		t.Errorf("%s", e.Text())
	}
	if got := w.PermissionsOf(w.as("u")); !slices.Equal(got, []string{reportView}) {
		t.Errorf("keys: %v", got)
	}
	if got, err := w.RightsOf(w.as("u"), "u"); err != nil || !slices.Equal(got, []Instance{"report.view(region=EU)"}) {
		t.Errorf("instances: %v, %v", got, err)
	}
}

func TestGolden11And12Edges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, euLead := w.regional(), w.role("eu-lead")
	g2 := w.hold(GrantCmd{Role: viewer.ID, Member: euLead.Ref(), Bind: "region=EU"})
	g1 := w.give("u", euLead)
	w.may("u", "EU", Allowed)
	e, err := w.Explain(w.sys(), "u", Check{Permission: reportView, Args: map[string]string{"region": "EU"}})
	w.must(err)
	want := fmt.Sprintf("u -[%s]-> eu-lead -[%s region=EU]-> report-viewer(region=EU) => report.view(region=EU)", g1.ID, g2.ID)
	if e.Text() != want { // 11
		t.Errorf("%s, want %s", e.Text(), want)
	}
	lead, err := w.CreateRole(w.sys(), CreateRoleCmd{Key: "lead", Name: "Lead", Params: []Param{{Name: "where", Type: ParamString}}})
	w.must(err)
	w.hold(GrantCmd{Role: viewer.ID, Member: lead.Ref(), Bind: "region=$where"})
	w.hold(GrantCmd{Role: lead.ID, Member: user("v"), Bind: "where=FR"})
	w.may("v", "FR", Allowed) // 12
	w.may("v", "EU", BindingMismatch)
	if got := w.Effective(lead.ID); !slices.Equal(got, []string{"report.view(region=$where)"}) {
		t.Errorf("lead gives %v", got)
	}
}

func TestGolden13And14BadBindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer, plain := w.regional(), w.role("plain")
	rev := w.Rev()
	for _, tc := range []struct {
		bind  Bindings
		m     ref.Ref
		err   error
		param string
	}{
		{"", user("u"), ErrUnbound, "region"}, // 13
		{"", plain.Ref(), ErrUnbound, "region"},
		{"region=Mars", user("u"), ErrValue, "region"}, // 14
		{"region=$region", user("u"), ErrValue, "region"},
		{"region=$other", plain.Ref(), ErrValue, "region"},
		{"region=EU,team=x", user("u"), ErrValue, "team"},
	} {
		_, err := w.Grant(w.sys(), GrantCmd{Role: viewer.ID, Member: tc.m, Bind: tc.bind})
		if !errors.Is(err, tc.err) || fault.From(err).Details["param"] != tc.param {
			t.Errorf("%q: %v %v", tc.bind, err, fault.From(err).Details)
		}
	}
	for _, permissions := range [][]Instance{{"report.view"}, {"report.view(region=$nope)"}, {"report.view(region=a b)"}, {"report.view(other=1)"}, {permP + "(region=EU)"}} {
		if _, err := w.CreateRole(w.sys(), CreateRoleCmd{Key: "bad", Name: "Bad", Permissions: permissions}); !errors.Is(err, ErrUnbound) && !errors.Is(err, ErrValue) {
			t.Errorf("%v: %v", permissions, err)
		}
	}
	for name, params := range map[string][]Param{
		"twice": {{Name: "a", Type: ParamString}, {Name: "a", Type: ParamInt}}, "no values": {{Name: "a", Type: ParamEnum}},
		"a bad name": {{Name: "A", Type: ParamString}}, "a bad type": {{Name: "a", Type: "BOOL"}}, "a bad value": {{Name: "a", Type: ParamEnum, Values: []string{"$x"}}},
		"too many": {{Name: "a", Type: ParamID}, {Name: "b", Type: ParamID}, {Name: "c", Type: ParamID}, {Name: "d", Type: ParamID}, {Name: "e", Type: ParamID}},
	} {
		if _, err := w.CreateRole(w.sys(), CreateRoleCmd{Key: "bad", Name: "Bad", Params: params}); !errors.Is(err, fault.ErrInput) {
			t.Errorf("parameters, %s: %v", name, err)
		}
	}
	if w.Rev() != rev {
		t.Error("what was refused left a trace")
	}
}

func TestGolden21EscalationByParameter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	viewer := w.regional()
	w.hold(GrantCmd{Role: viewer.ID, Member: user("u"), Bind: "region=EU", Admin: true})
	for bind, missing := range map[Bindings]string{"region=US": "report-viewer(region=US)", "region=*": "report-viewer(region=*)"} {
		_, err := w.Grant(w.as("u"), GrantCmd{Role: viewer.ID, Member: user("v"), Bind: bind})
		if got, _ := fault.From(err).Details["missing"].([]string); !errors.Is(err, ErrEscalation) || !slices.Equal(got, []string{missing}) {
			t.Errorf("%s: %v, missing %v", bind, err, got)
		}
	}
	if _, err := w.Grant(w.as("u"), GrantCmd{Role: viewer.ID, Member: user("v"), Bind: "region=EU"}); err != nil {
		t.Errorf("what they administer: %v", err)
	}
	// The same for who may write grants and holds the rights for one region alone.
	boss := w.role("boss", PermGrantWrite, PermRoleWrite, "report.view(region=EU)")
	w.give("b", boss)
	if _, err := w.Grant(w.as("b"), GrantCmd{Role: viewer.ID, Member: user("x"), Bind: "region=EU"}); err != nil {
		t.Errorf("as wide as one's own: %v", err)
	}
	_, err := w.Grant(w.as("b"), GrantCmd{Role: viewer.ID, Member: user("x"), Bind: "region=*"})
	if got, _ := fault.From(err).Details["missing"].([]string); !errors.Is(err, ErrEscalation) || !slices.Equal(got, []string{"report.view(region=*)"}) {
		t.Errorf("wider: %v, missing %v", err, got)
	}
	if _, err := w.CreateRole(w.as("b"), CreateRoleCmd{Key: "all", Name: "All", Permissions: []Instance{"report.view(region=*)"}}); !errors.Is(err, ErrEscalation) {
		t.Errorf("a role of it: %v", err)
	}
	if !w.Outranks("b", "u") || w.Outranks("u", "b") || w.Outranks("x", "u") {
		t.Error("ranks")
	}
}

func TestSubsumption(t *testing.T) {
	t.Parallel()
	c := newCatalogue(map[string]string{"x.y(a,b)": "two parameters"})
	own := c.compile([]Instance{"x.y(a=1,b=*)", "x.y(a=1,b=2)", "x.y(a=*,b=3)", "x.y(b=*,a=1)"}, nil)
	if len(own.templates) != 2 {
		t.Errorf("%d templates are left: one that another covers is of no use", len(own.templates))
	}
	for _, tc := range []struct {
		args Bindings
		want bool
	}{{"a=1,b=7", true}, {"a=2,b=3", true}, {"a=2,b=4", false}, {"a=1", true}, {"b=3", true}, {"b=4", false}, {"", false}} {
		asked := slotsOf(tc.args, c.params[0], nil)
		if got := own.covers(0, 2, nil, &asked); got != tc.want {
			t.Errorf("%q: %v", tc.args, got)
		}
	}
	if err := CheckCatalogue(map[string]string{"x.y(a,b)": "", "x.z": ""}); err != nil {
		t.Error(err)
	}
	if err := CheckCatalogue(map[string]string{"x.y(a,b)": "", "x.y": "", "X": "", "x.w(a b)": "", "x.v(a,b,c,d,e)": ""}); err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
}

// What is bound by no word, or by a parameter that the holder does not have, is no value at all: neither any, nor none.
func TestUnboundInTheData(t *testing.T) {
	t.Parallel()
	viewer := Role{ID: "v", Key: "viewer", Params: []Param{{Name: "region", Type: ParamString}}, Permissions: []Instance{"report.view(region=$region)"}}
	lost := Role{ID: "l", Key: "lost", Permissions: []Instance{"report.view(region=$nope)"}}
	for _, grants := range [][]Grant{
		{{ID: "1", Member: user("u"), Role: "v"}},
		{{ID: "1", Member: user("u"), Role: "v", Bind: "region=$region"}},
		{{ID: "1", Member: user("u"), Role: "v", Bind: "other=EU"}},
		{{ID: "1", Member: user("u"), Role: "l"}},
	} {
		s := Compiled(testCatalogue(), []Role{viewer, lost}, grants, func() time.Time { return t0 })
		ctx := actor.With(t.Context(), actor.Actor{User: "u"})
		for _, args := range []map[string]string{nil, {"region": "EU"}, {"region": ""}, {"region": nothing}} {
			if d := s.Can(ctx, []Check{{Permission: reportView, Args: args}})[0]; d.Allowed {
				t.Errorf("%+v %v: %+v", grants, args, d)
			}
		}
	}
}

// Many instances of one permission are put in order without comparing each with each.
func TestManyInstances(t *testing.T) {
	t.Parallel()
	cat := newCatalogue(testCatalogue())
	all := make([]Instance, 0, 50_000)
	for i := range 50_000 {
		all = append(all, Instance(fmt.Sprintf("report.view(region=r%d)", i%20_000)))
	}
	if n := len(cat.compile(all, nil).templates); n != 20_000 {
		t.Errorf("%d templates", n)
	}
	if n := len(cat.compile(append(all, "report.view(region=*)"), nil).templates); n != 1 {
		t.Errorf("%d templates beside one for any", n)
	}
}
