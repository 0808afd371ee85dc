package store

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/backendbook/backendbook/internal/fault"
)

// Codes of the server this package decides on.
const (
	codeUnauthorized       = 13
	codeAuthFailed         = 18
	codeMaxTimeExpired     = 50
	codeWriteConflict      = 112
	codeHistoryLost        = 286
	codeInvalidResumeToken = 260
)

// Translate puts an error of the driver into our words and keeps it as the hidden cause, labels included. What a
// domain turns into its own error passes through: no document (mongo.ErrNoDocuments), a duplicate key ([IsDuplicate])
// and errors that already are faults. Translate(nil) is nil.
func Translate(err error) error {
	var f *fault.Error
	switch {
	case err == nil, errors.As(err, &f), errors.Is(err, mongo.ErrNoDocuments), mongo.IsDuplicateKeyError(err):
		return err
	case errors.Is(err, context.Canceled):
		return fault.ErrCanceled.Because(err)
	case mongo.IsTimeout(err), errors.Is(err, context.DeadlineExceeded), code(err) == codeMaxTimeExpired:
		return fault.ErrTimeout.Because(err)
	case mongo.IsNetworkError(err), isSelection(err), isPoolCleared(err), hasLabel(err, "RetryableWriteError"), isStateChange(err):
		return fault.ErrUnavailable.Because(err)
	default:
		return err
	}
}

// IsDuplicate reports whether a unique index refused the write.
func IsDuplicate(err error) bool { return mongo.IsDuplicateKeyError(err) }

// DuplicateOf reports whether the unique index of that name refused the write.
func DuplicateOf(err error, index string) bool {
	return mongo.IsDuplicateKeyError(err) && strings.Contains(err.Error(), "index: "+index+" ")
}

// IsHistoryLost reports whether a change stream cannot be resumed because the server has forgotten that far back.
func IsHistoryLost(err error) bool {
	c := code(err)
	return c == codeHistoryLost || c == codeInvalidResumeToken || hasLabel(err, "NonResumableChangeStreamError")
}

// code is the server's error code, or 0.
func code(err error) int {
	var se mongo.ServerError
	if errors.As(err, &se) {
		if codes := se.ErrorCodes(); len(codes) > 0 {
			return codes[0]
		}
	}
	return 0
}

func hasLabel(err error, label string) bool {
	var le mongo.LabeledError
	return errors.As(err, &le) && le.HasErrorLabel(label)
}

// isStateChange reports whether a node refused because it is no primary any more, recovers or goes down, or because the command was
// cut off by that.
func isStateChange(err error) bool { return slices.Contains(stateChanges, code(err)) }

// stateChanges are the codes of the Server Discovery And Monitoring specification for it: not primary, and node is recovering.
var stateChanges = []int{91, 189, 10058, 10107, 11600, 11602, 13435, 13436}

// isSelection, isPoolCleared and isAuth read the driver's text: it has no exported types for these.
func isPoolCleared(err error) bool { return strings.Contains(err.Error(), " was cleared because ") }

func isSelection(err error) bool { return strings.Contains(err.Error(), "server selection error") }

func isAuth(err error) bool {
	s := err.Error()
	return strings.Contains(s, "auth error") || strings.Contains(s, "Authentication failed")
}

var userinfo = regexp.MustCompile(`//[^/@\s]*@`)

// redactURI hides the user and password of a URI that an error may quote.
func redactURI(err error) error {
	if s := err.Error(); userinfo.MatchString(s) {
		return errors.New(userinfo.ReplaceAllString(s, "//***@"))
	}
	return err
}
