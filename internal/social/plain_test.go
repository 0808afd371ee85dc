package social

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"
)

// hub is a provider of plain OAuth 2.0 on loopback, in the manner of GitHub.
type hub struct {
	*httptest.Server

	mu        sync.Mutex
	challenge string // of the sign-in on its way
	back      string
	basic     bool   // wants to know its clients by the header
	refusal   string // error code of the token endpoint, with status 200
	user      string // answers, as JSON
	emails    string
	status    map[string]int // instead of 200, by path
}

const bearer = "gho_canary"

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{
		status: map[string]int{}, user: `{"id":583231,"login":"octocat","name":"Mona","email":"show@example.org"}`,
		emails: `[{"email":"old@example.org","primary":false,"verified":true},{"email":"mona@example.org","primary":true,"verified":true}]`,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", h.authorize)
	mux.HandleFunc("POST /login/oauth/access_token", h.token)
	mux.HandleFunc("GET /api/user", h.read(&h.user))
	mux.HandleFunc("GET /api/user/emails", h.read(&h.emails))
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func (h *hub) authorize(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := r.URL.Query()
	h.challenge, h.back = q.Get("code_challenge"), q.Get("redirect_uri")
	http.Redirect(w, r, h.back+"?"+url.Values{"code": {"c0de"}, "state": {q.Get("state")}, "iss": {"https://whatever.example"}}.Encode(), http.StatusFound)
}

func (h *hub) token(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, secret, ok := r.BasicAuth()
	if !h.basic {
		id, secret, ok = r.FormValue("client_id"), r.FormValue("client_secret"), !ok
	}
	answer := map[string]string{"access_token": bearer, "token_type": "bearer", "scope": "read:user,user:email"}
	switch {
	case h.refusal != "":
		answer = map[string]string{"error": h.refusal, "error_description": "c0de " + secret}
	case !ok || id != "us" || secret != "s3cret":
		answer = map[string]string{"error": "incorrect_client_credentials"}
	case r.FormValue("code") != "c0de" || r.FormValue("redirect_uri") != h.back ||
		oauth2.S256ChallengeFromVerifier(r.FormValue("code_verifier")) != h.challenge:
		answer = map[string]string{"error": "bad_verification_code"}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (h *hub) read(text *string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+bearer || r.UserAgent() == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if s := h.status[r.URL.Path]; s != 0 {
			w.WriteHeader(s)
		}
		_, _ = w.Write([]byte(*text))
	}
}

func (h *hub) provider(preset string) Provider {
	return Provider{
		Key: "hub", Preset: preset, ClientID: "us", ClientSecret: "s3cret",
		AuthURL: h.URL + "/login/oauth/authorize", TokenURL: h.URL + "/login/oauth/access_token", UserURL: h.URL + "/api/user",
	}
}

func (n node) signInAtHub(t *testing.T) (Finished, error) {
	t.Helper()
	return n.Finish(t.Context(), visit(t, n.begin(t, BeginCmd{Provider: "hub"})))
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, tc := range []struct {
		name string
		set  func(*hub)
		want Claims
		err  error
	}{
		{"as usual", func(*hub) {}, Claims{Subject: "583231", Email: "mona@example.org", EmailVerified: true, Name: "Mona"}, nil},
		{
			"no name", func(h *hub) { h.user = `{"id":1,"login":"octocat","name":null}` },
			Claims{Subject: "1", Email: "mona@example.org", EmailVerified: true, Name: "octocat"},
			nil,
		},
		{
			"primary not verified", func(h *hub) {
				h.emails = `[{"email":"a@b.example","verified":true},{"email":"c@d.example","primary":true}]`
			},
			Claims{Subject: "583231", Email: "c@d.example", Name: "Mona"},
			nil,
		},
		{"the address for show is not taken", func(h *hub) { h.emails = `[]` }, Claims{Subject: "583231", Name: "Mona"}, nil},
		{"no scope for mail", func(h *hub) { h.status["/api/user/emails"] = 404 }, Claims{Subject: "583231", Name: "Mona"}, nil},
		{"mail forbidden", func(h *hub) { h.status["/api/user/emails"] = 403 }, Claims{Subject: "583231", Name: "Mona"}, nil},
		{"mail out of order", func(h *hub) { h.status["/api/user/emails"] = 502 }, Claims{}, ErrUnavailable},
		{"user out of order", func(h *hub) { h.status["/api/user"] = 500 }, Claims{}, ErrUnavailable},
		{"not JSON", func(h *hub) { h.user = "<html>" }, Claims{}, ErrUnavailable},
		{"no id", func(h *hub) { h.user = `{"login":"octocat"}` }, Claims{}, ErrAnswer},
		{"id null", func(h *hub) { h.user = `{"id":null}` }, Claims{}, ErrAnswer},
		{"an id that is no whole number", func(h *hub) { h.user = `{"id":5.8e5}` }, Claims{}, ErrAnswer},
		{"an answer without end", func(h *hub) { h.user = `{"id":1,"name":"` + strings.Repeat("x", 1<<20) + `"}` }, Claims{}, ErrUnavailable},
		{"code refused", func(h *hub) { h.refusal = "bad_verification_code" }, Claims{}, ErrAnswer},
		{"client refused", func(h *hub) { h.refusal = "incorrect_client_credentials" }, Claims{}, ErrUnavailable},
		{"a strange refusal", func(h *hub) { h.refusal = "c0de\ns3cret" }, Claims{}, ErrAnswer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			tc.set(h)
			n := base.with(t, h.provider(github))
			if tc.err == nil {
				tc.want.Provider, tc.want.Issuer = "hub", h.URL+"/api/user"
			}
			done, err := n.signInAtHub(t)
			if !errors.Is(err, tc.err) || done.Claims != tc.want {
				t.Errorf("Finish() = %+v, %v\nwant %+v, %v", done, err, tc.want, tc.err)
			}
			if err == nil {
				return
			}
			for _, secret := range []string{bearer, "s3cret", "c0de"} {
				if strings.Contains(err.Error()+n.log.String(), secret) {
					t.Errorf("%s is in the log: %v\n%s", secret, err, n.log)
				}
			}
		})
	}
}

func TestGitHubIsAskedForMail(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	n := setUp(t, h.provider(github))
	if got := query(t, n.begin(t, BeginCmd{Provider: "hub"}).URL).Get("scope"); got != "read:user user:email" {
		t.Errorf("scope = %q", got)
	}
}

// Any other provider: the standard's names, and nothing is verified that does not say so.
func TestPlainProvider(t *testing.T) {
	t.Parallel()
	base := setUp(t)
	for _, tc := range []struct {
		name, user string
		want       Claims
	}{
		{"a number", `{"id":7,"name":"Eve","email":"eve@example.org"}`, Claims{Subject: "7", Email: "eve@example.org", Name: "Eve"}},
		{"text", `{"id":"0007","email":"eve@example.org","email_verified":true}`, Claims{Subject: "0007", Email: "eve@example.org", EmailVerified: true}},
		{"sub wins", `{"id":7,"sub":"s-7","login":"eve"}`, Claims{Subject: "s-7", Name: "eve"}},
		{"verified by another name", `{"id":7,"email":"eve@example.org","verified":true}`, Claims{Subject: "7", Email: "eve@example.org"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, basic := range []bool{true, false} {
				h := newHub(t)
				h.user, h.basic = tc.user, basic
				n := base.with(t, h.provider(""))
				want := tc.want
				want.Provider, want.Issuer = "hub", h.URL+"/api/user"
				for range 2 {
					if done, err := n.signInAtHub(t); err != nil || done.Claims != want {
						t.Errorf("Finish() = %+v, %v\nwant %+v", done.Claims, err, want)
					}
				}
			}
		})
	}
}

// An Enterprise server has people of its own: they must not be taken for those of github.com with the same number.
func TestReq48EachUserEndpointIsAnIssuerOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := newHub(t), newHub(t)
	n := setUp(t, a.provider(github))
	m := n.with(t, b.provider(github))
	ofA, errA := n.signInAtHub(t)
	ofB, errB := m.signInAtHub(t)
	if errA != nil || errB != nil || ofA.Claims.Subject != ofB.Claims.Subject || ofA.Claims.Issuer == ofB.Claims.Issuer {
		t.Errorf("%+v, %v\n%+v, %v", ofA, errA, ofB, errB)
	}
}

func FuzzPlainID(f *testing.F) {
	for _, seed := range []string{`1`, `"a"`, `null`, `1e3`, `-0`, `[]`, `""`, `9223372036854775808`, `"\u0000"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		id, ok := plainID(raw)
		c, err := Claims{Subject: id, Name: string(raw), Email: string(raw)}.tidy()
		if !ok || err != nil {
			return
		}
		if c.Subject != id || len(id) > maxSubject || strings.ContainsFunc(c.Subject+c.Name+c.Email, hidden) {
			t.Errorf("%q became %+v", raw, c)
		}
		if again, err := c.tidy(); err != nil || again != c {
			t.Errorf("%+v is tidied to %+v, %v", c, again, err)
		}
	})
}
