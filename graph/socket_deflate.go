package graph

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

// minDeflated is the size from which on a message is compressed: below it a frame hardly gets shorter.
const minDeflated = 512

// wantsDeflate reports whether a client offers permessage-deflate, which the upgrader then agrees to.
func wantsDeflate(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Sec-WebSocket-Extensions"), func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(one string) bool {
			name, _, _ := strings.Cut(one, ";")
			return strings.TrimSpace(name) == "permessage-deflate"
		})
	})
}

// deflater compresses one message at a time: nothing is kept from one to the next, or each socket would hold a window.
type deflater struct {
	out bytes.Buffer
	to  *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.to, _ = flate.NewWriter(&d.out, flate.BestSpeed) // the level is a good one
	return d
}}

// flushTail is what a flush ends with and a message leaves out (RFC 7692, section 7.2.1).
const flushTail = "\x00\x00\xff\xff"

// deflated appends one compressed frame.
func deflated(b []byte, k chunk) []byte {
	d, _ := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.to.Reset(&d.out)
	_, _ = io.WriteString(d.to, k.prefix) // a buffer takes everything
	_, _ = d.to.Write(k.body)
	if k.prefix != "" {
		_, _ = io.WriteString(d.to, "}")
	}
	_ = d.to.Flush()
	body := bytes.TrimSuffix(d.out.Bytes(), []byte(flushTail))
	const compressed = 0x40 // RSV1
	return append(frameHeader(b, k.opcode|compressed, len(body)), body...)
}

// readMessage is the reader's ReadMessage with a bound on what comes out of a compressed message, too.
func (c *socket) readMessage() (kind int, data []byte, err error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return kind, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, c.srv.cfg.MessageBytes+1))
	if int64(len(data)) > c.srv.cfg.MessageBytes {
		c.close(websocket.CloseMessageTooBig, "")
		return kind, nil, websocket.ErrReadLimit
	}
	return kind, data, err
}
