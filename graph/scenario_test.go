package graph_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden answers of the scenarios anew")

// A scenario is a conversation with a whole server, in one txtar file: testdata/scenario/*.txtar. Its comment says what it
// shows; its files are the steps, in their order, each followed by its golden answer:
//
//	name.graphql  an operation, answered by name.json; name.variables.json holds its variables
//	name.http     a request as text: "POST /graphql", headers, an empty line, the body; answered by name.answer
//	name.ws       lines "> message" are sent over a WebSocket, "< 3" waits for three messages; answered by name.frames
//
// A step may begin with lines of settings: "# as: alice" sends it with alice's cookies ("admin" is signed in from the
// start, everybody else begins as nobody), "# socket: second" uses another socket, "# eventually" repeats an operation
// until the answer is the golden one. ${name:/json/pointer} is a value of an earlier answer; with #code at its end, the code
// of six digits in it.
//
// What differs from run to run has a placeholder in the goldens: <user:1> is the first id of a user, <time> a time.
// `go test ./graph -run Scenario -update` writes the goldens.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenario/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			s := newScenario(t, w.URL)
			s.clients["admin"] = w.admin.Client
			played := s.play(archive)
			if *update {
				if err := os.WriteFile(file, txtar.Format(played), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// scenario is a conversation under way. It knows a server by its address alone.
type scenario struct {
	t       *testing.T
	url     string
	clients map[string]*http.Client
	sockets map[string]*websocket.Conn
	answers map[string]any // of each step, for ${}
	names   placeholders
}

func newScenario(t *testing.T, url string) *scenario {
	s := &scenario{
		t: t, url: url, clients: map[string]*http.Client{}, sockets: map[string]*websocket.Conn{}, answers: map[string]any{},
		names: placeholders{known: map[string]string{}, count: map[string]int{}},
	}
	t.Cleanup(func() {
		for _, c := range s.sockets {
			_ = c.Close()
		}
	})
	return s
}

// play runs the steps, compares each answer with its golden, and gives the file as it would be with these answers.
func (s *scenario) play(a *txtar.Archive) *txtar.Archive {
	golden := map[string]string{}
	for _, f := range a.Files {
		golden[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		name, ext, _ := strings.Cut(f.Name, ".")
		var run func(step) string
		var answerExt string
		switch ext {
		case "graphql":
			run, answerExt = s.operation, "json"
		case "http":
			run, answerExt = s.request, "answer"
		case "ws":
			run, answerExt = s.frames, "frames"
		case "variables.json", "json", "answer", "frames":
			continue // written with its step
		default:
			s.t.Fatalf("%s: what is this?", f.Name)
		}
		st := s.step(name, string(f.Data), golden[name+".variables.json"])
		want := golden[name+"."+answerExt]
		got := run(st)
		for end := time.Now().Add(waitLong); st.settings["eventually"] != "" && got != want && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
			got = run(st)
		}
		if got != want && !*update {
			s.t.Errorf("%s.%s is\n%s\nwant\n%s", name, answerExt, got, want)
		}
		out.Files = append(out.Files, f)
		if vars, given := golden[name+".variables.json"]; given {
			out.Files = append(out.Files, txtar.File{Name: name + ".variables.json", Data: []byte(vars)})
		}
		out.Files = append(out.Files, txtar.File{Name: name + "." + answerExt, Data: []byte(got)})
	}
	return out
}

// step is what to send.
type step struct {
	name      string
	settings  map[string]string
	text      string
	variables string
}

var setting = regexp.MustCompile(`^# (as|socket|eventually)(?:: (\w+))?\n`)

func (s *scenario) step(name, text, variables string) step {
	st := step{name: name, settings: map[string]string{}}
	for m := setting.FindStringSubmatch(text); m != nil; m = setting.FindStringSubmatch(text) {
		st.settings[m[1]] = m[2] + " "
		text = text[len(m[0]):]
	}
	for k, v := range st.settings {
		if v != " " {
			st.settings[k] = strings.TrimSpace(v)
		}
	}
	st.text, st.variables = s.expand(text), s.expand(variables)
	return st
}

var (
	reference = regexp.MustCompile(`\$\{([\w-]+):(/[^}#]*)(#code)?\}`)
	mailCode  = regexp.MustCompile(`\b\d{6}\b`)
)

// expand puts values of earlier answers into a text.
func (s *scenario) expand(text string) string {
	return reference.ReplaceAllStringFunc(text, func(r string) string {
		m := reference.FindStringSubmatch(r)
		v := s.answers[m[1]]
		for _, key := range strings.Split(m[2], "/")[1:] {
			if i, err := strconv.Atoi(key); err == nil {
				v = at(v, i)
			} else {
				v = at(v, key)
			}
		}
		if v == nil {
			s.t.Fatalf("%s leads to nothing", r)
		}
		if m[3] != "" {
			return mailCode.FindString(fmt.Sprint(v))
		}
		return fmt.Sprint(v)
	})
}

// client is a browser by the name of its user.
func (s *scenario) client(st step) *http.Client {
	name := st.settings["as"]
	if s.clients[name] == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.clients[name] = &http.Client{Jar: jar, Timeout: time.Minute}
	}
	return s.clients[name]
}

func (s *scenario) operation(st step) string {
	body := map[string]any{"query": st.text}
	if st.variables != "" {
		body["variables"] = json.RawMessage(st.variables)
	}
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatalf("%s: %v", st.name, err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	_, _, answer := s.send(st, req)
	return s.golden(st, answer)
}

func (s *scenario) send(st step, req *http.Request) (status int, header http.Header, answer []byte) {
	resp, err := s.client(st).Do(req)
	if err != nil {
		s.t.Fatalf("%s: %v", st.name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		s.t.Fatalf("%s: %v", st.name, err)
	}
	return resp.StatusCode, resp.Header, answer
}

// golden is an answer as it stands in the file.
func (s *scenario) golden(st step, answer []byte) string {
	var v any
	if err := json.Unmarshal(answer, &v); err != nil {
		return s.names.apply(string(answer)) + "\n"
	}
	s.answers[st.name] = v
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, answer, "", "  "); err != nil {
		s.t.Fatal(err)
	}
	return s.names.apply(pretty.String()) + "\n"
}

// shown are the headers that are part of an answer.
var shown = []string{"Allow", "Cache-Control", "Content-Type", "Vary", "WWW-Authenticate"}

func (s *scenario) request(st step) string {
	head, body, _ := strings.Cut(st.text, "\n\n")
	first, headers, _ := strings.Cut(head, "\n")
	method, path, _ := strings.Cut(first, " ")
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(strings.TrimSuffix(body, "\n")))
	if err != nil {
		s.t.Fatalf("%s: %v", st.name, err)
	}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		req.Header.Set(name, value)
	}
	status, header, answer := s.send(st, req)
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", status)
	for _, name := range shown {
		for _, value := range header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String() + "\n" + s.golden(st, answer)
}

// frames talks over a socket, which stays open for later steps.
func (s *scenario) frames(st step) string {
	conn := s.socket(st)
	var b strings.Builder
	for sc := bufio.NewScanner(strings.NewReader(st.text)); sc.Scan(); {
		kind, rest, _ := strings.Cut(sc.Text(), " ")
		switch kind {
		case ">":
			if err := conn.WriteMessage(websocket.TextMessage, []byte(rest)); err != nil {
				s.t.Fatalf("%s: %v", st.name, err)
			}
		case "<":
			n, err := strconv.Atoi(rest)
			if err != nil {
				s.t.Fatalf("%s: %v", st.name, err)
			}
			for range n {
				b.WriteString(s.receive(st, conn))
			}
		case "", "#":
		default:
			s.t.Fatalf("%s: a line of a socket begins with > or <, not %q", st.name, kind)
		}
	}
	return b.String()
}

func (s *scenario) socket(st step) *websocket.Conn {
	name := st.settings["as"] + "/" + st.settings["socket"]
	if s.sockets[name] == nil {
		dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, Jar: s.client(st).Jar}
		conn, resp, err := dialer.DialContext(s.t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+"/graphql", http.Header{"Origin": {s.url}})
		if err != nil {
			s.t.Fatalf("%s: %v", st.name, err)
		}
		_ = resp.Body.Close()
		s.sockets[name] = conn
	}
	return s.sockets[name]
}

// receive is one message, or the close code that came instead.
func (s *scenario) receive(st step, conn *websocket.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(waitLong))
	_, message, err := conn.ReadMessage()
	var closed *websocket.CloseError
	switch {
	case err == nil:
		return s.golden(st, message)
	case isClose(err, &closed):
		return fmt.Sprintf("closed %d %s\n", closed.Code, closed.Text)
	default:
		s.t.Fatalf("%s: %v", st.name, err)
		return ""
	}
}

func isClose(err error, as **websocket.CloseError) bool {
	c, ok := err.(*websocket.CloseError) //nolint:errorlint // gorilla returns it bare
	*as = c
	return ok
}

// placeholders give what differs from run to run the same name each time.
type placeholders struct {
	known map[string]string
	count map[string]int
}

const uuid = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

var volatile = []struct {
	kind  string // empty: the text before the colon
	match *regexp.Regexp
}{
	{"", regexp.MustCompile(`\b[a-z_]+:` + uuid)},
	{"uuid", regexp.MustCompile(uuid)},
	{"time", regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)},
	{"text", regexp.MustCompile(`\b[A-Za-z0-9_-]{40,}`)}, // tokens and cursors
	{"code", mailCode},
}

func (p *placeholders) apply(text string) string {
	for _, v := range volatile {
		text = v.match.ReplaceAllStringFunc(text, func(s string) string {
			if v.kind == "time" {
				return "<time>"
			}
			if p.known[s] == "" {
				kind := v.kind
				if kind == "" {
					kind, _, _ = strings.Cut(s, ":")
				}
				p.count[kind]++
				p.known[s] = fmt.Sprintf("<%s:%d>", kind, p.count[kind])
			}
			return p.known[s]
		})
	}
	return text
}

// The runner itself: what it puts in and what it takes out.
func TestScenarioTexts(t *testing.T) {
	t.Parallel()
	s := newScenario(t, "")
	s.answers["made"] = map[string]any{"data": map[string]any{"list": []any{map[string]any{"id": "user:1", "n": 2.0}}}}
	st := s.step("x", "# as: alice\n# eventually\n{ node(id: \"${made:/data/list/0/id}\") { id } }\n", `{"n": ${made:/data/list/0/n}}`)
	if st.settings["as"] != "alice" || st.settings["eventually"] == "" || st.text != "{ node(id: \"user:1\") { id } }\n" || st.variables != `{"n": 2}` {
		t.Errorf("%+v", st)
	}
	const a, b = "0197a0c0-0000-7000-8000-00000000000a", "0197a0c0-0000-7000-8000-00000000000b"
	got := s.names.apply("user:" + b + " user:" + a + " role:" + a + " user:" + b + " " + a + " 2026-01-02T03:04:05.678Z " + strings.Repeat("x", 43))
	if want := "<user:1> <user:2> <role:1> <user:1> <uuid:1> <time> <text:1>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
