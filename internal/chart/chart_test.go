package chart

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"math"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC)

// wave is a series of n hours.
func wave(name string, n int, shift float64) Series {
	s := Series{Name: name}
	for i := range n {
		s.Points = append(s.Points, Point{At: t0.Add(time.Duration(i) * time.Hour), Value: 50 + 40*math.Sin(float64(i)/4+shift)})
	}
	return s
}

func day(kind Kind, series ...Series) Chart {
	return Chart{Kind: kind, Series: series, From: t0, To: t0.Add(24 * time.Hour), Step: time.Hour, Width: 560, Height: 240}
}

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// has counts the pixels of a colour.
func has(img image.Image, c interface{ RGBA() (r, g, b, a uint32) }) (n int) {
	wr, wg, wb, _ := c.RGBA()
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r == wr && g == wg && b == wb {
				n++
			}
		}
	}
	return n
}

func TestPicturesAreSmallSharpAndTheSame(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Line, Area, Bar} {
		c := day(kind, wave("LAX", 24, 0), wave("JFK", 24, 2), wave("a name that is far too long for a legend", 24, 4))
		first, err := PNG(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := PNG(c)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: two pictures of one chart differ, %v", kind, err)
		}
		if len(first) > 100_000 {
			t.Errorf("%s: %d bytes", kind, len(first))
		}
		img := decode(t, first)
		if got := img.Bounds().Size(); got != image.Pt(1120, 480) {
			t.Errorf("%s: %v", kind, got)
		}
		for i := range c.Series {
			if n := has(img, palette[i]); n < 200 {
				t.Errorf("%s: %d pixels of series %d", kind, n, i)
			}
		}
		if n := has(img, palette[3]); n != 0 {
			t.Errorf("%s: %d pixels of a series that is not there", kind, n)
		}
	}
}

func TestZoneMovesTheLabelsAlone(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := day(Line, wave("", 24, 0))
	var labels [2][]string
	for i, zone := range []*time.Location{time.UTC, berlin} {
		c.Zone = zone
		for _, tick := range c.ticks() {
			labels[i] = append(labels[i], tick.Label)
		}
	}
	if labels[0][0] != "00:00" || labels[1][0] != "01:00" || labels[0][1] != "04:00" || labels[1][1] != "06:00" { // the clock was put forward
		t.Errorf("labels %v", labels)
	}
	if len(labels[0]) > maxTicks+2 {
		t.Errorf("%d labels", len(labels[0]))
	}
}

func TestLinesBreakAtGaps(t *testing.T) {
	t.Parallel()
	s := wave("", 24, 0)
	s.Points = append(s.Points[:8:8], s.Points[12:]...)
	d := &drawn{chart: day(Line, s), series: s}
	if runs := d.runs(); len(runs) != 2 || len(runs[0]) != 8 || len(runs[1]) != 12 {
		t.Errorf("%d runs: %v", len(runs), runs)
	}
}

func TestOddCharts(t *testing.T) {
	t.Parallel()
	if _, err := PNG(day(Line)); !errors.Is(err, ErrEmpty) {
		t.Errorf("no series: %v", err)
	}
	if _, err := PNG(day(Line, Series{Name: "none"})); !errors.Is(err, ErrEmpty) {
		t.Errorf("no point: %v", err)
	}
	tiny := day(Line, wave("", 2, 0))
	tiny.Width = 10
	if _, err := PNG(tiny); err == nil {
		t.Error("a picture of 10 pixels")
	}
	zero := Series{Points: []Point{{At: t0}}}
	below := Series{Points: []Point{{At: t0, Value: -5}, {At: t0.Add(time.Hour), Value: -1}}}
	huge := Series{Points: []Point{{At: t0, Value: 1e100}, {At: t0.Add(time.Hour), Value: -1e100}}}
	many := make([]Series, 20)
	for i := range many {
		many[i] = wave("s", 24, float64(i))
	}
	for name, c := range map[string]Chart{"zero": day(Line, zero), "below": day(Bar, below), "huge": day(Area, huge), "many": day(Bar, many...)} {
		b, err := PNG(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := has(decode(t, b), palette[0]); n < 5 {
			t.Errorf("%s: %d pixels are drawn", name, n)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	c := day(Line, wave("LAX", 24, 0), wave("JFK", 24, 2))
	for b.Loop() {
		if _, err := PNG(c); err != nil {
			b.Fatal(err)
		}
	}
}
