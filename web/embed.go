// Package web holds the built console: what `npm run build` left in dist. The bundle is not committed, so that a binary
// built without it still compiles; dist then holds nothing but .gitkeep, and the server says how the console is built.
package web

import "embed"

// Snippet is the script with which pages of others send events: see docs/analytics.md. It is served as it is.
//
//go:embed track.js
var Snippet string

// Dist is the folder dist as it was when the binary was built. The pages are routes of one file, dist/index.html; files
// under dist/assets carry a hash of their content in their name, so they may be cached for ever.
//
//go:embed all:dist
var Dist embed.FS
