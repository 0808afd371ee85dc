package ticket

import (
	"bytes"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/token"
)

func TestNewCode(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	firsts := [10]int{}
	for range 5000 {
		code := newCode()
		if got, ok := normalCode(code); !ok || got != code {
			t.Fatalf("newCode() = %q", code)
		}
		seen[code] = true
		firsts[code[0]-'0']++
	}
	if len(seen) < 4900 { // 12 pairs are to be expected
		t.Errorf("only %d of 5000 codes differ", len(seen))
	}
	for digit, n := range firsts {
		if n < 350 || n > 650 { // 500 and seven standard deviations
			t.Errorf("%d codes of 5000 begin with %d", n, digit)
		}
	}
}

// What the database holds of a code depends on what it does not hold.
func TestCodeDigestNeedsTheFlow(t *testing.T) {
	t.Parallel()
	one, _ := token.New(flowPrefix)
	other, _ := token.New(flowPrefix)
	d := codeDigest(one, "123456")
	if !bytes.Equal(d, codeDigest(one, "123456")) || bytes.Equal(d, codeDigest(other, "123456")) || bytes.Equal(d, codeDigest(one, "123457")) {
		t.Error("a digest is that of one code under one flow")
	}
	if len(d) != 32 {
		t.Errorf("a digest of %d bytes", len(d))
	}
}

func TestNormalCode(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"123456":                              "123456",
		"000000":                              "000000",
		" 123 456\n":                          "123456",
		"123-456":                             "123456",
		"12 34-56":                            "123456",
		"123\u00a0456":                        "123456",
		"123\u2011456":                        "123456",
		"123\u202f456\t":                      "123456",
		"":                                    "",
		"12345":                               "",
		"1234567":                             "",
		"12345a":                              "",
		"-----":                               "",
		"+12345":                              "",
		"1e2345":                              "",
		"12345\x00":                           "",
		"１２３４５６":                              "", // full-width
		"١٢٣٤٥٦":                              "", // Arabic-Indic, two bytes each
		"١٢٣":                                 "", // six bytes
		`{"$ne":1}`:                           "",
		"\xff\xff\xff123":                     "",
		"123456" + strings.Repeat(" ", 1<<16): "",
	} {
		if got, ok := normalCode(typed); got != want || ok != (want != "") {
			t.Errorf("normalCode(%.40q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestProofDecode(t *testing.T) {
	t.Parallel()
	flow, f := token.New(flowPrefix)
	link, l := token.New(linkPrefix)
	session, _ := token.New("bbs_")
	hash := codeDigest(flow, "123456")
	for _, tc := range []struct {
		name string
		p    Proof
		want form
		d    digests
	}{
		{"link", Proof{Link: link}, byLink, digests{Link: l[:]}},
		{"flow", Proof{Flow: flow}, byFlow, digests{Flow: f[:]}},
		{"flow and link", Proof{Flow: flow, Link: link}, byBoth, digests{Flow: f[:], Link: l[:]}},
		{"flow and code", Proof{Flow: flow, Code: "123 456"}, byCode, digests{Flow: f[:], Code: hash}},
		{"nothing", Proof{}, 0, digests{}},
		{"code", Proof{Code: "123456"}, 0, digests{}},
		{"link and code", Proof{Link: link, Code: "123456"}, 0, digests{}},
		{"all three", Proof{Flow: flow, Link: link, Code: "123456"}, 0, digests{}},
		{"flow and no code", Proof{Flow: flow, Code: "abc"}, 0, digests{}},
		{"flow and a blank code", Proof{Flow: flow, Code: " "}, 0, digests{}},
		{"flow in place of the link", Proof{Link: flow}, 0, digests{}},
		{"link in place of the flow", Proof{Flow: link}, 0, digests{}},
		{"link in place of the code", Proof{Flow: flow, Code: link}, 0, digests{}},
		{"a session", Proof{Flow: session}, 0, digests{}},
		{"flow and a link that was cut", Proof{Flow: flow, Link: link[:40]}, 0, digests{}},
		{"link and a flow that was cut", Proof{Flow: flow[:40], Link: link}, 0, digests{}},
		{"link with a blank", Proof{Link: link + " "}, 0, digests{}},
		{"an operator", Proof{Flow: `{"$ne":null}`, Code: "123456"}, 0, digests{}},
	} {
		how, d, ok := tc.p.decode()
		same := bytes.Equal(d.Flow, tc.d.Flow) && bytes.Equal(d.Link, tc.d.Link) && bytes.Equal(d.Code, tc.d.Code)
		if how != tc.want || ok != (tc.want != 0) || !same {
			t.Errorf("%s: decode() = %d, %x, %v", tc.name, how, d, ok)
		}
	}
}

func FuzzProof(f *testing.F) {
	flow, _ := token.New(flowPrefix)
	link, _ := token.New(linkPrefix)
	f.Add(flow, "123456", "")
	f.Add(flow, "", link)
	f.Add("", "", link)
	f.Add(flow, " 12-34 56", "")
	f.Add(flow, "١٢٣", "")
	f.Add(flow+"\n", "", link[:20])
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, flow, code, link string) {
		how, d, ok := Proof{Flow: flow, Code: code, Link: link}.decode()
		if !ok {
			if how != 0 || d.Flow != nil || d.Link != nil || d.Code != nil {
				t.Fatalf("a refused proof decodes to %d, %x", how, d)
			}
			return
		}
		fd, flowGood := token.Parse(flowPrefix, flow)
		ld, linkGood := token.Parse(linkPrefix, link)
		typed, codeGood := normalCode(code)
		want := map[form][3]bool{ // flow, link, code: the others must have been left out, not passed over
			byLink: {false, true, false}, byFlow: {true, false, false}, byBoth: {true, true, false}, byCode: {true, false, true},
		}[how]
		if want != [3]bool{flowGood, linkGood, codeGood} || (flow != "") != want[0] || (link != "") != want[1] || (code != "") != want[2] {
			t.Fatalf("decode(%q, %q, %q) took the form %d", flow, code, link, how)
		}
		if want[0] && !bytes.Equal(d.Flow, fd[:]) || want[1] && !bytes.Equal(d.Link, ld[:]) || want[2] && !bytes.Equal(d.Code, codeDigest(flow, typed)) {
			t.Fatalf("decode(%q, %q, %q) = %x", flow, code, link, d)
		}
	})
}

func FuzzNormalCode(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "12345", "1-2-3-4-5-6", "\u00a0123456", "\xc2123456", "١٢٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := normalCode(typed)
		if !ok {
			return
		}
		if len(code) != codeDigits || strings.Trim(code, "0123456789") != "" {
			t.Fatalf("normalCode(%q) = %q", typed, code)
		}
		var digits []byte // in their order, none left out
		for _, c := range []byte(typed) {
			if c >= '0' && c <= '9' {
				digits = append(digits, c)
			}
		}
		if string(digits) != code {
			t.Fatalf("normalCode(%q) = %q, but its digits are %s", typed, code, digits)
		}
	})
}
