package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// mutate sends the mutation of that name with its input. Headers are name, value, name, value.
func mutate(c *apptest.Client, name string, in map[string]any, selection string, headers ...string) apptest.Response {
	return c.Do(mutation(name, selection), map[string]any{"in": in}, headers...)
}

func mutation(name, selection string) string {
	return fmt.Sprintf("mutation($in: %sInput!) { %s(input: $in) { %s } }", strings.ToUpper(name[:1])+name[1:], name, selection)
}

// must is mutate for what must not fail. It reads the payload into a value of that form.
func must[T any](t *testing.T, c *apptest.Client, name string, in map[string]any, selection string) T {
	t.Helper()
	return payload[T](t, mutate(c, name, in, selection), name)
}

// payload reads what a mutation answered, which must be no error.
func payload[T any](t *testing.T, r apptest.Response, name string) (v T) {
	t.Helper()
	if r.Status != http.StatusOK || len(r.Errors) > 0 {
		t.Fatalf("%s: %d %+v", name, r.Status, r.Errors)
	}
	b, err := json.Marshal(r.Data[name])
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// outcome is where a step of signing in leads to.
type outcome struct {
	Type    string `json:"__typename"`
	Flow    string
	Factors []string
	Token   string
	Device  string
	User    struct{ ID string }
	Session struct {
		ID, IP  string
		Methods []string
	}
}

type result struct{ Result outcome }

const outcomes = `result { __typename
  ... on SignedIn { token device user { id } session { id ip methods } }
  ... on FactorRequired { flow factors } ... on VerificationRequired { flow } }`

// step is must for a mutation that leads to an outcome.
func step(t *testing.T, c *apptest.Client, name string, in map[string]any) outcome {
	t.Helper()
	return must[result](t, c, name, in, outcomes).Result
}

// person is somebody with an account, at a browser that is signed in.
type person struct {
	*apptest.Client
	Email, ID string
}

func newPerson(t *testing.T, s *apptest.Server, name string) person {
	t.Helper()
	c := s.Browser()
	email := c.Register(name)
	return person{c, email, text(t, c.Must(`{ me { user { id } } }`, nil), "me", "user", "id")}
}

// isNobody reports whether nobody is signed in at a browser.
func isNobody(c *apptest.Client) bool {
	r := c.Do(`{ me { user { id } } }`, nil)
	return r.Status == http.StatusOK && r.Code() == "" && r.Data["me"] == nil
}

// authenticator is an app that makes codes of six digits. Each is good once, so each call gives the one of a later step:
// the server takes three of them at any moment.
type authenticator struct {
	t     *testing.T
	now   clock.Clock
	seed  string
	steps int64 // the last one that was given out
}

func (a *authenticator) code() string {
	a.t.Helper()
	current := a.now().Unix() / 30
	a.steps = max(a.steps+1, current-1)
	if a.steps > current+1 {
		a.t.Fatal("the test wants more codes than the server takes at once")
	}
	code, err := totp.GenerateCode(a.seed, time.Unix(a.steps*30, 0))
	if err != nil {
		a.t.Fatal(err)
	}
	return code
}

// enrol adds an authenticator app to a person's account.
func enrol(t *testing.T, p person, now clock.Clock) (a *authenticator, recovery []string) {
	t.Helper()
	var begun struct {
		BeginTotp struct{ Factor, Secret string }
	}
	p.Read(&begun, `mutation { beginTotp { factor secret } }`, nil)
	a = &authenticator{t: t, now: now, seed: begun.BeginTotp.Secret}
	done := must[struct{ RecoveryCodes []string }](t, p.Client, "confirmTotp", map[string]any{"factor": begun.BeginTotp.Factor, "code": a.code()}, "recoveryCodes")
	return a, done.RecoveryCodes
}

// machineTime is the clock of servers that are given none.
func machineTime() time.Time { return clock.System()() }

// shifted is the machine's clock, which can be put forward.
type shifted struct{ by atomic.Int64 }

func (s *shifted) now() time.Time          { return clock.System()().Add(time.Duration(s.by.Load())) }
func (s *shifted) forward(d time.Duration) { s.by.Add(int64(d)) }

// accessKey makes an access key and gives a program that uses it, with the global id of the key.
func accessKey(t *testing.T, s *apptest.Server, p person, scopes ...string) (program *apptest.Client, id string) {
	t.Helper()
	made := must[struct {
		Token string
		Key   struct{ ID string }
	}](t, p.Client, "createAccessKey", map[string]any{"name": "deploy " + ref.NewID(), "scopes": scopes}, "token key { id }")
	program = s.Browser()
	program.Token = made.Token
	return program, made.Key.ID
}

// visit sends a browser to an address and gives where it ends up, after all redirects, and with what.
func visit(t *testing.T, c *apptest.Client, method, address string) (at string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.Request.URL.String(), res.StatusCode
}

// stored is everything some collections hold, as text.
func stored(t *testing.T, s *apptest.Server, collections ...string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range collections {
		all, err := store.Find[bson.M](t.Context(), s.DB().Collection(name), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range all {
			line, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
	}
	return b.String()
}
