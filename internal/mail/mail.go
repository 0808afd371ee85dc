package mail

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// ErrNoMailbox is the answer to a look into the mailbox of a server that sends its mail.
var ErrNoMailbox = fault.Define(fault.NotFound, "NO_MAILBOX", "this server sends its mail by SMTP; it has no development mailbox")

// Ways to the mail server.
const (
	startTLS = "starttls"
	fullTLS  = "tls"
	plainTCP = "none"
)

// Config says where mail goes and how it looks. Zero values mean the defaults written beside them.
type Config struct {
	Host      string // of the SMTP server; empty: mails go to the development mailbox
	Port      int    // default 587 for starttls, 465 for tls, 25 for none
	User      string // empty: without authentication
	Password  string
	TLS       string // "starttls" (default, and never without), "tls" (from the first byte) or "none"
	From      string // such as "Backend Book <no-reply@example.org>"; required with a Host
	Product   string // the name mails speak of; default "Backend Book"
	PublicURL string // where links lead, such as "https://example.org"; required
	Templates string // a folder whose files replace the built-in ones of the same path; empty: none
	Keep      int    // how many mails the mailbox keeps, default 200
}

// Message asks for a mail.
type Message struct {
	To       string         // one address without a display name
	Locale   string         // BCP 47, such as "de-AT"; unknown and empty: English
	Template string         // a name of the catalogue, such as "verify_email"
	Data     map[string]any // exactly what the catalogue says, with its types
	Files    []File         // at most [MaxFiles] bytes together
}

// File goes along with a mail.
type File struct {
	Name        string `json:"name"`
	ContentType string `json:"contentType"`    // media type, such as "text/csv; charset=utf-8"
	ID          string `json:"id,omitempty"`   // of a picture that the HTML shows: its src is "cid:" and this; empty for an attachment
	Data        []byte `json:"data,omitempty"` // of what is shown
}

// MaxFiles is how many bytes the files of one mail have at most: a letter is one document of MongoDB, and many mail servers
// take no more than 10 MB.
const MaxFiles = 4 << 20

// checkFiles refuses what would not fit into the outbox, and names that are none.
func checkFiles(files []File) error {
	size := 0
	for _, f := range files {
		size += len(f.Data)
		if f.Name == "" || f.Name != oneLine(f.Name) || f.ContentType == "" {
			return errors.New("mail: a file needs a name of one line and a type")
		}
	}
	if size > MaxFiles {
		return fmt.Errorf("mail: files of %d bytes; at most %d go along", size, MaxFiles)
	}
	return nil
}

// Section is a part of a mail with numbers: a picture, a table, or both.
type Section struct {
	Title   string
	Note    string           // below the title; empty for none
	Picture htmltemplate.URL // "cid:" and the id of a [File]; empty for none
	Columns []string         // of the table; the first are words, the others are numbers
	Rows    [][]string
}

// Format prints the message without its data, which hold secrets, whatever the verb.
func (m Message) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "mail %s in %q", m.Template, m.Locale)
}

// LogValue logs the name of the template alone.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.Template) }

// Mail is a mail in the development mailbox, with the secrets in it: for whoever may read it, and not for logs.
type Mail struct {
	ID       string
	To       string
	Template string
	Subject  string
	Text     string
	HTML     string
	Files    []File
	At       time.Time
}

// Letter is a mail that could not be delivered. What it says is not part of it.
type Letter struct {
	ID       string
	To       string
	Locale   string
	Template string
	Tries    int
	QueuedAt time.Time
	DeadAt   time.Time
	Error    string // what the mail server said last, without anything that looks like a link
}

// content is what a mail says: the plain form of what is sealed.
type content struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Files   []File `json:"files,omitempty"`
}

// withDefaults checks the configuration and fills it up. All problems are told at once.
func (c Config) withDefaults() (Config, *netmail.Address, error) {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf("mail: "+format, args...)) }
	if c.Product == "" {
		c.Product = "Backend Book"
	}
	if c.Keep <= 0 {
		c.Keep = 200
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil || public.Host == "" || (public.Scheme != "https" && public.Scheme != "http") || public.RawQuery != "" || public.Fragment != "" {
		wrong("the public URL must be http(s)://host, without query and fragment")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.Host == "" {
		return c, nil, errors.Join(problems...)
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		wrong("the sender (from) is no mail address")
	}
	ports := map[string]int{startTLS: 587, fullTLS: 465, plainTCP: 25}
	if c.TLS == "" {
		c.TLS = startTLS
	}
	if ports[c.TLS] == 0 {
		wrong("tls is %q; want starttls, tls or none", c.TLS)
	}
	if c.Port == 0 {
		c.Port = ports[c.TLS]
	}
	if c.Port < 0 || c.Port > 65535 {
		wrong("port %d is none", c.Port)
	}
	if c.TLS == plainTCP && c.User != "" && !isLoopback(c.Host) {
		wrong("a password would travel in the clear: use tls or starttls, or no user")
	}
	return c, from, errors.Join(problems...)
}

// isLoopback reports whether the host is this machine, by the names the SMTP library also trusts.
func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// checkTo accepts one bare address. The error does not quote it: addresses are not for logs.
func checkTo(to string) error {
	a, err := netmail.ParseAddress(to)
	if err != nil || a.Name != "" || a.Address != to || len(to) > 320 {
		return errors.New("mail: the recipient is not one bare address")
	}
	return nil
}
