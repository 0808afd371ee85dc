package factor

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

const (
	qrScale     = 6 // pixels of a module, in the picture
	qrQuiet     = 4 // modules left white around the code; the standard wants four
	qrQuietText = 2 // readers do with less, and a terminal has few lines
)

// modules is the field of a QR code. Outside of it all is white.
type modules [][]bool

func (m modules) dark(x, y int) bool { return y >= 0 && y < len(m) && x >= 0 && x < len(m) && m[y][x] }

// drawQR draws a text as a picture, and as half blocks for a terminal.
func drawQR(content string) (picture []byte, text string, err error) {
	m, err := encodeQR(content)
	if err != nil {
		return nil, "", err
	}
	picture, err = m.png()
	return picture, m.text(), err
}

func encodeQR(content string) (modules, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("encode QR: %w", err)
	}
	m := make(modules, code.Bounds().Dy())
	for y := range m {
		m[y] = make([]bool, code.Bounds().Dx())
		for x := range m[y] {
			m[y][x] = code.At(x, y) == color.Black
		}
	}
	return m, nil
}

// png is the code in two colours, about a kilobyte.
func (m modules) png() ([]byte, error) {
	side := (len(m) + 2*qrQuiet) * qrScale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if m.dark(x/qrScale-qrQuiet, y/qrScale-qrQuiet) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encode PNG: %w", err)
	}
	return b.Bytes(), nil
}

// text is the code with two rows in a line. What is white is drawn: the terminal's background is the dark.
func (m modules) text() string {
	var b strings.Builder
	for y := -qrQuietText; y < len(m)+qrQuietText; y += 2 {
		for x := -qrQuietText; x < len(m)+qrQuietText; x++ {
			switch upper, lower := m.dark(x, y), m.dark(x, y+1); {
			case !upper && !lower:
				b.WriteRune('█')
			case !upper:
				b.WriteRune('▀')
			case !lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
