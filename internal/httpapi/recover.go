package httpapi

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/backendbook/backendbook/internal/fault"
)

// recoverPanic answers INTERNAL to the request that panicked; the stack goes to the log. An answer that has begun is
// cut, so that nobody takes it for a whole one.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel, compared as net/http does
				panic(v)
			}
			err := fault.ErrInternal.Because(fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				noteError(r, err)
				panic(http.ErrAbortHandler)
			}
			clear(w.Header())
			w.Header().Set(headerRequestID, requestIDOf(r))
			s.setSecurityHeaders(w.Header())
			writeError(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}
