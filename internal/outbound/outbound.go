package outbound

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of the client. They come wrapped in the *url.Error of net/http; errors.Is finds them.
var (
	ErrRefused  = fault.Define(fault.Invalid, "HOST_NOT_PUBLIC", "this server connects to public addresses only")
	ErrRedirect = errors.New("outbound: the answer is a redirect that is not followed")
	ErrTooLarge = errors.New("outbound: the answer is too large")
)

// Config says what a client may do. The zero Config is the strictest.
type Config struct {
	AllowPrivate bool          // loopback and private networks too, for development and tests; never link-local, where clouds keep credentials
	Timeout      time.Duration // of a whole exchange, body and redirects included; zero means 5 s
	MaxBytes     int64         // of one answer's body after decompression; zero means 1 MiB
	Redirects    int           // how many are followed; zero means none: one ends with [ErrRedirect]
}

// maxHeaderBytes bounds the header of an answer, which MaxBytes does not count.
const maxHeaderBytes = 64 << 10

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 1 << 20
	}
	return c
}

// NewClient makes a client. It is safe for concurrent use and keeps idle connections for half a minute: make one and share it.
//
// Errors of its calls: [ErrRefused], [ErrRedirect], [ErrTooLarge] (also while the body is read), and those of net/http.
func NewClient(cfg Config) *http.Client {
	return newClient(cfg, &net.Dialer{Control: guard{private: cfg.AllowPrivate}.control})
}

func newClient(cfg Config, dialer *net.Dialer) *http.Client {
	cfg = cfg.withDefaults()
	transport := &http.Transport{
		Proxy:                  nil, // see the package comment
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true, // an own dialer turns it off otherwise
		MaxIdleConns:           20,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &http.Client{
		Transport:     bounded{transport, cfg.MaxBytes},
		Timeout:       cfg.Timeout,
		CheckRedirect: follow(cfg.Redirects),
	}
}

// follow allows so many redirects. net/http itself drops credentials when the host changes.
func follow(most int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if len(via) > most || via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return ErrRedirect
		}
		return nil
	}
}

// bounded makes answers end with an error when they are larger than most bytes.
type bounded struct {
	*http.Transport
	most int64
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > b.most {
		_ = resp.Body.Close()
		return nil, ErrTooLarge
	}
	resp.Body = &body{resp.Body, b.most}
	return resp, nil
}

// body reads at most left bytes. It asks for one byte more: only that tells a body that is too long from one that just fits.
type body struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}
