package attachment

import (
	"bytes"
	"encoding/binary"
	"image"
)

// exifBytes is how far into a file the EXIF data are looked for: they are in the first segments of a JPEG, each of 64 KiB at most.
const exifBytes = 256 << 10

const (
	markerEXIF     = 0xe1 // APP1
	markerScan     = 0xda // the picture itself begins
	tagOrientation = 0x0112
	typeShort      = 3
)

// orientation reads how a JPEG is to be turned so that it stands upright, as cameras write it: 1 to 8 (Exif 2.32, tag 0x0112). It
// is 1, which is not at all, for what says nothing of it or is no JPEG.
func orientation(begin []byte) int {
	b, isJPEG := bytes.CutPrefix(begin, []byte{0xff, 0xd8})
	for isJPEG && len(b) >= 4 && b[0] == 0xff && b[1] != markerScan {
		end := 2 + int(binary.BigEndian.Uint16(b[2:])) // the length counts itself
		if end < 4 || end > len(b) {
			break
		}
		if tiff, found := bytes.CutPrefix(b[4:end], []byte("Exif\x00\x00")); found && b[1] == markerEXIF {
			return turnOf(tiff)
		}
		b = b[end:]
	}
	return 1
}

// turnOf reads the tag in the first directory of a TIFF.
func turnOf(tiff []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	const head, entry = 8, 12
	if len(tiff) < head || order.Uint16(tiff[2:]) != 42 {
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	n := int(order.Uint16(tiff[at:]))
	for dir := tiff[at+2:]; n > 0 && len(dir) >= entry; n, dir = n-1, dir[entry:] {
		if order.Uint16(dir) != tagOrientation || order.Uint16(dir[2:]) != typeShort {
			continue
		}
		if turn := int(order.Uint16(dir[8:])); turn >= 1 && turn <= 8 {
			return turn
		}
	}
	return 1
}

// isSideways reports whether width and height change places.
func isSideways(turn int) bool { return turn >= 5 }

// upright turns a picture.
func upright(p *image.NRGBA, turn int) *image.NRGBA {
	if turn == 1 {
		return p
	}
	w, h := p.Bounds().Dx(), p.Bounds().Dy()
	from := func(x, y int) (int, int) { // where the pixel that belongs to x, y is
		switch turn {
		case 2:
			return w - 1 - x, y
		case 3:
			return w - 1 - x, h - 1 - y
		case 4:
			return x, h - 1 - y
		case 5:
			return y, x
		case 6:
			return y, h - 1 - x
		case 7:
			return w - 1 - y, h - 1 - x
		default:
			return w - 1 - y, x
		}
	}
	out := image.Rect(0, 0, w, h)
	if isSideways(turn) {
		out = image.Rect(0, 0, h, w)
	}
	turned := image.NewNRGBA(out)
	for y := range out.Dy() {
		for x := range out.Dx() {
			turned.SetNRGBA(x, y, p.NRGBAAt(from(x, y)))
		}
	}
	return turned
}
