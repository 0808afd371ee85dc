package webauth

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/session"
)

// Outcome is what a step of signing in led to: [SignedIn], [FactorRequired] or [VerificationRequired].
type Outcome interface{ outcome() }

// SignedIn is the end of it. Printing it shows no secret.
type SignedIn struct {
	User            account.User
	Session         session.Session
	Restored        bool // signing in has brought a deactivated account back, or stopped its deletion
	session.Secrets      // with Bearer only, as is Device; kept nowhere else
	Device          string
}

// FactorRequired says that what was proved is right and not enough.
type FactorRequired struct {
	Flow      string // names the attempt
	Factors   []FactorKind
	ExpiresAt time.Time
}

// VerificationRequired says that a mail is on its way.
type VerificationRequired struct {
	Flow      string
	Email     string // as it was given
	ExpiresAt time.Time
}

func (SignedIn) outcome()             {}
func (FactorRequired) outcome()       {}
func (VerificationRequired) outcome() {}

// Format keeps every verb of fmt from the secrets.
func (s SignedIn) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "session ", s.Session.ID) }

// Format keeps every verb of fmt from the flow.
func (FactorRequired) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "factor required") }

// Format keeps every verb of fmt from flow and address.
func (VerificationRequired) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprint(f, "verification required")
}

// LogValue keeps the secrets out of logs.
func (s SignedIn) LogValue() slog.Value { return slog.StringValue(s.Session.ID) }

// LogValue keeps the flow out of logs.
func (FactorRequired) LogValue() slog.Value { return slog.StringValue("factor required") }

// LogValue keeps flow and address out of logs.
func (VerificationRequired) LogValue() slog.Value { return slog.StringValue("verification required") }

// FactorKind is a kind of proof.
type FactorKind string

// The kinds of proof.
const (
	Password  FactorKind = "PASSWORD"
	TOTP      FactorKind = "TOTP"
	Passkey   FactorKind = "PASSKEY"
	Recovery  FactorKind = "RECOVERY_CODE"
	EmailCode FactorKind = "EMAIL_CODE"
)

// The authentication methods a session remembers, by RFC 8176 where it has a word.
const (
	methodPassword = "pwd"
	methodTOTP     = "otp"
	methodPasskey  = "hwk"
	methodRecovery = "kba"
	methodMail     = "mail"
	methodProvider = "fed"
	methodGuest    = "guest"
)

// methods maps each kind of proof to what the session remembers of it.
var methods = map[FactorKind]string{
	Password: methodPassword, TOTP: methodTOTP, Passkey: methodPasskey, Recovery: methodRecovery, EmailCode: methodMail,
}

// Proof is one proof; exactly one member is set. It never prints.
type Proof struct {
	Password, TOTP, Recovery, EmailCode string
	Passkey                             []byte // JSON of the browser's PublicKeyCredential
}

// Format keeps every verb of fmt from the proof.
func (Proof) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "proof") }

// LogValue keeps the proof out of logs.
func (Proof) LogValue() slog.Value { return slog.StringValue("proof") }

// kind is which member is set; empty for none.
func (p Proof) kind() FactorKind {
	switch {
	case p.Passkey != nil:
		return Passkey
	case p.TOTP != "":
		return TOTP
	case p.Recovery != "":
		return Recovery
	case p.EmailCode != "":
		return EmailCode
	case p.Password != "":
		return Password
	default:
		return ""
	}
}
