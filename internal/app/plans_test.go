package app_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// shop is a catalogue for tests: pro pays, and lets its members read users.
const shop = `
features:
  - {key: api.calls, kind: METERED, name: Calls}
plans:
  - {key: free, name: Free, default: true, features: [{feature: registry.documents, limit: 2}, {feature: access.keys, "on": true}, {feature: graphql.depth, limit: 7}]}
  - key: pro
    name: Pro
    rank: 10
    role: reader
    prices: [{currency: EUR, amountMinor: 1900, every: {n: 1, unit: MONTH}}]
    features: [{feature: registry.documents, limit: 3}, {feature: api.calls, limit: 10}]
`

// openShop makes the catalogue and gives the ids of the plans by key.
func openShop(t *testing.T, root *apptest.Client) map[string]string {
	t.Helper()
	newRole(t, root, map[string]any{"key": "reader", "permissions": []string{"account.user.read"}})
	var out struct {
		ApplyCatalogue struct {
			Changes   []string
			Catalogue struct{ Plans []struct{ ID, Key string } }
		}
	}
	root.Read(&out, `mutation($in: ApplyCatalogueInput!) { applyCatalogue(input: $in) { changes catalogue { plans { id key } } } }`, in(map[string]any{"yaml": shop}))
	ids := map[string]string{}
	for _, p := range out.ApplyCatalogue.Catalogue.Plans {
		if ids[p.Key] == "" { // the current version comes first
			ids[p.Key] = p.ID
		}
	}
	return ids
}

const (
	previewOf   = `query($in: PreviewChangeInput!) { previewChange(input: $in) { token due { amountMinor } } }`
	changeTo    = `mutation($in: ChangePlanInput!) { changePlan(input: $in) { result { ... on MembershipChanged { membership { plan { key } status } } } } }`
	myPlan      = `{ membership { plan { key } status standing } }`
	myLedger    = `{ ledger { nodes { id kind invoicePath } } }`
	refundOf    = `mutation($in: RefundPaymentInput!) { refundPayment(input: $in) { membership { status plan { key } } } }`
	mayReadUser = `{ can(checks: [{permission: "account.user.read"}]) { allowed } }`
)

func buy(t *testing.T, c *apptest.Client, plan string) {
	t.Helper()
	token := text(t, c.Must(previewOf, in(map[string]any{"plan": plan})), "previewChange", "token")
	c.Must(changeTo, in(map[string]any{"token": token}))
}

// may reports whether somebody has the right that comes with pro.
func may(t *testing.T, c *apptest.Client) bool {
	t.Helper()
	return at(t, c.Must(mayReadUser, nil), "can", 0, "allowed") == true
}

// TestGolden26OverTheWire: a plan is bought, counts everywhere with the reply, is refunded, and who follows hears of it at once.
func TestGolden26OverTheWire(t *testing.T) {
	t.Parallel()
	here, there := twoNodes(t)
	root := admin(t, here)
	plans := openShop(t, root)
	c, id := user(t, here, "Pia")
	elsewhere := c.At(there)
	f := follow(t, there, c.Token, map[string]any{"key": "mine", "entitlements": map[string]any{}}, map[string]any{"key": "docs", "usage": map[string]any{"features": []string{"registry.documents"}}})
	on := func(plan string) func(message) bool {
		return func(m message) bool {
			return m.Channel == "mine" && strings.Contains(fmt.Sprint(m.Data), "plan:map[key:"+plan+"]")
		}
	}
	f.until("free", on("free"))
	if may(t, c) {
		t.Fatal("a right nobody gave")
	}
	buy(t, c, plans["pro"])
	if !may(t, c) {
		t.Error("the role does not count with the reply")
	}
	f.until("pro, on the other node", on("pro"))
	eventually(t, "the role counts on the other node", func() bool { return may(t, elsewhere) })

	defineNote(root)
	for i := range 3 {
		c.Must(createDoc, note(fmt.Sprint("note ", i)))
		f.until("a use", func(m message) bool {
			return m.Channel == "docs" && strings.Contains(fmt.Sprint(m.Data), fmt.Sprintf("used:%d", i+1))
		})
	}
	r := c.Do(createDoc, note("one too many"))
	if r.Code() != "QUOTA_EXCEEDED" || fmt.Sprintf("%v %v %v", r.Errors[0].Extensions["limit"], r.Errors[0].Extensions["used"], r.Errors[0].Extensions["plan"]) != "3 3 pro" {
		t.Errorf("%+v", r.Errors)
	}

	var ledger struct {
		Ledger struct {
			Nodes []struct{ ID, Kind, InvoicePath string }
		}
	}
	c.Read(&ledger, myLedger, nil)
	if len(ledger.Ledger.Nodes) != 2 || ledger.Ledger.Nodes[0].Kind != "PAYMENT" {
		t.Fatalf("%+v", ledger)
	}
	began := time.Now()
	root.Must(refundOf, in(map[string]any{"payment": ledger.Ledger.Nodes[0].ID, "reason": "a test"}))
	if may(t, c) {
		t.Error("the role outlives the refund")
	}
	f.until("free again, on the other node", func(m message) bool {
		return on("free")(m) && strings.Contains(fmt.Sprint(m.Data), "EXPIRED")
	})
	t.Logf("heard after %v", time.Since(began))
	if got := at(t, c.Must(myPlan, nil), "membership", "standing"); got != "OVER_QUOTA" {
		t.Errorf("with 3 documents on a plan of 2: %v", got)
	}
	if r := c.Do(`query($u: ID!) { membership(user: $u) { status } }`, map[string]any{"u": "user:" + strings.TrimPrefix(id, "user:")}); r.Code() != "" {
		t.Errorf("one's own by id: %s", r.Code())
	}
	if r := c.Do(`{ membership(user: "user:somebody") { status } }`, nil); r.Code() != "FORBIDDEN" {
		t.Errorf("somebody's: %q", r.Code())
	}
}

// fetched reads an address with the session of a client.
func fetched(t *testing.T, c *apptest.Client, path string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := (&http.Client{Jar: c.Jar}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}

func TestInvoices(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	plans := openShop(t, root)
	c, _ := user(t, s, "Ines")
	other, _ := user(t, s, "Otto")
	buy(t, c, plans["pro"])
	path, _ := at(t, c.Must(myLedger, nil), "ledger", "nodes", 1, "invoicePath").(string)
	status, header, page := fetched(t, c, path)
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !bytes.Contains(page, []byte("19.00")) || !bytes.Contains(page, []byte("Ines")) {
		t.Errorf("%d %s", status, page)
	}
	status, header, paper := fetched(t, c, strings.TrimSuffix(path, ".html")+".pdf")
	if status != http.StatusOK || header.Get("Content-Type") != "application/pdf" || !bytes.HasPrefix(paper, []byte("%PDF-")) {
		t.Errorf("%d %s", status, header.Get("Content-Type"))
	}
	if status, _, _ := fetched(t, root, path); status != http.StatusOK {
		t.Errorf("an administrator: %d", status)
	}
	for name, tc := range map[string]struct {
		c    *apptest.Client
		path string
	}{
		"another": {other, path}, "nobody": {s.Browser(), path}, "no such": {c, "/invoices/x.html"}, "another form": {c, strings.TrimSuffix(path, "html") + "txt"},
	} {
		if status, _, _ := fetched(t, tc.c, tc.path); status != http.StatusNotFound {
			t.Errorf("%s: %d", name, status)
		}
	}
	resp, err := http.Post(s.URL+"/payments/notice", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a notice nobody signed: %d", resp.StatusCode)
	}
}

// TestPlanBudgets: a plan bounds what its members may ask of the interface.
func TestPlanBudgets(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	openShop(t, root)
	c, _ := user(t, s, "Bo")
	deep := `{ __schema { types { fields { type { ofType { ofType { ofType { name } } } } } } } }`
	r := c.Do(deep, nil)
	if r.Code() != "QUOTA_EXCEEDED" || r.Errors[0].Extensions["feature"] != "graphql.depth" || fmt.Sprint(r.Errors[0].Extensions["allowedBy"]) != "[]" {
		t.Errorf("%+v", r.Errors)
	}
	root.Must(`mutation($in: PutOnPlanInput!) { putOnPlan(input: $in) { membership { plan { key } } } }`,
		in(map[string]any{"user": at(t, c.Must(`{ me { user { id } } }`, nil), "me", "user", "id"), "plan": "pro"}))
	// Pro says nothing of it, so the default plan does; an override goes over both.
	if r := c.Do(deep, nil); r.Code() != "QUOTA_EXCEEDED" {
		t.Errorf("%q", r.Code())
	}
	root.Must(`mutation($in: OverrideFeatureInput!) { overrideFeature(input: $in) { membership { version } } }`,
		in(map[string]any{"user": at(t, c.Must(`{ me { user { id } } }`, nil), "me", "user", "id"), "feature": map[string]any{"feature": "graphql.depth", "limit": 15}, "reason": "a test"}))
	if r := c.Do(deep, nil); r.Code() != "" {
		t.Errorf("%q", r.Code())
	}
	// On pro there are no access keys but those of the default plan: its word counts where pro says nothing.
	if got := at(t, c.Must(`{ entitlement(feature: "access.keys") { on source } }`, nil), "entitlement", "source"); got != "default" {
		t.Errorf("%v", got)
	}
}

// TestPlanCommands: an operator applies a file, sees the difference, and looks at a user.
func TestPlanCommands(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	environ := append(commandsOn(t, database), "BACKENDBOOK_LOG_LEVEL=error")
	print(t, environ, "user", "create-admin", "root@example.org", "--name", "Root")
	file := filepath.Join(t.TempDir(), "catalogue.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.ReplaceAll(shop, "    role: reader\n", ""))
	for _, dry := range []string{"--dry-run", ""} {
		args := []string{"plan", "apply", file}
		if dry != "" {
			args = append(args, dry)
		}
		if out := print(t, environ, args...); !strings.Contains(out, "+ plan pro\n") || !strings.Contains(out, "+ feature api.calls\n") || !strings.Contains(out, "~ plan free: version 2") {
			t.Errorf("%s: %s", dry, out)
		}
	}
	if out := print(t, environ, "plan", "apply", file); out != "" {
		t.Errorf("a second time: %s", out)
	}
	write(print(t, environ, "plan", "export"))
	if out := print(t, environ, "plan", "apply", "--prune", file); out != "" {
		t.Errorf("what was exported differs: %s", out)
	}
	print(t, environ, "plan", "put", "root@example.org", "pro")
	if out := print(t, environ, "rotate-keys"); out != "0\n" {
		t.Errorf("one key has sealed it all, and yet %q", out)
	}
	if out := print(t, environ, "plan", "show", "root@example.org"); !strings.HasPrefix(out, "Pro, version 1: ACTIVE until ") || !strings.Contains(out, "the plan Pro (version 1) allows 3") {
		t.Errorf("%s", out)
	}
	if out := print(t, environ, "plan", "list"); !strings.Contains(out, "EUR 1900 a month") {
		t.Errorf("%s", out)
	}
}
