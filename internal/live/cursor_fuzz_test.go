package live

import "testing"

// FuzzCursor: a cursor of anybody's making is a place that can be named again, or none.
func FuzzCursor(f *testing.F) {
	r := &ring{life: 7}
	f.Add(r.cursor(1, 2))
	f.Add(r.cursor(1<<40, 1<<63))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		life, high, seq, ok := parse(cursor)
		if !ok {
			return
		}
		if l, h, s, again := parse((&ring{life: life}).cursor(seq, high)); !again || seq < 1 || l != life || h != high || s != seq {
			t.Errorf("%q is %d, %d, %d, and then %d, %d, %d", cursor, life, high, seq, l, h, s)
		}
		if at, known := r.position(cursor); known && at != seq {
			t.Errorf("%q is at %d", cursor, at)
		}
	})
}
