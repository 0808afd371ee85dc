package factor

import (
	"bytes"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

func TestDrawQR(t *testing.T) {
	t.Parallel()
	const uri = "otpauth://totp/Book:ada@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Book&period=30&algorithm=SHA1&digits=6"
	m, err := encodeQR(uri)
	if err != nil {
		t.Fatal(err)
	}
	picture, text, err := drawQR(uri)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	side := (len(m) + 2*qrQuiet) * qrScale
	if b := img.Bounds(); b.Dx() != side || b.Dy() != side || len(picture) > 4<<10 {
		t.Fatalf("%v pixels, %d bytes; want a side of %d", b, len(picture), side)
	}
	for y := range side {
		for x := range side {
			dark := m.dark(x/qrScale-qrQuiet, y/qrScale-qrQuiet)
			if got := color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y == 0; got != dark {
				t.Fatalf("pixel %d,%d is dark: %v, want %v", x, y, got, dark)
			}
		}
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if want := (len(m) + 2*qrQuietText + 1) / 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		runes := []rune(line)
		if len(runes) != len(m)+2*qrQuietText {
			t.Fatalf("line %d has %d characters", i, len(runes))
		}
		for j, c := range runes {
			x, y := j-qrQuietText, 2*i-qrQuietText
			if (c == '█' || c == '▀') == m.dark(x, y) || (c == '█' || c == '▄') == m.dark(x, y+1) {
				t.Fatalf("line %d, character %d is %q", i, j, c)
			}
		}
	}
}

// The three finder patterns are where a reader looks for them, and the code is not its own mirror image.
func TestEncodeQRIsUpright(t *testing.T) {
	t.Parallel()
	m, err := encodeQR("otpauth://totp/x")
	if err != nil {
		t.Fatal(err)
	}
	n := len(m)
	finder := func(x0, y0 int) bool {
		for y := range 7 {
			for x := range 7 {
				ring := max(max(x-3, 3-x), max(y-3, 3-y))
				if m.dark(x0+x, y0+y) != (ring != 2) {
					return false
				}
			}
		}
		return true
	}
	if !finder(0, 0) || !finder(n-7, 0) || !finder(0, n-7) || finder(n-7, n-7) {
		t.Error("the finder patterns are elsewhere")
	}
	if !m.dark(8, n-8) { // the one module that is always dark: column 8, eight from the bottom
		t.Error("the dark module is not there")
	}
}

func TestDrawQRTooLong(t *testing.T) {
	t.Parallel()
	if _, _, err := drawQR(strings.Repeat("x", 3000)); err == nil {
		t.Error("no error")
	}
}
