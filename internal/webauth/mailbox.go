package webauth

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/page"
)

// Mail is a mail in the development mailbox.
type Mail struct {
	ID, To, Template, Subject, Text, HTML string
	At                                    time.Time
}

// Mailbox lists the mails of the development mailbox, newest first. Anybody may read it: it exists only where no mail is
// sent, and production does not start like that. Cost: 1 read.
//
// Errors: NO_MAILBOX where mails are sent; PAGE_SIZE, BAD_CURSOR.
func (s *Service) Mailbox(ctx context.Context, args page.Args) (page.Page[Mail], error) {
	all, err := s.Mail.Mailbox(ctx, args)
	out := page.Page[Mail]{Cursors: all.Cursors, HasNext: all.HasNext, HasPrevious: all.HasPrevious}
	for _, m := range all.Items {
		out.Items = append(out.Items, Mail{m.ID, m.To, m.Template, m.Subject, m.Text, withPictures(m), m.At})
	}
	return out, err
}

// withPictures is the HTML of a mail with the pictures that came along in it, as browsers want them.
func withPictures(m mail.Mail) string {
	html := m.HTML
	for _, f := range m.Files {
		if f.ID != "" {
			html = strings.ReplaceAll(html, `"cid:`+f.ID+`"`, `"data:`+f.ContentType+";base64,"+base64.StdEncoding.EncodeToString(f.Data)+`"`)
		}
	}
	return html
}

// DeadMail is a mail that could not be delivered. What it says is not part of it.
type DeadMail struct {
	ID, To, Locale, Template string
	Tries                    int
	QueuedAt, DeadAt         time.Time
	Error                    string
}

// DeadMails lists the mails that were given up, newest first. For an operator at the command line only. Cost: 1 read.
//
// Errors: FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) DeadMails(ctx context.Context, args page.Args) (page.Page[DeadMail], error) {
	if !actor.From(ctx).System {
		return page.Page[DeadMail]{}, fault.ErrForbidden
	}
	all, err := s.Mail.Dead(ctx, args)
	out := page.Page[DeadMail]{Cursors: all.Cursors, HasNext: all.HasNext, HasPrevious: all.HasPrevious}
	for _, l := range all.Items {
		out.Items = append(out.Items, DeadMail(l))
	}
	return out, err
}

// RetryMail puts a mail that was given up back into the outbox. For an operator at the command line only.
//
// Errors: FORBIDDEN, NOT_FOUND.
func (s *Service) RetryMail(ctx context.Context, id string) error {
	if !actor.From(ctx).System {
		return fault.ErrForbidden
	}
	return s.Mail.Retry(ctx, id)
}
