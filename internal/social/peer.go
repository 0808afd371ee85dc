package social

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/fault"
)

// peer is a provider we know how to speak to.
type peer interface {
	config() *oauth2.Config
	client() *http.Client

	// checkIssuer checks who a callback says it comes from (RFC 9207). Errors: OAUTH_FAILED.
	checkIssuer(iss string) error

	// claims reads who signed in. Errors: OAUTH_FAILED, PROVIDER_UNAVAILABLE.
	claims(ctx context.Context, tokens *oauth2.Token, nonce string) (Claims, error)
}

const maxReason = 300 // bytes of a reason in the log: it may quote what a provider wrote

// refuse is OAUTH_FAILED with a reason for the log. The reason must quote no code and no token.
func refuse(format string, args ...any) *fault.Error {
	reason := fmt.Sprintf(format, args...)
	return ErrAnswer.Because(errors.New(reason[:min(len(reason), maxReason)]))
}

// unavailable is PROVIDER_UNAVAILABLE with a reason for the log; CANCELED when the caller left.
func unavailable(key string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fault.ErrCanceled.Because(err)
	}
	return ErrUnavailable.Because(fmt.Errorf("provider %s: %w", key, err))
}

// statusError is an answer without what was asked for.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("it answers with status %d", int(e)) }

var errNotJSON = errors.New("it answers with something else than the JSON expected")

// getJSON reads a document of a provider. Its errors hold nothing of the answer, which is not for a log.
func getJSON(ctx context.Context, client *http.Client, address, bearer string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "backendbook") // some refuse those without
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if json.Unmarshal(b, v) != nil {
		return errNotJSON
	}
	return nil
}

// errorCode is what the code of an error response may look like to be worth a log line.
var errorCode = regexp.MustCompile(`^[a-z_]{1,64}$`)

// exchange gives the tokens for a code. They are for reading the claims and must be kept nowhere.
//
// Errors: OAUTH_FAILED when the provider does not take the code, PROVIDER_UNAVAILABLE when it does not take us.
func exchange(ctx context.Context, key string, at peer, code, verifier string) (*oauth2.Token, error) {
	tokens, err := at.config().Exchange(oidc.ClientContext(ctx, at.client()), code, oauth2.VerifierOption(verifier))
	var answer *oauth2.RetrieveError
	switch {
	case err == nil:
		return tokens, nil
	case !errors.As(err, &answer):
		return nil, unavailable(key, err)
	}
	// The library's own text holds the whole answer.
	why := answer.ErrorCode
	if !errorCode.MatchString(why) {
		why = "no error code"
	}
	status := answer.Response.StatusCode
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
		return nil, unavailable(key, statusError(status))
	case why == "invalid_client", why == "unauthorized_client", why == "incorrect_client_credentials", why == "temporarily_unavailable":
		return nil, unavailable(key, fmt.Errorf("it does not know us: %s", why))
	default:
		return nil, refuse("the code was not taken: status %d, %s", status, why)
	}
}

// looseBool is true for true and "true", which some providers write, and false for all else.
type looseBool bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *looseBool) UnmarshalJSON(text []byte) error {
	*b = string(text) == "true" || string(text) == `"true"`
	return nil
}
