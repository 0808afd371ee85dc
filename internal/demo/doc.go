// Package demo fills a database with real data and keeps it moving, for people who try the product and for its tests.
//
// The data are the tables of the npm package vega-datasets (BSD-3), read from its folder: airports and movies become
// documents that point at one another, flights become events. A replay sends the flights again, their dates shifted to
// now, at a chosen speed, over and over; in a cluster one node does it.
//
// Seeding is idempotent: what is there already stays as it is. The package keeps no collection; the replay holds the lease
// "demo.replay".
package demo
