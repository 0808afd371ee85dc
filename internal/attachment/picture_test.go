package attachment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// damaged is a PNG whose pixels are not there.
func damaged(t *testing.T) []byte {
	t.Helper()
	b := painted(t, 50, 50, color.Black)
	return b[:len(b)-30]
}

// bomb is a PNG that says it has a hundred million pixels.
func bomb(t *testing.T) []byte {
	t.Helper()
	b := painted(t, 2, 2, color.Black)
	binary.BigEndian.PutUint32(b[16:], 100_000)
	binary.BigEndian.PutUint32(b[20:], 1000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

// The longer side of a thumbnail has at most 320 pixels, its shape is that of the picture, and what can be seen through stays so.
func TestThumbnails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	for _, tc := range []struct {
		w, h         int
		c            color.NRGBA
		wide, high   int
		thumbnailIsA string
	}{
		{640, 200, color.NRGBA{200, 0, 0, 255}, 320, 100, "image/jpeg"},
		{200, 640, color.NRGBA{0, 200, 0, 255}, 100, 320, "image/jpeg"},
		{320, 320, color.NRGBA{0, 0, 200, 255}, 320, 320, "image/jpeg"},
		{8, 4, color.NRGBA{9, 9, 9, 255}, 8, 4, "image/jpeg"}, // is not made larger
		{1000, 1, color.NRGBA{9, 9, 9, 255}, 320, 1, "image/jpeg"},
		{640, 640, color.NRGBA{200, 0, 0, 100}, 320, 320, "image/png"},
	} {
		a := w.upload("a.png", painted(t, tc.w, tc.h, tc.c))
		k := w.stored(a.ID)
		small, _, err := image.Decode(bytes.NewReader(w.content(k.Thumbnail.Key)))
		if err != nil || a.Width != tc.w || a.Height != tc.h || k.Thumbnail.ContentType != tc.thumbnailIsA || small.Bounds() != image.Rect(0, 0, tc.wide, tc.high) {
			t.Errorf("%+v of %d by %d: %v, %v", k.Thumbnail, a.Width, a.Height, small.Bounds(), err)
			continue
		}
		if got := color.NRGBAModel.Convert(small.At(tc.wide/2, tc.high/2)); !near(got, tc.c) {
			t.Errorf("the middle of %d by %d is %v, not %v", tc.w, tc.h, got, tc.c)
		}
	}
	var moving bytes.Buffer
	frame := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	if a := w.upload("a.gif", moving.Bytes()); a.ContentType != "image/gif" || !a.Thumbnail || a.Width != 4 {
		t.Errorf("%+v", a)
	}
	if a := w.upload("a.txt", []byte("text")); a.Thumbnail || a.Width != 0 || w.stored(a.ID).Thumbnail != nil {
		t.Errorf("a picture of a text: %+v", a)
	}
}

// near allows for what JPEG does to colors.
func near(a, b color.Color) bool {
	r1, g1, b1, a1 := a.RGBA()
	r2, g2, b2, a2 := b.RGBA()
	for _, d := range []int{int(r1) - int(r2), int(g1) - int(g2), int(b1) - int(b2), int(a1) - int(a2)} {
		if d > 0x1000 || d < -0x1000 {
			return false
		}
	}
	return true
}

// exif is the segment of a JPEG that says how the camera was held; another tag comes first.
func exif(order binary.AppendByteOrder, turn int) []byte {
	head := "II*\x00"
	if order == binary.BigEndian {
		head = "MM\x00*"
	}
	tiff := order.AppendUint32([]byte(head), 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range [][2]int{{0x0100, 77}, {tagOrientation, turn}} {
		tiff = order.AppendUint16(tiff, uint16(e[0]))
		tiff = order.AppendUint16(tiff, typeShort)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, uint16(e[1]))
		tiff = order.AppendUint16(tiff, 0)
	}
	body := append([]byte("Exif\x00\x00"), order.AppendUint32(tiff, 0)...)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, markerEXIF}, uint16(2+len(body))), body...)
}

// photo is a JPEG as a camera makes one that was held in one of eight ways. Upright it is 640 by 320, and its quarters are red and
// green above, blue and white below.
func photo(t testing.TB, order binary.AppendByteOrder, turn int) []byte {
	t.Helper()
	stands := image.NewNRGBA(image.Rect(0, 0, 640, 320))
	for y := range 320 {
		for x := range 640 {
			stands.SetNRGBA(x, y, quarters[y/160][x/320])
		}
	}
	// The way back: what turns 6 into an upright picture is undone by 8, and the others undo themselves.
	back := map[int]int{6: 8, 8: 6}[turn]
	if back == 0 {
		back = turn
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, upright(stands, back), &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{0xff, 0xd8}, exif(order, turn)...), b.Bytes()[2:]...)
}

var quarters = [2][2]color.NRGBA{{{200, 0, 0, 255}, {0, 200, 0, 255}}, {{0, 0, 200, 255}, {250, 250, 250, 255}}}

// However a camera was held, the thumbnail stands upright, and width and height are those of the upright picture.
func TestOrientation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	for turn := 1; turn <= 8; turn++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			body := photo(t, order, turn)
			a := w.upload("photo.jpg", body)
			small, err := jpeg.Decode(bytes.NewReader(w.content(w.stored(a.ID).Thumbnail.Key)))
			if err != nil || a.Width != 640 || a.Height != 320 || small.Bounds() != image.Rect(0, 0, 320, 160) {
				t.Errorf("%v %d: %d by %d, the thumbnail is %v, %v", order, turn, a.Width, a.Height, small.Bounds(), err)
				continue
			}
			for y := range 2 {
				for x := range 2 {
					if got := small.At(80+160*x, 40+80*y); !near(got, quarters[y][x]) {
						t.Errorf("%v %d: the quarter %d %d is %v", order, turn, x, y, got)
					}
				}
			}
			if got := w.content(w.stored(a.ID).Content.Key); !bytes.Equal(got, body) {
				t.Errorf("%v %d: the file itself was changed", order, turn)
			}
		}
	}
}

// The eight ways by hand, on a picture of three by two pixels: the numbers are those of Exif 2.32.
func TestUpright(t *testing.T) {
	t.Parallel()
	const rows = "abc/def"
	p := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i, c := range []byte("abcdef") {
		p.SetNRGBA(i%3, i/3, color.NRGBA{R: c, A: 255})
	}
	for turn, want := range map[int]string{1: rows, 2: "cba/fed", 3: "fed/cba", 4: "def/abc", 5: "ad/be/cf", 6: "da/eb/fc", 7: "fc/eb/da", 8: "cf/be/ad"} {
		q := upright(p, turn)
		lines := make([]string, q.Bounds().Dy())
		for y := range lines {
			line := make([]byte, q.Bounds().Dx())
			for x := range line {
				line[x] = q.NRGBAAt(x, y).R
			}
			lines[y] = string(line)
		}
		if got := strings.Join(lines, "/"); got != want {
			t.Errorf("%d: %s, not %s", turn, got, want)
		}
	}
}

// What says nothing of its orientation, or nonsense, is as it is.
func TestNoOrientation(t *testing.T) {
	t.Parallel()
	whole := photo(t, binary.BigEndian, 6)
	for n := range 60 { // cut off anywhere in the segment
		if got := orientation(whole[:n]); got != 1 && got != 6 {
			t.Errorf("%d bytes: %d", n, got)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "no JPEG": []byte("text"), "a PNG": painted(t, 1, 1, color.Black), "9 is no orientation": photo(t, binary.BigEndian, 9), "nor is 0": photo(t, binary.LittleEndian, 0),
		"a directory far away":     bytes.Replace(whole, []byte("MM\x00*\x00\x00\x00\x08"), []byte("MM\x00*\xff\xff\xff\xff"), 1),
		"a segment without length": {0xff, 0xd8, 0xff, markerEXIF, 0, 0, 0xff, 0xd9},
		"after the picture began":  append([]byte{0xff, 0xd8, 0xff, markerScan, 0, 2}, exif(binary.BigEndian, 6)...),
	} {
		if got := orientation(b); got != 1 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add(photo(f, binary.LittleEndian, 8)[:200])
	f.Add(exif(binary.BigEndian, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := orientation(b); got < 1 || got > 8 {
			t.Errorf("%d", got)
		}
	})
}

// What is opaque becomes a JPEG without a word of what the file said besides.
func TestThumbnailTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, usual)
	secret := "52.5200 N, 13.4050 E"
	comment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xfe}, uint16(2+len(secret))), secret...)
	body := photo(t, binary.BigEndian, 1)
	body = append(append(append([]byte{}, body[:2]...), comment...), body[2:]...)
	a := w.upload("photo.jpg", body)
	small := w.content(w.stored(a.ID).Thumbnail.Key)
	if bytes.Contains(small, []byte(secret)) || bytes.Contains(small, []byte("Exif")) || !bytes.Contains(w.content(w.stored(a.ID).Content.Key), []byte(secret)) {
		t.Error("the thumbnail has it, or the file has it no more")
	}
	if _, err := png.Decode(bytes.NewReader(small)); err == nil {
		t.Error("it is no JPEG")
	}
}
