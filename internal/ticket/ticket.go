package ticket

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
)

// ErrInvalid is the answer to every proof that is not good, and to a ticket that is gone: they look the same.
var ErrInvalid = fault.Define(fault.Invalid, "TICKET_INVALID", "the link or code is wrong, was used already or has expired")

// Tries is how many wrong codes a ticket allows.
const Tries = 5

// Kind says what a ticket is for, such as "reset". A ticket of one kind is never taken for another.
type Kind string

// Ticket is a promise to somebody who has its secrets. It holds none of them. Printing it shows its id and kind alone:
// what a flow keeps in Data is often not for a log.
type Ticket struct {
	ID        string    `bson:"_id"`
	Kind      Kind      `bson:"kind"`
	Subject   string    `bson:"subject"` // whom it is about: the id of a user, a mail address, or empty
	Data      Raw       `bson:"data" json:"-"`
	CreatedAt time.Time `bson:"createdAt"`
	ExpiresAt time.Time `bson:"expiresAt"`

	rev int // what was read is still so while the stored one is the same
}

// Live reports whether the ticket counts at that time.
func (t Ticket) Live(at time.Time) bool { return at.Before(t.ExpiresAt) }

// String names the ticket.
func (t Ticket) String() string { return fmt.Sprintf("ticket %s (%s)", t.ID, string(t.Kind)) }

// Format keeps every verb of fmt to [Ticket.String].
func (t Ticket) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue keeps slog to id and kind.
func (t Ticket) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("kind", string(t.Kind)))
}

// Request is what a ticket is to be.
type Request struct {
	Kind    Kind          // required
	Subject string        // see [Ticket]
	Data    any           // what the flow must know when the proof comes: anything BSON can hold as a document, or nil
	TTL     time.Duration // how long it lives; at least a millisecond
	Mailed  bool          // whether a link and a code are made, for a mail
}

// check finds mistakes of the programmer.
func (r Request) check() error {
	if r.Kind == "" || r.TTL < time.Millisecond {
		return fmt.Errorf("ticket: a request needs a kind and a lifetime, not %q and %v", string(r.Kind), r.TTL)
	}
	return nil
}

// Issued is a new ticket with its secrets, which are kept nowhere else. It prints as the [Ticket] does, without them, and
// neither JSON nor BSON takes them along.
type Issued struct {
	Ticket `bson:",inline"`
	Flow   string `bson:"-" json:"-"` // "bbf_…", for the client that asked
	Link   string `bson:"-" json:"-"` // "bbl_…", for the mail; empty when there is none
	Code   string `bson:"-" json:"-"` // six digits, for the mail; empty when there is none
}

// Proof is what somebody shows of a ticket's secrets: the link alone, flow and code, flow and link, or, of a ticket that
// was not mailed, the flow alone. It never prints.
type Proof struct {
	Flow string `json:"-"`
	Code string `json:"-"` // blanks and dashes in it do not count
	Link string `json:"-"`
}

// Format keeps every verb of fmt from the secrets.
func (p Proof) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "ticket proof") }

// LogValue keeps slog from the secrets.
func (p Proof) LogValue() slog.Value { return slog.StringValue("ticket proof") }
