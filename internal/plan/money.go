package plan

import (
	"math/bits"
	"strconv"
	"time"
)

// share is part/whole of an amount, rounded once, half away from zero (invariant P1 of the domain study: each line is rounded
// once, and no price of a day ever is). part is 0 to whole.
func share(amount int64, part, whole time.Duration) int64 {
	if part <= 0 || whole <= 0 {
		return 0
	}
	if part >= whole {
		return amount
	}
	return ratio(amount, uint64(part), uint64(whole))
}

// percent is so many hundredths of an amount, rounded once, half away from zero.
func percent(amount int64, hundredths int) int64 {
	return ratio(amount, uint64(max(hundredths, 0)), 100)
}

// ratio is amount*num/den for num <= den, rounded half away from zero. The product has 128 bits: it never overflows.
func ratio(amount int64, num, den uint64) int64 {
	size, sign := uint64(amount), int64(1) //nolint:gosec // made positive below
	if amount < 0 {
		size, sign = uint64(-amount), -1
	}
	hi, lo := bits.Mul64(size, num)
	lo, carry := bits.Add64(lo, den/2, 0)
	q, _ := bits.Div64(hi+carry, lo, den)
	return sign * int64(q) //nolint:gosec // at most size, as num <= den
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
