//go:build !linux

package network

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Run fails: only a station's own Linux has its network managed by this
// package.
func (m *Manager) Run(context.Context) error {
	return fmt.Errorf("network: links are managed on Linux only, this is %s; leave the addresses to the system", runtime.GOOS)
}

// RouterSilent implements nothing here.
func (m *Manager) RouterSilent() bool { return false }

// TimeRouter implements nothing here.
func (m *Manager) TimeRouter(context.Context) (time.Duration, error) {
	return 0, errors.ErrUnsupported
}
