package invoice

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// Lengths are in millimetres, sizes of letters in points.
const (
	family  = "go"
	margin  = 20.0
	width   = 210 - 2*margin
	bottom  = 297 - margin
	gutter  = 4.0
	leading = 1.4 * 25.4 / 72 // from the size of letters to the height of a line
	plain   = 10.0
	small   = 9.0
)

// PDF writes the invoice as a PDF of as many pages as it needs. It takes some 15 ms and 10 MB, mostly for the
// fonts. The only errors are those of w.
func (i Invoice) PDF(w io.Writer) error {
	font, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return fmt.Errorf("invoice: read the font: %w", err)
	}
	s := &sheet{pdf: fpdf.New("P", "mm", "A4", ""), font: font}
	s.begin(i)
	p := i.printed()
	s.top(p)
	s.table(p.Lines)
	s.end(p)
	s.number()
	if err := s.pdf.Output(w); err != nil {
		return fmt.Errorf("invoice: write the PDF: %w", err)
	}
	return nil
}

// sheet is a PDF that is being written from top to bottom, in rows.
type sheet struct {
	pdf  *fpdf.Fpdf
	font *sfnt.Font
	buf  sfnt.Buffer
	head func() // what a page begins with, if anything
}

// cell is a column of a row with its text, which is wrapped.
type cell struct {
	width float64
	align string // L or R
	text  string
}

// begin sets what the document says of itself and opens its first page.
func (s *sheet) begin(i Invoice) {
	at := i.IssuedAt.UTC()
	if at.IsZero() {
		at = time.Unix(0, 0).UTC() // for a zero date fpdf takes the current one, and no two documents were equal
	}
	s.pdf.SetCreationDate(at)
	s.pdf.SetModificationDate(at)
	s.pdf.SetCatalogSort(true) // else the fonts come in the random order of a map
	s.pdf.SetTitle("Invoice "+s.printable(i.Number), true)
	s.pdf.SetLang("en")
	s.pdf.SetMargins(margin, margin, margin)
	s.pdf.SetCellMargin(0)
	s.pdf.SetAutoPageBreak(false, 0) // room breaks pages: fpdf would break within a row
	s.pdf.AddUTF8FontFromBytes(family, "", goregular.TTF)
	s.pdf.AddUTF8FontFromBytes(family, "B", gobold.TTF)
	s.pdf.AddPage()
}

// top writes what stands above the table.
func (s *sheet) top(p printed) {
	s.row("B", 18, cell{width, "L", "Invoice " + p.Number})
	s.row("", plain, cell{width, "L", "Issued: " + p.Issued})
	if p.Status != "" {
		s.row("", plain, cell{width, "L", "Status: " + p.Status})
	}
	s.pdf.Ln(8)
	s.row("B", plain, cell{width / 2, "L", "Seller"}, cell{width / 2, "L", "Buyer"})
	s.row("", plain, cell{width / 2, "L", strings.Join(p.Seller, "\n")}, cell{width / 2, "L", strings.Join(p.Buyer, "\n")})
	s.pdf.Ln(8)
}

// table writes the lines. Its head is repeated on every page it runs over to.
func (s *sheet) table(lines []printedLine) {
	row := func(style string, l printedLine) {
		s.row(style, small, cell{70, "L", l.Text}, cell{46, "L", l.Period}, cell{18, "R", l.Quantity}, cell{36, "R", l.Amount})
	}
	head := func() {
		row("B", printedLine{"Description", "Period", "Quantity", "Amount"})
		s.rule()
	}
	s.room(3 * small * leading) // the head is not left alone at the end of a page
	head()
	s.head = head
	for _, l := range lines {
		row("", l)
		s.pdf.Ln(1)
	}
	s.head = nil
	s.rule()
}

// end writes what stands below the table.
func (s *sheet) end(p printed) {
	s.room(float64(len(p.Totals)) * plain * leading) // the total is not torn from what is paid of it
	for _, t := range p.Totals {
		s.row("B", plain, cell{width - 36, "R", t.Name}, cell{36, "R", t.Amount})
	}
	s.pdf.Ln(8)
	s.row("", plain, cell{width, "L", p.Note})
}

// number writes the number of each page at its foot. It comes last, when it is known how many there are: the alias that
// fpdf has for that is replaced in all texts, also in the name of a buyer.
func (s *sheet) number() {
	pages := s.pdf.PageCount()
	for n := 1; n <= pages; n++ {
		s.pdf.SetPage(n)
		s.pdf.SetFont(family, "", small)
		s.pdf.SetXY(margin, bottom+margin/3)
		s.pdf.CellFormat(width, small*leading, fmt.Sprintf("Page %d of %d", n, pages), "", 0, "R", false, 0, "")
	}
}

// rule draws a line from margin to margin.
func (s *sheet) rule() {
	s.pdf.Ln(1)
	s.pdf.Line(margin, s.pdf.GetY(), margin+width, s.pdf.GetY())
	s.pdf.Ln(1)
}

// room begins a new page unless the height is left on this one, or no page has as much.
func (s *sheet) room(height float64) {
	if s.pdf.GetY()+height <= bottom || height > bottom-margin {
		return
	}
	s.pdf.AddPage()
	if s.head != nil {
		s.head()
	}
}

// row writes cells beside one another. They stay on one page if one can hold them; a row that is longer goes on overleaf.
func (s *sheet) row(style string, size float64, cells ...cell) {
	s.pdf.SetFont(family, style, size) // what SplitText measures with
	height, lines := size*leading, 0
	texts := make([][]string, len(cells))
	for n, c := range cells {
		texts[n] = s.pdf.SplitText(s.printable(c.text), c.width-gutter)
		lines = max(lines, len(texts[n]))
	}
	s.room(float64(lines) * height)
	for line := range lines {
		s.room(height)
		s.pdf.SetFont(family, style, size) // again: the head of a new page has its own
		x := margin
		for n, c := range cells {
			if line < len(texts[n]) {
				s.pdf.SetX(x)
				s.pdf.CellFormat(c.width, height, texts[n][line], "", 0, c.align, false, 0, "")
			}
			x += c.width
		}
		s.pdf.Ln(height)
	}
}

// printable is the text in characters of the font. Others must not reach fpdf, which panics at those beyond 16 bits.
func (s *sheet) printable(text string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(text) {
		switch {
		case r == '\n':
			b.WriteByte('\n')
		case unicode.IsControl(r):
			b.WriteByte(' ')
		case unicode.In(r, unicode.Cf, unicode.Mn): // joiners and direction marks; accents that found no letter
		case s.has(r):
			b.WriteRune(r)
		default:
			b.WriteString(s.simpler(r))
		}
	}
	return b.String()
}

// simpler is what stands for a character the font lacks: what it is made of, or the replacement character.
func (s *sheet) simpler(r rune) string {
	var b strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		switch {
		case unicode.Is(unicode.Mn, part):
		case s.has(part):
			b.WriteRune(part)
		default:
			return string(unicode.ReplacementChar)
		}
	}
	return b.String()
}

func (s *sheet) has(r rune) bool {
	glyph, err := s.font.GlyphIndex(&s.buf, r)
	return err == nil && glyph != 0
}
