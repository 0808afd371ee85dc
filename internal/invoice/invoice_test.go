package invoice

import (
	"bytes"
	"compress/zlib"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

var update = flag.Bool("update", false, "rewrite the golden invoice of testdata")

func sample(lines int) Invoice {
	from := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC) // the next day in the zone
	to := from.AddDate(0, 0, 28)
	i := Invoice{
		Number: "2026-0042", IssuedAt: from, Zone: time.FixedZone("CET", 3600), Currency: "EUR", Status: "Open",
		Seller: []string{"Backendbook GmbH", "Ringstraße 1", "1010 Wien"}, Buyer: []string{"Ada & Søn", "<b>Floor</b> 3"},
		PaidMinor: 500, Note: "Reverse charge.\nThank you.",
	}
	for n := range lines {
		l := Line{Text: fmt.Sprintf("Plan %d, a month", n+1), Quantity: int64(n + 1), AmountMinor: 1999}
		if n%4 < 2 {
			l.From = &from
		}
		if n%2 == 0 {
			l.To = &to
		}
		i.Lines = append(i.Lines, l)
		i.TotalMinor += l.AmountMinor
	}
	return i
}

func TestAmount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{1999, "EUR", "19.99 EUR"},
		{5, "EUR", "0.05 EUR"},
		{0, "EUR", "0.00 EUR"},
		{-123456, "EUR", "-1234.56 EUR"},
		{1999, "JPY", "1999 JPY"},
		{-1, "JPY", "-1 JPY"},
		{1999, "KWD", "1.999 KWD"},
		{-50, "KWD", "-0.050 KWD"},
		{1999, "IDR", "19.99 IDR"}, // golang.org/x/text says 1999
		{1999, "CLF", "0.1999 CLF"},
		{1999, "QQQ", "19.99 QQQ"},
		{math.MinInt64, "USD", "-92233720368547758.08 USD"},
	} {
		if got := Amount(c.minor, c.currency); got != c.want {
			t.Errorf("Amount(%d, %q) = %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

func output(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGolden shows the HTML, to be looked at in a browser. Run with -update after a change, and read the difference.
func TestGolden(t *testing.T) {
	t.Parallel()
	got, path := string(output(t, sample(4).HTML)), filepath.Join("testdata", "invoice.html")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what is printed; run with -update and read the difference. Printed:\n%s", path, got)
	}
}

func TestHTMLEscapes(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert("1")</script>`
	i := sample(1)
	i.Number, i.Buyer, i.Seller, i.Note, i.Status, i.Currency = evil, []string{evil}, []string{evil}, evil, evil, evil
	i.Lines[0].Text = evil
	got := string(output(t, i.HTML))
	if strings.Contains(got, "<script") {
		t.Errorf("markup of the invoice got through:\n%s", got)
	}
	if n := strings.Count(got, "&lt;script&gt;"); n < 7 {
		t.Errorf("%d of the texts are there, want all", n)
	}
}

func TestHTMLIsWhole(t *testing.T) {
	t.Parallel()
	i := sample(200)
	got := string(output(t, i.HTML))
	for _, l := range i.Lines {
		if !strings.Contains(got, `<td class="text">`+l.Text+"</td>") {
			t.Errorf("no line %q", l.Text)
		}
	}
	for _, want := range []string{">3998.00 EUR<", ">5.00 EUR<", ">3993.00 EUR<", "Issued: 1 February 2026", "<caption>", `scope="col"`, `lang="en"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(got, "http") || strings.Contains(got, "src=") {
		t.Error("refers to something outside")
	}
}

// written is what the pages of a PDF say, in UTF-16 as it is in their streams.
func written(t *testing.T, pdf []byte) string {
	t.Helper()
	var all strings.Builder
	for _, m := range regexp.MustCompile(`(?s)stream\n(x.*?)\nendstream`).FindAllSubmatch(pdf, -1) {
		if r, err := zlib.NewReader(bytes.NewReader(m[1])); err != nil {
			t.Error(err)
		} else if _, err := io.Copy(&all, r); err != nil {
			t.Error(err)
		}
	}
	return all.String()
}

func wide(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(string(b)) // a byte of Щ is a bracket
}

func TestPDFPages(t *testing.T) {
	t.Parallel()
	long := sample(3)
	long.Lines[1].Text = strings.Repeat("words that need to be wrapped ", 400)
	address := sample(3)
	address.Buyer = strings.Split(strings.Repeat("line ", 200), " ")
	for name, c := range map[string]struct {
		invoice      Invoice
		pages, heads int
	}{
		"three":                {sample(3), 1, 1},
		"two hundred":          {sample(200), 5, 5},
		"a line of many pages": {long, 6, 6},
		"an address of many":   {address, 5, 1},
		"empty":                {Invoice{}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := output(t, c.invoice.PDF)
			if n := bytes.Count(got, []byte("/Type /Page\n")); n != c.pages || !bytes.HasPrefix(got, []byte("%PDF-")) {
				t.Errorf("begins with %q and has %d pages, want %d", got[:8], n, c.pages)
			}
			text := written(t, got)
			if n := strings.Count(text, wide("Description")); n != c.heads {
				t.Errorf("%d heads of the table, want %d", n, c.heads)
			}
			if last := fmt.Sprintf("Page %d of %d", c.pages, c.pages); !strings.Contains(text, wide(last)) {
				t.Errorf("no %q", last)
			}
			for _, l := range c.invoice.Lines {
				if len(l.Text) < 40 && !strings.Contains(text, wide(l.Text)) {
					t.Errorf("no line %q", l.Text)
				}
			}
		})
	}
}

func TestPDFText(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"Γιώργος":            "Γιώργος",
		"Юрий Щедрин":        "Юрий Щедрин",
		"Zoe\u0301":          "Zoé",
		"Nguyễn":             "Nguyen",
		"Ada 👩\u200d💻 Ltd":   "Ada \ufffd\ufffd Ltd",
		"株式会社":               "\ufffd\ufffd\ufffd\ufffd",
		"{nb} of\t3\x00\r":   "{nb} of 3",
		"\xff\xfe broken":    "\ufffd\ufffd broken",
		"\u202eturned":       "turned",
		"\U0010ffff\uffff 9": "\ufffd\ufffd 9",
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			i := sample(1)
			i.Buyer, i.Number = []string{given}, given
			if text := written(t, output(t, i.PDF)); !strings.Contains(text, wide(want)) {
				t.Errorf("no %q", want)
			}
		})
	}
}

func TestPDFIsTheSame(t *testing.T) {
	t.Parallel()
	for _, i := range []Invoice{sample(60), {}} {
		i.Note += "space, no-break\u00a0space, hyphen-, soft\u00adhyphen, Δ∆ ΩΩ µμ" // characters that share glyphs
		want := output(t, i.PDF)
		for range 10 {
			if !bytes.Equal(output(t, i.PDF), want) {
				t.Fatal("equal invoices differ")
			}
		}
	}
}

func TestPDFMetadata(t *testing.T) {
	t.Parallel()
	got := output(t, sample(1).PDF)
	for _, want := range []string{"/CreationDate (D:20260131233000)", "/Title (\xfe\xff" + wide("Invoice 2026-0042") + ")", "/Lang (en)"} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("no %q", want)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestErrorsOfTheWriter(t *testing.T) {
	t.Parallel()
	for _, write := range []func(io.Writer) error{sample(1).HTML, sample(1).PDF} {
		if err := write(broken{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v, want that of the writer", err)
		}
	}
}
