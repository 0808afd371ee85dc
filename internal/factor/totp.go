package factor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// The parameters every authenticator app knows (RFC 6238): SHA-1, six digits, 30 seconds. Apps ignore others, silently.
const (
	totpPeriod = 30 // seconds
	totpDigits = 6
	totpSkew   = 1  // steps a phone's clock may be off, either way
	seedBytes  = 20 // the size of a SHA-1, as RFC 4226 recommends
)

// Enrollment is an authenticator app that is not confirmed yet. It holds the seed, which is shown this once: printing an
// Enrollment shows nothing of it.
type Enrollment struct {
	Factor    string    // the id to confirm
	Secret    string    // the seed in base32, for typing
	URI       string    // otpauth://…, what the QR codes say
	QR        []byte    // PNG, black on white
	QRText    string    // for a terminal, drawn for a dark background
	ExpiresAt time.Time // it must be confirmed before
}

// String hides the seed.
func (e Enrollment) String() string { return "enrollment " + e.Factor }

// GoString hides the seed.
func (e Enrollment) GoString() string { return e.String() }

// LogValue hides the seed.
func (e Enrollment) LogValue() slog.Value { return slog.StringValue(e.String()) }

// BeginTOTP starts to add an authenticator app; label is what the app shows besides the product, such as the user's
// address. It takes the place of one begun before and not confirmed. It joins the transaction of ctx. Cost: 1 read,
// 2 writes.
//
// Errors: FACTOR_LIMIT.
func (s *Service) BeginTOTP(ctx context.Context, user, account string) (Enrollment, error) {
	seed := make([]byte, seedBytes)
	_, _ = rand.Read(seed) // never fails, says its documentation
	id, now := ref.NewID(), s.now()
	e, err := newEnrollment(s.product, account, seed)
	if err != nil {
		return Enrollment{}, err
	}
	e.Factor, e.ExpiresAt = id, now.Add(enrolmentLife)
	r := record{
		Factor:       Factor{ID: id, User: user, Kind: TOTP, Name: defaultAppName, CreatedAt: now},
		PendingUntil: &e.ExpiresAt,
		TOTP:         &totpSecret{Seed: s.ring.Seal(seed, seedPlace(id))},
	}
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.checkLimit(ctx, user, TOTP, maxApps); err != nil {
			return err
		}
		return s.store.replacePending(ctx, r)
	})
	if err != nil {
		return Enrollment{}, err
	}
	return e, nil
}

// newEnrollment is how a seed is shown.
func newEnrollment(product, account string, seed []byte) (Enrollment, error) {
	// A colon parts the two in the URI; apps differ in whether they understand an escaped one.
	plain := func(s string) string { return strings.ReplaceAll(display(s), ":", " ") }
	if account = plain(account); account == "" {
		account = product
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: plain(product), AccountName: account, Secret: seed})
	if err != nil {
		return Enrollment{}, fmt.Errorf("describe seed: %w", err)
	}
	e := Enrollment{Secret: key.Secret(), URI: key.URL()}
	e.QR, e.QRText, err = drawQR(e.URI)
	return e, err
}

// ConfirmTOTP makes an app that was begun a factor by its first code, which is used up by that. An empty name becomes
// "Authenticator app". The event factor.factor.added commits with it. It joins the transaction of ctx. Cost: 1 read,
// 2 writes.
//
// Errors: NOT_FOUND for an id that is unknown, another's, confirmed or expired; FACTOR_CODE_INVALID; BAD_USER_INPUT (the
// name).
func (s *Service) ConfirmTOTP(ctx context.Context, user, factor, code, name string) (Factor, error) {
	name, err := checkName(name, defaultAppName)
	if err != nil {
		return Factor{}, err
	}
	now := s.now()
	r, found, err := s.store.pending(ctx, user, factor, now)
	if err != nil {
		return Factor{}, err
	}
	if !found {
		return Factor{}, fault.ErrNotFound
	}
	step, ok, err := s.matchTOTP(r, code, now)
	if err != nil {
		return Factor{}, err
	}
	if !ok {
		return Factor{}, ErrCode
	}
	var confirmed Factor
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		if confirmed, found, err = s.store.confirm(ctx, r.ID, name, step, now); err != nil {
			return err
		}
		if !found { // another one was begun or confirmed meanwhile
			return fault.ErrNotFound
		}
		return s.events.Append(ctx, kindAdded, confirmed.Ref(), aboutOf(confirmed))
	})
	if err != nil {
		return Factor{}, err
	}
	return confirmed, nil
}

// CheckTOTP finds the app of the user that shows this code now, give or take one step of 30 s by the server's clock. A
// code counts once ever, and one older than the last that counted never does, also after the clock was set back. It joins
// the transaction of ctx. Cost: 1 read, 1 write for a good code.
//
// Errors: FACTOR_CODE_INVALID.
func (s *Service) CheckTOTP(ctx context.Context, user, code string) (Factor, error) {
	apps, err := s.store.of(ctx, user, TOTP)
	if err != nil {
		return Factor{}, err
	}
	now := s.now()
	for _, app := range apps {
		step, ok, err := s.matchTOTP(app, code, now)
		if err != nil {
			return Factor{}, err
		}
		if !ok {
			continue
		}
		if used, won, err := s.store.useStep(ctx, app.ID, step, now); err != nil || won {
			return used, err
		}
	}
	return Factor{}, ErrCode
}

// matchTOTP looks for the step at which the app shows the code, among those that are near and later than the last used.
func (s *Service) matchTOTP(app record, code string, at time.Time) (step int64, ok bool, err error) {
	code, ok = sixDigits(code)
	if !ok {
		return 0, false, nil
	}
	seed, err := s.ring.Open(app.TOTP.Seed, seedPlace(app.ID))
	if err != nil {
		return 0, false, fmt.Errorf("open seed of factor %s: %w", app.ID, err)
	}
	step, ok, err = matchStep(seed, code, at, app.TOTP.Step)
	return step, ok, err
}

// matchStep compares all steps whichever is right, so that the time it takes tells nothing.
func matchStep(seed []byte, code string, at time.Time, after int64) (step int64, ok bool, err error) {
	secret := base32.StdEncoding.EncodeToString(seed)
	now := at.Unix() / totpPeriod
	for near := max(now-totpSkew, 0); near <= now+totpSkew; near++ {
		want, err := hotp.GenerateCode(secret, uint64(near))
		if err != nil {
			return 0, false, fmt.Errorf("make code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && near > after {
			step, ok = near, true
		}
	}
	return step, ok, nil
}

// sixDigits is a code as typed, without the spaces people put into it; false if it can be none.
func sixDigits(code string) (string, bool) {
	if len(code) > 4*totpDigits {
		return "", false
	}
	code = strings.ReplaceAll(code, " ", "")
	if len(code) != totpDigits {
		return "", false
	}
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return code, true
}

func seedPlace(id string) string { return "factors/" + id + "/seed" }
