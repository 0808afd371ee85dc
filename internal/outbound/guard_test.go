package outbound

import (
	"errors"
	"net/netip"
	"testing"
)

func TestReq114OnlyPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ip           string
		public, near bool
	}{
		{"1.1.1.1", true, false},
		{"93.184.216.34", true, false},
		{"172.15.255.255", true, false},
		{"172.32.0.0", true, false},
		{"100.63.255.255", true, false},
		{"100.128.0.0", true, false},
		{"223.255.255.255", true, false},
		{"2606:4700:4700::1111", true, false},
		{"2a00:1450:4001:810::200e", true, false},
		{"::ffff:1.1.1.1", true, false},
		{"64:ff9b::101:101", true, false}, // 1.1.1.1 behind NAT64

		{"127.0.0.1", false, true},
		{"127.255.255.254", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"::ffff:7f00:1", false, true},
		{"10.0.0.1", false, true},
		{"172.16.0.1", false, true},
		{"172.31.255.255", false, true},
		{"192.168.1.1", false, true},
		{"::ffff:192.168.1.1", false, true},
		{"fc00::1", false, true},
		{"fdff::1", false, true},

		{"169.254.169.254", false, false}, // metadata of most clouds
		{"::ffff:169.254.169.254", false, false},
		{"169.254.0.1", false, false},
		{"100.100.100.200", false, false},
		{"168.63.129.16", false, false},
		{"192.0.0.192", false, false},
		{"fd00:ec2::254", false, false},
		{"fe80::1", false, false},
		{"fe80::1%eth0", false, false},
		{"2606:4700:4700::1111%eth0", false, false},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"::", false, false},
		{"::ffff:0.0.0.0", false, false},
		{"::127.0.0.1", false, false}, // IPv4-compatible
		{"64:ff9b::7f00:1", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"64:ff9b:1::101:101", false, false},
		{"2002:7f00:1::1", false, false},
		{"2001:0:7f00:1::1", false, false},
		{"2001:db8::1", false, false},
		{"3fff::1", false, false},
		{"100::1", false, false},
		{"fec0::1", false, false},
		{"4000::1", false, false},
		{"ff02::1", false, false},
		{"224.0.0.1", false, false},
		{"239.255.255.250", false, false},
		{"240.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"192.0.2.1", false, false},
		{"198.18.0.1", false, false},
		{"198.51.100.1", false, false},
		{"203.0.113.1", false, false},
		{"192.88.99.1", false, false},
	} {
		ip := netip.MustParseAddr(tc.ip)
		if public(ip) != tc.public || near(ip) != tc.near {
			t.Errorf("%s: public = %t, near = %t; want %t, %t", tc.ip, public(ip), near(ip), tc.public, tc.near)
		}
		network := "tcp6"
		if ip.Is4() {
			network = "tcp4"
		}
		at := netip.AddrPortFrom(ip, 443).String()
		if err := (guard{}).control(network, at, nil); (err == nil) != tc.public || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("control(%s) = %v", at, err)
		}
		if err := (guard{private: true}).control(network, at, nil); (err == nil) != (tc.public || tc.near) {
			t.Errorf("in development, control(%s) = %v", at, err)
		}
	}
}

func TestGuardRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, tc := range [][2]string{
		{"unix", "/run/docker.sock"},
		{"udp4", "1.1.1.1:53"},
		{"tcp4", "example.com:80"},
		{"tcp4", "1.1.1.1"},
		{"tcp4", ""},
		{"tcp4", "0177.0.0.1:80"},
		{"tcp4", "2130706433:80"},
	} {
		if err := (guard{private: true}).control(tc[0], tc[1], nil); !errors.Is(err, ErrRefused) {
			t.Errorf("control(%q, %q) = %v", tc[0], tc[1], err)
		}
	}
}

// FuzzPublic holds the rule that no way to write an address changes the answer, and that nothing near is public.
func FuzzPublic(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "1.1.1.1", "::1", "2606:4700::1", "169.254.169.254"} {
		f.Add(netip.MustParseAddr(seed).AsSlice())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, ok := netip.AddrFromSlice(b)
		if !ok {
			return
		}
		if public(ip) && (near(ip) || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified()) {
			t.Errorf("%s is public", ip)
		}
		if ip.Is4() {
			b := ip.As4()
			inside := netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]})
			if mapped := netip.AddrFrom16(ip.As16()); public(mapped) != public(ip) || public(inside) != public(ip) {
				t.Errorf("%s: public = %t, mapped %t, translated %t", ip, public(ip), public(mapped), public(inside))
			}
		}
	})
}
