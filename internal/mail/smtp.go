package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// smtpSender hands mails to the configured server, over a connection for each: mails come one by one, and a kept
// connection is one more thing that may have died unseen. It is immutable and safe for concurrent use.
type smtpSender struct {
	host, user, password string
	port                 int
	mode                 string
	from                 *netmail.Address
	roots                *x509.CertPool // nil: those of the system
}

func newSender(cfg Config, from *netmail.Address) *smtpSender {
	return &smtpSender{host: cfg.Host, user: cfg.User, password: cfg.Password, port: cfg.Port, mode: cfg.TLS, from: from}
}

const (
	smtpSilence = 20 * time.Second // a server that says nothing for so long is given up
	smtpGoodbye = 2 * time.Second
)

// failure is why an attempt came to nothing.
type failure struct {
	permanent bool   // another attempt would come to the same end
	stage     string // what was being done; for logs
	code      int    // the server's answer; 0 for none
	reason    string // what the server or the network said, for operators alone: it may quote the recipient
}

// Error is the failure without what the server said: that may quote an address.
func (f *failure) Error() string { return "mail: " + f.stage + " failed" }

func asFailure(err error) failure {
	var f *failure
	if errors.As(err, &f) {
		return *f
	}
	return failure{stage: "send"}
}

// send delivers one mail. It returns nil if and only if the server has taken the mail over; a connection that breaks
// right after that changes nothing. It ends with ctx, which the library alone would only do while it connects.
func (s *smtpSender) send(ctx context.Context, l letter, says content) error {
	msg, err := s.compose(l, says)
	if err != nil {
		return &failure{permanent: true, stage: "compose", reason: scrub(err.Error())}
	}
	var line wire
	defer line.hangUp()
	client, err := s.client(l.To, func(dialing context.Context, network, _ string) (net.Conn, error) {
		return s.dial(ctx, dialing, &line, network)
	})
	if err != nil {
		return &failure{stage: "configure", reason: scrub(err.Error())}
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return refused("connect", err)
	}
	if err := client.SendWithSMTPClient(session, msg); err != nil {
		return refused("send", err) // without RSET and NOOP it says and hears nothing after the server has taken the mail
	}
	_ = session.UpdateDeadline(smtpGoodbye) // it is delivered: a goodbye is only polite
	_ = session.Quit()
	return nil
}

// compose makes the message. Its id and date are those of the letter, so that it is the same whenever it is sent.
func (s *smtpSender) compose(l letter, says content) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	if err := msg.To(l.To); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	msg.SetMessageIDWithValue(l.ID + "@" + domain)
	msg.SetDateWithValue(l.QueuedAt)
	msg.Subject(says.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes, please
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")  // the same for Exchange
	msg.SetBodyString(gomail.TypeTextPlain, says.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, says.HTML)
	for _, f := range says.Files {
		if err := attach(msg, f); err != nil {
			return nil, err
		}
	}
	return msg, nil
}

// attach adds a file: a picture that the HTML shows, or an attachment.
func attach(msg *gomail.Msg, f File) error {
	kind := gomail.WithFileContentType(gomail.ContentType(f.ContentType))
	if f.ID == "" {
		return msg.AttachReader(f.Name, bytes.NewReader(f.Data), kind)
	}
	return msg.EmbedReader(f.Name, bytes.NewReader(f.Data), kind, gomail.WithFileContentID("<"+f.ID+">"))
}

// client makes the library's client for one recipient; it is cheap, and does not outlive one mail. It dials by dial.
func (s *smtpSender) client(to string, dial gomail.DialContextFunc) (*gomail.Client, error) {
	policy := gomail.NoTLS // also for tls: dial has seen to it
	if s.mode == startTLS {
		policy = gomail.TLSMandatory
	}
	opts := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(smtpSilence), gomail.WithTLSPolicy(policy), gomail.WithTLSConfig(s.tls()),
		gomail.WithDialContextFunc(dial), gomail.WithoutNoop(), gomail.WithoutRset(), // both only cost round trips here
	}
	if s.mode == fullTLS {
		opts = append(opts, gomail.WithSSL())
	}
	if isASCII(to) && isASCII(s.from.Address) {
		// The library would ask for SMTPUTF8 whenever it is on offer, and a relay further on without it might then bounce.
		opts = append(opts, gomail.WithoutSMTPUTF8())
	}
	if s.user != "" {
		// By name: left to itself the library would rather take NTLM than a password inside of TLS.
		opts = append(opts, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.host, opts...)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

func (s *smtpSender) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// wire is the connection of one mail: cut when the context of the mail ends, closed in any case. (The library leaves a
// connection open when the greeting fails.)
type wire struct {
	conn net.Conn
	stop func() bool
}

func (w *wire) hangUp() {
	if w.conn != nil {
		w.stop()
		_ = w.conn.Close()
	}
}

// dial connects, with TLS from the first byte if so configured. dialing bounds that; whole is the context of the mail. The
// address is ours: the library's own is wrong for IPv6.
func (s *smtpSender) dial(whole, dialing context.Context, line *wire, network string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(dialing, network, net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		return nil, err
	}
	line.conn, line.stop = conn, context.AfterFunc(whole, func() { _ = conn.Close() })
	if s.mode != fullTLS {
		return conn, nil
	}
	secure := tls.Client(conn, s.tls())
	return secure, secure.HandshakeContext(dialing)
}

// refused sorts an error of the library. Only what the server said of this very mail can be final: that it does not let us
// in, or wants TLS or a password first, is for the operator to mend while the mail waits.
func refused(stage string, err error) *failure {
	f := &failure{stage: stage, reason: scrub(err.Error())}
	var said *textproto.Error
	if errors.As(err, &said) {
		f.code = said.Code
	}
	var of *gomail.SendError
	if errors.As(err, &of) {
		f.code = of.ErrorCode()
		if known := stages[of.Reason]; known != "" {
			f.stage = known
		}
		f.permanent = f.code >= 500 && !ours[f.code]
	}
	return f
}

// stages are names for logs of what the library was doing.
var stages = map[gomail.SendErrReason]string{
	gomail.ErrGetSender: "compose", gomail.ErrGetRcpts: "compose", gomail.ErrSMTPMailFrom: "sender", gomail.ErrSMTPRcptTo: "recipient",
	gomail.ErrSMTPData: "data", gomail.ErrSMTPDataClose: "data", gomail.ErrWriteContent: "data", gomail.ErrConnCheck: "connect",
}

// ours are final answers that are about the way in, not about the mail: authentication or encryption wanted or wrong.
var ours = map[int]bool{530: true, 534: true, 535: true, 538: true}

const maxReason = 300 // runes

// anyLink is a URL, also one whose beginning was cut off, and a secret alone.
var anyLink = regexp.MustCompile(`(?i)\S*(://|#\w+=|\bbb[a-z]_)\S*`)

// scrub makes what a server said fit to be kept: filters of spam quote links, and ours hold secrets.
func scrub(s string) string {
	return shorten(anyLink.ReplaceAllString(oneLine(s), "[link]"), maxReason)
}
