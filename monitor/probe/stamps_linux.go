package probe

// txLate is how long after the send call a packet's transmit stamp may have been
// made and still be believed, ns. It is made in the driver, which nearly always
// runs within the call. Where a queue holds the packet back, the driver runs
// soon after; what waits for longer is a congested link's, and then the reading
// before the call is as true a bound, only wider: the wait counts as delay.
// Were a stamp another packet's after all, T1 could so be wrong by no more than
// this and the call itself.
const txLate = 1_000_000

// kernelStamps are the stamps of a request sent between the readings before and
// after, whose reply was read by read, all ns since the Unix epoch. tx and rx are
// the kernel's, 0 for none. One that cannot be true is not believed, and the
// reading beside it serves.
func kernelStamps(before, after, tx, rx, read int64) stamps {
	s := stamps{t1: before, t4: read, wanted: true}
	gotRx := rx != 0 && rx >= before-stampSlack && rx <= read+stampSlack
	if gotRx {
		s.t4 = rx
	}
	gotTx := tx != 0 && tx >= before-stampSlack && tx <= min(after+txLate, s.t4+stampSlack)
	if gotTx {
		s.t1 = tx
	}
	s.kernel = gotRx && gotTx
	s.err = kernelStampError
	if !gotTx {
		s.err = max(s.err, userStampError(before, after, false))
	}
	if !gotRx {
		s.err = max(s.err, userReceiveError)
	}
	return s
}

// kernelStamps are those of a flight whose reply has come.
func (f *flight) kernelStamps() stamps {
	s := kernelStamps(f.before, f.after, f.tx, f.rx, f.read)
	s.ttl = f.ttl
	return s
}
