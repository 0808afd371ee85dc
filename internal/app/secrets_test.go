package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// buffer is a log in memory.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// canary makes a secret that is easy to find: its place is in it.
func canary(place string) string { return "canary-Zq7-" + place + "-tok" }

// raw sends anything and gives all that comes back.
func raw(t *testing.T, c *http.Client, method, target, body string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cookiesOf are the values of a browser's cookies.
func cookiesOf(t *testing.T, c *apptest.Client) (values []string) {
	t.Helper()
	at, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Jar.Cookies(at) {
		values = append(values, k.Value)
	}
	return values
}

// TestSecrets plants secrets wherever a client can put one and looks for them in the whole log at debug level, in the
// answers, in the event log, and in the spans.
func TestSecrets(t *testing.T) {
	t.Parallel()
	log, spans := &buffer{}, newCollector(t)
	s := apptest.Start(t, apptest.Setup{Log: log, Args: []string{"--telemetry-endpoint=" + spans.URL, "--graphql-slow=1ns"}})
	browser := s.Browser()
	c := browser.Client
	const isJSON = "application/json"
	post := func(body string, headers ...string) string {
		return raw(t, c, http.MethodPost, s.URL+"/graphql", body, append([]string{"Content-Type", isJSON}, headers...)...)
	}
	var answers []string
	note := func(body string) string { answers = append(answers, body); return body }
	sam := map[string]any{"email": "sam@example.org", "password": canary("password"), "name": "Sam"}
	asked := step(t, browser, "register", sam)
	mail := s.Mail("sam@example.org", "verify_email")
	step(t, browser, "verifyEmail", map[string]any{"flow": asked.Flow, "code": mail.Code})
	in := step(t, s.Browser(), "signIn", map[string]any{"identifier": "sam@example.org", "password": canary("password"), "transport": "BEARER"})
	token := in.Token
	secrets := append(cookiesOf(t, browser), asked.Flow, mail.Secret, token, in.Device)
	if len(secrets) != 6 || slices.Contains(secrets, "") {
		t.Fatalf("secrets: %q", secrets)
	}
	const signIn = `{"query":"mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token } } } }","variables":{"in":{"identifier":"sam@example.org","password":"PASS","transport":"BEARER"}}}`
	for name, in := range map[string]map[string]any{ // each refused, with what the refusal must not repeat
		"register":          {"email": "x@example.org", "password": "password", "name": "X", "invitation": canary("invitation")},
		"verifyEmail":       {"flow": canary("flow"), "code": canary("code"), "token": canary("link"), "password": canary("verify"), "device": canary("device")},
		"signInWithMail":    {"token": canary("mail")},
		"resetPassword":     {"token": canary("reset"), "password": canary("new")},
		"completeSignIn":    {"flow": canary("half"), "proof": map[string]any{"totp": canary("totp")}},
		"changePassword":    {"current": canary("current"), "password": canary("change")},
		"confirmTotp":       {"factor": canary("factor"), "code": canary("confirm")},
		"signInWithPasskey": {"flow": canary("passkey"), "credential": map[string]any{"id": canary("credential")}},
		"completeElevation": {"flow": canary("elevation"), "proof": map[string]any{"recoveryCode": canary("recovery")}},
	} {
		r := mutate(browser, name, in, "__typename")
		if b, _ := json.Marshal(r.Errors); r.Code() == "" || note(string(b)) == "" {
			t.Errorf("%s was not refused: %v", name, r.Data)
		}
	}
	note(raw(t, c, http.MethodGet, s.URL+"/auth/callback/mock?state="+canary("state")+"&code="+canary("oauth")+"&iss="+canary("iss")+"&error="+canary("error"), ""))
	step(t, s.Browser(), "register", sam)                                                                                                           // there is an account already
	note(post(strings.Replace(signIn, "PASS", canary("wrong"), 1)))                                                                                 // BAD_CREDENTIALS
	note(post(strings.Replace(signIn, `"PASS"`, `{"$ne":"`+canary("operator")+`"}`, 1)))                                                            // a wrong type
	note(post(`{"query":"mutation { signIn(input: {identifier: \"sam@example.org\", password: \"` + canary("literal") + `\", nope: 1}) { x } }"}`)) // not valid
	note(post(`{"query":"mutation { signIn(input: {password: \"` + canary("syntax")))                                                               // not JSON
	note(post(`{"query":"{ me { user { name } } ` + canary("grammar") + `("}`))                                                                     // not GraphQL
	note(post(`["` + canary("batch") + `"]`))
	note(post(`{"query":"{ __typename }","extensions":{"x":"` + canary("extension") + `"},"operationName":"\r\n{\"level\":\"ERROR\"}"}`))
	note(post(`{"query":"{ __typename }","operationName":"` + canary("operation") + `"}`))
	note(post(`{"query":"{ __typename }"}`, "Authorization", "Bearer "+canary("bearer")))
	note(post(`{"query":"{ __typename }"}`, "Authorization", "Bearer "+token, "X-Custom", canary("header"), "Referer", s.URL+"/?t="+canary("referer")))
	note(post(`{"query":"{ __typename }"}`, "X-Request-Timeout", canary("timeout"), "Accept", canary("accept")))
	note(raw(t, http.DefaultClient, http.MethodGet, s.URL+"/graphql?query=%7B__typename%7D&token="+canary("query"), "", "Cookie", "session="+canary("cookie")))
	note(raw(t, http.DefaultClient, http.MethodPost, s.URL+"/graphql", "--x\r\nContent-Disposition: form-data; name=\""+canary("part")+"\"\r\n\r\n"+canary("multipart")+"\r\n--x--", "Content-Type", "multipart/form-data; boundary=x"))
	note(raw(t, http.DefaultClient, http.MethodGet, s.URL+"/reset/"+canary("path"), ""))
	note(raw(t, http.DefaultClient, http.MethodPost, s.URL+"/nothing?x="+canary("unknown"), canary("body")))
	socketWith(t, s, canary("init"))
	socketWith(t, s, token)

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	_, password, _ := strings.Cut(storetest.URI(t), "://")
	if userinfo, _, ok := strings.Cut(password, "@"); ok {
		_, password, _ = strings.Cut(userinfo, ":")
		secrets = append(secrets, password)
	}
	all := log.String()
	for line := range strings.Lines(all) {
		if strings.Contains(line, "canary-Zq7-") || slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(line, secret) }) {
			t.Errorf("the log holds a secret: %s", line)
		}
		if !json.Valid([]byte(line)) {
			t.Errorf("a client has written a line of the log: %s", line)
		}
	}
	if !strings.Contains(all, "BAD_CREDENTIALS") || !strings.Contains(all, "graphql_error") {
		t.Error("the log is not what the test takes it for: it has no trace of a refused sign-in")
	}
	for _, a := range answers {
		if strings.Contains(a, "canary-Zq7-") && !strings.Contains(a, canary("grammar")[:14]) {
			t.Errorf("an answer gives back what it was sent: %s", a)
		}
	}
	facts, err := store.Find[bson.M](context.Background(), s.DB().Collection("events"), bson.D{})
	if err != nil || len(facts) == 0 {
		t.Fatalf("%d events, %v", len(facts), err)
	}
	for _, f := range facts {
		b, _ := json.Marshal(f)
		if strings.Contains(string(b), "canary-Zq7-") || slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(string(b), secret) }) {
			t.Errorf("an event holds a secret: %s", b)
		}
	}
	s.Cleanup() // sends the last spans
	for _, span := range spans.spans() {
		if text := span.String(); strings.Contains(text, "canary-Zq7-") || slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(text, secret) }) {
			t.Errorf("a span holds a secret: %s", text)
		}
	}
	if text := spans.text(); !strings.Contains(text, "BAD_CREDENTIALS") || !strings.Contains(text, "insert users") {
		t.Error("the spans are not what the test takes them for: they have no trace of a registration and a refused sign-in")
	}
}

// socketWith opens a socket with a token, asks something and leaves.
func socketWith(t *testing.T, s *apptest.Server, token string) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	ws, res, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer func() { _ = ws.Close() }()
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	for _, payload := range []map[string]any{
		{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + token, "token": token, "Authorization": "Bearer " + token}},
		{"type": "subscribe", "id": "1", "payload": map[string]any{"query": `query($x: String) { me { user { name } } }`, "variables": map[string]any{"x": canary("variable")}}},
	} {
		if err := ws.WriteJSON(payload); err != nil {
			return
		}
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"`+canary("frame")+`"`))
	_, _, _ = ws.ReadMessage()
}
