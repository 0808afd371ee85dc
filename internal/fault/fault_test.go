package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp: refused")
	for _, tc := range []struct {
		name string
		err  error
		code string
	}{
		{"nil", nil, ""},
		{"a fault", ErrForbidden, "FORBIDDEN"},
		{"a wrapped fault", fmt.Errorf("change plan: %w", ErrNotFound.On("input.plan")), "NOT_FOUND"},
		{"a deadline", fmt.Errorf("find: %w", context.DeadlineExceeded), "DEADLINE_EXCEEDED"},
		{"a cancelled request", context.Canceled, "CANCELED"},
		{"anything else is hidden", cause, "INTERNAL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := From(tc.err)
			if tc.code == "" {
				if got != nil {
					t.Fatalf("From(nil) = %v", got)
				}
				return
			}
			if got.Code != tc.code {
				t.Fatalf("From(%v).Code = %s, want %s", tc.err, got.Code, tc.code)
			}
		})
	}
	if e := From(cause); e.Msg == cause.Error() || !errors.Is(e, cause) {
		t.Errorf("an unclassified error must be the hidden cause, never the message: %+v", e)
	}
}

func TestCopiesKeepTheSentinel(t *testing.T) {
	t.Parallel()
	cause := errors.New("boom")
	e := ErrInput.Because(cause).On("input.email").With("limit", 3).Saying("too long by %d", 2)
	if !errors.Is(e, ErrInput) || !errors.Is(e, cause) || errors.Is(e, ErrForbidden) {
		t.Errorf("Is: %v", e)
	}
	if e.Field != "input.email" || e.Details["limit"] != 3 || e.Msg != "too long by 2" {
		t.Errorf("copy lost something: %+v", e)
	}
	if ErrInput.Err != nil || ErrInput.Field != "" || ErrInput.Details != nil {
		t.Errorf("the sentinel itself was changed: %+v", ErrInput)
	}
	a := ErrInput.With("a", 1)
	if b := a.With("b", 2); len(a.Details) != 1 || len(b.Details) != 2 {
		t.Errorf("With changed its receiver: %v", a.Details)
	}
}

func TestDefineRefuses(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "lower", "FORBIDDEN", "WITH SPACE"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Define(%q) did not panic", code)
				}
			}()
			_ = Define(Invalid, code, "x")
		}()
	}
}

func TestCatalogueIsSortedAndComplete(t *testing.T) {
	t.Parallel()
	all := Catalogue()
	if len(all) < 8 {
		t.Fatalf("only %d codes", len(all))
	}
	for i := 1; i < len(all); i++ {
		if all[i-1].Code >= all[i].Code {
			t.Errorf("%s before %s", all[i-1].Code, all[i].Code)
		}
	}
}
