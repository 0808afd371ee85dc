package table

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// What a spreadsheet can hold.
const (
	MaxSheetRows = 1<<20 - 1 // besides the header
	maxSheetText = 1<<15 - 1 // of UTF-16, in one cell
)

var errSheetRows = ErrSheet.Saying("a spreadsheet has at most %d rows: export as CSV or NDJSON", MaxSheetRows)

// The parts of a workbook with one sheet (ECMA-376). Style 1 of the cells is a time.
const (
	xmlHead    = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	openxml    = "http://schemas.openxmlformats.org/"
	sheetsNS   = openxml + "spreadsheetml/2006/main"
	relsNS     = openxml + "package/2006/relationships"
	docRelsNS  = openxml + "officeDocument/2006/relationships"
	sheetsType = "application/vnd.openxmlformats-officedocument.spreadsheetml."

	sheetName  = "xl/worksheets/sheet1.xml"
	sheetBegin = xmlHead + `<worksheet xmlns="` + sheetsNS + `"><sheetViews><sheetView workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`
	sheetEnd = `</sheetData></worksheet>`
)

var workbook = [...]struct{ name, text string }{
	{"[Content_Types].xml", `<Types xmlns="` + openxml + `package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + sheetsType + `sheet.main+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="` + sheetsType + `styles+xml"/>` +
		`<Override PartName="/` + sheetName + `" ContentType="` + sheetsType + `worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="` + relsNS + `"><Relationship Id="rId1" Type="` + docRelsNS + `/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="` + sheetsNS + `" xmlns:r="` + docRelsNS + `"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + relsNS + `"><Relationship Id="rId1" Type="` + docRelsNS + `/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="` + docRelsNS + `/styles" Target="styles.xml"/></Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="` + sheetsNS + `"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd\ hh:mm:ss.000"/></numFmts>` +
		`<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
		`<cellXfs count="2"><xf xfId="0"/><xf numFmtId="164" xfId="0" applyNumberFormat="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`},
}

// SheetMark is how far the one large part of a workbook is.
type SheetMark struct {
	Packed int64  `json:"packed"` // bytes in the file
	Size   int64  `json:"size"`   // bytes before compression
	Sum    uint32 `json:"sum"`    // CRC-32 of those
}

// sheetWriter writes a workbook with one sheet, whose part is the last of the archive: what comes after it, the directory, is
// small and can be made when all is written.
type sheetWriter struct {
	columns []string
	mark    Mark
	out     *begun
	zip     *zip.Writer
	part    *zip.FileHeader
	packed  io.Writer     // the part in the archive
	deflate *flate.Writer // into packed
	text    *bufio.Writer // through the counters into deflate
}

// begun lets nothing through of what an earlier writer has written.
type begun struct {
	io.Writer
	on bool
}

// Write implements [io.Writer].
func (b *begun) Write(p []byte) (int, error) {
	if !b.on {
		return len(p), nil
	}
	return b.Writer.Write(p)
}

func newSheetWriter(w io.Writer, columns []string, from Mark) (*sheetWriter, error) {
	s := &sheetWriter{columns: columns, mark: from, out: &begun{w, !from.Begun}}
	s.zip = zip.NewWriter(s.out)
	for _, part := range workbook {
		f, err := s.zip.Create(part.name)
		if err == nil {
			_, err = io.WriteString(f, xmlHead+part.text)
		}
		if err != nil {
			return nil, err
		}
	}
	s.part = &zip.FileHeader{Name: sheetName, Method: zip.Deflate, Flags: 8} // sums and sizes come after the content
	var err error
	if s.packed, err = s.zip.CreateRaw(s.part); err != nil {
		return nil, err
	}
	if s.deflate, err = flate.NewWriter(counted{s.packed, &s.mark.Sheet.Packed}, flate.DefaultCompression); err != nil {
		return nil, err
	}
	s.text = bufio.NewWriterSize(summed{s}, bufferSize)
	if from.Begun {
		return s, s.skip(from.Sheet.Packed)
	}
	s.mark.Begun = true
	return s, s.begin()
}

// skip has the archive count n bytes of the part that are there already: whatever is written until now goes nowhere.
func (s *sheetWriter) skip(n int64) error {
	if _, err := io.CopyN(s.packed, zeros{}, n); err != nil {
		return err
	}
	if err := s.zip.Flush(); err != nil {
		return err
	}
	s.out.on = true
	return nil
}

// zeros are as many zero bytes as one likes.
type zeros struct{}

// Read implements [io.Reader].
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type counted struct {
	io.Writer
	n *int64
}

// Write implements [io.Writer].
func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	*c.n += int64(n)
	return n, err
}

type summed struct{ *sheetWriter }

// Write implements [io.Writer].
func (s summed) Write(p []byte) (int, error) {
	n, err := s.deflate.Write(p)
	s.mark.Sheet.Size += int64(n)
	s.mark.Sheet.Sum = crc32.Update(s.mark.Sheet.Sum, crc32.IEEETable, p[:n])
	return n, err
}

func (s *sheetWriter) begin() error {
	_, _ = s.text.WriteString(sheetBegin) // an error of it comes again
	names := make([]any, len(s.columns))
	for i, name := range s.columns {
		names[i] = name
	}
	return s.row(names)
}

// Write implements [Writer].
func (s *sheetWriter) Write(row map[string]any) error {
	if s.mark.Rows == MaxSheetRows {
		return errSheetRows
	}
	s.mark.Rows++
	cells := make([]any, len(s.columns))
	for i, name := range s.columns {
		cells[i] = row[name]
	}
	return s.row(cells)
}

// row writes cells without their addresses: they are where the one before ends.
func (s *sheetWriter) row(cells []any) error {
	_, _ = s.text.WriteString("<row>")
	for i, v := range cells {
		text, err := sheetCell(v)
		if err != nil {
			return fmt.Errorf("column %s: %w", s.columns[i], err)
		}
		_, _ = s.text.WriteString(text)
	}
	_, err := s.text.WriteString("</row>")
	return err
}

// sheetCell is a value as a cell. What begins like a formula is a text: only the element f is one.
func sheetCell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "<c/>", nil
	case bool:
		return `<c t="b"><v>` + strconv.Itoa(map[bool]int{true: 1}[v]) + "</v></c>", nil
	case string:
		return sheetText(v)
	case time.Time:
		return sheetTime(v)
	case json.Number:
		if n, err := v.Float64(); err == nil && (math.Abs(n) < 1<<53 || strings.ContainsAny(v.String(), ".eE")) {
			return sheetNumber(n)
		}
		return sheetText(v.String())
	case int64:
		if -1<<53 <= v && v <= 1<<53 {
			return sheetNumber(float64(v))
		}
	case float64:
		return sheetNumber(v)
	case []any:
		text, err := list(v)
		if err != nil {
			return "", err
		}
		return sheetText(text)
	}
	text, err := cell(v)
	if err != nil {
		return "", err
	}
	return sheetText(text)
}

func sheetNumber(n float64) (string, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return sheetText(strconv.FormatFloat(n, 'g', -1, 64))
	}
	return "<c><v>" + strconv.FormatFloat(n, 'g', -1, 64) + "</v></c>", nil
}

// firstDay is the first one after that which spreadsheets have and the calendar has not, 1900-02-29: see sheetTime.
var firstDay = time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)

// sheetTime is a time of UTC: spreadsheets know no zones. They count days, with 61 for 1900-03-01.
func sheetTime(t time.Time) (string, error) {
	if t.Before(firstDay) {
		return sheetText(t.UTC().Format(time.RFC3339Nano))
	}
	const day = float64(24 * time.Hour / time.Millisecond)
	days := float64(t.UnixMilli()-firstDay.UnixMilli())/day + 61
	return `<c s="1"><v>` + strconv.FormatFloat(days, 'f', -1, 64) + "</v></c>", nil
}

// escaped is how the format writes characters that XML has not; a text that looks like that is escaped too.
var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_|[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]`)

func sheetText(s string) (string, error) {
	if len(s) > maxSheetText && len(utf16.Encode([]rune(s))) > maxSheetText {
		return "", ErrSheet.Saying("a cell of a spreadsheet has at most %d characters: export as CSV or NDJSON", maxSheetText)
	}
	s = escaped.ReplaceAllStringFunc(s, func(part string) string {
		if len(part) == len("_x0000_") {
			return "_x005F" + part
		}
		r, _ := utf8.DecodeRuneInString(part)
		return fmt.Sprintf("_x%04X_", r)
	})
	var b strings.Builder
	b.WriteString(`<c t="inlineStr"><is><t xml:space="preserve">`)
	_ = xml.EscapeText(&b, []byte(s)) // a builder takes everything
	b.WriteString("</t></is></c>")
	return b.String(), nil
}

// Flush implements [Writer].
func (s *sheetWriter) Flush() (Mark, error) {
	if err := s.text.Flush(); err != nil {
		return Mark{}, err
	}
	if err := s.deflate.Flush(); err != nil {
		return Mark{}, err
	}
	return s.mark, s.zip.Flush()
}

// Close implements [Writer].
func (s *sheetWriter) Close() error {
	_, _ = s.text.WriteString(sheetEnd)
	if err := s.text.Flush(); err != nil {
		return err
	}
	if err := s.deflate.Close(); err != nil {
		return err
	}
	m := s.mark.Sheet
	s.part.CRC32, s.part.CompressedSize64, s.part.UncompressedSize64 = m.Sum, uint64(m.Packed), uint64(m.Size) //nolint:gosec // they count up from 0
	s.part.CompressedSize, s.part.UncompressedSize = short(m.Packed), short(m.Size)                            //nolint:staticcheck // what is written when the sizes are known late
	return s.zip.Close()
}

// short is a size of an archive that may say that it is elsewhere, as it does not fit.
func short(n int64) uint32 { return uint32(min(n, math.MaxUint32)) } //nolint:gosec // it fits
