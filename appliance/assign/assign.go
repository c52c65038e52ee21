// Package assign says which servers a station watches: those that its owner
// wrote into truechimer.toml, and those of a list that somebody else keeps at
// an address on the web.
//
// The list is hostile until it is proven harmless. It is bounded in size and
// in time, taken as a whole or not at all, and what it names is Remote: the
// monitor asks it for nothing inside of the station's own network. The last
// good list is kept on the card, and stays in force for as long as no other
// one can be had: whoever keeps the list being away is no reason to stop.
//
// list.go reads a document, merge.go joins what several sources say, poll.go
// asks for the list, and keep.go keeps it. docs/assignments.md is for people
// who keep lists.
package assign

import "time"

// The bounds of a list.
const (
	MaxSize    = 2 << 20 // bytes
	MaxServers = 10_000
	// MaxName bounds what a server is called, characters.
	MaxName = 64
	// MinInterval is what the monitor lets pass between two exchanges with an
	// address of the internet, on average, at the least.
	MinInterval = 16 * time.Second
)
