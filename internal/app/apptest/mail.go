package apptest

import (
	"net/url"
	"regexp"
	"strings"
)

// Mail is a mail in the development mailbox, read as its receiver does.
type Mail struct {
	To, Template, Subject, Text, HTML string

	Code   string // of six digits; empty without one
	Link   string // the first one; empty without one
	Secret string // of the link, from its fragment
}

var (
	codeForm = regexp.MustCompile(`(?m)^ +(\d{6})$`)
	linkForm = regexp.MustCompile(`https?://\S+`)
)

// Mails are the newest mails in the mailbox, the newest first.
func (s *Server) Mails() []Mail {
	s.t.Helper()
	var got struct{ Mailbox struct{ Nodes []Mail } }
	s.Browser().Read(&got, `{ mailbox(first: 100) { nodes { to template subject text html } } }`, nil)
	for i := range got.Mailbox.Nodes {
		m := &got.Mailbox.Nodes[i]
		if found := codeForm.FindStringSubmatch(m.Text); found != nil {
			m.Code = found[1]
		}
		m.Link = linkForm.FindString(m.Text)
		if u, err := url.Parse(m.Link); err == nil {
			_, secret, _ := strings.Cut(u.Fragment, "=")
			m.Secret = secret
		}
	}
	return got.Mailbox.Nodes
}

// Mail is the newest mail of a template to an address; the test fails without one.
func (s *Server) Mail(to, template string) Mail {
	s.t.Helper()
	for _, m := range s.Mails() {
		if strings.EqualFold(m.To, to) && m.Template == template {
			return m
		}
	}
	s.t.Fatalf("no mail %s to %s", template, to)
	return Mail{}
}
