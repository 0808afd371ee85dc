package mongod

import (
	"errors"
	"strings"
	"testing"
)

func TestExitNamesTheCause(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		exit exit
		want error
	}{
		{"port", exit{Code: 48, raw: `"errmsg":"Address already in use"`}, ErrPortTaken},
		{"files of a dying mongod", exit{Code: 100, raw: "DBPathInUse"}, errDataLocked},
		{"files of a later version", exit{Code: 62}, ErrDataFiles},
		{"disk", exit{Code: 14, raw: "write: No space left on device"}, ErrDiskFull},
		{"no AVX", exit{Code: -1, Signal: "illegal instruction"}, ErrCPU},
		{"read-only", exit{Code: 100 - 1, raw: "Read-only file system"}, ErrNotWritable},
		{"option", exit{Code: 2}, ErrBinary},
		{"loader", exit{Code: 127}, ErrMissingLibrary},
		{"killed", exit{Code: -1, Signal: "killed"}, ErrCrashed},
		{"anything else", exit{Code: 14}, ErrCrashed},
	} {
		if err := tc.exit.err(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestFatalLine(t *testing.T) {
	t.Parallel()
	const info = `{"s":"I","msg":"hello"}` + "\n"
	for _, tc := range []struct{ name, log, want string }{
		{"nothing", info, ""},
		{"error with an object", info + `{"s":"E","msg":"listener","attr":{"error":{"code":9001}}}` + "\n", `listener: {"code":9001}`},
		{
			"the reason stands before the aborting",
			`{"s":"E","msg":"before"}` + "\n" + `{"s":"F","msg":"Fatal assertion","attr":{"msgid":1,"error":"bad page"}}` + "\n" +
				`{"s":"F","msg":"\n\n***aborting after fassert() failure\n\n"}` + "\n" + info,
			"Fatal assertion: bad page",
		},
		{"torn lines are passed over", `ror":1}}` + "\n" + info + `{"s":"F","ms`, ""},
	} {
		if got := fatalLine(tc.log); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if long := cut(strings.Repeat("é\n", 400)); len(long) > 410 || strings.Contains(long, "\n") {
		t.Errorf("cut() leaves %d bytes", len(long))
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var out tail
	for range 3 {
		if _, err := out.Write([]byte(strings.Repeat("x", tailBytes-1) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := out.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); len(s) > tailBytes || !strings.HasSuffix(s, "the end") {
		t.Errorf("kept %d bytes, ending in %q", len(s), s[len(s)-7:])
	}
}
