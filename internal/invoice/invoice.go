package invoice

import (
	"strconv"
	"strings"
	"time"
)

// Invoice is what is printed. Amounts are in the smallest unit of Currency (ISO 4217). What is empty is printed as nothing.
type Invoice struct {
	Number     string
	IssuedAt   time.Time
	Zone       *time.Location // dates are printed in it; nil is UTC
	Seller     []string       // lines of the address, the first is the name
	Buyer      []string       // likewise
	Currency   string         // code of ISO 4217, in capitals
	Lines      []Line
	TotalMinor int64
	PaidMinor  int64  // of the total
	Status     string // "Paid", "Open", "Refunded"; an open invoice also says what is due
	Note       string // may have several lines
}

// Line is one position of an invoice.
type Line struct {
	Text        string
	From, To    *time.Time // the period that is charged; both are printed as they are, neither is taken for exclusive
	Quantity    int64
	AmountMinor int64 // of the whole line; below 0 for what is taken off
}

// statusOpen is the status of an invoice that is still to be paid.
const statusOpen = "Open"

// Amount is a number of smallest units as people read it, with the code of the currency and no separators of thousands:
// "19.99 EUR", "1999 JPY", "-0.050 KWD". A currency that is unknown has two decimals.
func Amount(minor int64, currency string) string {
	digits, negative := strings.CutPrefix(strconv.FormatInt(minor, 10), "-")
	if n := decimals(currency); n > 0 {
		digits = strings.Repeat("0", max(0, n+1-len(digits))) + digits
		digits = digits[:len(digits)-n] + "." + digits[len(digits)-n:]
	}
	if negative {
		digits = "-" + digits
	}
	return digits + " " + currency
}

// decimals is the exponent of ISO 4217. It is not asked of golang.org/x/text/currency, which has the decimals that CLDR
// found customary in 2017: none for IDR, COP, PKR, RSD and some thirty more that have two, which would print a hundred
// times the price.
func decimals(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// printed is an invoice as text, the same in HTML and in PDF.
type printed struct {
	Number, Issued, Status, Note string
	Seller, Buyer                []string
	Lines                        []printedLine
	Totals                       []printedTotal
}

type printedLine struct{ Text, Period, Quantity, Amount string }

type printedTotal struct{ Name, Amount string }

func (i Invoice) printed() printed {
	p := printed{
		Number: i.Number, Issued: i.date(i.IssuedAt, "2 January 2006"), Status: i.Status, Note: i.Note,
		Seller: i.Seller, Buyer: i.Buyer,
		Totals: []printedTotal{{"Total", Amount(i.TotalMinor, i.Currency)}, {"Paid", Amount(i.PaidMinor, i.Currency)}},
	}
	if i.Status == statusOpen {
		p.Totals = append(p.Totals, printedTotal{"Due", Amount(i.TotalMinor-i.PaidMinor, i.Currency)})
	}
	for _, l := range i.Lines {
		p.Lines = append(p.Lines, printedLine{
			Text: l.Text, Period: i.period(l), Quantity: strconv.FormatInt(l.Quantity, 10), Amount: Amount(l.AmountMinor, i.Currency),
		})
	}
	return p
}

func (i Invoice) period(l Line) string {
	const layout = "2 Jan 2006"
	switch {
	case l.From != nil && l.To != nil:
		return i.date(*l.From, layout) + " – " + i.date(*l.To, layout)
	case l.From != nil:
		return "from " + i.date(*l.From, layout)
	case l.To != nil:
		return "until " + i.date(*l.To, layout)
	}
	return ""
}

func (i Invoice) date(at time.Time, layout string) string {
	if i.Zone == nil {
		return at.UTC().Format(layout)
	}
	return at.In(i.Zone).Format(layout)
}
