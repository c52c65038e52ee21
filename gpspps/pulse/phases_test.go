package pulse

import "testing"

func TestPhases(t *testing.T) {
	for _, c := range []struct {
		name   string
		high   int64 // ms of each second
		rising bool
		known  bool
	}{
		{"100 ms", 100, true, true},
		{"upside down", 900, false, true},
		{"20 ms", 20, true, true},
		{"a third", 333, true, true},
		{"half a second", 500, false, false},
		{"nearly half", 430, false, false},
	} {
		var p phases
		for n := range int64(8) {
			p.add(n*1e9+1, true)
			rising, known := p.add(n*1e9+c.high*1e6+1, false)
			if n < agree-1 && known {
				t.Errorf("%s: known after %d seconds", c.name, n+1)
			}
			if n == 7 && (rising != c.rising || known != c.known) {
				t.Errorf("%s: %v, known %v", c.name, rising, known)
			}
		}
	}
	var noise phases
	for n := range int64(100) {
		if _, known := noise.add(n*137e6+1, n%2 == 0); known {
			t.Fatal("noise is taken for a pulse")
		}
	}
	var turned phases
	for n := range int64(5) {
		turned.add(n*1e9+1, true)
		turned.add(n*1e9+1e8, false)
	}
	for n := int64(5); n < 10; n++ {
		turned.add(n*1e9+1, true)
		if rising, known := turned.add(n*1e9+9e8, false); known && rising && n > 5 || n == 9 && !known {
			t.Errorf("turned around, after %d s: %v, known %v", n-4, rising, known)
		}
	}
}

func FuzzPhases(f *testing.F) {
	f.Add(int64(1e8), int64(9e8), int64(5))
	f.Fuzz(func(t *testing.T, a, b, c int64) {
		var p phases
		at := c
		for range 12 {
			p.add(at, true)
			at += a
			p.add(at, false)
			at += b
		}
		if _, known := p.known(); known && (a+b < 1e9-wholeSecond || a+b > 1e9+wholeSecond) {
			t.Errorf("phases of %d and %d ns are taken for a second", a, b)
		}
	})
}
