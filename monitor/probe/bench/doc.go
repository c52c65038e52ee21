// Package bench measures how wrong exchanges are, beside beevik/ntp left alone
// and a real chronyd as client, and what they cost: `make bench-probe`.
//
// Client and server, a real chronyd, run in two network namespaces of one
// machine, joined by a veth pair. Both read one clock, so the truth is 0 and
// the offset measured is the error. It needs root, and makes and removes the
// namespaces itself. All of it is in tests with the build tag bench.
package bench
