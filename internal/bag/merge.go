package bag

import (
	"cmp"
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"time"
)

// merge brings a visitor's bag into an account's. Where it would grow too large, what the visitor wrote least recently is
// left out, never anything of the account's.
func (b *box) merge(visitor box, at time.Time) {
	b.prune(at)
	visitor.prune(at)
	slices.SortStableFunc(visitor.Data, func(x, y datum) int { return y.WrittenAt.Compare(x.WrittenAt) }) // the newest first
	for _, theirs := range visitor.Data {
		before := slices.Clone(b.Data)
		i := b.find(theirs.Key)
		if i < 0 {
			theirs.Rev = b.next()
			b.Data = append(b.Data, theirs)
		} else if joined, ok := join(b.Data[i], theirs); ok {
			joined.Rev = b.next()
			b.Data[i] = joined
		}
		if !b.fits() {
			b.Data = before
		}
	}
}

// join is one value of two, by the account's rule; false when the account's stays as it is.
func join(ours, theirs datum) (datum, bool) {
	joined := ours
	joined.WrittenAt, joined.ExpiresAt = theirs.WrittenAt, later(ours.ExpiresAt, theirs.ExpiresAt)
	if ours.Rule == Replace {
		joined.Value = theirs.Value
		return joined, true
	}
	if ours.Rule == Keep {
		return ours, false
	}
	a, errA := object(ours.Value)
	b, errB := object(theirs.Value)
	if errA != nil || errB != nil {
		return ours, false
	}
	for member, theirs := range b {
		a[member] = fold(ours.Rule, a[member], theirs)
	}
	text, err := json.Marshal(a)
	if err != nil || len(text) > MaxValue {
		return ours, false
	}
	joined.Value = string(text)
	return joined, true
}

// fold is one member of two.
func fold(rule Rule, ours, theirs any) any {
	if rule == Sum {
		if x, ok := ours.(json.Number); ok {
			if y, ok := theirs.(json.Number); ok {
				return add(x, y)
			}
		}
		return theirs
	}
	x, isList := ours.([]any)
	y, bothLists := theirs.([]any)
	if !isList || !bothLists {
		return theirs
	}
	all := slices.Clone(x)
	for _, item := range y {
		if !slices.ContainsFunc(all, func(have any) bool { return reflect.DeepEqual(have, item) }) {
			all = append(all, item)
		}
	}
	return all
}

// maxDigits bounds numbers that are added exactly: the exponent of a JSON number may stand for more digits than memory.
const maxDigits = 40

// add adds two JSON numbers, exactly when both are whole.
func add(x, y json.Number) json.Number {
	if len(x) <= maxDigits && len(y) <= maxDigits {
		a, okA := new(big.Int).SetString(x.String(), 10)
		b, okB := new(big.Int).SetString(y.String(), 10)
		if okA && okB {
			return json.Number(a.Add(a, b).String())
		}
	}
	a, errA := x.Float64()
	b, errB := y.Float64()
	text, err := json.Marshal(a + b)
	if cmp.Or(errA, errB, err) != nil { // one of them, or the sum, is more than a number can be
		return y
	}
	return json.Number(text)
}

// later is the later of two ends; nil is never.
func later(a, b *time.Time) *time.Time {
	if a == nil || b == nil {
		return nil
	}
	if a.After(*b) {
		return a
	}
	return b
}
