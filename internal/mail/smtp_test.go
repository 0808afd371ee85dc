package mail

import (
	"mime"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestRunDelivers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ mode, user string }{
		"plain":                     {plainTCP, ""},
		"plain, with a password":    {plainTCP, "mailer"}, // this machine only, see Config
		"STARTTLS":                  {startTLS, ""},
		"STARTTLS, with a password": {startTLS, "mailer"},
		"TLS":                       {fullTLS, ""},
		"TLS, with a password":      {fullTLS, "mailer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newSink(t, tc.mode)
			server.user = tc.user
			n := server.node(t, tc.mode)
			n.run(t)
			m := Message{To: "ada@example.org", Locale: "de-CH", Template: "sign_in", Data: signIn("").Data}
			n.queue(t, m)
			got := server.await(t, 1)[0]
			n.await(t, stateSent, 1)

			if got.From != "no-reply@book.example" || got.To != "ada@example.org" || got.User != tc.user || got.Secure != (tc.mode != plainTCP) || got.UTF8 {
				t.Errorf("envelope %+v", got)
			}
			l := n.only(t)
			if l.Body != nil || l.Error != "" || l.Tries != 1 || l.EndedAt == nil || l.ExpiresAt == nil || !l.ExpiresAt.Equal(t0.Add(keepSent)) {
				t.Errorf("after delivery the outbox keeps %+v", l)
			}
			checkMail(t, n, m, got.Raw, l)
			checkLogs(t, n)
		})
	}
}

// checkMail compares what arrived with what was rendered.
func checkMail(t *testing.T, n node, m Message, raw string, l letter) {
	t.Helper()
	want, err := n.templates.render(m)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, raw)
	for header, want := range map[string]string{
		"From": `"Backend Book" <no-reply@book.example>`, "To": "<ada@example.org>", "Message-Id": "<" + l.ID + "@book.example>",
		"Auto-Submitted": "auto-generated", "Date": "Fri, 02 Jan 2026 03:04:05 +0000", "Mime-Version": "1.0", "X-Mailer": "", "User-Agent": "",
	} {
		if got := p.Get(header); got != want {
			t.Errorf("%s: %s; want %s", header, got, want)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(p.Get("Subject"))
	if err != nil || subject != want.Subject {
		t.Errorf("subject %q, %v; want %q", subject, err, want.Subject)
	}
	if len(p.Parts) != 2 || !strings.HasPrefix(p.Kinds[0], "text/plain") || !strings.HasPrefix(p.Kinds[1], "text/html") {
		t.Fatalf("parts %v", p.Kinds) // the last is the one a client prefers
	}
	if strings.TrimSpace(p.Parts[0]) != strings.TrimSpace(want.Text) || strings.TrimSpace(p.Parts[1]) != strings.TrimSpace(want.HTML) {
		t.Errorf("the parts are not what was rendered:\n%s\n%s", p.Parts[0], p.Parts[1])
	}
}

func TestInternationalAddress(t *testing.T) {
	t.Parallel()
	server := newSink(t, plainTCP)
	n := server.node(t, plainTCP)
	n.run(t)
	n.queue(t, signIn("jörg@exämple.org"))
	if got := server.await(t, 1)[0]; got.To != "jörg@exämple.org" || !got.UTF8 {
		t.Errorf("envelope %+v", got)
	}
}

// What the server says of a mail decides whether it waits, for the operator or for better times, or is given up.
func TestRefusals(t *testing.T) {
	t.Parallel()
	say := func(code int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCodeNotSet, Message: text}
	}
	for name, tc := range map[string]struct {
		mail, rcpt, data error
		dead             bool
		stage            string
	}{
		"greylisted":               {rcpt: say(450, "try again"), stage: "recipient"},
		"busy":                     {mail: say(421, "too busy"), stage: "sender"},
		"disk full":                {data: say(452, "no room"), stage: "data"},
		"no such user":             {rcpt: say(550, "<ada@example.org> unknown"), dead: true, stage: "recipient"},
		"sender refused":           {mail: say(553, "not you"), dead: true, stage: "sender"},
		"spam":                     {data: say(554, "spam: https://book.example/sign-in/link#token=bbl_theSecret"), dead: true, stage: "data"},
		"wants a password":         {mail: say(530, "authenticate"), stage: "sender"},
		"wants TLS":                {rcpt: say(538, "encryption required"), stage: "recipient"},
		"authentication forgotten": {data: say(535, "who are you"), stage: "data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newSink(t, plainTCP)
			server.answer(func(string) error { return tc.mail }, func(string) error { return tc.rcpt }, func() error { return tc.data })
			n := server.node(t, plainTCP)
			stop := n.run(t)
			n.queue(t, signIn("ada@example.org"))
			storetest.Eventually(t, 20*time.Second, func() bool { return n.only(t).Error != "" }, "an attempt has failed")
			stop()
			l := n.only(t)
			if (l.State == stateDead) != tc.dead || l.Tries != 1 {
				t.Errorf("the letter is %s after %d tries", l.State, l.Tries)
			}
			if !tc.dead && !l.DueAt.After(t0) {
				t.Errorf("the letter is due at %v", l.DueAt)
			}
			if strings.Contains(l.Error, "theSecret") || strings.Contains(l.Error, "://") {
				t.Errorf("the error keeps a link: %s", l.Error)
			}
			if l.Body == nil {
				t.Error("what the letter says is gone, so nobody can retry")
			}
			if all := n.logs.String(); !strings.Contains(all, "stage="+tc.stage) || !strings.Contains(all, "smtp_code=") {
				t.Errorf("the log says %s", all)
			}
			checkLogs(t, n)
			if len(server.got()) != 0 {
				t.Error("the mail arrived all the same")
			}
		})
	}
}

// A server that does not do what is demanded gets no mail, and no password.
func TestNeverWithoutTheDemandedProtection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server, client string
		trusted        bool
	}{
		"no STARTTLS on offer":   {plainTCP, startTLS, true},
		"no TLS spoken":          {plainTCP, fullTLS, true},
		"unknown authority":      {startTLS, startTLS, false},
		"unknown authority, TLS": {fullTLS, fullTLS, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newSink(t, tc.server)
			server.user = "mailer"
			n := server.node(t, tc.client)
			if !tc.trusted {
				n.smtp.roots = nil
			}
			n.run(t)
			n.queue(t, signIn("ada@example.org"))
			n.awaitTry(t, 1)
			if l := n.only(t); l.State != stateWaiting || len(server.got()) != 0 {
				t.Errorf("the letter is %s, %d arrived", l.State, len(server.got()))
			}
			checkLogs(t, n)
		})
	}
}

func TestWrongPasswordKillsNoMail(t *testing.T) {
	t.Parallel()
	server := newSink(t, startTLS)
	server.user = "mailer"
	n := server.node(t, startTLS)
	n.smtp.password = "wrong"
	stop := n.run(t)
	n.queue(t, signIn("ada@example.org"))
	n.awaitTry(t, 1)
	stop()
	if l := n.only(t); l.State != stateWaiting || !strings.Contains(l.Error, "535") {
		t.Errorf("the letter is %s: %s", l.State, l.Error)
	}
	if !strings.Contains(n.logs.String(), "smtp_code=535") {
		t.Errorf("the log says %s", n.logs)
	}
	n.smtp.password = sinkPassword // the operator mends it
	n.run(t)
	n.clock.Advance(time.Minute)
	n.await(t, stateSent, 1)
}

// An attempt ends with its time, whatever the server is at.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	for name, script := range map[string][]string{
		"no greeting":     {""},
		"no hello":        {"220 here", ""},
		"no envelope":     {"220 here", "250 hello", ""},
		"no word on data": {"220 here", "250 hello", "250 sender", "250 recipient", "354 go", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{PublicURL: "https://book.example", Host: "127.0.0.1", Port: scripted(t, script...), TLS: plainTCP, From: "a@book.example"})
			n.pace.send = 100 * time.Millisecond
			n.run(t)
			n.queue(t, signIn("ada@example.org"))
			n.awaitTry(t, 1)
			if l := n.only(t); l.State != stateWaiting {
				t.Errorf("the letter is %s", l.State)
			}
		})
	}
}

// The server has taken the mail over and then the line breaks: that is no reason to send it again.
func TestBrokenGoodbyeIsNoFailure(t *testing.T) {
	t.Parallel()
	port := scripted(t, "220 here", "250 hello", "250 sender", "250 recipient", "354 go", "250 taken")
	n := setUp(t, Config{PublicURL: "https://book.example", Host: "127.0.0.1", Port: port, TLS: plainTCP, From: "a@book.example"})
	n.run(t)
	n.queue(t, signIn("ada@example.org"))
	n.await(t, stateSent, 1)
	if l := n.only(t); l.Tries != 1 {
		t.Errorf("it took %d tries", l.Tries)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{PublicURL: "https://book.example", Host: "127.0.0.1", Port: 1, From: "a@book.example"})
	n.run(t)
	n.queue(t, signIn("ada@example.org"))
	n.awaitTry(t, 1)
	if waits, oldest, given, err := n.Backlog(t.Context()); waits != 1 || !oldest.Equal(t0) || given != 0 || err != nil {
		t.Errorf("Backlog() = %d, %v, %d, %v", waits, oldest, given, err)
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"550 5.1.1 user unknown":                    "550 5.1.1 user unknown",
		"554 blocked: https://a.example/#t=bbl_x!":  "554 blocked: [link]",
		"554 <http://a.example/x>, see rules":       "554 [link] see rules",
		"554 a.example/sign-in/link#token=bbl_x ok": "554 [link] ok",
		"554 holds bbl_c2Vj":                        "554 holds [link]",
		"451 two\r\n451 lines\x00":                  "451 two 451 lines",
		"451 " + strings.Repeat("x", 1000):          "451 " + strings.Repeat("x", maxReason-5) + "…",
	} {
		if got := scrub(in); got != want {
			t.Errorf("scrub(%q) = %q; want %q", in, got, want)
		}
	}
}
