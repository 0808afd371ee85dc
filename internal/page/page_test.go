package page

import (
	"errors"
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	n := func(i int) *int { return &i }
	s := func(v string) *string { return &v }
	good := Cursor{"k", "id"}.Encode()
	for _, tc := range []struct {
		name string
		in   Args
		want int
		err  error
	}{
		{"nothing asked", Args{}, DefaultSize, nil},
		{"first", Args{First: n(5), After: s(good)}, 5, nil},
		{"last", Args{Last: n(7), Before: s(good)}, 7, nil},
		{"zero", Args{First: n(0)}, 0, ErrSize},
		{"negative", Args{First: n(-1)}, 0, ErrSize},
		{"too many", Args{First: n(101)}, 0, ErrSize},
		{"both ways", Args{First: n(1), Last: n(1)}, 0, ErrSize},
		{"garbage cursor", Args{After: s("%%%")}, 0, ErrCursor},
		{"cursor of another list", Args{After: s(Cursor{"only"}.Encode())}, 0, ErrCursor},
		{"operator smuggled in a cursor", Args{After: s("W3siJG5lIjoxfSwiYSJd")}, 0, ErrCursor},
	} {
		w, err := tc.in.Check(2)
		if !errors.Is(err, tc.err) || (err == nil && w.Size != tc.want) {
			t.Errorf("%s: Check() = %+v, %v; want size %d, %v", tc.name, w, err, tc.want, tc.err)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	at := func(s string) Cursor { return Cursor{s} }
	pos := Cursor{"x"}
	for _, tc := range []struct {
		name       string
		w          Window
		read       []string
		want       []string
		next, prev bool
	}{
		{"all fit", Window{Size: 3}, []string{"a", "b"}, []string{"a", "b"}, false, false},
		{"one more", Window{Size: 2, After: pos}, []string{"a", "b", "c"}, []string{"a", "b"}, true, true},
		{"backward", Window{Size: 2, Backward: true, Before: pos}, []string{"c", "b", "a"}, []string{"b", "c"}, true, true},
		{"empty", Window{Size: 2}, nil, nil, false, false},
	} {
		p := Fold(tc.w, slices.Clone(tc.read), at)
		if !slices.Equal(p.Items, tc.want) || p.HasNext != tc.next || p.HasPrevious != tc.prev || len(p.Cursors) != len(p.Items) {
			t.Errorf("%s: Fold() = %+v", tc.name, p)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Cursor{"a", "b"}.Encode())
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Decode(s, 2)
		if err != nil {
			return
		}
		again, err := Decode(c.Encode(), 2)
		if err != nil || !slices.Equal(c, again) {
			t.Errorf("Decode(%q) = %v does not survive a round trip: %v, %v", s, c, again, err)
		}
	})
}
