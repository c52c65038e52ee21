package discipline

import (
	"math"
	"testing"
)

func TestTimex(t *testing.T) {
	for _, c := range []struct {
		ns, sec, nsec int64
	}{
		{0, 0, 0}, {1, 0, 1}, {-1, -1, 999999999}, {-250000000, -1, 750000000},
		{1500000000, 1, 500000000}, {-1500000000, -2, 500000000}, {-2000000000, -2, 0},
		{825000000250000000, 825000000, 250000000},
	} {
		tx := step(c.ns)
		if int64(tx.Time.Sec) != c.sec || int64(tx.Time.Usec) != c.nsec || tx.Modes != 0x2100 {
			t.Errorf("step %d: %d s %d ns, modes %#x", c.ns, tx.Time.Sec, tx.Time.Usec, tx.Modes)
		}
	}
	for ppm, want := range map[float64]int64{0: 0, 1: 65536, -1.5: -98304, 500: 32768000, -500: -32768000} {
		tx, err := frequency(ppm)
		if err != nil || int64(tx.Freq) != want || tx.Modes != 2 {
			t.Errorf("%g ppm: %d, modes %#x, %v", ppm, tx.Freq, tx.Modes, err)
		}
	}
	for _, ppm := range []float64{500.1, -501, math.NaN(), math.Inf(1)} {
		if _, err := frequency(ppm); err == nil {
			t.Errorf("%g ppm is taken", ppm)
		}
	}
	tx := report(1.2e-6, 5e-3, true)
	if tx.Esterror != 2 || tx.Maxerror != 5000 || tx.Status != 0 || tx.Modes != 0x1c {
		t.Errorf("report %+v", tx)
	}
	if tx := report(math.NaN(), 1e9, true); tx.Maxerror != 15900000 || tx.Esterror != 15900000 {
		t.Errorf("report %+v", tx)
	}
	if tx := report(0, 0, false); tx.Status != 0x40 || tx.Modes != 0x10 {
		t.Errorf("report %+v", tx)
	}
}

// TestNow reads the machine's clock and does not set it.
func TestNow(t *testing.T) {
	k, err := System()
	if err != nil {
		t.Fatal(err)
	}
	mono, diff, err := k.Now()
	if err != nil || mono <= 0 || mono+diff <= mono {
		t.Errorf("%d %d %v", mono, diff, err)
	}
	later, _, _ := k.Now()
	if later < mono {
		t.Errorf("%d after %d", later, mono)
	}
}
