//go:build !linux

package ntptest

import "net"

func stampReceived(*net.UDPConn) {}

func receivedAt(_ []byte, now int64) int64 { return now }
