package app_test

import (
	"io"
	"log"
	"mime/quotedprintable"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// postOffice is a real SMTP server that keeps what it takes.
type postOffice struct {
	port int
	mu   sync.Mutex
	got  []string // "receiver\n" and the mail as it came, decoded
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	o := &postOffice{}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{office: o}, nil }))
	srv.Domain, srv.ErrorLog = "office.test", log.New(io.Discard, "", 0)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.port = l.Addr().(*net.TCPAddr).Port
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return o
}

// settings send a server's mail there.
func (o *postOffice) settings() []string {
	return []string{"--mail-host=127.0.0.1", "--mail-port=" + strconv.Itoa(o.port), "--mail-tls=none", "--mail-from=Book <no-reply@book.test>"}
}

// to waits for the newest mail to somebody.
func (o *postOffice) to(t *testing.T, receiver, subject string) (found string) {
	t.Helper()
	until(t, "a mail to "+receiver, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, m := range o.got {
			if strings.HasPrefix(m, receiver+"\n") && strings.Contains(m, subject) {
				found = m
			}
		}
		return found != ""
	})
	return found
}

type delivery struct {
	office *postOffice
	to     string
}

func (d *delivery) Mail(string, *smtp.MailOptions) error      { return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error { d.to = to; return nil }
func (d *delivery) Reset()                                    {}
func (d *delivery) Logout() error                             { return nil }
func (d *delivery) Data(r io.Reader) error {
	b, err := io.ReadAll(quotedprintable.NewReader(r))
	if err != nil {
		return err
	}
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	d.office.got = append(d.office.got, d.to+"\n"+strings.ReplaceAll(string(b), "\r\n", "\n"))
	return nil
}

var (
	mailedCode = regexp.MustCompile(`(?m)^ +(\d{6})$`)
	mailedLink = regexp.MustCompile(`http://book\.test/\S+`)
)

// TestMailBySMTP: with a mail server, mails go there and nobody can read them here.
func TestMailBySMTP(t *testing.T) {
	t.Parallel()
	office := openPostOffice(t)
	s := apptest.Start(t, apptest.Setup{Public: "http://book.test", Args: office.settings()})
	c := s.Browser()
	asked := step(t, c, "register", map[string]any{"email": "nia@example.org", "password": apptest.Password, "name": "Nia", "locale": "de-AT"})
	mail := office.to(t, "nia@example.org", "Message-")
	code, link := mailedCode.FindStringSubmatch(mail), mailedLink.FindString(mail)
	if code == nil || !strings.HasPrefix(link, "http://book.test/verify#token=bbl_") {
		t.Fatalf("the mail says\n%s", mail)
	}
	for _, part := range []string{"From: \"Book\" <no-reply@book.test>", "To: <nia@example.org>", "Auto-Submitted: auto-generated", "Bestätigen", "text/html"} {
		if !strings.Contains(mail, part) {
			t.Errorf("the mail has no %q:\n%s", part, mail)
		}
	}
	if in := step(t, c, "verifyEmail", map[string]any{"flow": asked.Flow, "code": code[1]}); in.Type != "SignedIn" {
		t.Errorf("its code leads to %+v", in)
	}
	for name, who := range map[string]*apptest.Client{"a user": c, "an administrator": admin(t, s), "nobody": s.Browser()} {
		if r := who.Do(`{ mailbox { nodes { text } } }`, nil); r.Code() != "NO_MAILBOX" {
			t.Errorf("the mailbox for %s: %q %v", name, r.Code(), r.Data)
		}
	}
	if at(t, c.Must(`{ authSettings { mailbox } }`, nil), "authSettings", "mailbox") != false {
		t.Error("authSettings tells of a mailbox")
	}
	until(t, "what was sent is forgotten", func() bool { return !strings.Contains(stored(t, s, "outbox"), `"body"`) })
}
