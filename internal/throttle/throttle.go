package throttle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

// ErrLimited is the answer to an attempt too many. Its detail retryAfter tells how many whole seconds, at least 1, to
// wait before the next one.
var ErrLimited = fault.Define(fault.Exhausted, "RATE_LIMITED", "too many attempts; try again later")

const kindReached = "throttle.limit.reached"

// maxRefill is how long a bucket may take to be full again: beyond it a limit is a mistake, or a quota.
const maxRefill = 366 * 24 * time.Hour

// Limit is how often something may be tried: Burst times at once, then once more each Every.
type Limit struct {
	Name  string        // of what is tried, such as "sign_in_ip"; buckets of two limits never meet
	Burst int           // at least 1
	Every time.Duration // whole milliseconds, at least one; Burst times Every is at most a year
}

// check finds mistakes of the programmer.
func (l Limit) check() error {
	if l.Name == "" || l.Burst < 1 || l.Every < time.Millisecond || l.Every%time.Millisecond != 0 ||
		l.Every > maxRefill/time.Duration(l.Burst) {
		return fmt.Errorf("throttle: limit %q of %d each %v makes no sense", l.Name, l.Burst, l.Every)
	}
	return nil
}

// slack is how far ahead of now a bucket may be full again and still let one through.
func (l Limit) slack() time.Duration { return time.Duration(l.Burst-1) * l.Every }

// wait is how long an attempt at now is too early for a bucket that will be full at tat; 0 when it is not. The store says
// the same to the server.
func (l Limit) wait(tat, now time.Time) time.Duration { return max(tat.Sub(now.Add(l.slack())), 0) }

// Bucket is what a limit leaves to one key.
type Bucket struct {
	Limit Limit
	Key   string  // whom or what is counted; the empty key is unknown, and a bucket for it is passed over
	On    ref.Ref // whom the event of a refusal is about; the zero Ref stands for the system
}

// id names the bucket in the database.
func (b Bucket) id() string {
	sum := sha256.Sum256([]byte(b.Limit.Name + "\x00" + b.Key))
	return hex.EncodeToString(sum[:])
}

// subject is whom the event of a refusal is about.
func (b Bucket) subject() ref.Ref {
	if b.On.IsZero() {
		return ref.New(ref.System, ref.System)
	}
	return b.On
}

// known leaves out the buckets of unknown keys, so that those of whom nothing is known do not share one.
func known(buckets []Bucket) ([]Bucket, error) {
	var some []Bucket
	for _, b := range buckets {
		if err := b.Limit.check(); err != nil {
			return nil, err
		}
		if b.Key != "" {
			some = append(some, b)
		}
	}
	return some, nil
}

// limited is the refusal of an attempt that came too early by wait.
func limited(wait time.Duration) *fault.Error {
	seconds := int((wait + time.Second - 1) / time.Second)
	return ErrLimited.With("retryAfter", max(seconds, 1))
}

// Network is the key to count an address by: an IPv4 address as it is, in whatever form it came, and of an IPv6 address
// its /64, of which a single customer has all. It is empty when ip is no address, so that nothing is counted by it.
func Network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	if a = a.Unmap(); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
