package ntptest

import (
	"fmt"
	"math/rand/v2"
)

// Mutants are n servers whose replies were changed at random, by a generator
// with a fixed seed: the same ones every time. What an exchange with one comes to
// is not said, only that it is Silent where nothing comes that ends it.
func Mutants(n int) []Kind {
	list := make([]Kind, n)
	for i := range list {
		list[i] = mutant(i)
	}
	return list
}

// act is one thing that a mutant does when it is asked.
type act struct {
	name string
	do   func(*Question)
	ends bool // it ends an exchange
}

func mutant(i int) Kind {
	r := rand.New(rand.NewPCG(0x6d7574616e74, uint64(i)))
	k := Kind{Name: fmt.Sprintf("mutant %02d:", i), Silent: true}
	var acts []act
	for range 1 + r.IntN(4) {
		acts = append(acts, newAct(r))
	}
	if r.IntN(3) == 0 {
		acts = append(acts, act{"right", func(q *Question) { q.Send(q.Right) }, true})
	}
	for n, a := range acts {
		if n > 0 {
			k.Name += ","
		}
		k.Name += " " + a.name
		k.Silent = k.Silent && !a.ends
	}
	k.Answer = func(q *Question) {
		for _, a := range acts {
			a.do(q)
		}
	}
	return k
}

// newAct makes one up. What it changes is chosen now, and not when it is asked.
func newAct(r *rand.Rand) act {
	// change sends the right reply with f's changes; intact says that they spare
	// the cookie and do not cut it short.
	change := func(name string, intact bool, f func(b []byte) []byte) act {
		return act{name, func(q *Question) { q.Send(f(append([]byte(nil), q.Right...))) }, intact}
	}
	switch r.IntN(10) {
	case 0, 1:
		return flips(r, change)
	case 2:
		return extremes(r, change)
	case 3: // a field or two of the first bytes
		b0, b1 := byte(r.Uint32()), byte(r.Uint32())
		if r.IntN(2) == 0 {
			b0, b1 = b0&^7|modeServer, b1%20 // or hardly any would get further
		}
		return change(fmt.Sprintf("begins %02x%02x", b0, b1), true, func(b []byte) []byte {
			b[0], b[1] = b0, b1
			return b
		})
	case 4:
		n := r.IntN(packetSize)
		return change(fmt.Sprintf("%d bytes", n), false, func(b []byte) []byte { return b[:n] })
	case 5:
		tail := noise(r, 1+r.IntN(1400))
		return change(fmt.Sprintf("%d bytes more", len(tail)), true, func(b []byte) []byte { return append(b, tail...) })
	case 6:
		junk := noise(r, packetSize)
		if r.IntN(2) == 0 {
			junk[0], junk[1] = 4<<3|modeServer, 2
		}
		return change("noise with the right cookie", true, func(b []byte) []byte {
			copy(b[:24], junk)
			copy(b[32:], junk[32:])
			return b
		})
	case 7:
		junk := noise(r, r.IntN(200))
		return act{fmt.Sprintf("%d bytes of noise", len(junk)), func(q *Question) { q.Send(junk) }, false}
	case 8:
		if r.IntN(2) == 0 {
			return act{"the reply before", func(q *Question) {
				if q.Before != nil {
					q.Send(q.Before)
				}
			}, false}
		}
		if r.IntN(2) == 0 {
			return act{"from a neighbour", func(q *Question) { q.SendAsNeighbour(q.Right) }, false}
		}
		return act{"from elsewhere", func(q *Question) { q.SendElsewhere(q.Right) }, false}
	}
	typ := []uint8{3, 3, 3, 11, 12, 4, byte(r.Uint32())}[r.IntN(7)]
	code, quote := uint8(r.IntN(16)), []int{0, 8, packetSize}[r.IntN(3)]
	return act{fmt.Sprintf("icmp %d/%d", typ, code), func(q *Question) { q.ICMP(typ, code, 0, quote) }, false}
}

func flips(r *rand.Rand, change func(string, bool, func([]byte) []byte) act) act {
	bits, intact := make([]int, 1+r.IntN(8)), true
	for i := range bits {
		bits[i] = r.IntN(packetSize * 8)
		intact = intact && (bits[i]/8 < 24 || bits[i]/8 >= 32)
	}
	return change(fmt.Sprintf("bits %v", bits), intact, func(b []byte) []byte {
		for _, n := range bits {
			b[n/8] ^= 1 << (n % 8)
		}
		return b
	})
}

// extremes puts a value at the edge of what fits into a field.
func extremes(r *rand.Rand, change func(string, bool, func([]byte) []byte) act) act {
	fields := [...][2]int{{2, 3}, {3, 4}, {4, 8}, {8, 12}, {12, 16}, {16, 24}, {32, 40}, {40, 48}}
	f, v := fields[r.IntN(len(fields))], [...]byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
	return change(fmt.Sprintf("bytes %d to %d %02x", f[0], f[1]-1, v), true, func(b []byte) []byte {
		for i := f[0]; i < f[1]; i++ {
			b[i] = v
		}
		return b
	})
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
