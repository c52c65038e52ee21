package network

import (
	"bytes"
	"testing"
)

func TestOwnAddress(t *testing.T) {
	a, again, other := OwnAddress("0123"), OwnAddress("0123"), OwnAddress("0124")
	if len(a) != 6 || !bytes.Equal(a, again) || bytes.Equal(a, other) {
		t.Errorf("%s, %s, %s", a, again, other)
	}
	for _, x := range [][]byte{a, other} {
		if x[0]&1 != 0 || x[0]&2 == 0 {
			t.Errorf("% x is not an individual, locally administered address", x)
		}
	}
}
