package account

import (
	"log/slog"
	"strings"
)

// Pending is a checked registration that waits, in a ticket, for the proof that the address is the visitor's. It is
// stored as a document of its own (see store_pending.go), the password hash included, so the ticket must not leave the
// server; printing it, in whatever way, shows no hash.
type Pending struct {
	ID       string // the id the user will have, unless an anonymous user is upgraded
	Email    string // as written
	EmailKey string
	Name     string
	Username string
	Locale   string
	Terms    string
	hash     Hashed
}

// Hashed is the hash of the password the visitor chose, for [Service.VerifyHash]; zero when none was chosen.
func (p Pending) Hashed() Hashed { return p.hash }

// String tells nothing about the person.
func (p Pending) String() string { return "pending registration" }

// GoString tells nothing about the person.
func (p Pending) GoString() string { return p.String() }

// LogValue tells nothing about the person.
func (p Pending) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Pending is the draft in the form that can wait.
func (d Draft) Pending() Pending {
	p := Pending{
		ID: d.user.ID, Email: d.user.Email(), EmailKey: d.user.EmailKey(), Name: d.user.Name,
		Username: d.user.Username, Locale: d.user.Locale, hash: d.hash,
	}
	if d.user.Terms != nil {
		p.Terms = d.user.Terms.Version
	}
	return p
}

// FromPending makes a draft of what waited; the address counts as verified now. Everything is checked again, since the
// rules may have changed meanwhile, but for the password, which is known no more. No hash is made.
//
// Errors: EMAIL_INVALID, USERNAME_INVALID, BAD_USER_INPUT.
func (s *Service) FromPending(p Pending) (Draft, error) {
	u, err := s.draw(CreateCmd{
		Email: strings.TrimSpace(p.Email), Name: p.Name, Username: p.Username, Locale: p.Locale, Terms: p.Terms,
	})
	if err != nil {
		return Draft{}, err
	}
	if !p.hash.IsZero() {
		if _, err := parseHash(p.hash.reveal()); err != nil {
			return Draft{}, err
		}
		u.HasPassword = true
	}
	if p.ID != "" {
		u.ID = p.ID
	}
	return Draft{u, p.hash}, nil
}
