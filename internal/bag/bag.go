package bag

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// Errors of bags.
var (
	ErrStale    = fault.Define(fault.Conflict, "DATA_STALE", "the value has changed meanwhile: read it again")
	ErrTooLarge = fault.Define(fault.Exhausted, "DATA_TOO_LARGE", "a value has at most 8 KiB, all together at most 64 KiB and 100 keys")
)

// The bounds of a bag.
const (
	MaxValue    = 8 << 10  // bytes of one value as JSON
	MaxBag      = 64 << 10 // of all
	MaxKeys     = 100
	MaxKey      = 64 // bytes of a key
	MaxDepth    = 20 // levels of a value
	MaxMessages = 20 // that wait at once: the oldest goes
	DefaultTTL  = 30 * 24 * time.Hour
	MaxTTL      = 400 * 24 * time.Hour
)

// Rule is what becomes of a visitor's value at sign-in when the account has one under the same key. The rule is that of the
// account's value.
type Rule string

// The rules.
const (
	Keep    Rule = "KEEP"    // the account's stays
	Replace Rule = "REPLACE" // the visitor's replaces it
	Sum     Rule = "SUM"     // numbers of the same member are added, other members replaced
	Union   Rule = "UNION"   // members of both; arrays are joined without repeats, other members replaced
)

func (r Rule) valid() bool { return slices.Contains([]Rule{Keep, Replace, Sum, Union}, r) }

// Datum is one value.
type Datum struct {
	Key       string
	Value     map[string]any // numbers are json.Number
	Revision  int64          // grows with each change of the bag
	OnSignIn  Rule
	ExpiresAt *time.Time // nil for never
}

// Message is to be shown once.
type Message struct {
	Level string    `bson:"level"` // such as "success" or "warning"
	Code  string    `bson:"code"`  // names it, for clients with words of their own
	Text  string    `bson:"text"`  // in English
	At    time.Time `bson:"at"`    // when it was left; set by the service
}

// datum is a value as stored.
type datum struct {
	Key       string     `bson:"key"`
	Value     string     `bson:"value"` // JSON of an object
	Rev       int64      `bson:"rev"`
	Rule      Rule       `bson:"rule"`
	WrittenAt time.Time  `bson:"writtenAt"`
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"`
}

func (d datum) live(at time.Time) bool { return d.ExpiresAt == nil || at.Before(*d.ExpiresAt) }

func (d datum) size() int { return len(d.Key) + len(d.Value) }

// open is the datum for who asks.
func (d datum) open() (Datum, error) {
	v, err := object(d.Value)
	if err != nil {
		return Datum{}, fault.ErrInternal.Because(err)
	}
	return Datum{Key: d.Key, Value: v, Revision: d.Rev, OnSignIn: d.Rule, ExpiresAt: d.ExpiresAt}, nil
}

// object reads JSON of our own making.
func object(text string) (v map[string]any, err error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	return v, dec.Decode(&v)
}

// box is a bag as stored.
type box struct {
	ID        string     `bson:"_id"`
	Data      []datum    `bson:"data"`
	Messages  []Message  `bson:"messages,omitempty"`
	ExpiresAt *time.Time `bson:"expiresAt,omitempty"` // litter from then on; nil for a user's
}

// prune leaves out what has lapsed.
func (b *box) prune(at time.Time) {
	b.Data = slices.DeleteFunc(b.Data, func(d datum) bool { return !d.live(at) })
}

func (b *box) find(key string) int {
	return slices.IndexFunc(b.Data, func(d datum) bool { return d.Key == key })
}

// next is the revision of a change.
func (b *box) next() int64 {
	var last int64
	for _, d := range b.Data {
		last = max(last, d.Rev)
	}
	return last + 1
}

func (b *box) fits() bool {
	size := 0
	for _, d := range b.Data {
		size += d.size()
	}
	return size <= MaxBag && len(b.Data) <= MaxKeys
}

// put sets a value. based is the revision it must have: 0 for none, nil for any.
//
// Errors: DATA_STALE, DATA_TOO_LARGE.
func (b *box) put(d datum, based *int64) error {
	i := b.find(d.Key)
	var have int64
	if i >= 0 {
		have = b.Data[i].Rev
	}
	if based != nil && *based != have {
		return ErrStale.With("revision", have)
	}
	d.Rev = b.next()
	if i < 0 {
		if d.Rule == "" {
			d.Rule = Replace
		}
		b.Data = append(b.Data, d)
	} else {
		if d.Rule == "" {
			d.Rule = b.Data[i].Rule
		}
		b.Data[i] = d
	}
	if !b.fits() {
		return ErrTooLarge
	}
	return nil
}

// leave adds a message; when too many wait, the oldest goes.
func (b *box) leave(m Message) {
	b.Messages = append(b.Messages, m)
	b.Messages = b.Messages[max(len(b.Messages)-MaxMessages, 0):]
}

// litter is when the bag of a visitor or a session is of no use any more.
func (b *box) litter(at time.Time) {
	if strings.HasPrefix(b.ID, "user:") {
		return
	}
	last := at.Add(DefaultTTL)
	for _, d := range b.Data {
		if d.ExpiresAt == nil || d.ExpiresAt.After(last) {
			last = at.Add(MaxTTL)
		}
	}
	b.ExpiresAt = &last
}

// The names of bags.
func ofUser(id string) string    { return "user:" + id }
func ofVisitor(id string) string { return "visitor:" + id }
func ofSession(id string) string { return "session:" + id }

// holder names the bag of whoever asks; empty for who has none.
func holder(a actor.Actor) string {
	switch {
	case a.User != "":
		return ofUser(a.User)
	case a.Visitor != "":
		return ofVisitor(a.Visitor)
	default:
		return ""
	}
}

// place names where messages for whoever asks wait; empty for who has none.
func place(a actor.Actor) string {
	switch {
	case a.Session != "":
		return ofSession(a.Session)
	case a.User == "" && a.Visitor != "":
		return ofVisitor(a.Visitor)
	default:
		return ""
	}
}

// reserved begins the keys of services.
const reserved = "sys."

// isKey reports whether a client may use the key.
func isKey(key string) bool { return isName(key) && !strings.HasPrefix(key, reserved) }

func isName(key string) bool {
	for _, c := range key {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return key != "" && len(key) <= MaxKey
}

// depth is how many levels a value has.
func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, c := range v {
			deepest = max(deepest, depth(c))
		}
	case []any:
		for _, c := range v {
			deepest = max(deepest, depth(c))
		}
	default:
		return 0
	}
	return deepest + 1
}
