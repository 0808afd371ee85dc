// Package diagram draws content types and what their references may lead to: as Mermaid text, and as a picture in SVG with
// a layout of its own. It is pure: the same graph gives the same bytes.
//
// The picture is a layered one, after Sugiyama, and goes from left to right. Each part of the graph that hangs together is
// laid out alone: cycles are broken, the boxes are put into columns so that an edge leads to a column further right, the
// boxes of a column are ordered by the middle of their neighbours, and moved up and down until the edges are as straight
// as they can be. An edge that crosses a column does so in a lane of its own between the boxes, so no edge runs through a
// box. Edges of one rule to one target share their lane, else a type that all others point at would drown the rest. The
// parts are then packed into a sheet.
//
// The text is an erDiagram, not a classDiagram: it can tell whether a reference must be there and whether there may be many,
// and "any object" is just one entity more.
package diagram
