package chart

import (
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawn is one series on a plot. It satisfies plot.Plotter, plot.DataRanger and plot.Thumbnailer.
type drawn struct {
	chart  Chart
	series Series
	index  int // among the series
	color  color.NRGBA
}

var (
	_ plot.Plotter     = &drawn{}
	_ plot.DataRanger  = &drawn{}
	_ plot.Thumbnailer = &drawn{}
)

const (
	lineWidth = vg.Length(1.25)
	barFill   = 0.8 // of the width of a bucket
	areaAlpha = 0x40
)

// Plot implements plot.Plotter.
func (d *drawn) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	if d.chart.Kind == Bar {
		width := d.chart.Step.Seconds() * barFill / float64(len(d.chart.Series))
		before := d.chart.Step.Seconds() * (1 - barFill) / 2
		for _, at := range d.series.Points {
			left := seconds(at.At) + before + width*float64(d.index)
			d.fill(&c, d.color, vg.Point{X: x(left), Y: y(0)}, vg.Point{X: x(left), Y: y(at.Value)}, vg.Point{X: x(left + width), Y: y(at.Value)}, vg.Point{X: x(left + width), Y: y(0)})
		}
		return
	}
	for _, run := range d.runs() {
		var line []vg.Point
		for _, at := range run {
			line = append(line, vg.Point{X: x(seconds(at.At)), Y: y(at.Value)})
		}
		if d.chart.Kind == Area {
			under := d.color
			under.A = areaAlpha
			d.fill(&c, under, append(append([]vg.Point{{X: line[0].X, Y: y(0)}}, line...), vg.Point{X: line[len(line)-1].X, Y: y(0)})...)
		}
		if len(line) == 1 { // a line of one point is not seen
			c.DrawGlyph(draw.GlyphStyle{Color: d.color, Radius: lineWidth, Shape: draw.CircleGlyph{}}, line[0])
		}
		c.StrokeLines(draw.LineStyle{Color: d.color, Width: lineWidth}, c.ClipLinesXY(line)...)
	}
}

func (d *drawn) fill(c *draw.Canvas, in color.Color, corners ...vg.Point) {
	c.FillPolygon(in, c.ClipPolygonXY(corners))
}

// runs are the points without a gap between them.
func (d *drawn) runs() (all [][]Point) {
	const slack = 5 // quarters of a step: months and days of 25 hours are no gaps
	begin := 0
	for i := range d.series.Points {
		if i > 0 && d.series.Points[i].At.Sub(d.series.Points[i-1].At) > d.chart.Step*slack/4+time.Second {
			all = append(all, d.series.Points[begin:i])
			begin = i
		}
	}
	return append(all, d.series.Points[begin:])
}

// DataRange implements plot.DataRanger.
func (d *drawn) DataRange() (xmin, xmax, ymin, ymax float64) {
	xys := make(plotter.XYs, len(d.series.Points))
	for i, p := range d.series.Points {
		xys[i] = plotter.XY{X: seconds(p.At), Y: p.Value}
	}
	return plotter.XYRange(xys)
}

// Thumbnail implements plot.Thumbnailer.
func (d *drawn) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(draw.LineStyle{Color: d.color, Width: 2 * lineWidth}, c.Min.X, y, c.Max.X, y)
}
