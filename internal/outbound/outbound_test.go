package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve is a server on loopback that counts its requests, and its address.
func serve(t *testing.T, h http.HandlerFunc) (srv *httptest.Server, at netip.AddrPort, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv, netip.MustParseAddrPort(srv.Listener.Addr().String()), hits
}

// strict is a client of the strictest kind that takes one server on loopback for public.
func strict(t *testing.T, cfg Config, also netip.AddrPort) *http.Client {
	t.Helper()
	c := newClient(cfg, &net.Dialer{Control: guard{also: also}.control})
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// fetch gives the body, or the error wherever it came.
func fetch(t *testing.T, c *http.Client, address string) (string, error) {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestReq114RefusedWhenDialling(t *testing.T) {
	t.Parallel()
	srv, at, hits := serve(t, hello)
	port := srv.URL[strings.LastIndex(srv.URL, ":"):]
	c := NewClient(Config{})
	for _, address := range []string{
		srv.URL, "http://localhost" + port, "http://[::ffff:127.0.0.1]" + port, "http://[::1]" + port, "http://0.0.0.0" + port,
		"http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[fd00:ec2::254]/", "https://192.168.0.1/",
	} {
		_, err := fetch(t, c, address)
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s = %v, want HOST_NOT_PUBLIC", address, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests arrived", hits.Load())
	}
	// The same server does answer those who may: the refusals above are the guard's.
	for name, c := range map[string]*http.Client{"development": NewClient(Config{AllowPrivate: true}), "exempt": strict(t, Config{}, at)} {
		if got, err := fetch(t, c, srv.URL); got != "hello" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestReq114RedirectInside(t *testing.T) {
	t.Parallel()
	inside, _, hits := serve(t, hello)
	for _, target := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), "http://169.254.169.254/"} {
		outside, at, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		})
		if _, err := fetch(t, strict(t, Config{Redirects: 3}, at), outside.URL); !errors.Is(err, ErrRefused) {
			t.Errorf("redirect to %s = %v, want HOST_NOT_PUBLIC", target, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests arrived inside", hits.Load())
	}
}

// A name that answers with a public address when it is checked and with another when it is used: what counts is the
// address of the connection.
func TestReq114RebindingName(t *testing.T) {
	t.Parallel()
	srv, at, hits := serve(t, hello)
	var asked atomic.Int32
	dialer := &net.Dialer{Control: guard{}.control, Resolver: names(t, func() [4]byte {
		asked.Add(1)
		return [4]byte{127, 0, 0, 1}
	})}
	rebound := "http://rebind.test" + srv.URL[strings.LastIndex(srv.URL, ":"):]
	if _, err := fetch(t, newClient(Config{}, dialer), rebound); !errors.Is(err, ErrRefused) {
		t.Errorf("= %v, want HOST_NOT_PUBLIC", err)
	}
	if asked.Load() == 0 || hits.Load() != 0 {
		t.Errorf("the name was resolved %d times, %d requests arrived", asked.Load(), hits.Load())
	}
	dialer.Control = guard{also: at}.control
	c := newClient(Config{}, dialer)
	t.Cleanup(c.CloseIdleConnections)
	if got, err := fetch(t, c, rebound); got != "hello" || err != nil {
		t.Errorf("the test itself is broken: %q, %v", got, err)
	}
}

// names is a resolver that asks a name server of our own, which answers each question for an IPv4 address with addr().
func names(t *testing.T, addr func() [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(reply(buf[:n], addr), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

// reply answers one DNS question (RFC 1035): the address for type A, nothing for the others.
func reply(query []byte, addr func() [4]byte) []byte {
	end := 12
	for query[end] != 0 { // the name, label by label
		end += int(query[end]) + 1
	}
	end += 5
	ofA := binary.BigEndian.Uint16(query[end-4:]) == 1
	out := append([]byte{}, query[:end]...)
	out[2], out[3] = 0x81, 0x80 // an answer, recursive, no error
	clear(out[6:12])
	if ofA {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name of the question, A, IN, kept 0 s, 4 bytes
		a := addr()
		out = append(out, a[:]...)
	}
	return out
}

func TestReq114AnswersAreBounded(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("x", 1<<20)
	send := func(text string, chunked bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if chunked {
				w.(http.Flusher).Flush() // now there is no Content-Length
			}
			_, _ = io.WriteString(w, text)
		}
	}
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, full+"y")
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		ok   bool
	}{
		{"just fits", send(full, false), true},
		{"just fits in chunks", send(full, true), true},
		{"too large", send(full+"y", false), false},
		{"too large in chunks", send(full+"y", true), false},
		{"too large once unpacked", bomb, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv, at, _ := serve(t, tc.h)
			got, err := fetch(t, strict(t, Config{}, at), srv.URL)
			if tc.ok && (err != nil || got != full) || !tc.ok && !errors.Is(err, ErrTooLarge) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if len(got) > len(full) {
				t.Errorf("%d bytes came through", len(got))
			}
		})
	}
}

// An answer that announces too much is not read at all.
func TestAnnouncedLengthIsBounded(t *testing.T) {
	t.Parallel()
	srv, at, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "4") })
	resp, err := strict(t, Config{MaxBytes: 3}, at).Get(srv.URL)
	if !errors.Is(err, ErrTooLarge) {
		_ = resp.Body.Close()
		t.Errorf("Get() = %v", err)
	}
}

func TestBodyAfterItsEnd(t *testing.T) {
	t.Parallel()
	b := &body{io.NopCloser(strings.NewReader("abcdef")), 3}
	p := make([]byte, 10)
	for _, want := range []int{3, 0, 0} {
		if n, err := b.Read(p); n != want || !errors.Is(err, ErrTooLarge) {
			t.Fatalf("Read() = %d, %v; want %d and the error each time", n, err, want)
		}
	}
}

func TestReq114TimeIsBounded(t *testing.T) {
	t.Parallel()
	if c := NewClient(Config{}); c.Timeout != 5*time.Second {
		t.Errorf("Timeout = %v", c.Timeout)
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stalled := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "h")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, h := range map[string]http.HandlerFunc{"no answer": silent, "no end of the body": stalled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, at, _ := serve(t, h)
			var timeout interface{ Timeout() bool }
			if _, err := fetch(t, strict(t, Config{Timeout: 50 * time.Millisecond}, at), srv.URL); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("= %v, want a timeout", err)
			}
		})
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	srv, at, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	})
	if _, err := fetch(t, strict(t, Config{}, at), srv.URL); err == nil {
		t.Error("a header of any length is read")
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	srv, at, hits := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" {
			hello(w, r)
			return
		}
		http.Redirect(w, r, map[string]string{"/": "/1", "/1": "/2"}[r.URL.Path], http.StatusFound)
	})
	for redirects, want := range []int32{1, 2, 3} {
		hits.Store(0)
		got, err := fetch(t, strict(t, Config{Redirects: redirects}, at), srv.URL+"/")
		if enough := redirects >= 2; enough != (got == "hello") || enough != !errors.Is(err, ErrRedirect) || hits.Load() != want {
			t.Errorf("with %d: %q, %v after %d requests", redirects, got, err, hits.Load())
		}
	}
	secure, plain := &http.Request{URL: &url.URL{Scheme: "https"}}, &http.Request{URL: &url.URL{Scheme: "http"}}
	if err := follow(3)(plain, []*http.Request{secure}); !errors.Is(err, ErrRedirect) {
		t.Errorf("from https to http: %v", err)
	}
	if err := follow(3)(secure, []*http.Request{plain}); err != nil {
		t.Errorf("from http to https: %v", err)
	}
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	proxy, at, hits := serve(t, hello)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	if _, err := fetch(t, strict(t, Config{}, at), "http://192.168.0.1/"); !errors.Is(err, ErrRefused) || hits.Load() != 0 {
		t.Errorf("= %v with %d requests at the proxy", err, hits.Load())
	}
}
