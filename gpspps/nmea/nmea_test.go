package nmea

import "testing"

func TestAppendSentence(t *testing.T) {
	got := string(AppendSentence([]byte("x"), "GPGLL,5300.97914,N,00259.98174,E,125926,A"))
	if want := "x$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
