package mail

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// sink is a real SMTP server that keeps what it takes. Its answers are decided by functions, which tests may change before
// something is sent.
type sink struct {
	port  int
	roots *x509.CertPool
	user  string // demanded, with password, if set

	mu     sync.Mutex
	mails  []received
	onMail func(from string) error
	onRcpt func(to string) error
	onData func() error // before the mail is taken
}

// received is one mail as the server got it.
type received struct {
	From, To string
	UTF8     bool
	Secure   bool
	User     string
	Raw      string
}

const sinkPassword = "s3cret of the sink"

// newSink starts a server that offers STARTTLS, or speaks TLS from the first byte, or neither.
func newSink(t testing.TB, mode string) *sink {
	t.Helper()
	s := &sink{}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s, conn: c}, nil }))
	srv.Domain, srv.AllowInsecureAuth, srv.EnableSMTPUTF8 = "sink.test", true, true
	srv.ErrorLog = log.New(io.Discard, "", 0)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	if mode != plainTCP {
		cert, roots := certificate(t)
		s.roots, srv.TLSConfig = roots, &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if mode == fullTLS {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return s
}

// config sends to the sink.
func (s *sink) config(mode string) Config {
	return Config{
		PublicURL: "https://book.example", Host: "127.0.0.1", Port: s.port, TLS: mode, From: "Backend Book <no-reply@book.example>",
		User: s.user, Password: sinkPassword,
	}
}

// node is a node that sends to the sink.
func (s *sink) node(t testing.TB, mode string) node {
	t.Helper()
	n := setUp(t, s.config(mode))
	n.smtp.roots = s.roots
	return n
}

func (s *sink) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.mails...)
}

// await waits until the sink has so many mails.
func (s *sink) await(t testing.TB, count int) []received {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); len(s.got()) < count; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server got %d mails; want %d", len(s.got()), count)
		}
	}
	return s.got()
}

func (s *sink) answer(mail, rcpt func(string) error, data func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onMail, s.onRcpt, s.onData = mail, rcpt, data
}

func (s *sink) answers() (mail, rcpt func(string) error, data func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.onMail, s.onRcpt, s.onData
}

type sinkSession struct {
	sink *sink
	conn *smtp.Conn
	now  received
}

func (s *sinkSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.sink.user || password != sinkPassword {
			return smtp.ErrAuthFailed
		}
		s.now.User = user
		return nil
	}), nil
}

func (s *sinkSession) Mail(from string, opts *smtp.MailOptions) error {
	if s.sink.user != "" && s.now.User == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "authenticate first"}
	}
	_, s.now.Secure = s.conn.TLSConnectionState()
	s.now.From, s.now.UTF8 = from, opts.UTF8
	if f, _, _ := s.sink.answers(); f != nil {
		return f(from)
	}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.To = to
	if _, f, _ := s.sink.answers(); f != nil {
		return f(to)
	}
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if _, _, f := s.sink.answers(); f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	s.now.Raw = string(raw)
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.mails = append(s.sink.mails, s.now)
	return nil
}

func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }

// certificate is one for 127.0.0.1 and the pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// parsed is a mail taken apart.
type parsed struct {
	netmail.Header
	Kinds []string // of the parts, in order
	Parts []string // decoded, with plain line ends
}

func parse(t testing.TB, raw string) parsed {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	p := parsed{Header: m.Header}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("part is encoded as %q", part.Header.Get("Content-Transfer-Encoding"))
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		p.Kinds = append(p.Kinds, part.Header.Get("Content-Type"))
		p.Parts = append(p.Parts, string(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))))
	}
}

// scripted is a server that says what it is told to, for what a real one does not do: an answer for each line that comes,
// "" for none at all. After the last it hangs up.
func scripted(t testing.TB, lines ...string) (port int) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				defer stop()
				defer func() { _ = conn.Close() }()
				follow(conn, lines)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

func follow(conn net.Conn, lines []string) {
	buf := make([]byte, 64<<10)
	for i, line := range lines {
		if i > 0 {
			if !hear(conn, buf, lines[i-1]) {
				return
			}
		}
		if line == "" {
			_, _ = conn.Read(buf) // until the client gives up
			return
		}
		_, _ = io.WriteString(conn, line+"\r\n")
	}
}

// hear reads a line, or a whole mail when the last answer asked for one.
func hear(conn net.Conn, buf []byte, last string) bool {
	end := "\r\n"
	if strings.HasPrefix(last, "354") {
		end = "\r\n.\r\n"
	}
	var all []byte
	for !bytes.HasSuffix(all, []byte(end)) {
		n, err := conn.Read(buf)
		if err != nil {
			return false
		}
		all = append(all, buf[:n]...)
	}
	return true
}
