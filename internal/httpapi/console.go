package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

// console serves the built pages. The files never change while the process lives, so each is read and hashed once, when
// it is first asked for.
type console struct {
	files fs.FS
	built bool
	known sync.Map // path -> *asset
}

// asset is one file as it is sent.
type asset struct {
	body    []byte
	gzipped []byte // nil when the build made none
	typ     string
	etag    string
}

func newConsole(files fs.FS) http.Handler {
	c := &console{files: files}
	if files != nil {
		_, err := fs.Stat(files, index)
		c.built = err == nil
	}
	return c
}

const (
	index        = "index.html" // the one page there is
	assetsFolder = "assets/"    // the files whose names carry a hash of their content
	compressed   = ".gz"        // ends the name of a file's gzipped twin, where the build made one
)

// ServeHTTP answers with a file, and for any other path a browser navigates to with the one page there is: its script
// knows the routes.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notFound(w, r)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	var file *asset
	if c.built && name != "" && name != index {
		file = c.asset(name)
	}
	switch {
	case file != nil:
		c.send(w, r, file, strings.HasPrefix(name, assetsFolder))
	case !isPage(name):
		notFound(w, r)
	case c.built:
		c.send(w, r, c.asset(index), false)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(unbuilt))
	}
}

// isPage tells a route of the console from a file that does not exist.
func isPage(name string) bool {
	return path.Ext(name) == "" && !strings.HasPrefix(name+"/", assetsFolder)
}

func (c *console) asset(name string) *asset {
	if a, ok := c.known.Load(name); ok {
		return a.(*asset)
	}
	body, err := fs.ReadFile(c.files, name)
	if err != nil || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, compressed) {
		return nil
	}
	sum := sha256.Sum256(body)
	a := &asset{body: body, typ: typeOf(name), etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	if gz, err := fs.ReadFile(c.files, name+compressed); err == nil {
		a.gzipped = gz
	}
	c.known.Store(name, a)
	return a
}

func (c *console) send(w http.ResponseWriter, r *http.Request, a *asset, forever bool) {
	h := w.Header()
	h.Set("Content-Type", a.typ)
	h.Set("Etag", a.etag)
	h.Set("Cache-Control", "no-cache") // keep it, but ask each time whether it is still good
	if forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := a.body
	if a.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = a.gzipped
		}
	}
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body) //nolint:gosec // a file of ours, with a content type of ours; the client may be gone
}

// typeOf is the content type by extension: the machine's own table may say anything.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".ttf":
		return "font/ttf"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".webmanifest":
		return "application/manifest+json"
	case ".wasm":
		return "application/wasm"
	default:
		return "application/octet-stream"
	}
}

const unbuilt = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Backend Book</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>Backend Book is running</h1>
<p>This binary was built without its console. Build it with <code>make web</code> and start again, or use <code>make run</code>, which does both.</p>
<p>The API answers at <code>POST /graphql</code>:</p>
<pre><code>curl -s localhost:8080/graphql -H 'content-type: application/json' -d '{"query":"{ me { user { name } } }"}'</code></pre>
</html>
`
