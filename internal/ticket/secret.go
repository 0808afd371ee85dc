package ticket

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"

	"github.com/backendbook/backendbook/internal/token"
)

// What the secrets look like. The prefixes let scanners and people know one when they see it.
const (
	flowPrefix = "bbf_"
	linkPrefix = "bbl_"
	codeDigits = 6
	codeCount  = 1_000_000
	maxCode    = 32 // bytes of a code as it was typed, blanks and dashes included
)

// digests are what is stored of a ticket's secrets. Link and Code are nil when the ticket was not mailed.
type digests struct {
	Flow []byte `bson:"flowHash"`
	Link []byte `bson:"linkHash,omitempty"`
	Code []byte `bson:"codeHash,omitempty"`
}

// mailSecrets makes a link and a code for the ticket of that flow secret.
func (d *digests) mailSecrets(flow string) (link, code string) {
	link, l := token.New(linkPrefix)
	code = newCode()
	d.Link, d.Code = l[:], codeDigest(flow, code)
	return link, code
}

// newCode draws six digits, each number as likely as any other.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(codeCount))
	if err != nil {
		panic("ticket: no randomness: " + err.Error()) // never: the runtime ends the process before
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// codeDigest is what is stored of a code. The key is the flow secret, which the database does not have: see doc.go.
func codeDigest(flow, code string) []byte {
	mac := hmac.New(sha256.New, []byte(flow))
	mac.Write([]byte(code))
	return mac.Sum(nil)
}

// normalCode reads a code as people type and paste it: blanks and dashes do not count.
func normalCode(typed string) (string, bool) {
	if len(typed) > maxCode {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '-', '\u00a0', '\u2009', '\u202f', '\u2010', '\u2011', '\u2013':
			return -1
		}
		return r
	}, typed)
	if len(code) != codeDigits {
		return "", false
	}
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return code, true
}

// form is what a proof consists of.
type form uint8

const (
	byLink form = iota + 1
	byCode      // and flow
	byBoth      // flow and link
	byFlow      // alone
)

// decode reads a proof. It reports false for one that cannot be good: a wrong combination, a malformed secret. Nothing is
// counted for these, as nothing is learnt from them.
func (p Proof) decode() (form, digests, bool) {
	var d digests
	if p.Flow != "" {
		flow, ok := token.Parse(flowPrefix, p.Flow)
		if !ok {
			return 0, digests{}, false
		}
		d.Flow = flow[:]
	}
	if p.Link != "" {
		link, ok := token.Parse(linkPrefix, p.Link)
		if !ok {
			return 0, digests{}, false
		}
		d.Link = link[:]
	}
	switch {
	case p.Code != "":
		code, ok := normalCode(p.Code)
		if !ok || d.Flow == nil || d.Link != nil {
			return 0, digests{}, false
		}
		d.Code = codeDigest(p.Flow, code)
		return byCode, d, true
	case d.Flow != nil && d.Link != nil:
		return byBoth, d, true
	case d.Link != nil:
		return byLink, d, true
	case d.Flow != nil:
		return byFlow, d, true
	default:
		return 0, digests{}, false
	}
}
