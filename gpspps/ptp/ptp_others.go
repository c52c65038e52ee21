//go:build !linux

package ptp

import "errors"

// Clock is a PTP hardware clock: Linux alone has them as files.
type Clock struct{}

// Open says that there is none.
func Open(string) (*Clock, error) { return nil, errors.ErrUnsupported }

// Name is empty.
func (*Clock) Name() string { return "" }

// Close does nothing.
func (*Clock) Close() error { return nil }

// Read says that there is none.
func (*Clock) Read() (mono, time int64, half float64, err error) {
	return 0, 0, 0, errors.ErrUnsupported
}
