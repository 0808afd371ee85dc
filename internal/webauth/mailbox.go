package webauth

import (
	"context"
	"time"

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
		out.Items = append(out.Items, Mail(m))
	}
	return out, err
}
