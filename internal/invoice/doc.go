// Package invoice prints invoices: as a page of HTML ([Invoice.HTML]) and as a PDF ([Invoice.PDF]). It knows nothing of
// where an invoice comes from and calculates nothing but what is still due: what it is given is what it prints.
//
// Invariants: both forms say the same, from one text of each date and amount; equal invoices give equal bytes, so a copy
// can be compared with what was once sent (until a library or the Go release changes); nothing in an invoice is taken for
// markup; no text makes printing fail, whatever its script or length; nothing outside of the output is referred to.
//
// The HTML needs no scripts and prints well. The PDF is A4, embeds the Go fonts, and so prints Latin, Greek and Cyrillic. A
// letter these fonts lack is printed without its marks (ễ as e) or, if that does not help either, as the replacement
// character: who must read names of other scripts is better served by the HTML.
package invoice
