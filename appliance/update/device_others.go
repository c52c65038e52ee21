//go:build !linux

package update

import "errors"

// Drop is not possible here: no station runs on this system.
func (p Partition) Drop() error { return errors.ErrUnsupported }
