package attachment

import (
	"bufio"
	"bytes"
	"context"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

const (
	maxPixels      = 25_000_000 // of an image: 100 MB when it is decoded
	thumbnailSide  = 320        // pixels of the longer side
	thumbnailLevel = 82         // of JPEG
)

// codec reads one form of images.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = map[string]codec{
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode},
	"image/webp": {webp.DecodeConfig, webp.Decode},
}

// IsPicture reports whether browsers may show a type by themselves: the images in which no script can be.
func IsPicture(typ string) bool { _, ok := codecs[typ]; return ok }

// picture measures an image, as it is when it stands upright, and makes its thumbnail; for what is none it does nothing. How many
// pixels there are is known before any of them is in memory.
func (s *Service) picture(ctx context.Context, k *kept) (width, height int, err error) {
	c, ok := codecs[k.Content.ContentType]
	if !ok {
		return 0, 0, nil
	}
	turn := 1
	err = s.read(ctx, k.Content.Key, func(r io.Reader) error {
		in := bufio.NewReaderSize(r, exifBytes)
		begin, _ := in.Peek(exifBytes) // most are shorter; an error comes again
		turn = orientation(begin)
		cfg, err := c.config(in)
		if err != nil {
			return ErrImage.Because(err)
		}
		if width, height = cfg.Width, cfg.Height; width < 1 || height < 1 || width > maxPixels || height > maxPixels/width {
			return ErrImage.With("pixels", maxPixels)
		}
		if isSideways(turn) {
			width, height = height, width
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	select {
	case s.draws <- struct{}{}:
		defer func() { <-s.draws }()
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	var small *image.NRGBA
	err = s.read(ctx, k.Content.Key, func(r io.Reader) error {
		full, err := c.decode(r)
		if err != nil {
			return ErrImage.Because(err)
		}
		small = upright(shrink(full), turn)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	thumb, err := s.putThumbnail(ctx, small)
	if err == nil {
		k.Thumbnail = &thumb
	}
	return width, height, err
}

func (s *Service) read(ctx context.Context, key string, what func(io.Reader) error) error {
	r, _, err := s.Blobs.Open(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return what(r)
}

// shrink gives an image that fits into the square of a thumbnail. It is new: what else the file held is not in it.
func shrink(full image.Image) *image.NRGBA {
	b := full.Bounds()
	w, h := b.Dx(), b.Dy()
	if most := max(w, h); most > thumbnailSide {
		w, h = max(w*thumbnailSide/most, 1), max(h*thumbnailSide/most, 1)
	}
	small := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(small, small.Bounds(), full, b, draw.Src, nil)
	return small
}

// putThumbnail stores one: as PNG where something can be seen through, else as JPEG, which is smaller.
func (s *Service) putThumbnail(ctx context.Context, small *image.NRGBA) (file, error) {
	var out bytes.Buffer
	typ := "image/jpeg"
	var err error
	if !small.Opaque() {
		typ, err = "image/png", png.Encode(&out, small)
	} else {
		err = jpeg.Encode(&out, small, &jpeg.Options{Quality: thumbnailLevel})
	}
	if err != nil {
		return file{}, err
	}
	return s.put(ctx, typ, int64(out.Len()), &out)
}
