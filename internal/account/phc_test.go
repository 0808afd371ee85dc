package account

import (
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

func TestPHCRoundTrip(t *testing.T) {
	t.Parallel()
	p := phc{cost: DefaultCost(), salt: []byte("0123456789abcdef"), key: []byte("0123456789abcdef0123456789abcdef")}
	text := p.encode()
	const want = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	if text != want {
		t.Errorf("encode() = %s\nwant       %s", text, want)
	}
	again, err := parsePHC(text)
	if err != nil || again.encode() != text || again.cost != p.cost || string(again.salt) != string(p.salt) || string(again.key) != string(p.key) {
		t.Errorf("parsePHC(%s) = %+v, %v", text, again, err)
	}
}

// The reference implementation gives this (test.c): echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -e.
func TestPHCOfAnotherProgram(t *testing.T) {
	t.Parallel()
	const text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	p, err := parsePHC(text)
	if err != nil {
		t.Fatal(err)
	}
	got := argon2.IDKey([]byte("password"), p.salt, p.cost.Passes, p.cost.MemoryKiB, p.cost.Threads, uint32(len(p.key)))
	if string(got) != string(p.key) {
		t.Errorf("the password of the reference's test vector does not match")
	}
}

func TestPHCRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
	for name, text := range map[string]string{
		"empty":             "",
		"plain text":        "hunter2hunter2",
		"another algorithm": "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"bcrypt":            "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
		"old version":       "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
		"no version":        "$argon2id$m=19456,t=2,p=1$" + salt + "$" + key,
		"more after":        "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$",
		"text before":       "x$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"line end":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "\n",
		"line end inside":   "$argon2id$v=19$m=19456,t=2,p=1$" + salt[:4] + "\n" + salt[4:] + "$" + key,
		"leading zero":      "$argon2id$v=19$m=019456,t=2,p=1$" + salt + "$" + key,
		"a sign":            "$argon2id$v=19$m=+19456,t=2,p=1$" + salt + "$" + key,
		"negative":          "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key,
		"another order":     "$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + key,
		"one more number":   "$argon2id$v=19$m=19456,t=2,p=1,x=1$" + salt + "$" + key,
		"no passes":         "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"no threads":        "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"threads overflow":  "$argon2id$v=19$m=19456,t=2,p=257$" + salt + "$" + key,
		"too much memory":   "$argon2id$v=19$m=4194304,t=2,p=1$" + salt + "$" + key,
		"too many passes":   "$argon2id$v=19$m=19456,t=4294967295,p=1$" + salt + "$" + key,
		"too much work":     "$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + key,
		"too many threads":  "$argon2id$v=19$m=19456,t=2,p=17$" + salt + "$" + key,
		"too little memory": "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key,
		"padding":           "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + key,
		"spare bits":        "$argon2id$v=19$m=19456,t=2,p=1$" + salt[:len(salt)-1] + "h$" + key,
		"short salt":        "$argon2id$v=19$m=19456,t=2,p=1$MDEy$" + key,
		"short key":         "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$MDEy",
		"no key":            "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"huge key":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := parsePHC(text); err == nil {
				t.Errorf("parsePHC took it: %+v", p)
			} else if strings.Contains(err.Error(), salt) {
				t.Errorf("the error quotes the hash: %v", err)
			}
		})
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")
	f.Add("$argon2id$v=19$m=1,t=1,p=1$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.encode() != s {
			t.Errorf("%q has two spellings: %q", s, p.encode())
		}
		if !p.cost.sane() || len(p.salt) < 8 || len(p.key) < 16 || len(p.salt)+len(p.key) > 2*maxB64 {
			t.Errorf("parsePHC(%q) = %+v", s, p)
		}
	})
}
