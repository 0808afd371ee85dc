package outbound

import (
	"net/netip"
	"syscall"
)

// reserved are the ranges of the IANA special-purpose registries that no method of package netip knows, and the one public
// address at which a cloud answers with secrets. Of IPv6 only those inside [global] need to be here.
var reserved = prefixes(
	"0.0.0.0/8",        // this host
	"100.64.0.0/10",    // carrier-grade NAT, and the metadata of a cloud
	"168.63.129.16/32", // the metadata of another
	"192.0.0.0/24",     // protocol assignments, and the metadata of a third
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays from IPv6
	"198.18.0.0/15",    // benchmarks
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"240.0.0.0/4",      // the future, and broadcast
	"2001::/23",        // Teredo and other tunnels, with an IPv4 address inside
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4, with an IPv4 address inside
	"3fff::/20",        // documentation
)

var (
	global     = netip.MustParsePrefix("2000::/3")      // where public IPv6 addresses have been given out so far
	translated = netip.MustParsePrefix("64:ff9b::/96")  // how a network without IPv4 reaches it: the address is inside
	metadata   = netip.MustParsePrefix("fd00:ec2::/32") // where in a private range a cloud keeps credentials
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// guard decides about each connection when its address is known.
type guard struct {
	private bool
	also    netip.AddrPort // in tests: one server on loopback that counts as public
}

// control is called by the dialer between resolving and connecting, for each address it tries.
//
// Errors: HOST_NOT_PUBLIC. It does not say the address: who gave the name would learn what it resolves to in here.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return ErrRefused
	}
	if ip := at.Addr(); public(ip) || g.private && near(ip) || at == g.also {
		return nil
	}
	return ErrRefused
}

// public reports whether an address is one of the public internet, whichever way it is written.
func public(ip netip.Addr) bool {
	if ip.Zone() != "" { // makes sense on a link alone
		return false
	}
	ip = ip.Unmap()
	if translated.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !global.Contains(ip) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// near reports whether an address is of this machine or of a private network.
func near(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() && !metadata.Contains(ip)
}
