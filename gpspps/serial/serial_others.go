//go:build !linux

package serial

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func openLine(string) (*os.File, error) {
	return nil, fmt.Errorf("serial ports on %s: %w; let another program, as chronyd, read the receiver", runtime.GOOS, errors.ErrUnsupported)
}

func configure(*os.File, framing) error { return errors.ErrUnsupported }

func gone(error) bool { return false }

type monotonic struct{}

func (*monotonic) now() int64 { return 0 }
