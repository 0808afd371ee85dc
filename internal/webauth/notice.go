package webauth

import (
	"context"
	"maps"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/ticket"
)

// send queues a mail in the transaction of ctx.
func (s *Service) send(ctx context.Context, to, locale, template string, data map[string]any) error {
	if data == nil {
		data = map[string]any{}
	}
	return s.Mail.Queue(ctx, mail.Message{To: to, Locale: locale, Template: template, Data: data})
}

// secrets is the data of a mail that carries the secrets of a ticket.
func secrets(name string, t ticket.Issued, ttl time.Duration) map[string]any {
	return map[string]any{"Name": name, "Code": t.Code, "Link": t.Link, "Minutes": int(ttl / time.Minute)}
}

// notify tells a user by mail what was done to their account, and from where. It is part of the change: it commits with
// it. Users without an address, as guests and programs are, are told nothing.
func (s *Service) notify(ctx context.Context, u account.User, template string, data map[string]any) error {
	return s.notifyAt(ctx, u, u.Email(), template, data)
}

// notifyAt is notify for an address that is no longer the user's primary one.
func (s *Service) notifyAt(ctx context.Context, u account.User, to, template string, data map[string]any) error {
	if to == "" {
		return nil
	}
	r := actor.RequestFrom(ctx)
	all := map[string]any{"Name": u.Name, "At": s.now(), "IP": r.IP, "Device": r.UserAgent}
	maps.Copy(all, data)
	return s.send(ctx, to, u.Locale, template, all)
}
