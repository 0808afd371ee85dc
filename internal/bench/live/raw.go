package main

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// raw is the ceiling: the framing of graphql-transport-ws on gorilla/websocket and no GraphQL. Each socket has a bounded
// queue and a writer. With batch the queue holds ready frames, and all that waits is written by one call; without, it
// holds gorilla's prepared messages, written one by one.
type raw struct {
	batch    bool
	upgrader websocket.Upgrader

	mu        sync.RWMutex
	followers map[string]map[string]map[*rawConn]struct{} // by channel and operation id
}

func newRaw(batch bool) *raw {
	return &raw{
		batch: batch, followers: map[string]map[string]map[*rawConn]struct{}{},
		upgrader: websocket.Upgrader{
			ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
			Subprotocols: []string{"graphql-transport-ws"}, CheckOrigin: func(*http.Request) bool { return true },
		},
	}
}

// ServeHTTP upgrades and returns, which frees the stack of the request.
func (s *raw) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &rawConn{ws: ws, batch: s.batch}
	c.ready = sync.NewCond(&c.mu)
	go c.write()
	go s.read(c)
}

// publish encodes a message once for all who follow its channel under one operation id.
func (s *raw) publish(t tick) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	byID := s.followers[t.channel]
	if len(byID) == 0 {
		return
	}
	body := t.appendJSON(nil)
	for id, conns := range byID {
		p := append([]byte(`{"id":"`), id...)
		p = append(p, `","type":"next","payload":{"data":{"live":`...)
		p = append(p, body...)
		m := s.message(append(p, `}}}`...))
		for c := range conns {
			c.put(m)
		}
	}
}

// rawMessage is a prepared message or a frame.
type rawMessage struct {
	prepared *websocket.PreparedMessage
	frame    []byte
}

func (s *raw) message(p []byte) (m rawMessage) {
	if !s.batch {
		m.prepared, _ = websocket.NewPreparedMessage(websocket.TextMessage, p)
		return m
	}
	if len(p) < 126 {
		m.frame = []byte{0x81, byte(len(p))}
	} else {
		m.frame = binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(p)))
	}
	m.frame = append(m.frame, p...)
	return m
}

func (s *raw) read(c *rawConn) {
	follows := map[string]string{}
	defer func() {
		s.mu.Lock()
		for id, channel := range follows {
			delete(s.followers[channel][id], c)
		}
		s.mu.Unlock()
		c.end()
	}()
	for {
		var m struct {
			Type, ID string
			Payload  struct{ Variables struct{ C string } }
		}
		_, b, err := c.ws.ReadMessage()
		if err != nil || json.Unmarshal(b, &m) != nil {
			return
		}
		switch m.Type {
		case "connection_init":
			c.put(s.message([]byte(`{"type":"connection_ack"}`)))
		case "subscribe":
			channel := m.Payload.Variables.C
			follows[m.ID] = channel
			s.mu.Lock()
			if s.followers[channel] == nil {
				s.followers[channel] = map[string]map[*rawConn]struct{}{}
			}
			if s.followers[channel][m.ID] == nil {
				s.followers[channel][m.ID] = map[*rawConn]struct{}{}
			}
			s.followers[channel][m.ID][c] = struct{}{}
			s.mu.Unlock()
		}
	}
}

// rawQueue is how many messages may wait for one socket.
const rawQueue = 1024

type rawConn struct {
	ws    *websocket.Conn
	batch bool

	mu    sync.Mutex
	ready *sync.Cond
	queue []rawMessage
	ended bool
}

func (c *rawConn) put(m rawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) >= rawQueue {
		return
	}
	if c.queue = append(c.queue, m); len(c.queue) == 1 {
		c.ready.Signal()
	}
}

func (c *rawConn) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.ready.Signal()
	_ = c.ws.Close()
}

func (c *rawConn) write() {
	var queue []rawMessage
	var buf []byte
	for {
		c.mu.Lock()
		for len(c.queue) == 0 && !c.ended {
			c.ready.Wait()
		}
		if c.ended {
			c.mu.Unlock()
			return
		}
		queue, c.queue = c.queue, queue[:0]
		c.mu.Unlock()
		buf = buf[:0]
		for _, m := range queue {
			if !c.batch {
				if c.ws.WritePreparedMessage(m.prepared) != nil {
					return
				}
				continue
			}
			buf = append(buf, m.frame...)
		}
		clear(queue)
		if c.batch {
			if _, err := c.ws.NetConn().Write(buf); err != nil {
				return
			}
		}
	}
}
