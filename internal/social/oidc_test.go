package social

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

// resign makes the ID token of an answer anew: other header, other key, same claims.
func resign(t *testing.T, method jwt.SigningMethod, key any, header map[string]any) func(map[string]any) {
	return func(answer map[string]any) {
		old, _ := answer["id_token"].(string)
		parsed, _, err := jwt.NewParser().ParseUnverified(old, jwt.MapClaims{})
		if err != nil {
			t.Error(err)
			return
		}
		made := jwt.NewWithClaims(method, parsed.Claims)
		made.Header["kid"] = parsed.Header["kid"]
		for k, v := range header {
			if made.Header[k] = v; v == nil {
				delete(made.Header, k)
			}
		}
		if answer["id_token"], err = made.SignedString(key); err != nil {
			t.Error(err)
		}
	}
}

func idToken(text string) func(map[string]any) {
	return func(answer map[string]any) { answer["id_token"] = text }
}

func TestReq47ForgedIDTokens(t *testing.T) {
	t.Parallel()
	attacker, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var fetched atomic.Int32
	lair := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	t.Cleanup(lair.Close)

	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	own, public := i.Keypair.PrivateKey, i.Keypair.PublicKey
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk := map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(attacker.N.Bytes()), "e": "AQAB"}
	for _, tc := range []struct {
		name string
		edit func(map[string]any)
	}{
		{"alg none", resign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)},
		{"alg None", resign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, map[string]any{"alg": "None"})},
		{"HS256 with the public key as PEM", resign(t, jwt.SigningMethodHS256, text, nil)},
		{"HS256 with the public key as DER", resign(t, jwt.SigningMethodHS256, der, nil)},
		{"HS256 with the modulus", resign(t, jwt.SigningMethodHS256, public.N.Bytes(), nil)},
		{"HS256 with our secret", resign(t, jwt.SigningMethodHS256, []byte(i.ClientSecret), nil)},
		{"an algorithm that was not announced", resign(t, jwt.SigningMethodRS384, own, nil)},
		{"another key", resign(t, jwt.SigningMethodRS256, attacker, nil)},
		{"another key, unknown id", resign(t, jwt.SigningMethodRS256, attacker, map[string]any{"kid": "x"})},
		{"another key, no id", resign(t, jwt.SigningMethodRS256, attacker, map[string]any{"kid": nil})},
		{"jku to other keys", resign(t, jwt.SigningMethodRS256, attacker, map[string]any{"jku": lair.URL})},
		{"jku though well signed", resign(t, jwt.SigningMethodRS256, own, map[string]any{"jku": i.JWKSEndpoint()})},
		{"x5u", resign(t, jwt.SigningMethodRS256, own, map[string]any{"x5u": lair.URL})},
		{"x5c", resign(t, jwt.SigningMethodRS256, own, map[string]any{"x5c": []string{"MIIB"}})},
		{"jwk in the header", resign(t, jwt.SigningMethodRS256, attacker, map[string]any{"jwk": jwk, "kid": nil})},
		{"unknown critical header", resign(t, jwt.SigningMethodRS256, own, map[string]any{"crit": []string{"x"}, "x": 1})},
		{"none at all", func(answer map[string]any) { delete(answer, "id_token") }},
		{"no text", func(answer map[string]any) { answer["id_token"] = 7 }},
		{"empty", idToken("")},
		{"one part", idToken("abc")},
		{"a JSON object instead", idToken(`{"payload":"e30","signatures":[{"protected":"e30","signature":"AA"}]}`)},
		{"a long header", idToken(base64.RawURLEncoding.EncodeToString([]byte(`{"a":"`+strings.Repeat("x", maxIDHeader)+`"}`)) + ".e30.AA")},
		{"nothing but dots", idToken(strings.Repeat(".", 900_000))}, // requirement 51's idea
		{"another access token", func(answer map[string]any) { answer["access_token"] = "other" }},
	} {
		i.says(tokenPart, tc.edit)
		u := ada("a-1")
		u.claims["at_hash"] = "77QmUPtjPfzWtF2AnpK9RQ" // of another one
		if tc.name != "another access token" {
			delete(u.claims, "at_hash")
		}
		done, err := n.signIn(t, i, u)
		if !errors.Is(err, ErrAnswer) || done.Claims != (Claims{}) {
			t.Errorf("%s: %+v, %v", tc.name, done, err)
		}
	}
	if fetched.Load() != 0 {
		t.Errorf("a key was fetched from where the token said %d times", fetched.Load())
	}
	for _, secret := range i.seen {
		if secret != "" && len(secret) < 10_000 && len(secret) > 10 && strings.Contains(n.log.String(), secret) {
			t.Errorf("%.30s… is in the log", secret)
		}
	}
	i.says(tokenPart, resign(t, jwt.SigningMethodRS256, own, nil))
	n.mustSignIn(t, i, ada("a-1")) // the hand that forges can also sign well
}

func TestReq47ClaimsOfIDTokens(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	now := time.Now()
	for _, tc := range []struct {
		name   string
		claims map[string]any
		ok     bool
	}{
		{"as it should be", nil, true},
		{"another issuer", map[string]any{"iss": "https://evil.example"}, false},
		{"issuer with a slash", map[string]any{"iss": i.Issuer() + "/"}, false},
		{"no issuer", map[string]any{"iss": nil}, false},
		{"another audience", map[string]any{"aud": "other"}, false},
		{"no audience", map[string]any{"aud": nil}, false},
		{"two audiences, ours the party", map[string]any{"aud": []string{i.ClientID, "other"}, "azp": i.ClientID}, true},
		{"two audiences, no party", map[string]any{"aud": []string{i.ClientID, "other"}}, false},
		{"another party", map[string]any{"azp": "other"}, false},
		{"an empty party", map[string]any{"azp": ""}, false},
		{"a party of a strange type", map[string]any{"azp": 7}, false},
		{"another nonce", map[string]any{"nonce": "other"}, false},
		{"no nonce", map[string]any{"nonce": nil}, false},
		{"an empty nonce", map[string]any{"nonce": ""}, false},
		{"expired", map[string]any{"exp": now.Add(-time.Second).Unix()}, false},
		{"no expiry", map[string]any{"exp": nil}, false},
		{"not yet valid", map[string]any{"nbf": now.Add(time.Hour).Unix()}, false},
		{"no subject", map[string]any{"sub": nil}, false},
		{"an empty subject", map[string]any{"sub": ""}, false},
		{"a long subject", map[string]any{"sub": strings.Repeat("x", 256)}, false},
		{"the longest subject", map[string]any{"sub": strings.Repeat("x", 255)}, true},
		{"a subject with a NUL", map[string]any{"sub": "a\x00b"}, false},
		{"a token of any length", map[string]any{"pad": strings.Repeat("x", maxIDToken)}, false},
		{"an address of a strange type", map[string]any{"email": []int{1}}, false},
	} {
		u := user{sub: "a-1", claims: map[string]any{"email": "a@example.org"}}
		for k, v := range tc.claims {
			u.claims[k] = v
		}
		done, err := n.signIn(t, i, u)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrAnswer) || (done.Claims == Claims{}) == tc.ok {
			t.Errorf("%s: %+v, %v", tc.name, done, err)
		}
	}
}

// The clock that decides is ours.
func TestReq47ExpiryByOurClock(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	i.AccessTTL = time.Minute
	n := setUp(t, i.provider())
	c := visit(t, n.begin(t, BeginCmd{Provider: "acme"}))
	n.clock.Advance(2 * time.Minute)
	if _, err := n.Finish(t.Context(), c); !errors.Is(err, ErrAnswer) {
		t.Errorf("Finish() = %v", err)
	}
}

func TestReq49OnlyTrueIsVerified(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	for _, tc := range []struct {
		email, verified any
		want            Claims
	}{
		{"ada@example.org", true, Claims{Email: "ada@example.org", EmailVerified: true}},
		{"ada@example.org", "true", Claims{Email: "ada@example.org", EmailVerified: true}}, // some write it so
		{"ada@example.org", false, Claims{Email: "ada@example.org"}},
		{"ada@example.org", nil, Claims{Email: "ada@example.org"}},
		{"ada@example.org", "false", Claims{Email: "ada@example.org"}},
		{"ada@example.org", "True", Claims{Email: "ada@example.org"}},
		{"ada@example.org", 1, Claims{Email: "ada@example.org"}},
		{"ada@example.org", []bool{true}, Claims{Email: "ada@example.org"}},
		{" ada@example.org ", true, Claims{Email: "ada@example.org", EmailVerified: true}},
		{"no address", true, Claims{}},
		{"ada@evil.example\nbcc: x@example.org", true, Claims{}},
		{"a@b@example.org", true, Claims{}},
		{strings.Repeat("x", 250) + "@example.org", true, Claims{}},
	} {
		u := user{sub: "a-1", claims: map[string]any{"email": tc.email, "email_verified": tc.verified}}
		got := n.mustSignIn(t, i, u)
		if got.Email != tc.want.Email || got.EmailVerified != tc.want.EmailVerified {
			t.Errorf("%v, %v: %+v", tc.email, tc.verified, got)
		}
	}
}

func TestUserEndpoint(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	info := map[string]any{"sub": "a-1", "email": "ada@example.org", "email_verified": true, "name": "Ada\u202e\x07 " + strings.Repeat("x", 200)}
	got := n.mustSignIn(t, i, user{sub: "a-1", info: info})
	if got.Email != "ada@example.org" || !got.EmailVerified || got.Name != "Ada "+strings.Repeat("x", 96) {
		t.Errorf("claims = %+v", got)
	}
	if _, err := n.signIn(t, i, user{sub: "a-1", info: map[string]any{"sub": "b-2", "email": "b@example.org"}}); !errors.Is(err, ErrAnswer) {
		t.Errorf("the endpoint tells of somebody else: %v", err)
	}
	asked := i.count(userPart)
	n.mustSignIn(t, i, ada("a-1"))
	if i.count(userPart) != asked {
		t.Error("it is asked though the ID token says all")
	}
	i.breaks(userPart, 503)
	if _, err := n.signIn(t, i, user{sub: "a-1"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it is down: %v", err)
	}
	i.says(discoveryPart, func(m map[string]any) { delete(m, "userinfo_endpoint") })
	n.pass(i, metadataFor)
	if got := n.mustSignIn(t, i, user{sub: "a-1"}); got.Email != "" || got.Subject != "a-1" {
		t.Errorf("without one: %+v", got)
	}
}

func TestProviderDoesNotKnowUs(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	p := i.provider()
	p.ClientSecret = "rotated and nobody told us"
	n := setUp(t, p)
	_, err := n.signIn(t, i, ada("a-1"))
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), p.ClientSecret) {
		t.Errorf("Finish() = %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	i := newIDP(t, "acme")
	n := setUp(t, i.provider())
	n.mustSignIn(t, i, ada("a-1"))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.Keypair.PrivateKey, i.Keypair.PublicKey, i.Keypair.Kid = key, &key.PublicKey, "next"
	i.mu.Unlock()
	n.mustSignIn(t, i, ada("a-1"))
	if got := i.count(keysPart); got != 2 {
		t.Errorf("the keys were read %d times", got)
	}
}

func FuzzCheckHeader(f *testing.F) {
	for _, seed := range []string{"", ".", "e30.e30.", "eyJqa3UiOiIifQ.e30.AA", strings.Repeat(".", 100), "{}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if checkHeader(raw) != nil {
			return
		}
		head, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(head)
		var header map[string]any
		if err != nil || json.Unmarshal(text, &header) != nil {
			t.Fatalf("%q has no header", raw)
		}
		for _, name := range []string{"jku", "jwk", "x5u", "x5c"} {
			if _, has := header[name]; has {
				t.Errorf("%q passed", text)
			}
		}
	})
}
