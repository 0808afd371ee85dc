package live

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// How much a source remembers of what it told, for those who come back: so many messages, and so long.
const (
	ringLength = 256
	ringAge    = time.Minute
)

// ring is the last messages of a source, without a gap up to the newest.
type ring struct {
	life   uint64 // of this source: another source of the same key, on this node or elsewhere, has another
	base   int64  // number of the message before the first
	frames []*Frame
}

// newRing makes one with a name that is no secret: who guesses it is told no more than they may see.
func newRing() ring { return ring{life: rand.Uint64()} }

// clear forgets all messages up to seq.
func (r *ring) clear(seq int64) { r.base, r.frames = seq, nil }

// add puts in the message after the last, and forgets those that are too old.
func (r *ring) add(f *Frame) {
	r.frames = append(r.frames, f)
	drop := max(0, len(r.frames)-ringLength)
	for drop < len(r.frames)-1 && f.At.Sub(r.frames[drop].At) > ringAge {
		drop++
	}
	if drop > 0 {
		r.base = r.frames[drop-1].Seq
		clear(r.frames[:drop])
		r.frames = r.frames[drop:]
	}
}

// since gives the messages after a number, and whether they are all known.
func (r *ring) since(seq int64) (missed []*Frame, known bool) {
	if seq < r.base || seq > r.base+int64(len(r.frames)) {
		return nil, false
	}
	return r.frames[seq-r.base:], true
}

// cursor names the place after a message, of a state that holds no change after high: the life of the source and high in
// eight bytes each, and the number.
func (r *ring) cursor(seq int64, high uint64) string {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.life), high)
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(b, uint64(seq))) //nolint:gosec // counts from 1
}

const cursorHead = 16

// parse takes a cursor of whatever source apart.
func parse(cursor string) (life, high uint64, seq int64, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) <= cursorHead {
		return 0, 0, 0, false
	}
	n, read := binary.Uvarint(b[cursorHead:])
	if read != len(b)-cursorHead || n == 0 || n > 1<<62 {
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), int64(n), true
}

// position finds the place that a cursor names, if what came after it is known.
func (r *ring) position(cursor string) (seq int64, ok bool) {
	life, _, seq, ok := parse(cursor)
	if !ok || life != r.life {
		return 0, false
	}
	_, ok = r.since(seq)
	return seq, ok
}

// seen is up to where somebody with the cursor of another source may have seen changes; zero for one of this source.
func (r *ring) seen(cursor string) uint64 {
	life, high, _, ok := parse(cursor)
	if !ok || life == r.life {
		return 0
	}
	return high
}
