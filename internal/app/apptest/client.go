package apptest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/ref"
)

// Client is somebody who uses the server: a browser with cookies, or a program with a token.
type Client struct {
	*http.Client
	s     *Server
	URL   string // of the server
	Token string // sent as bearer token; empty for none
}

// Browser is a new client that keeps cookies.
func (s *Server) Browser() *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.with(jar)
}

func (s *Server) with(jar http.CookieJar) *Client {
	return &Client{Client: &http.Client{Jar: jar, Transport: s.roads, Timeout: time.Minute}, s: s, URL: cmp.Or(s.public, s.URL)}
}

// roads lead to a server by its public address too, whatever the name service knows of it.
func roads(public, actual string) *http.Transport {
	road := http.DefaultTransport.(*http.Transport).Clone()
	u, err := url.Parse(public)
	if err != nil || public == "" {
		return road
	}
	straight := road.DialContext
	road.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && host == u.Hostname() {
			address = strings.TrimPrefix(actual, "http://")
		}
		return straight(ctx, network, address)
	}
	return road
}

// At is the same client at another server: its cookies and its token go along.
func (c *Client) At(s *Server) *Client {
	other := s.with(c.Jar)
	other.Token = c.Token
	return other
}

// Response is an answer of GraphQL.
type Response struct {
	Status int
	Header http.Header
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	Extensions map[string]any
}

// Code is the code of the first error; empty without one.
func (r Response) Code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// Do sends an operation, with headers as name, value, name, value, and reads the answer. It does not judge it.
func (c *Client) Do(query string, variables map[string]any, headers ...string) Response {
	c.s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		c.s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.s.t.Context(), http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		c.s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.Client.Do(req)
	if err != nil {
		c.s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.s.t.Fatal(err)
	}
	r := Response{Status: res.StatusCode, Header: res.Header}
	if err := json.Unmarshal(text, &r); err != nil {
		c.s.t.Fatalf("answer %d is not JSON: %s", res.StatusCode, text)
	}
	return r
}

// Must is Do for an operation that must not fail; it gives the data.
func (c *Client) Must(query string, variables map[string]any) map[string]any {
	c.s.t.Helper()
	r := c.Do(query, variables)
	if r.Status != http.StatusOK || len(r.Errors) > 0 {
		c.s.t.Fatalf("answer %d: %+v to %.200s", r.Status, r.Errors, query)
	}
	return r.Data
}

// Password is that of every user Register makes.
const Password = "correct horse battery staple"

// Register makes an account, with the code of the mail that confirms its address, and signs in with the cookie. Every call
// makes another mail address.
func (c *Client) Register(name string) (email string) {
	c.s.t.Helper()
	email = fmt.Sprintf("%s-%s@example.org", name, ref.NewID())
	var asked struct {
		Register struct{ Result struct{ Flow string } }
	}
	c.Read(&asked, `mutation($in: RegisterInput!) { register(input: $in) { result { ... on VerificationRequired { flow } } } }`, map[string]any{
		"in": map[string]any{"email": email, "password": Password, "name": name},
	})
	var made struct {
		VerifyEmail struct {
			Result struct {
				Typename string `json:"__typename"`
			}
		}
	}
	c.Read(&made, `mutation($in: VerifyEmailInput!) { verifyEmail(input: $in) { result { __typename } } }`, map[string]any{
		"in": map[string]any{"flow": asked.Register.Result.Flow, "code": c.s.Mail(email, "verify_email").Code},
	})
	if made.VerifyEmail.Result.Typename != "SignedIn" {
		c.s.t.Fatalf("the right code leads to %+v", made)
	}
	return email
}

// Read is Must into a value that has the form of the data.
func (c *Client) Read(into any, query string, variables map[string]any) {
	c.s.t.Helper()
	b, err := json.Marshal(c.Must(query, variables))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		c.s.t.Fatal(err)
	}
}
